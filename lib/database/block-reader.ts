import { keepTogether } from '../native/block.js';
import type { MaybePromise, NativeIterator } from '../native/native-database.js';
import type { KeyRange } from '../native/options.js';
import { isPromise, pacedAfterWork } from '../native/settle.js';
import type { Snapshot } from '../native/snapshot.js';
import { familyIdOf, handleOf, type KeySpace } from './key-space.js';

/** Large enough that the transfer between threads costs little in comparison. Small enough that one block blocks nobody for long. */
const BLOCK_BYTES = 256 << 10;

const HEAD_BYTES = 8;

/** Options of {@link BlockReader}. */
export interface BlockReaderOptions extends KeyRange {
  reverse?: boolean | undefined;
  /** The maximum number of entries. @default all */
  limit?: number | undefined;
  snapshot?: Snapshot | undefined;
}

/**
 * Entries as they come from native code. `bytes` contains all keys and values, one after the other: key, value, key, value. The nth key
 * ends at `ends[2 * n]`, where its value begins. The value ends at `ends[2 * n + 1]`.
 */
export interface EntryBlock {
  readonly count: number;
  readonly ends: Uint32Array;
  readonly bytes: Buffer;
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
      const block = toBlock(await pacedAfterWork(result));
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

function toBlock(memory: Buffer): EntryBlock & { finished: boolean } {
  keepTogether(memory);
  const [count = 0, finished = 0] = new Uint32Array(memory.buffer, memory.byteOffset, 2);
  const ends = new Uint32Array(memory.buffer, memory.byteOffset + HEAD_BYTES, 2 * count);
  return { count, ends, bytes: memory.subarray(HEAD_BYTES + 8 * count), finished: finished !== 0 };
}
