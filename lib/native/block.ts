import { markAsUntransferable } from 'node:worker_threads';

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

/**
 * Entries from native code, in the layout of binding/core/database/iterator.h. `bytes` contains their parts, one after the other: key, value,
 * key, value, or only keys, or only values. `ends` has the offset at which each part ends and the next one begins.
 */
export interface EntryBlock {
  readonly count: number;
  readonly ends: Uint32Array;
  readonly bytes: Buffer;
}

/** Finds the entries in a block's memory. `parts`: how many parts each entry has. `finished`: the iterator's range ends with this block. */
export function readBlock(memory: Buffer, parts: number): EntryBlock & { finished: boolean } {
  keepTogether(memory);
  const [count = 0, finished = 0] = new Uint32Array(memory.buffer, memory.byteOffset, 2);
  const ends = new Uint32Array(memory.buffer, memory.byteOffset + HEAD_BYTES, parts * count);
  return { count, ends, bytes: memory.subarray(HEAD_BYTES + 4 * ends.length), finished: finished !== 0 };
}

const NOTHING = Buffer.alloc(0);

/**
 * An entry of an iterator with `borrow: true`. The iterator uses one such object and one piece of memory for all entries. **The object, and
 * every Buffer that you got from it, is valid only until you ask the iterator for the next entry. After that it shows other data.** Copy
 * what you want to keep: `Buffer.from(entry.value)`.
 *
 * @example
 * let total = 0;
 * for await (const entry of db.iterator({ borrow: true })) {
 *   total += entry.bytes.readUInt32LE(entry.valueStart); // makes no object for the entry
 * }
 */
export class BorrowedEntry {
  /** The memory that contains the key and the value, among other data. */
  bytes: Buffer = NOTHING;
  /** Offset of the key's first byte in `bytes`. */
  keyStart = 0;
  /** Offset just behind the key. */
  keyEnd = 0;
  /** Offset of the value's first byte in `bytes`. */
  valueStart = 0;
  /** Offset just behind the value. */
  valueEnd = 0;

  /** The key: a Buffer over a part of `bytes`, not a copy. */
  get key(): Buffer {
    return this.bytes.subarray(this.keyStart, this.keyEnd);
  }

  /** The value: a Buffer over a part of `bytes`, not a copy. */
  get value(): Buffer {
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }
}

/** The type of keys and values in the results: Buffers or strings. Undefined: entries come without keys, or without values. */
export interface EntryParts {
  readonly key: 'buffer' | 'utf8' | undefined;
  readonly value: 'buffer' | 'utf8' | undefined;
}

/**
 * A block of entries from native code, for an iterator. The Buffers for keys and values are
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
  readonly #partsOfEntry: number;
  readonly #parts: EntryParts;
  readonly #text: string | undefined;

  constructor(memory: Buffer, parts: EntryParts) {
    this.#parts = parts;
    this.#partsOfEntry = (parts.key === undefined ? 0 : 1) + (parts.value === undefined ? 0 : 1);
    const { count, ends, bytes, finished } = readBlock(memory, this.#partsOfEntry);
    this.count = count;
    this.finished = finished;
    this.#ends = ends;
    this.#bytes = bytes;
    if (count >= DECODED_AT_ONCE && parts.key !== 'buffer' && parts.value !== 'buffer') {
      const text = bytes.toString('utf8');
      // If every character is one byte, offsets in the bytes are also offsets in the text. Any longer UTF-8 sequence makes the text shorter
      // than the bytes.
      this.#text = text.length === bytes.length ? text : undefined;
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
    entry.bytes = this.#bytes;
    entry.keyStart = index === 0 ? 0 : (this.#ends[index - 1] as number);
    entry.keyEnd = this.#ends[index] as number;
    entry.valueStart = entry.keyEnd;
    entry.valueEnd = this.#ends[index + 1] as number;
  }

  #part(index: number, as: 'buffer' | 'utf8'): Buffer | string {
    const from = index === 0 ? 0 : (this.#ends[index - 1] as number);
    const to = this.#ends[index] as number;
    if (this.#text !== undefined) {
      return this.#text.slice(from, to);
    }
    return as === 'utf8' ? this.#bytes.toString('utf8', from, to) : this.#bytes.subarray(from, to);
  }
}
