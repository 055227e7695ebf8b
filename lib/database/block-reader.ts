import { type EntryBlock, readBlock } from '../native/block.js';
import type { MaybePromise, NativeIterator } from '../native/native-database.js';
import type { KeyRange } from '../native/options.js';
import { isPromise, pacedAfterWork } from '../native/settle.js';
import type { Snapshot } from '../native/snapshot.js';
import { familyIdOf, handleOf, type KeySpace } from './key-space.js';

/** Large enough that the transfer between threads costs little in comparison. Small enough that one block blocks nobody for long. */
const BLOCK_BYTES = 256 << 10;

/** Options of {@link BlockReader}. */
export interface BlockReaderOptions extends KeyRange {
  reverse?: boolean | undefined;
  /** The maximum number of entries. @default all */
  limit?: number | undefined;
  snapshot?: Snapshot | undefined;
}

/**
 * Reads a key space block by block. It reads the next block while the caller works on the current one, and does not fill the block cache.
 * For code that reads everything: it makes no object for each entry.
 */
export class BlockReader {
  readonly #native: NativeIterator;
  #left: number;
  #ahead: MaybePromise<Buffer> | undefined;
  #finished = false;
  #closed = false;

  constructor(space: KeySpace, options: BlockReaderOptions = {}) {
    const { limit = Number.POSITIVE_INFINITY, ...range } = options;
    this.#left = limit;
    const handle = handleOf(space);
    this.#native = handle.native.iterator(familyIdOf(space), { ...range, keys: true, values: true, fillCache: false });
  }

  /** The next block. It has at least one entry. Undefined at the end. */
  async next(): Promise<EntryBlock | undefined> {
    while (!this.#finished && !this.#closed && this.#left > 0) {
      const result = this.#ahead ?? this.#request();
      this.#ahead = undefined;
      const waited = isPromise(result);
      const block = readBlock(await pacedAfterWork(result), 2);
      this.#finished = block.finished;
      this.#left -= block.count;
      if (waited && !this.#finished && !this.#closed && this.#left > 0) {
        this.#ahead = this.#request();
        if (isPromise(this.#ahead)) {
          this.#ahead.catch(() => {}); // the error is reported when #ahead is awaited
        }
      }
      if (block.count > 0) {
        return block;
      }
    }
    return undefined;
  }

  /** Closes the reader. A second call does nothing. */
  close(): void {
    if (!this.#closed) {
      this.#closed = true;
      this.#native.close();
    }
  }

  #request(): MaybePromise<Buffer> {
    return this.#native.next(Math.min(this.#left, 0xffff_ffff), BLOCK_BYTES);
  }
}

/**
 * Whether a family must be read backwards to get its keys in the order of their bytes. That is so with the comparator 'reverseBytewise'.
 * The first and the last key show it. With at most one key, both directions give the order of bytes.
 */
export async function isReversed(space: KeySpace, snapshot: Snapshot | undefined): Promise<boolean> {
  const [first] = await space.keys({ limit: 1, snapshot, fillCache: false }).nextMany(1);
  const [last] = await space.keys({ limit: 1, reverse: true, snapshot, fillCache: false }).nextMany(1);
  return first !== undefined && last !== undefined && Buffer.compare(first, last) > 0;
}
