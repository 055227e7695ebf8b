import type { Key } from './options.js';

/** Kinds of packed writes. The numbers are those of binding/napi/database/packed_writes.h. */
const PUT = 0;
const DELETE = 1;

/** Each write has three words: its kind and its column family, the size of the key, the size of the value. */
const WORDS = 3;
const FIRST_BYTES = 1 << 10;
const FIRST_WRITES = 16;

/** Larger keys and values are not packed: copying them twice costs more than a call into native code. */
const MAX_PART_BYTES = 16 << 10;

/** Up to this many characters, a loop over them is faster than a call. */
const SHORT_TEXT = 48;

/** How much memory an emptied pack may keep for its next use. */
const KEPT_BYTES = 256 << 10;

/** Collects writes, which then cross to native code in one call: for a small write, the call costs more than the write itself. */
export class PackedWrites {
  /** How many writes were collected. */
  count = 0;
  /** Their keys and values, one after the other. */
  bytes: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  /** How many bytes of `bytes` are in use. */
  used = 0;
  /** The description of the writes: three words for each. */
  words = new Uint32Array(FIRST_WRITES * WORDS);

  /**
   * Returns false and changes nothing if the write cannot be packed. The caller must then call native code directly, which throws if
   * something is wrong with the arguments.
   */
  put(family: number, key: Key, value: Key): boolean {
    const used = this.used;
    const keySize = this.#add(key);
    if (keySize >= 0) {
      const valueSize = this.#add(value);
      if (valueSize >= 0) {
        this.#describe(PUT, family, keySize, valueSize);
        return true;
      }
    }
    this.used = used;
    return false;
  }

  /** Like `put`. */
  delete(family: number, key: Key): boolean {
    const keySize = this.#add(key);
    if (keySize < 0) {
      return false;
    }
    this.#describe(DELETE, family, keySize, 0);
    return true;
  }

  clear(): void {
    this.count = 0;
    this.used = 0;
    if (this.bytes.length > KEPT_BYTES) {
      this.bytes = Buffer.allocUnsafe(FIRST_BYTES);
      this.words = new Uint32Array(FIRST_WRITES * WORDS);
    }
  }

  #describe(operation: number, family: number, keySize: number, valueSize: number): void {
    const at = this.count * WORDS;
    if (at === this.words.length) {
      const words = new Uint32Array(this.words.length * 2);
      words.set(this.words);
      this.words = words;
    }
    this.words[at] = family * 2 + operation;
    this.words[at + 1] = keySize;
    this.words[at + 2] = valueSize;
    this.count++;
  }

  /** Adds a key or a value. Returns its size, or -1 if it cannot be packed. */
  #add(part: Key): number {
    if (typeof part === 'string') {
      return this.#addText(part);
    }
    if (!(part instanceof Uint8Array) || part.length > MAX_PART_BYTES) {
      return -1;
    }
    this.#reserve(part.length);
    this.bytes.set(part, this.used);
    this.used += part.length;
    return part.length;
  }

  #addText(text: string): number {
    const length = text.length;
    if (length > MAX_PART_BYTES) {
      return -1;
    }
    this.#reserve(length * 3);
    const bytes = this.bytes;
    const begin = this.used;
    if (length <= SHORT_TEXT) {
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 127) {
          break;
        }
        bytes[begin + i] = code;
      }
      if (i === length) {
        this.used = begin + length;
        return length;
      }
    }
    const size = bytes.write(text, begin, 'utf8');
    this.used = begin + size;
    return size;
  }

  #reserve(size: number): void {
    if (this.used + size > this.bytes.length) {
      const bytes = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.used + size));
      bytes.set(this.bytes.subarray(0, this.used));
      this.bytes = bytes;
    }
  }
}
