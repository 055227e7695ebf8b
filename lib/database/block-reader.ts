import { keepTogether } from '../native/block.js';
import type { MaybePromise, NativeIterator } from '../native/native-database.js';
import type { KeyRange } from '../native/options.js';
import { isPromise, pacedAfterWork } from '../native/settle.js';
import type { Snapshot } from '../native/snapshot.js';
import { familyIdOf, handleOf, type KeySpace } from './key-space.js';

/** Large enough for the way between threads to cost nothing beside it, small enough to keep nobody waiting. */
const BLOCK_BYTES = 256 << 10;

const HEAD_BYTES = 8;

/** Options of {@link BlockReader}. */
export interface BlockReaderOptions extends KeyRange {
  reverse?: boolean | undefined;
  /** At most so many entries. @default all */
  limit?: number | undefined;
  snapshot?: Snapshot | undefined;
}

/**
 * Entries as they came from native code: `bytes` are all keys and values, in turn, one after the other; `ends[2 * n]` is where the
 * nth key ends and its value begins, `ends[2 * n + 1]` where the value ends.
 */
export interface EntryBlock {
  readonly count: number;
  readonly ends: Uint32Array;
  readonly bytes: Buffer;
}

/**
 * Reads a key space block by block, the next one while the caller works on this one, past the block cache. For those who look at
 * everything: it makes no object for each entry.
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

  /** The next block, which has at least one entry; undefined at the end. */
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
          this.#ahead.catch(() => {}); // told when it is awaited
        }
      }
      if (block.count > 0) {
        return block;
      }
    }
    return undefined;
  }

  /** Ends it. Again does nothing. */
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
