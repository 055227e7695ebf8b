import type { Clock } from '../base/clock.js';
import { type NewRecord, recordedError } from './operation-record.js';
import type { Recorder } from './recorder.js';

/** The parts of a history entry that the work fills in while it runs. */
export type Entry = Omit<NewRecord, 'at' | 'ok' | 'durationMs' | 'error'> & {
  /** Set if nothing was done in the end that must be recorded. */
  nothingDone?: boolean;
};

/** What is needed to record an operation. */
export interface Recording {
  clock: Pick<Clock, 'now' | 'monotonic'>;
  recorder: Recorder;
}

/**
 * Does some work and records that it was done, or how it failed, with its duration. The work gets its entry, to add what is known only
 * later, and a function that returns the time so far.
 */
export async function recorded<T>(
  { clock, recorder }: Recording,
  entry: Entry,
  work: (entry: Entry, elapsed: () => number) => Promise<T>,
): Promise<T> {
  const at = new Date(clock.now()).toISOString();
  const begun = clock.monotonic();
  const elapsed = () => Math.round(clock.monotonic() - begun);
  const write = async (outcome: Pick<NewRecord, 'ok' | 'error'>) => {
    const { nothingDone, ...rest } = entry;
    if (nothingDone !== true) {
      await recorder.record({ ...rest, at, durationMs: elapsed(), ...outcome });
    }
  };
  let result: T;
  try {
    result = await work(entry, elapsed);
  } catch (error) {
    await write({ ok: false, error: recordedError(error) });
    throw error;
  }
  await write({ ok: true });
  return result;
}
