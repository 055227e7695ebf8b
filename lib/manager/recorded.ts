import type { Clock } from '../base/clock.js';
import { type NewRecord, recordedError } from './operation-record.js';
import type { Recorder } from './recorder.js';

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
