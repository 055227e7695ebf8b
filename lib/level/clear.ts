import type { WriteOptions } from '../native/options.js';
import { batchOf } from './level-batch.js';
import { cursorOf, type Place, type PrivateRangeOptions } from './level-iterator.js';
import { writeOptionsOf } from './level-options.js';

/** Up to this many keys are removed one by one: the tombstone of a range makes every later read near it a little slower. */
const FEW = 256;

/** When keys are removed one by one, this many are removed in one write. */
const KEYS_AT_ONCE = 1024;

/**
 * Removes a range. The whole range is removed in one write. If it has many keys, the write is one tombstone from the first key to the last.
 * Both keys are looked up first, so this code need not care about open ends, `gt`, `lte` and the comparator. With a limit or a snapshot,
 * keys are removed one by one, in several writes.
 */
export async function clear(place: Place, options: PrivateRangeOptions & WriteOptions): Promise<void> {
  const { limit = -1, snapshot } = options;
  if (limit >= 0 || (snapshot !== undefined && snapshot !== null)) {
    return clearOneByOne(place, options);
  }
  const first = await firstKeys(place, { ...options, reverse: false }, FEW + 1);
  if (first.length === 0) {
    return;
  }
  const batch = batchOf(place);
  if (first.length <= FEW) {
    for (const key of first) {
      batch.delete(key);
    }
  } else {
    const [start] = first as [Buffer];
    const [end = start] = await firstKeys(place, { ...options, reverse: true }, 1);
    batch.deleteRange(start, end);
    batch.delete(end);
  }
  await batch.write(writeOptionsOf(options));
}

async function firstKeys(place: Place, options: PrivateRangeOptions, count: number): Promise<Buffer[]> {
  const cursor = cursorOf(place, { ...options, limit: count, keyEncoding: 'buffer' }, true, false);
  try {
    const keys: Buffer[] = [];
    while (keys.length < count) {
      for (let wait = cursor.fill(count); wait !== undefined; wait = cursor.fill(count)) {
        await wait;
      }
      if (!cursor.hasEntry) {
        break;
      }
      for (; cursor.hasEntry; cursor.advance()) {
        keys.push(cursor.key as Buffer);
      }
    }
    return keys;
  } finally {
    cursor.close();
  }
}

async function clearOneByOne(place: Place, options: PrivateRangeOptions & WriteOptions): Promise<void> {
  const cursor = cursorOf(place, { ...options, keyEncoding: 'buffer' }, true, false);
  const write = writeOptionsOf(options);
  try {
    for (;;) {
      for (let wait = cursor.fill(KEYS_AT_ONCE); wait !== undefined; wait = cursor.fill(KEYS_AT_ONCE)) {
        await wait;
      }
      if (!cursor.hasEntry) {
        return;
      }
      const batch = batchOf(place);
      for (; cursor.hasEntry; cursor.advance()) {
        batch.delete(cursor.key as Buffer);
      }
      await batch.write(write);
    }
  } finally {
    cursor.close();
  }
}
