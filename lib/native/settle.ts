import { types } from 'node:util';
import { pace } from '../base/pace.js';
import type { MaybePromise } from './native-database.js';

/** Also of native code's promises where this runs in a context of its own, which has another `Promise` (as in Jest). */
export function isPromise<T>(result: MaybePromise<T>): result is Promise<T> {
  return typeof result === 'object' && (result instanceof Promise || types.isPromise(result));
}

/** A result as it is; or, if it was there at once and it is the event loop's turn, a promise that waits for that. */
export function paced<T>(result: MaybePromise<T>): MaybePromise<T> {
  return !isPromise(result) && pace.due() ? pace.turn().then(() => result) : result;
}

/** The same for a result that may have taken long: one of many keys, a block of entries. */
export function pacedAfterWork<T>(result: MaybePromise<T>): MaybePromise<T> {
  return !isPromise(result) && pace.dueAfterWork() ? pace.turn().then(() => result) : result;
}

/**
 * A promise of a result that may be there already. Now and then one of those waits for the event loop to turn: otherwise
 * `for (...) await db.put(...)` would keep everything else in the process waiting until the loop is through.
 */
export function settle<T>(result: MaybePromise<T>): Promise<T> {
  return Promise.resolve(paced(result));
}

/** The same for a result that may have taken long. */
export function settleAfterWork<T>(result: MaybePromise<T>): Promise<T> {
  return Promise.resolve(pacedAfterWork(result));
}
