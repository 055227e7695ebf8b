import { markAsUntransferable } from 'node:worker_threads';
import type { BorrowedEntry } from './borrowed-entry.js';

const HEAD_BYTES = 8;

/** If a block of text has at least this many entries, it is decoded in one go. */
const DECODED_AT_ONCE = 4;

/** From this size on, native code gives its own memory to JS. Smaller data is copied into memory that JS made. */
const LEAST_BYTES_WITHOUT_COPY = 1 << 20;

/**
 * Marks memory that several values share as not transferable. Otherwise, a transfer of one value to another thread would take the others
 * with it. Large memory stays unmarked: Node crashes with a fatal error at the end of the process if memory that native code gave to it has
 * this mark. Few values share such a large piece of memory, often only one.
 */
export function keepTogether(bytes: Buffer): void {
  if (bytes.length < LEAST_BYTES_WITHOUT_COPY) {
    markAsUntransferable(bytes.buffer);
  }
}

/** The type of keys and values in the results: Buffers or strings. Undefined: entries come without keys, or without values. */
export interface EntryParts {
  readonly key: 'buffer' | 'utf8' | undefined;
  readonly value: 'buffer' | 'utf8' | undefined;
}

/**
 * A block of entries from native code. Its layout is described in binding/core/database/iterator.h. The Buffers for keys and values are
 * parts of the block's memory. So are the strings, if the whole block is ASCII text. They keep the whole block in memory as long as they
 * exist.
 */
export class Block {
  /** How many entries the block has. */
  readonly count: number;
  /** Whether the range of the iterator ends with this block. */
  readonly finished: boolean;
  readonly #bytes: Buffer;
  readonly #ends: Uint32Array;
  readonly #start: number;
  readonly #partsOfEntry: number;
  readonly #parts: EntryParts;
  readonly #text: string | undefined;

  constructor(bytes: Buffer, parts: EntryParts) {
    const [count = 0, finished = 0] = new Uint32Array(bytes.buffer, bytes.byteOffset, 2);
    keepTogether(bytes);
    this.count = count;
    this.finished = finished !== 0;
    this.#bytes = bytes;
    this.#parts = parts;
    this.#partsOfEntry = (parts.key === undefined ? 0 : 1) + (parts.value === undefined ? 0 : 1);
    this.#ends = new Uint32Array(bytes.buffer, bytes.byteOffset + HEAD_BYTES, count * this.#partsOfEntry);
    this.#start = HEAD_BYTES + 4 * count * this.#partsOfEntry;
    if (count >= DECODED_AT_ONCE && parts.key !== 'buffer' && parts.value !== 'buffer') {
      const text = bytes.toString('utf8', this.#start);
      // If every character is one byte, offsets in the bytes are also offsets in the text. Any longer UTF-8 sequence makes the text shorter
      // than the bytes.
      this.#text = text.length === bytes.length - this.#start ? text : undefined;
    }
  }

  /** The key of the nth entry. */
  key(nth: number): Buffer | string | undefined {
    return this.#parts.key === undefined ? undefined : this.#part(nth * this.#partsOfEntry, this.#parts.key);
  }

  /** The value of the nth entry. */
  value(nth: number): Buffer | string | undefined {
    return this.#parts.value === undefined
      ? undefined
      : this.#part((nth + 1) * this.#partsOfEntry - 1, this.#parts.value);
  }

  /** Makes `entry`, an object that is used again and again, show the nth entry. That entry must have a key and a value. */
  lend(nth: number, entry: BorrowedEntry): void {
    const index = 2 * nth;
    const keyEnd = this.#start + (this.#ends[index] as number);
    entry.bytes = this.#bytes;
    entry.keyStart = index === 0 ? this.#start : this.#start + (this.#ends[index - 1] as number);
    entry.keyEnd = keyEnd;
    entry.valueStart = keyEnd;
    entry.valueEnd = this.#start + (this.#ends[index + 1] as number);
  }

  #part(index: number, as: 'buffer' | 'utf8'): Buffer | string {
    const from = index === 0 ? 0 : (this.#ends[index - 1] as number);
    const to = this.#ends[index] as number;
    if (this.#text !== undefined) {
      return this.#text.slice(from, to);
    }
    return as === 'utf8'
      ? this.#bytes.toString('utf8', this.#start + from, this.#start + to)
      : this.#bytes.subarray(this.#start + from, this.#start + to);
  }
}
