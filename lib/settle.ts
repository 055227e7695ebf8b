import { types } from 'node:util';
import type { MaybePromise } from './native-database.js';

/** How many results in a row are given out before the event loop gets its turn. */
const IN_A_ROW = 64;

let left = IN_A_ROW;
let waiting: (() => void)[] = [];

function turn(): void {
  const resolvers = waiting;
  waiting = [];
  left = IN_A_ROW;
  for (const resolve of resolvers) {
    resolve();
  }
}

/** Also of native code's promises where this runs in a context of its own, which has another `Promise` (as in Jest). */
export function isPromise<T>(result: MaybePromise<T>): result is Promise<T> {
  return typeof result === 'object' && (result instanceof Promise || types.isPromise(result));
}

/**
 * A result that is there already, or now and then a promise of it that waits for the event loop to turn. `weight` says for
 * how many ordinary results it counts.
 */
export function paced<T>(result: T, weight = 1): MaybePromise<T> {
  left -= weight;
  if (left > 0) {
    return result;
  }
  return new Promise((resolve) => {
    if (waiting.length === 0) {
      setImmediate(turn);
    }
    waiting.push(() => resolve(result));
  });
}

/** A result that may be there already, as it is; or now and then a promise of it, as `paced` says. For those who await it. */
export function pacedIfThere<T>(result: MaybePromise<T>, weight = 1): MaybePromise<T> {
  return isPromise(result) ? result : paced(result, weight);
}

/**
 * A promise of a result that may be there already. Now and then one of those waits for the event loop to turn: otherwise
 * `for (...) await db.put(...)` would keep everything else in the process waiting until the loop is through.
 */
export function settle<T>(result: MaybePromise<T>, weight = 1): Promise<T> {
  return Promise.resolve(pacedIfThere(result, weight));
}
