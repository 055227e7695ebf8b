import { markAsUntransferable } from 'node:worker_threads';
import { native } from './binding.js';
import { keepTogether } from './block.js';
import type { MaybePromise } from './native-database.js';
import { isPromise } from './settle.js';

/**
 * Native code puts small values that it reads on this thread into this pool, one after the other: making a Buffer for each value in native
 * code takes longer than reading the value. The sizes are those of binding/napi/runtime/read_pool.h.
 */
const POOL_BYTES = 32 << 10;
const SIZE_BITS = 13;
const MAX_POOLED_BYTES = 4096;

function renew(): void {
  const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  markAsUntransferable(pool.buffer); // like Node's own pool: a transfer of one value would take all others with it
  native.setReadPool(pool);
  native.readPool = pool; // kept there and not here, because a thread may have several copies of this file
}
if (native.readPool === undefined) {
  renew();
}

function pooled(place: number): Buffer {
  const begin = place >> SIZE_BITS;
  const end = begin + (place & ((1 << SIZE_BITS) - 1));
  const value = (native.readPool as Buffer).subarray(begin, end);
  if (end > POOL_BYTES - 2 * MAX_POOLED_BYTES) {
    renew();
  }
  return value;
}

/** A value that was read. */
export type Read = Buffer | string | undefined;

/** Converts the result of a native database's `getSync`. */
export function valueRead(result: Read | number): Read {
  return typeof result === 'number' ? pooled(result) : result;
}

/** Converts the result of a native database's `get`. */
export function valueReadSoon(result: MaybePromise<Read | number>): MaybePromise<Read> {
  return isPromise(result) ? (result as Promise<Read>) : valueRead(result);
}

const BORROWED_BYTES = 64 << 10;

/** For values shorter than this, the Buffer is kept and used again for the next value of the same length. */
const KEPT_LENGTHS = 4096;

/** The memory into which native `getSync` puts borrowed values. */
export const borrowedMemory: Buffer = Buffer.allocUnsafeSlow(BORROWED_BYTES);
markAsUntransferable(borrowedMemory.buffer);
const borrowed: (Buffer | undefined)[] = new Array(KEPT_LENGTHS);

/** Converts the result of a native database's `getSync` that was given `borrowedMemory`. */
export function valueBorrowed(result: Read | number): Read {
  if (typeof result !== 'number') {
    return result;
  }
  if (result >= KEPT_LENGTHS) {
    return borrowedMemory.subarray(0, result);
  }
  let value = borrowed[result];
  if (value === undefined) {
    value = borrowedMemory.subarray(0, result);
    borrowed[result] = value;
  }
  return value;
}

const MISSING = 0xffff_ffff;

/**
 * Converts the result of a native database's `getMany`: values, or one piece of memory with the layout described in
 * binding/napi/database/database_data.cc.
 */
export function valuesRead(result: Buffer | Read[], utf8: boolean): Read[] {
  if (Array.isArray(result)) {
    return result;
  }
  keepTogether(result);
  const count = new Uint32Array(result.buffer, result.byteOffset, 1)[0] as number;
  const sizes = new Uint32Array(result.buffer, result.byteOffset + 4, count);
  const values = new Array<Read>(count);
  let at = 4 + 4 * count;
  for (let i = 0; i < count; i++) {
    const size = sizes[i] as number;
    if (size === MISSING) {
      values[i] = undefined;
    } else {
      values[i] = utf8 ? result.toString('utf8', at, at + size) : result.subarray(at, at + size);
      at += size;
    }
  }
  return values;
}
