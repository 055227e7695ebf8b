import { RocksDBError } from '../base/errors.js';
import { Block, type BorrowedEntry, type EntryParts } from './block.js';
import type { MaybePromise, NativeIterator } from './native-database.js';
import type { Key } from './options.js';
import { isPromise, pacedAfterWork } from './settle.js';

/** What a cursor must know about the handle that made it. */
export interface Owner {
  readonly isOpen: boolean;
}

/** The first blocks are small, for callers that want only one or few entries. Later blocks are larger, for callers that want all. */
const FIRST_BLOCK_BYTES = 4 << 10;
const LIMITED_BLOCK_BYTES = 16 << 10;
const MAX_BLOCK_BYTES = 64 << 10;

/**
 * Memory for a block whose entries are lent. It is larger than a block, because with many small entries the list of their ends takes space
 * too.
 */
const LENT_BLOCK_BYTES = 4 * MAX_BLOCK_BYTES;

/**
 * Walks over the entries of a native iterator, which come in blocks. Every kind of iterator is built on it. While `fill` is running, its
 * user may call only `seek` and `close`.
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
  /** If entries are lent: the memory that holds one block after the other. */
  #lent: Buffer | undefined;
  #finished = false;
  #closed = false;

  /** A block has at most `maxBlockBytes`, plus the one entry that exceeds the limit. */
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

  /** Whether there is a current entry. */
  get hasEntry(): boolean {
    return this.#block !== undefined && this.#index < this.#block.count && this.#remaining > 0 && this.#owner.isOpen;
  }

  /** The key of the current entry. */
  get key(): Buffer | string | undefined {
    return (this.#block as Block).key(this.#index);
  }

  /** The value of the current entry. */
  get value(): Buffer | string | undefined {
    return (this.#block as Block).value(this.#index);
  }

  /** From now on entries are lent: the next block may overwrite the previous one. */
  lends(): void {
    this.#lent = Buffer.allocUnsafeSlow(LENT_BLOCK_BYTES);
  }

  /** Makes `entry`, an object that is used again and again, show the current entry. */
  lend(entry: BorrowedEntry): void {
    (this.#block as Block).lend(this.#index, entry);
  }

  /** Goes to the next entry. */
  advance(): void {
    this.#index++;
    this.#remaining--;
  }

  /**
   * Makes sure that there is a current entry, unless the range has ended. If it must wait, it returns a promise. After that promise, call
   * it again, because in the meantime `seek` may have been called, or the database may have been closed. `wanted` says how many entries the
   * caller will ask for. An error closes the cursor.
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

  /** Goes to a key or, if it does not exist, to the next one in the direction of the iterator, within its range. */
  seek(target: Key): void {
    this.#target = typeof target === 'string' ? target : Buffer.from(target);
    this.#block = undefined;
    this.#index = 0;
    this.#blockBytes = 0;
    this.#finished = false;
  }

  /** Closes the cursor. A second call does nothing. */
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
      return; // seek or close was called while we waited
    }
    const bytes = typeof result === 'number' ? (this.#lent as Buffer).subarray(0, result) : result;
    const block = new Block(bytes, this.#parts);
    this.#block = block;
    this.#index = 0;
    this.#finished = block.finished;
    // If the caller wants more than one block and had to wait for this one, read the next block while the caller works on this one.
    const last = block.finished || this.#remaining <= block.count;
    if (waited && this.#blockBytes > FIRST_BLOCK_BYTES && !last) {
      this.#ahead = this.#request(this.#remaining - block.count, undefined);
      if (isPromise(this.#ahead)) {
        this.#ahead.catch(() => {}); // the error is reported when #ahead is awaited
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
      return this.#after(ahead, wanted); // a native iterator can do only one thing at a time
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
    // A caller that gives no limit may want only one entry, as after most seeks.
    const one = this.#blockBytes === 0 && this.#remaining === Number.POSITIVE_INFINITY;
    const entries = wanted > 1 ? Math.min(wanted, this.#remaining) : one ? 1 : this.#remaining;
    return this.#request(entries, target, this.#lent);
  }

  #request(maxEntries: number, target: Key | undefined): MaybePromise<Buffer>;
  #request(maxEntries: number, target: Key | undefined, into: Buffer | undefined): MaybePromise<Buffer | number>;
  #request(maxEntries: number, target: Key | undefined, into?: Buffer): MaybePromise<Buffer | number> {
    // If there is a limit, the caller probably wants that many entries.
    const first = this.#remaining === Number.POSITIVE_INFINITY ? FIRST_BLOCK_BYTES : LIMITED_BLOCK_BYTES;
    const maxBytes = this.#blockBytes || Math.min(first, this.#maxBlockBytes);
    return pacedAfterWork(this.#native.next(Math.min(maxEntries, 0xffff_ffff), maxBytes, target, into));
  }
}
