import { constants, type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Clock } from '../base/clock.js';
import type { Storage } from '../storage/storage.js';
import type { DirectoryState } from './directory-state.js';
import { HISTORY_LENGTH, remember } from './history.js';
import { type NewRecord, type OperationRecord, ownRecord, recordedError } from './operation-record.js';
import { updateState } from './state.js';

/** Options of {@link Recorder}. */
interface RecorderOptions {
  /** A file to which every entry is appended as a line of JSON. @default none */
  auditLog?: string | undefined;
  /** Called when an entry could not be written. @default emits a process warning */
  onProblem?: ((problem: UnwrittenRecord) => void) | undefined;
}

/** An entry could not be written. The message is for a service, which will record more entries. */
class UnwrittenRecord extends Error {
  constructor(
    /** Where it was to be written. */
    readonly to: 'the audit log' | 'the history',
    location: string,
    override readonly cause: Error,
  ) {
    super(`${to} of ${location} could not be written, and will be tried again: ${cause.message}`);
  }
}

const NEWLINE = 0x0a;

/** At most this many entries that could not be written are kept for later. */
const MOST_UNWRITTEN = HISTORY_LENGTH;

/**
 * Records what was done to a repository: in the history of its state, and in the audit log. If recording fails, the operation itself does
 * not fail. The problem is reported, and the next entry tries again. So decisions that depend on the history, such as whether the newest
 * backup is verified, work on a full disk too: see {@link withUnwritten}.
 *
 * @example
 * const recorder = new Recorder(engine.storage, { auditLog: '/var/log/backups.jsonl' });
 * await recorder.record({ operation: 'verify', at, ok: true, durationMs: 812, backupId: 7 });
 */
export class Recorder {
  readonly #storage: Storage;
  readonly #auditLog: string | undefined;
  readonly #onProblem: (problem: UnwrittenRecord) => void;
  /** The entries that are not written yet, oldest first. */
  #unlogged: OperationRecord[] = [];
  #unremembered: OperationRecord[] = [];
  #logging: Promise<void> = Promise.resolve();

  constructor(storage: Storage, options: RecorderOptions = {}) {
    this.#storage = storage;
    this.#auditLog = options.auditLog && resolve(options.auditLog); // the process may change its directory later
    this.#onProblem = options.onProblem ?? ((problem) => process.emitWarning(problem));
  }

  async record(record: NewRecord): Promise<OperationRecord> {
    const whole = ownRecord(record);
    await this.#write([whole]);
    return whole;
  }

  /** Records several entries of one piece of work together. */
  async recordAll(records: readonly NewRecord[]): Promise<void> {
    await this.#write(records.map(ownRecord));
  }

  async #write(records: readonly OperationRecord[]): Promise<void> {
    await Promise.all([
      this.#attempt('the audit log', () => this.#log(records)),
      this.#attempt('the history', () => this.#remember(records)),
    ]);
  }

  /** The state as it would be if all entries of this recorder could have been written to it. */
  withUnwritten(state: DirectoryState): DirectoryState {
    const whole = this.#unremembered.length === 0 ? state : structuredClone(state);
    for (const record of this.#unremembered) {
      remember(whole, record);
    }
    return whole;
  }

  async #remember(records: readonly OperationRecord[]): Promise<void> {
    this.#unremembered = [...this.#unremembered, ...records].slice(-MOST_UNWRITTEN);
    let written: OperationRecord[] = [];
    await updateState(this.#storage, (state) => {
      written = this.#unremembered;
      for (const each of written) remember(state, each);
    });
    this.#unremembered = this.#unremembered.filter((each) => !written.includes(each));
  }

  #log(records: readonly OperationRecord[]): Promise<void> {
    const path = this.#auditLog;
    if (path === undefined) {
      return Promise.resolve();
    }
    this.#unlogged = [...this.#unlogged, ...records].slice(-MOST_UNWRITTEN);
    const logged = this.#logging.then(() => this.#appendTo(path));
    this.#logging = logged.catch(() => undefined);
    return logged;
  }

  async #appendTo(path: string): Promise<void> {
    if (this.#unlogged.length === 0) {
      return; // an earlier call has written it already
    }
    const file = await open(path, 'a', 0o640);
    try {
      for (let [record] = this.#unlogged; record !== undefined; [record] = this.#unlogged) {
        // Each entry is one write of a whole line at the end of the file, because several processes may share a log.
        await writeFully(file, `${(await isWithinLine(path)) ? '\n' : ''}${JSON.stringify(record)}\n`);
        this.#unlogged = this.#unlogged.filter((other) => other !== record);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #attempt(to: UnwrittenRecord['to'], write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      this.#onProblem(new UnwrittenRecord(to, this.#storage.name, cause as Error));
    }
  }
}

/** A history entry without its outcome. */
export type Entry = Omit<NewRecord, 'at' | 'ok' | 'durationMs' | 'error'>;

/** What an operation learns while it runs, for its history entry. */
export type Details = Partial<Entry> & {
  /** Nothing was done in the end that must be recorded. */
  nothingDone?: boolean;
  /** One entry is written for each of these, instead of a single one. It has these details in addition to the common ones. */
  each?: readonly Partial<Entry>[];
};

/** What is needed to record an operation. */
export interface Recording {
  clock: Pick<Clock, 'now' | 'monotonic'>;
  recorder: Recorder;
}

/** An operation that is being recorded. */
export interface Running {
  /** When it began. */
  at: Date;
  /** Milliseconds since then. */
  elapsed(): number;
  /** Adds details to the history entry. They are also recorded if the operation fails afterwards. */
  note(details: Details): void;
}

/** Does some work and records that it was done, or how it failed, with its duration. */
export async function recorded<T>(
  { clock, recorder }: Recording,
  entry: Entry,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const at = new Date(clock.now());
  const begun = clock.monotonic();
  const elapsed = () => Math.round(clock.monotonic() - begun);
  let noted: Entry & Details = entry;
  const note = (details: Details) => {
    noted = { ...noted, ...details };
  };
  const write = async (outcome: Pick<NewRecord, 'ok' | 'error'>) => {
    const { nothingDone = false, each = [{}], ...common } = noted;
    if (!nothingDone) {
      const end = { at: at.toISOString(), durationMs: elapsed(), ...outcome };
      await recorder.recordAll(each.map((own) => ({ ...common, ...own, ...end })));
    }
  };
  let result: T;
  try {
    result = await work({ at, elapsed, note });
  } catch (error) {
    await write({ ok: false, error: recordedError(error) });
    throw error;
  }
  await write({ ok: true });
  return result;
}

/**
 * Whether a log ends in the middle of a line, because a disk was full or a process was killed. The next entry must not become a part of
 * that line.
 */
async function isWithinLine(path: string): Promise<boolean> {
  // A log that may be written but not read is assumed to be complete. O_NONBLOCK: do not wait for something that is not a file, such as a
  // FIFO.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(() => undefined);
  try {
    const found = await file?.stat();
    if (file === undefined || !found?.isFile() || found.size === 0) {
      return false;
    }
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, found.size - 1);
    return buffer[0] !== NEWLINE;
  } finally {
    await file?.close();
  }
}

/** Writes the whole text, or throws. A single write may write only a part, for instance when the disk becomes full. */
async function writeFully(file: FileHandle, text: string): Promise<void> {
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    const { bytesWritten } = await file.write(rest);
    if (bytesWritten === 0) {
      throw new Error(`${rest.length} bytes could not be written`);
    }
    rest = rest.subarray(bytesWritten);
  }
}
