import { open } from 'node:fs/promises';
import { type NewRecord, type OperationRecord, ownRecord } from './operation-record.js';
import { remember, updateState } from './state.js';

/** Options of {@link Recorder}. */
export interface RecorderOptions {
  /** A file that every record is appended to, as a line of JSON. @default none */
  auditLog?: string | undefined;
  /** Told when a record could not be written. @default a warning of the process */
  onProblem?: ((problem: Error) => void) | undefined;
}

/**
 * Writes down what was done to a directory of backups: in the history of its state, and in the audit log. That this fails never
 * makes fail what was done, nor goes unseen.
 *
 * @example
 * const recorder = new Recorder('/backups/users', { auditLog: '/var/log/backups.jsonl' });
 * await recorder.record({ operation: 'verify', at, ok: true, durationMs: 812, backupId: 7 });
 */
export class Recorder {
  readonly #location: string;
  readonly #auditLog: string | undefined;
  readonly #onProblem: (problem: Error) => void;

  constructor(location: string, options: RecorderOptions = {}) {
    this.#location = location;
    this.#auditLog = options.auditLog;
    this.#onProblem = options.onProblem ?? ((problem) => process.emitWarning(problem));
  }

  async record(record: NewRecord): Promise<OperationRecord> {
    const whole = ownRecord(record);
    await Promise.all([
      this.#attempt('the audit log', () => this.#appendToLog(whole)),
      this.#attempt('the history', () => updateState(this.#location, (state) => remember(state, whole))),
    ]);
    return whole;
  }

  async #appendToLog(record: OperationRecord): Promise<void> {
    if (this.#auditLog === undefined) {
      return;
    }
    const file = await open(this.#auditLog, 'a', 0o640);
    try {
      // One write of a whole line at the end of the file: several processes may share a log.
      await file.write(`${JSON.stringify(record)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #attempt(what: string, write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      const { message } = cause as Error;
      this.#onProblem(new Error(`${what} of ${this.#location} could not be written: ${message}`, { cause }));
    }
  }
}
