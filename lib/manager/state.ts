import { PREVIOUS_STATE_FILE, STATE_FILE, writtenText } from '../backup/state-file.js';
import { withoutFullStop } from '../base/advice.js';
import { errorCode, RocksDBError } from '../base/errors.js';
import { ANY_VERSION, locationInCommand, type SmallFile, type StateLock, type Storage } from '../storage/storage.js';
import { type DirectoryState, emptyState, parseState } from './directory-state.js';
import { lockState } from './state-lock.js';

/** A state file that cannot be parsed any more is kept under this name, in case somebody wants to look at it. */
const DAMAGED_STATE_FILE = 'rocksdb-backup.state.damaged.json';

/**
 * Reads the state of a repository. If the repository has none, the state is empty.
 *
 * @example
 * const { pins } = await readState(engine.storage);
 */
export async function readState(storage: Storage): Promise<DirectoryState> {
  return (await load(storage)).state;
}

/**
 * Changes the state of a repository: reads it, lets `change` modify it, and writes it so that it survives a power cut. No other change can
 * happen in between, in this process or another.
 *
 * @example
 * await updateState(engine.storage, (state) => pin(state, info, 'before the upgrade'));
 */
export async function updateState(storage: Storage, change: (state: DirectoryState) => void): Promise<DirectoryState> {
  const lock = await lockState(storage);
  try {
    const loaded = await load(storage);
    const { state } = loaded;
    const pinsBefore = JSON.stringify(state.pins);
    change(state);
    await write(storage, lock, loaded, pinsBefore).catch(throwForState);
    return state;
  } finally {
    await lock.release();
  }
}

/**
 * Writes the state, and keeps the state before it in another file. That file always has the same pins. So if one of the two is damaged, no
 * pin is lost.
 */
async function write(
  storage: Storage,
  lock: StateLock,
  { state, file, damaged }: Loaded,
  pinsBefore: string,
): Promise<void> {
  const text = writtenText(state);
  const copy = async (name: string, bytes: string | Uint8Array) => {
    lock.assertHeld();
    await storage.replaceSmall(name, ANY_VERSION, bytes).catch((error) => {
      // The copy is there. Whether its name lasts, the next write in the same place finds out.
      if (errorCode(error) !== 'STATE_NOT_DURABLE') throw error;
    });
  };
  if (file !== undefined) {
    await copy(damaged ? DAMAGED_STATE_FILE : PREVIOUS_STATE_FILE, file.bytes);
  }
  lock.assertHeld();
  await storage.replaceSmall(STATE_FILE, file?.version, text);
  if (JSON.stringify(state.pins) !== pinsBefore) {
    await copy(PREVIOUS_STATE_FILE, text).catch((cause: RocksDBError) => {
      const path = `${storage.name}/${STATE_FILE}`;
      const message = `${path} was changed, but its copy could not be written: ${cause.message}`;
      throw Object.assign(new RocksDBError(message, 'STATE_NOT_DURABLE', { path }), { cause });
    });
  }
}

/** Adds to the error of a small file what the file holds. */
function throwForState(cause: unknown): never {
  const { whatHappened, code, path, why, advice, status, storeCode, requestId } = cause as RocksDBError;
  const holds = {
    STATE_UNREADABLE: 'It holds the pins of the backups beside it.',
    STATE_UNWRITABLE: 'It holds the pins and the history of the backups beside it, and was not changed.',
    STATE_NOT_DURABLE: 'It holds the pins and the history of the backups beside it.',
  }[errorCode(cause) ?? ''];
  if (holds === undefined || (cause as { cause?: unknown }).cause !== undefined) {
    throw cause;
  }
  const facts = {
    path,
    ...(why && { why }),
    ...(advice && { advice }),
    ...(status !== undefined && { status }),
    ...(storeCode && { storeCode }),
    ...(requestId && { requestId }),
  };
  throw Object.assign(new RocksDBError(`${withoutFullStop(whatHappened)}. ${holds}`, code, facts), { cause });
}

/**
 * Does some work while nobody else can change the state. The state stays valid until the work is done, unless `assertHeld` throws
 * LOCK_LOST. The work must not change the state itself, because that would wait for ever. It must not wait for anything slow, because
 * others who want to change the state wait for it.
 */
export async function holdingState<T>(
  storage: Storage,
  use: (state: DirectoryState, assertHeld: () => void) => Promise<T>,
): Promise<T> {
  const lock = await lockState(storage);
  try {
    return await use((await load(storage)).state, () => lock.assertHeld());
  } finally {
    await lock.release();
  }
}

interface Loaded {
  state: DirectoryState;
  /** The state file as it was read. Undefined if there is none. */
  file: SmallFile | undefined;
  /** Whether the state file cannot be parsed. */
  damaged: boolean;
}

async function load(storage: Storage): Promise<Loaded> {
  const read = async (name: string) => {
    const file = await storage.readSmall(name).catch(throwForState);
    return { file, parsed: file && parseState(file.bytes.toString(), `${storage.name}/${name}`) };
  };
  const { file, parsed } = await read(STATE_FILE);
  if (typeof parsed === 'object') {
    return { state: parsed, file, damaged: false };
  }
  const { parsed: previous } = await read(PREVIOUS_STATE_FILE);
  if (typeof previous === 'object') {
    return { state: previous, file, damaged: file !== undefined };
  }
  const state = emptyState();
  const problem = parsed ?? previous;
  if (problem !== undefined) {
    state.pinsLost =
      `${problem}; which backups were pinned is not known any more. Pin again those that are to be kept, then say so: ` +
      `rocksdb-backup unpin ${locationInCommand(storage)} --acknowledge-lost-pins`;
  }
  return { state, file, damaged: file !== undefined };
}

/**
 * Like readState(), for code that only looks. If the state cannot be read, it returns one without pins that says so. Nothing is deleted
 * then, as after a loss of pins.
 */
export async function lookAtState(storage: Storage): Promise<DirectoryState> {
  try {
    return await readState(storage);
  } catch (error) {
    const { code, message } = error as RocksDBError;
    if (code !== 'STATE_UNREADABLE') {
      throw error;
    }
    const pinsLost = `${message} Which backups are pinned is not known until it can be read`;
    return { ...emptyState(), pinsLost };
  }
}
