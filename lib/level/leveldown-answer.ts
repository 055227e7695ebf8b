import type { MaybePromise } from '../native/native-database.js';
import { isPromise, paced } from '../native/settle.js';
import type { AnyCallback } from './leveldown-abstract.js';
import { asStoreError } from './leveldown-errors.js';

/** Counts the calls that have not called back yet. */
export interface Tally {
  begin(): void;
  end(): void;
}

/**
 * Calls back with the result of an attempt. If the result is there at once, it calls back in the next tick, without going through another
 * thread. From time to time the event loop gets its turn first, because ticks alone would never let it run. An exception in a callback
 * becomes an uncaught exception, never a rejected promise.
 */
export function answer<T>(
  callback: AnyCallback,
  attempt: () => MaybePromise<T>,
  finish: (value: T) => unknown = (value) => value,
  tally?: Tally,
): void {
  const fail = (error: unknown) => process.nextTick(callback, asStoreError(error));
  const succeed = (value: T) => {
    let result: unknown;
    try {
      result = finish(value);
    } catch (error) {
      fail(error);
      return;
    }
    process.nextTick(callback, null, result);
  };
  let outcome: MaybePromise<T>;
  try {
    outcome = attempt();
  } catch (error) {
    fail(error);
    return;
  }
  const result = paced(outcome);
  if (isPromise(result)) {
    tally?.begin();
    result.then(succeed, fail).then(() => tally?.end());
  } else {
    succeed(result);
  }
}

/** The same for calls without a result: the callback gets no arguments. */
export function answerDone(callback: AnyCallback, attempt: () => MaybePromise<unknown>, tally?: Tally): void {
  answer((error) => (error ? callback(error) : callback()), attempt, undefined, tally);
}
