import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { PREVIOUS_STATE_FILE, STATE_FILE, writtenText } from '../backup/state-file.js';
import { NotDurable, writeDurably } from '../base/durable-file.js';
import { errorCode, RocksDBError } from '../base/errors.js';
import { readPlainFile } from '../base/plain-file.js';
import { type DirectoryState, emptyState, parseState } from './directory-state.js';
import { lockState } from './state-lock.js';

/** A state file that cannot be parsed any more is kept under this name, in case somebody wants to look at it. */
const DAMAGED_STATE_FILE = 'rocksdb-backup.state.damaged.json';

/**
 * Reads the state of a repository. If the repository has none, the state is empty.
 *
 * @example
 * const { pins } = await readState('/backups/users');
 */
export async function readState(location: string): Promise<DirectoryState> {
  return (await load(location)).state;
}

/**
 * Changes the state of a repository: reads it, lets `change` modify it, and writes it so that it survives a power cut. No other change can
 * happen in between, in this process or another.
 *
 * @example
 * await updateState('/backups/users', (state) => pin(state, info, 'before the upgrade'));
 */
export async function updateState(location: string, change: (state: DirectoryState) => void): Promise<DirectoryState> {
  const lock = await lockState(location);
  try {
    const { state, damaged } = await load(location);
    const pinsBefore = JSON.stringify(state.pins);
    change(state);
    const path = join(location, STATE_FILE);
    const write = (aside: string) =>
      writeDurably(path, writtenText(state), () => {
        lock.assertHeld();
        return renameIfThere(path, join(location, aside));
      });
    const writeAll = async () => {
      await write(damaged ? DAMAGED_STATE_FILE : PREVIOUS_STATE_FILE);
      if (JSON.stringify(state.pins) !== pinsBefore) {
        // The previous file then has the same pins. So if one of the two files is damaged, no pin is lost.
        await write(PREVIOUS_STATE_FILE);
      }
    };
    await writeAll().catch((error: Error) => {
      if (errorCode(error) === 'LOCK_LOST') {
        throw error;
      }
      const what = 'the pins and the history of the backups beside it';
      const message =
        error instanceof NotDurable
          ? `${path} was changed, and may be as it was again after a power cut: ${error.message}. It holds ${what}.`
          : `${path} cannot be written: ${error.message}. It holds ${what}, and is as it was.`;
      throw Object.assign(new RocksDBError(message, 'STATE_UNWRITABLE', { path }), { cause: error });
    });
    return state;
  } finally {
    lock.release();
  }
}

/**
 * Does some work while nobody else can change the state. The state stays valid until the work is done, unless `assertHeld` throws
 * LOCK_LOST. The work must not change the state itself, because that would wait for ever. It must not wait for anything slow, because
 * others who want to change the state wait for it.
 */
export async function holdingState<T>(
  location: string,
  use: (state: DirectoryState, assertHeld: () => void) => Promise<T>,
): Promise<T> {
  const lock = await lockState(location);
  try {
    return await use((await load(location)).state, () => lock.assertHeld());
  } finally {
    lock.release();
  }
}

async function load(location: string): Promise<{ state: DirectoryState; damaged: boolean }> {
  const path = join(location, STATE_FILE);
  const current = await readOne(path);
  if (typeof current === 'object') {
    return { state: current, damaged: false };
  }
  const previous = await readOne(join(location, PREVIOUS_STATE_FILE));
  if (typeof previous === 'object') {
    return { state: previous, damaged: current !== undefined };
  }
  const state = emptyState();
  const problem = current ?? previous;
  if (problem !== undefined) {
    state.pinsLost =
      `${problem}; which backups were pinned is not known any more. Pin again those that are to be kept, then say so: ` +
      `rocksdb-backup unpin ${location} --acknowledge-lost-pins`;
  }
  return { state, damaged: current !== undefined };
}

/**
 * Like readState(), for code that only looks. If the state cannot be read, it returns one without pins that says so. Nothing is deleted
 * then, as after a loss of pins.
 */
export async function lookAtState(location: string): Promise<DirectoryState> {
  try {
    return await readState(location);
  } catch (error) {
    const { code, message } = error as RocksDBError;
    if (code !== 'STATE_UNREADABLE') {
      throw error;
    }
    const pinsLost = `${message} Which backups are pinned is not known until it can be read`;
    return { ...emptyState(), pinsLost };
  }
}

/** Reads one state file. Returns the state, or a message if the file is damaged, or undefined if there is no file. */
async function readOne(path: string): Promise<DirectoryState | string | undefined> {
  let text: string;
  try {
    text = await readPlainFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return undefined;
    }
    throw new RocksDBError(
      `${path} cannot be read: ${message}. It holds the pins of the backups beside it.`,
      'STATE_UNREADABLE',
      { path },
    );
  }
  return parseState(text, path);
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') {
      throw error;
    }
  });
}
