import { invalidOption } from '../base/errors.js';
import { pace } from '../base/pace.js';
import type { Cursor } from '../native/cursor.js';
import type { Data, Encoding, Key } from '../native/options.js';

/** The type of the entries of {@link KeySpace.iterator}. */
export type Entry<E extends Encoding> = [Data<E>, Data<E>];

/**
 * Walks over a range of keys and reads ahead in blocks. It sees the database as it was when the iterator was made. A `for await` loop
 * closes the iterator, both at the end of the range and when you leave the loop early. In all other cases, close it yourself or let `await
 * using` do that.
 *
 * Buffers that it returns are parts of a block of up to 64 KiB. The block stays in memory as long as any of these Buffers does.
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

  /** Only the methods that make iterators call this. */
  constructor(cursor: Cursor, read: (cursor: Cursor) => unknown, borrowed?: T) {
    this.#cursor = cursor;
    this.#read = read;
    // Every entry is then the same object, so one promise can be used for all.
    this.#borrowed = borrowed && Promise.resolve({ value: borrowed, done: false });
  }

  /** The next entry. At the end of the range, the iterator closes itself. */
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
   * The next `count` entries. At the end of the range it returns fewer, and then an empty array. It does not close the iterator at the end,
   * so that you may `seek` back.
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
   * Goes to a key or, if it does not exist, to the next one in the direction of the iterator, within its range. Entries that were already
   * returned still count towards the limit.
   *
   * @example
   * iterator.seek('user:500');
   */
  seek(target: Key): void {
    this.#cursor.seek(target);
  }

  /** Closes the iterator. A second call does nothing. */
  async close(): Promise<void> {
    this.#cursor.close();
  }

  /** Closes the iterator. `for await` calls this when you leave the loop early. */
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

  /** Calls that overlap run one after the other, in the order in which they were made. */
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
