import { describe, invalidOption } from '../base/errors.js';
import { isReversed } from '../database/block-reader.js';
import type { Database } from '../database/database.js';
import type { KeySpace } from '../database/key-space.js';
import type { Run, Sample } from './digest.js';
import { familiesOf } from './read-all.js';

/** A run has about this many keys: one seek costs as much as reading a few dozen keys. */
const KEYS_OF_RUN = 100;
const MOST_RUNS = 1000;

/** A database with at most this many keys is read completely. */
const FEW_KEYS = 1000;

/** Checks the `sample` option, which says how much of a database to read. */
export function checkSample(sample: number | undefined): void {
  const expected = 'a share of all keys above 0 and up to 1, or a number of keys';
  if (sample !== undefined && typeof sample !== 'number') {
    throw invalidOption(TypeError, 'sample', expected, describe(sample));
  }
  if (sample !== undefined && !(sample > 0 && (sample <= 1 || Number.isSafeInteger(sample)))) {
    throw invalidOption(RangeError, 'sample', expected, describe(sample));
  }
}

/**
 * Chooses which parts of a database to read: runs of keys that are spread over all its data, and its first and last keys. The runs are at
 * different places each time. Undefined means that everything is to be read. `sample` is a share (up to 1) or a number of keys.
 * `counted` is a database that has the same keys, and has counted them.
 */
export async function planSample(
  db: Database,
  sample: number,
  random = Math.random,
  counted: Database = db,
): Promise<Sample | undefined> {
  checkSample(sample);
  const names = familiesOf(db);
  const known = new Set(familiesOf(counted));
  const estimateOf = (name: string) => counted.columnFamily(name).property('rocksdb.estimate-num-keys') ?? 0;
  const estimates = names.map((name) => (known.has(name) ? Number(estimateOf(name)) : 0));
  const keys = estimates.reduce((sum, estimate) => sum + estimate, 0);
  const share = sample <= 1 ? sample : sample / keys;
  if (!(share < 1) || keys <= FEW_KEYS) {
    return undefined;
  }
  const runs = new Map<string, Run[]>();
  for (const [index, name] of names.entries()) {
    const wanted = Math.ceil((estimates[index] as number) * share);
    runs.set(name, await planRuns(db.columnFamily(name), wanted, random));
  }
  return { runs };
}

/** A range of keys. `from` is a key that exists; `to` need not exist and is not included. */
interface Interval {
  from: Buffer;
  to: Buffer;
  /** About how many bytes are in it. 0 if it cannot be split, or if that makes no sense. */
  size: number;
}

/** Splits the largest interval again and again. So the runs are spread evenly over the data, even if the keys are not. */
async function planRuns(space: KeySpace, wanted: number, random: () => number): Promise<Run[]> {
  const reversed = await isReversed(space, undefined);
  const looks = new Looks(space, reversed);
  const first = await looks.firstFrom(undefined, undefined);
  const last = await looks.last();
  if (first === undefined || last === undefined) {
    return [];
  }
  const count = Math.min(MOST_RUNS, Math.max(1, Math.ceil(wanted / KEYS_OF_RUN)));
  const end = Buffer.concat([last, Buffer.of(0)]);
  const intervals: Interval[] = [{ from: first, to: end, size: await looks.sizeOf(first, end) }];
  // If keys have long common prefixes, there are often no keys after a place between two of them. So limit the tries.
  for (let tries = 8 * count + 500; intervals.length < count && tries > 0; tries--) {
    const largest = intervals.reduce((a, b) => (b.size > a.size ? b : a));
    if (largest.size === 0) {
      break;
    }
    await split(largest, intervals, looks, random);
  }
  const limit = Math.max(1, Math.ceil(wanted / intervals.length));
  intervals.sort((a, b) => Buffer.compare(a.from, b.from));
  const runs: Run[] = intervals.map(({ from, to }) => ({ from, to: to === end ? last : to, limit }));
  return [...runs, { from: last, to: undefined, limit: 1 }].filter(
    ({ from, to }) => to === undefined || Buffer.compare(from, to) < 0,
  );
}

async function split(interval: Interval, intervals: Interval[], looks: Looks, random: () => number): Promise<void> {
  const middle = between(interval.from, interval.to, 0.25 + random() / 2);
  if (middle === undefined) {
    interval.size = 0;
    return;
  }
  const key = await looks.firstFrom(middle, interval.to);
  if (key !== undefined) {
    intervals.push({ from: key, to: interval.to, size: await looks.sizeOf(key, interval.to) });
    interval.size = await looks.sizeOf(interval.from, middle);
  }
  interval.to = middle;
}

/**
 * Returns a byte string between two others. The greater `weight` is, the nearer it is to the second. Undefined if the two are too close to
 * each other.
 */
export function between(from: Buffer, to: Buffer, weight: number): Buffer | undefined {
  let common = 0;
  while (common < from.length && from[common] === to[common]) {
    common++;
  }
  const DIGITS = 6; // a number can represent this many bytes exactly
  const low = numberAt(from, common, DIGITS);
  const high = numberAt(to, common, DIGITS);
  const middle = Math.floor(low + (high - low) * weight);
  if (middle <= low || middle >= high) {
    return undefined;
  }
  const digits = Buffer.alloc(DIGITS);
  digits.writeUIntBE(middle, 0, DIGITS);
  return Buffer.concat([to.subarray(0, common), digits]);
}

function numberAt(bytes: Buffer, start: number, digits: number): number {
  const part = Buffer.alloc(digits);
  bytes.copy(part, 0, start, Math.min(bytes.length, start + digits));
  return part.readUIntBE(0, digits);
}

/** Reads single keys of a family in the order of bytes, whatever its comparator is. */
class Looks {
  constructor(
    readonly space: KeySpace,
    readonly reversed: boolean,
  ) {}

  async firstFrom(from: Buffer | undefined, to: Buffer | undefined): Promise<Buffer | undefined> {
    const range = this.reversed ? { lte: from, gt: to, reverse: true } : { gte: from, lt: to };
    return this.#one(range);
  }

  last(): Promise<Buffer | undefined> {
    return this.#one({ reverse: !this.reversed });
  }

  sizeOf(from: Buffer, to: Buffer): Promise<number> {
    return this.reversed ? this.space.approximateSize(to, from) : this.space.approximateSize(from, to);
  }

  async #one(range: object): Promise<Buffer | undefined> {
    await using keys = this.space.keys({ ...range, limit: 1 });
    const [key] = await keys.nextMany(1);
    // Make a copy, so that the block's memory can be freed.
    return key === undefined ? undefined : Buffer.from(key);
  }
}
