import { describe, invalidOption } from '../base/errors.js';
import type { Database } from '../database/database.js';
import type { KeySpace } from '../database/key-space.js';
import type { Run, Sample } from './digest.js';
import { isReversed } from './key-order.js';
import { familiesOf } from './read-all.js';

/** Runs of keys are about so long: seeking costs as much as reading some dozens of keys. */
const KEYS_OF_RUN = 100;
const MOST_RUNS = 1000;

/** From so few keys on, everything is read. */
const FEW_KEYS = 1000;

/** Checks what says how much of a database to look at. */
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
 * Chooses what to read of a database: runs of keys, spread over all of its data, at other places each time, and its first and last
 * keys. Undefined where that would be everything. `sample` is a share, up to 1, or a number of keys.
 */
export async function planSample(db: Database, sample: number, random = Math.random): Promise<Sample | undefined> {
  checkSample(sample);
  const names = familiesOf(db);
  const estimates = names.map((name) => Number(db.columnFamily(name).property('rocksdb.estimate-num-keys') ?? 0));
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

/** The keys from one that is there up to one that need not be. */
interface Interval {
  from: Buffer;
  to: Buffer;
  /** About how many bytes are in it; 0 if it is not worth splitting, or cannot be. */
  size: number;
}

/** Halves the largest interval, again and again: so the places are spread over the data, however the keys are spread. */
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
  // Where keys have much in common, many a place between two of them has none.
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

/** A string of bytes that lies between two others, nearer to the second the greater `weight` is; undefined if they are too near. */
export function between(from: Buffer, to: Buffer, weight: number): Buffer | undefined {
  let common = 0;
  while (common < from.length && from[common] === to[common]) {
    common++;
  }
  const DIGITS = 6; // as many bytes as a number has exactly
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

/** Looks at a family in the order of bytes, whichever its comparator's is. */
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
    // A copy: the block's memory need not stay.
    return key === undefined ? undefined : Buffer.from(key);
  }
}
