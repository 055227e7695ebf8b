import { RocksDBError } from '../base/errors.js';
import { Block, type EntryParts } from './block.js';
import type { BorrowedEntry } from './borrowed-entry.js';
import type { MaybePromise, NativeIterator } from './native-database.js';
import type { Key } from './options.js';
import { isPromise, pacedAfterWork } from './settle.js';

/** What a cursor needs to know of the handle it came from. */
export interface Owner {
  readonly isOpen: boolean;
}

/** Blocks begin with one entry or few, for those who want no more, and grow for those who want all. */
const FIRST_BLOCK_BYTES = 4 << 10;
const LIMITED_BLOCK_BYTES = 16 << 10;
const MAX_BLOCK_BYTES = 64 << 10;

/** Memory for a block that is lent: with room for where many small entries end. */
const LENT_BLOCK_BYTES = 4 * MAX_BLOCK_BYTES;

/**
 * Goes over the entries of a native iterator, which come in blocks: what every kind of iterator is made of. Whoever uses it
 * calls nothing while `fill` is under way, but for `seek` and `close`.
 */
export class Cursor {
  readonly #native: NativeIterator;
  readonly #owner: Owner;
  readonly #parts: EntryParts;
  readonly #maxBlockBytes: number;
  #remaining: number;
  #block: Block | undefined;
  #index = 0;
  #blockBytes = 0;
  #ahead: MaybePromise<Buffer> | undefined;
  #target: Key | undefined;
  /** What blocks are put into, one after the other, if their entries are only lent. */
  #lent: Buffer | undefined;
  #finished = false;
  #closed = false;

  /** Blocks are of `maxBlockBytes` at most, and the entry that goes over. */
  constructor(
    native: NativeIterator,
    owner: Owner,
    parts: EntryParts,
    limit: number,
    maxBlockBytes: number = MAX_BLOCK_BYTES,
  ) {
    this.#native = native;
    this.#owner = owner;
    this.#parts = parts;
    this.#remaining = limit;
    this.#maxBlockBytes = maxBlockBytes;
  }

  /** Whether an entry is at hand. */
  get hasEntry(): boolean {
    return this.#block !== undefined && this.#index < this.#block.count && this.#remaining > 0 && this.#owner.isOpen;
  }

  /** The key of the entry at hand. */
  get key(): Buffer | string | undefined {
    return (this.#block as Block).key(this.#index);
  }

  /** The value of the entry at hand. */
  get value(): Buffer | string | undefined {
    return (this.#block as Block).value(this.#index);
  }

  /** Entries are lent from now on: the next block may take the place of the one before. */
  lends(): void {
    this.#lent = Buffer.allocUnsafeSlow(LENT_BLOCK_BYTES);
  }

  /** Puts the entry at hand into one that is used again and again. */
  lend(entry: BorrowedEntry): void {
    (this.#block as Block).lend(this.#index, entry);
  }

  /** To the next entry. */
  advance(): void {
    this.#index++;
    this.#remaining--;
  }

  /**
   * Sees to it that an entry is at hand, unless there is none. If that takes waiting, returns a promise: then call it again,
   * for meanwhile somebody may have called `seek`, or closed the database. `wanted` says how many entries will be asked for.
   * What fails ends the cursor.
   */
  fill(wanted: number): Promise<void> | undefined {
    try {
      while (this.#needsBlock()) {
        const result = this.#nextBlock(wanted);
        if (isPromise(result)) {
          return this.#fillLater(result, wanted);
        }
        this.#use(result, false);
      }
    } catch (error) {
      this.close();
      throw error;
    }
    return undefined;
  }

  /** Goes to a key, or the next one in the direction of the iterator, within its range. */
  seek(target: Key): void {
    this.#target = typeof target === 'string' ? target : Buffer.from(target);
    this.#block = undefined;
    this.#index = 0;
    this.#blockBytes = 0;
    this.#finished = false;
  }

  /** Ends it. Again does nothing. */
  close(): void {
    if (!this.#closed) {
      this.#closed = true;
      this.#block = undefined;
      this.#native.close();
    }
  }

  #needsBlock(): boolean {
    if (this.#closed || this.hasEntry || this.#remaining <= 0) {
      return false;
    }
    if (!this.#owner.isOpen) {
      throw new RocksDBError('the database is closed', 'DATABASE_CLOSED');
    }
    return !this.#finished || this.#target !== undefined;
  }

  async #fillLater(first: Promise<Buffer | number>, wanted: number): Promise<void> {
    try {
      this.#use(await first, true);
      while (this.#needsBlock()) {
        this.#use(await this.#nextBlock(wanted), true);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #use(result: Buffer | number, waited: boolean): void {
    if (this.#target !== undefined || this.#closed) {
      return; // somebody called seek or close while we waited
    }
    const bytes = typeof result === 'number' ? (this.#lent as Buffer).subarray(0, result) : result;
    const block = new Block(bytes, this.#parts);
    this.#block = block;
    this.#index = 0;
    this.#finished = block.finished;
    // Once somebody wants more than a block, and has to wait for it, the next one is read while he works on this.
    const last = block.finished || this.#remaining <= block.count;
    if (waited && this.#blockBytes > FIRST_BLOCK_BYTES && !last) {
      this.#ahead = this.#request(this.#remaining - block.count, undefined);
      if (isPromise(this.#ahead)) {
        this.#ahead.catch(() => {}); // told when it is awaited
      }
    }
    this.#blockBytes = Math.min(this.#blockBytes * 4 || FIRST_BLOCK_BYTES, this.#maxBlockBytes);
  }

  #nextBlock(wanted: number): MaybePromise<Buffer | number> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead !== undefined && this.#target === undefined) {
      return ahead;
    }
    if (isPromise(ahead)) {
      return this.#after(ahead, wanted); // a native iterator does one thing at a time
    }
    return this.#requestWanted(wanted);
  }

  async #after(ahead: Promise<Buffer>, wanted: number): Promise<Buffer | number> {
    await ahead;
    return this.#requestWanted(wanted);
  }

  #requestWanted(wanted: number): MaybePromise<Buffer | number> {
    if (wanted > 1) {
      this.#blockBytes = this.#maxBlockBytes;
    }
    const target = this.#target;
    this.#target = undefined;
    // Who says nothing of how many he wants may want one only, as after most seeks.
    const one = this.#blockBytes === 0 && this.#remaining === Number.POSITIVE_INFINITY;
    const entries = wanted > 1 ? Math.min(wanted, this.#remaining) : one ? 1 : this.#remaining;
    return this.#request(entries, target, this.#lent);
  }

  #request(maxEntries: number, target: Key | undefined): MaybePromise<Buffer>;
  #request(maxEntries: number, target: Key | undefined, into: Buffer | undefined): MaybePromise<Buffer | number>;
  #request(maxEntries: number, target: Key | undefined, into?: Buffer): MaybePromise<Buffer | number> {
    // A limit tells that so many are wanted.
    const first = this.#remaining === Number.POSITIVE_INFINITY ? FIRST_BLOCK_BYTES : LIMITED_BLOCK_BYTES;
    const maxBytes = this.#blockBytes || Math.min(first, this.#maxBlockBytes);
    return pacedAfterWork(this.#native.next(Math.min(maxEntries, 0xffff_ffff), maxBytes, target, into));
  }
}
