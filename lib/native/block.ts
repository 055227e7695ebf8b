import { markAsUntransferable } from 'node:worker_threads';
import type { BorrowedEntry } from './borrowed-entry.js';

const HEAD_BYTES = 8;

/** From so many entries on, a block of text is decoded at once. */
const DECODED_AT_ONCE = 4;

/** From so many bytes on memory is handed over by native code; smaller memory is copied to memory of JS. */
const HANDED_OVER = 1 << 20;

/**
 * Lets memory that several values share not be transferred to another thread with one of them. Node ends with a fatal error if
 * memory that was handed over to it is marked so when the process ends: but as large a piece has one value or few.
 */
export function keepTogether(bytes: Buffer): void {
  if (bytes.length < HANDED_OVER) {
    markAsUntransferable(bytes.buffer);
  }
}

/** How the parts of entries come back: as Buffers or as strings. An entry may have no key, or no value. */
export interface EntryParts {
  readonly key: 'buffer' | 'utf8' | undefined;
  readonly value: 'buffer' | 'utf8' | undefined;
}

/**
 * A block of entries as it crossed from native code, laid out as binding/core/database/iterator.h says. Buffers are parts of its
 * memory, and so are strings where it is text throughout: they keep it in memory as long as they live.
 */
export class Block {
  /** How many entries it has. */
  readonly count: number;
  /** Whether the range ends with it. */
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
      // One character a byte: so a place in the bytes is a place in the text. A longer sequence makes it shorter.
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

  /** Puts the nth entry, which has a key and a value, into one that is used again and again. */
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
