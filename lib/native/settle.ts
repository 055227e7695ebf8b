import { types } from 'node:util';
import { pace } from '../base/pace.js';
import type { MaybePromise } from './native-database.js';

/**
 * Whether a result is a promise. In a separate context (as in Jest) there is another `Promise` class; native promises are recognized there
 * too.
 */
export function isPromise<T>(result: MaybePromise<T>): result is Promise<T> {
  return typeof result === 'object' && (result instanceof Promise || types.isPromise(result));
}

/**
 * Returns the result as it is. But if the result is not a promise and a turn of the event loop is due, returns a promise that waits for
 * that turn.
 */
export function paced<T>(result: MaybePromise<T>): MaybePromise<T> {
  return !isPromise(result) && pace.due() ? pace.turn().then(() => result) : result;
}

/** The same for a result that may have taken long: the values of many keys, or a block of entries. */
export function pacedAfterWork<T>(result: MaybePromise<T>): MaybePromise<T> {
  return !isPromise(result) && pace.dueAfterWork() ? pace.turn().then(() => result) : result;
}

/**
 * Makes a promise of a result that may be there already. From time to time such a promise waits for the event loop to turn. Otherwise a
 * loop such as `for (...) await db.put(...)` would block everything else in the process until it ends.
 */
export function settle<T>(result: MaybePromise<T>): Promise<T> {
  return Promise.resolve(paced(result));
}

/** The same for a result that may have taken long. */
export function settleAfterWork<T>(result: MaybePromise<T>): Promise<T> {
  return Promise.resolve(pacedAfterWork(result));
}
