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

const NOTHING = Buffer.alloc(0);
