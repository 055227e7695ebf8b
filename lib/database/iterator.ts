import { invalidOption } from '../base/errors.js';
import { pace } from '../base/pace.js';
import type { Cursor } from '../native/cursor.js';
import type { Data, Encoding, Key } from '../native/options.js';

/** The type of the entries of {@link KeySpace.iterator}. */
export type Entry<E extends Encoding> = [Data<E>, Data<E>];

/**
 * Goes over a range of keys, reading ahead in blocks. It sees the database as it was when the iterator was made. Leaving a
 * `for await` early ends it, and so does reaching the end of one; otherwise close it, or let `await using` do that.
 *
 * Buffers that it gives out are parts of a block of up to 64 KiB, which stays in memory as long as one of them does.
 *
 * @example
 * for await (const [key, value] of db.iterator({ gte: 'user:', lt: 'user;', encoding: 'utf8' })) {
 *   console.log(key, value);
 * }
 */
export class DatabaseIterator<T> implements AsyncIterableIterator<T>, AsyncDisposable {
  readonly #cursor: Cursor;
  readonly #read: (cursor: Cursor) => unknown;
  readonly #borrowed: Promise<IteratorResult<T, undefined>> | undefined;
  #tail: Promise<unknown> | undefined;

  /** For the methods that make iterators. */
  constructor(cursor: Cursor, read: (cursor: Cursor) => unknown, borrowed?: T) {
    this.#cursor = cursor;
    this.#read = read;
    // Every entry is the same object then: so one promise of it does for all.
    this.#borrowed = borrowed && Promise.resolve({ value: borrowed, done: false });
  }

  /** The next entry. At the end the iterator closes. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#tail === undefined && this.#cursor.hasEntry && !pace.due()) {
      const value = this.#take();
      return this.#borrowed ?? Promise.resolve({ value, done: false });
    }
    return this.#inTurn(async () => {
      if (this.#cursor.hasEntry && pace.due()) {
        await pace.turn();
      }
      for (let wait = this.#cursor.fill(1); wait !== undefined; wait = this.#cursor.fill(1)) {
        await wait;
      }
      if (this.#cursor.hasEntry) {
        return { value: this.#take(), done: false };
      }
      this.#cursor.close();
      return { value: undefined, done: true };
    });
  }

  /**
   * The next entries: `count` of them, or fewer at the end, after which an empty array comes. Does not close the iterator
   * at the end, so that one may `seek` back.
   *
   * @example
   * const page = await iterator.nextMany(50);
   */
  nextMany(count: number): Promise<T[]> {
    if (this.#borrowed !== undefined) {
      return Promise.reject(
        invalidOption(TypeError, 'borrow', 'left out where nextMany() is called: it lends one entry at a time', 'true'),
      );
    }
    return this.#inTurn(async () => {
      const taken: T[] = [];
      while (taken.length < count) {
        const wanted = count - taken.length;
        for (let wait = this.#cursor.fill(wanted); wait !== undefined; wait = this.#cursor.fill(wanted)) {
          await wait;
        }
        if (!this.#cursor.hasEntry) {
          break;
        }
        while (taken.length < count && this.#cursor.hasEntry) {
          taken.push(this.#take());
          if (pace.due()) {
            await pace.turn();
          }
        }
      }
      return taken;
    });
  }

  /**
   * Goes to a key, or to the next one in the direction of the iterator if it is not there, within its range. Entries that
   * were given out count towards the limit all the same.
   *
   * @example
   * iterator.seek('user:500');
   */
  seek(target: Key): void {
    this.#cursor.seek(target);
  }

  /** Ends the iterator. Again does nothing. */
  async close(): Promise<void> {
    this.#cursor.close();
  }

  /** Ends the iterator: what `for await` calls when it is left early. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#cursor.close();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Calls that overlap are served one after the other, in the order in which they came. */
  #inTurn<R>(step: () => Promise<R>): Promise<R> {
    const turn = this.#tail === undefined ? step() : this.#tail.then(step, step);
    this.#tail = turn;
    const done = () => {
      if (this.#tail === turn) {
        this.#tail = undefined;
      }
    };
    turn.then(done, done);
    return turn;
  }

  #take(): T {
    const entry = this.#read(this.#cursor) as T;
    this.#cursor.advance();
    return entry;
  }
}
