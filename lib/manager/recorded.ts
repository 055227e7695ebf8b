import type { Clock } from '../base/clock.js';
import { type NewRecord, recordedError } from './operation-record.js';
import type { Recorder } from './recorder.js';

/** What work fills in of its record while it runs. */
export type Entry = Omit<NewRecord, 'at' | 'ok' | 'durationMs' | 'error'> & {
  /** Set when, in the end, nothing was done that has to be written down. */
  nothingDone?: boolean;
};

/** What a record is made with. */
export interface Recording {
  clock: Pick<Clock, 'now' | 'monotonic'>;
  recorder: Recorder;
}

/**
 * Does something, and writes down that it was done, or how it failed; with the time that it took. The work gets its entry, to add
 * what is known only then, and a function that tells how long it has taken so far.
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
