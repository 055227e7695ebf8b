/**
 * An entry of an iterator that was made with `borrow: true`: one object over one piece of memory, which the iterator uses for
 * every entry. **All of it, and every Buffer that was got from it, holds until the iterator is asked for the next entry, and shows
 * something else after that.** Copy what is to be kept: `Buffer.from(entry.value)`.
 *
 * @example
 * let total = 0;
 * for await (const entry of db.iterator({ borrow: true })) {
 *   total += entry.bytes.readUInt32LE(entry.valueStart); // makes no object for the entry
 * }
 */
export class BorrowedEntry {
  /** The memory that key and value lie in, among others. */
  bytes: Buffer = NOTHING;
  /** Where the key begins in `bytes`. */
  keyStart = 0;
  /** Where the key ends. */
  keyEnd = 0;
  /** Where the value begins in `bytes`. */
  valueStart = 0;
  /** Where the value ends. */
  valueEnd = 0;

  /** The key, as a part of `bytes`. */
  get key(): Buffer {
    return this.bytes.subarray(this.keyStart, this.keyEnd);
  }

  /** The value, as a part of `bytes`. */
  get value(): Buffer {
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }
}

const NOTHING = Buffer.alloc(0);
