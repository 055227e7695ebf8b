import { RocksDBError, showKey } from '../base/errors.js';
import type { EntryBlock } from '../native/block.js';

/** Checks that keys come in the order of their bytes, each greater than the one before it, also from one block to the next. */
export class OrderCheck {
  readonly #path: string;
  readonly #where: string;
  #last: Buffer | undefined;

  constructor(path: string, family: string) {
    this.#path = path;
    this.#where = `${path}, column family "${family}"`;
  }

  check({ count, ends, bytes }: EntryBlock): void {
    let before = this.#last ?? bytes;
    let from = 0;
    let to = this.#last?.length ?? (ends[0] as number);
    for (let n = this.#last === undefined ? 1 : 0; n < count; n++) {
      const start = n === 0 ? 0 : (ends[2 * n - 1] as number);
      const end = ends[2 * n] as number;
      if (!isBefore(before, from, to, bytes, start, end)) {
        throw this.#outOfOrder(before.subarray(from, to), bytes.subarray(start, end));
      }
      before = bytes;
      from = start;
      to = end;
    }
    // Make a copy, so that the block's memory can be freed.
    this.#last = Buffer.from(before.subarray(from, to));
  }

  #outOfOrder(before: Buffer, after: Buffer): Error {
    return new RocksDBError(
      `${this.#where}: the key ${showKey(after)} comes after ${showKey(before)}, which is not the order of bytes. ` +
        'Databases can be compared whose families have the comparator bytewise or reverseBytewise; with one of these, the database is damaged',
      'KEYS_OUT_OF_ORDER',
      { path: this.#path },
    );
  }
}

/** Written in JS, because keys are short and a call into native code for each would cost more. */
function isBefore(a: Buffer, aFrom: number, aTo: number, b: Buffer, bFrom: number, bTo: number): boolean {
  const length = Math.min(aTo - aFrom, bTo - bFrom);
  for (let n = 0; n < length; n++) {
    const difference = (a[aFrom + n] as number) - (b[bFrom + n] as number);
    if (difference !== 0) {
      return difference < 0;
    }
  }
  return aTo - aFrom < bTo - bFrom;
}
