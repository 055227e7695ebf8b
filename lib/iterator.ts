import { RocksDBError } from './errors.js';
import type { NativeIterator } from './native-database.js';
import type { Data, Encoding, Key } from './options.js';

/** What an iterator needs to know of the handle it came from. */
export interface Owner {
  readonly isOpen: boolean;
}

/** How an iterator makes an entry of its parts. */
export interface EntryShape<T> {
  /** How many parts of a block make an entry. */
  readonly parts: 1 | 2;
  entry(part: (index: number) => Buffer | string, first: number): T;
}

export const entries: EntryShape<[Buffer | string, Buffer | string]> = {
  parts: 2,
  entry: (part, first) => [part(first), part(first + 1)],
};

export const singles: EntryShape<Buffer | string> = { parts: 1, entry: (part, first) => part(first) };

/** Blocks begin small, for those who want one entry, and grow for those who want all. */
const FIRST_BLOCK_BYTES = 4 << 10;
const MAX_BLOCK_BYTES = 64 << 10;
const HEAD_BYTES = 8;

/** A block of entries as it crossed from native code, laid out as binding/core/iterator.h says. */
class Block {
  readonly finished: boolean;
  readonly count: number;
  readonly #bytes: Buffer;
  readonly #ends: Uint32Array;
  readonly #start: number;
  readonly #utf8: boolean;

  constructor(bytes: Buffer, parts: number, utf8: boolean) {
    const [count = 0, finished = 0] = new Uint32Array(bytes.buffer, bytes.byteOffset, 2);
    this.count = count;
    this.finished = finished !== 0;
    this.#bytes = bytes;
    this.#ends = new Uint32Array(bytes.buffer, bytes.byteOffset + HEAD_BYTES, count * parts);
    this.#start = HEAD_BYTES + 4 * count * parts;
    this.#utf8 = utf8;
  }

  part = (index: number): Buffer | string => {
    const from = this.#start + (index === 0 ? 0 : (this.#ends[index - 1] as number));
    const to = this.#start + (this.#ends[index] as number);
    return this.#utf8 ? this.#bytes.toString('utf8', from, to) : this.#bytes.subarray(from, to);
  };
}

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
  readonly #native: NativeIterator;
  readonly #owner: Owner;
  readonly #shape: EntryShape<unknown>;
  readonly #utf8: boolean;
  #remaining: number;
  #block: Block | undefined;
  #index = 0;
  #blockBytes = FIRST_BLOCK_BYTES;
  #ahead: Promise<Buffer> | undefined;
  #target: Key | undefined;
  #finished = false;
  #closed = false;
  #tail: Promise<unknown> | undefined;

  /** For the methods that make iterators. */
  constructor(native: NativeIterator, owner: Owner, shape: EntryShape<unknown>, encoding: Encoding, limit: number) {
    this.#native = native;
    this.#owner = owner;
    this.#shape = shape;
    this.#utf8 = encoding === 'utf8';
    this.#remaining = limit;
  }

  /** The next entry. At the end the iterator closes. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#tail === undefined && this.#hasEntry()) {
      return Promise.resolve({ value: this.#take(), done: false });
    }
    return this.#inTurn(async () => {
      await this.#fill(1);
      if (this.#hasEntry()) {
        return { value: this.#take(), done: false };
      }
      this.#end();
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
    return this.#inTurn(async () => {
      const taken: T[] = [];
      while (taken.length < count) {
        await this.#fill(count - taken.length);
        if (!this.#hasEntry()) {
          break;
        }
        while (taken.length < count && this.#hasEntry()) {
          taken.push(this.#take());
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
    this.#target = typeof target === 'string' ? target : Buffer.from(target);
    this.#block = undefined;
    this.#index = 0;
    this.#finished = false;
  }

  /** Ends the iterator. Again does nothing. */
  async close(): Promise<void> {
    this.#end();
  }

  /** Ends the iterator: what `for await` calls when it is left early. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#end();
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

  #hasEntry(): boolean {
    return this.#block !== undefined && this.#index < this.#block.count && this.#remaining > 0 && this.#owner.isOpen;
  }

  #take(): T {
    const block = this.#block as Block;
    const entry = this.#shape.entry(block.part, this.#index * this.#shape.parts) as T;
    this.#index++;
    this.#remaining--;
    return entry;
  }

  /** Sees to it that there is an entry to take, unless there is none. `wanted` says how many will be. */
  async #fill(wanted: number): Promise<void> {
    while (!this.#closed && !this.#hasEntry() && this.#remaining > 0) {
      if (!this.#owner.isOpen) {
        this.#end();
        throw new RocksDBError('the database is closed', 'DATABASE_CLOSED');
      }
      if (this.#finished && this.#target === undefined) {
        return;
      }
      let bytes: Buffer;
      try {
        bytes = await this.#nextBlock(wanted);
      } catch (error) {
        this.#end();
        throw error;
      }
      if (this.#target !== undefined) {
        continue; // somebody called seek while we waited
      }
      this.#block = new Block(bytes, this.#shape.parts, this.#utf8);
      this.#index = 0;
      this.#finished = this.#block.finished;
      this.#readAhead(this.#block);
    }
  }

  async #nextBlock(wanted: number): Promise<Buffer> {
    const ahead = this.#ahead;
    if (ahead !== undefined) {
      this.#ahead = undefined;
      const bytes = await ahead;
      if (this.#target === undefined) {
        return bytes;
      }
    }
    if (wanted > 1) {
      this.#blockBytes = MAX_BLOCK_BYTES;
    }
    const target = this.#target;
    this.#target = undefined;
    return this.#request(wanted > 1 ? Math.min(wanted, this.#remaining) : this.#remaining, target);
  }

  /** Once somebody wants more than a block, the next one is read while he works on this. */
  #readAhead(block: Block): void {
    const last = block.finished || this.#remaining <= block.count;
    if (this.#blockBytes > FIRST_BLOCK_BYTES && !last && !this.#closed) {
      this.#ahead = this.#request(this.#remaining - block.count, undefined);
      this.#ahead.catch(() => {}); // told when it is awaited
    }
    this.#blockBytes = Math.min(this.#blockBytes * 4, MAX_BLOCK_BYTES);
  }

  #request(maxEntries: number, target: Key | undefined): Promise<Buffer> {
    return this.#native.next(Math.min(maxEntries, 0xffff_ffff), this.#blockBytes, target);
  }

  #end(): void {
    if (!this.#closed) {
      this.#closed = true;
      this.#block = undefined;
      this.#native.close();
    }
  }
}

/** The type of the entries of {@link KeySpace.iterator}. */
export type Entry<E extends Encoding> = [Data<E>, Data<E>];
