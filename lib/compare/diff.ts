import { describe, invalidOption } from '../base/errors.js';
import { BlockReader, isReversed } from '../database/block-reader.js';
import type { Database } from '../database/database.js';
import type { EntryBlock } from '../native/block.js';
import type { Snapshot } from '../native/snapshot.js';
import { OrderCheck } from './key-order.js';
import { familiesOf, type ReadAllOptions, Reading, snapshotOf } from './read-all.js';

/** A key that differs between two databases. Its Buffers are parts of blocks of about 256 KiB. They keep the whole block in memory. */
export interface DatabaseChange {
  columnFamily: string;
  /** `added`: only the second database has the key. `removed`: only the first has it. `changed`: both have it, with different values. */
  change: 'added' | 'removed' | 'changed';
  key: Buffer;
  /** The value in the first database. */
  before?: Buffer;
  /** The value in the second database. */
  after?: Buffer;
}

/** Options of {@link diffDatabases}. */
export interface DiffOptions extends ReadAllOptions {
  /** Which column families to compare. @default all families of both databases */
  columnFamilies?: readonly string[] | undefined;
}

/** The result of {@link diffDatabases}. */
export interface DatabaseDiff extends AsyncIterable<DatabaseChange> {
  /** The column families that both databases have, and those that only one has. For a family without keys, this is the only difference. */
  readonly columnFamilies: { common: string[]; added: string[]; removed: string[] };
}

/**
 * Finds the keys that were added, changed and removed from one database to another. They come family by family, in the order of the keys'
 * bytes. The databases are read as a stream, so their size does not matter. A database that is being written to is read as it is at one
 * moment.
 *
 * @example
 * const before = await engine.openBackup(3);
 * const after = await engine.openBackup(7);
 * for await (const { columnFamily, change, key } of diffDatabases(before, after)) console.log(columnFamily, change, key);
 */
export function diffDatabases(a: Database, b: Database, options: DiffOptions = {}): DatabaseDiff {
  const chosen = options.columnFamilies;
  if (chosen !== undefined && (!Array.isArray(chosen) || chosen.some((name) => typeof name !== 'string'))) {
    throw invalidOption(TypeError, 'columnFamilies', 'an array of strings', describe(chosen));
  }
  const wanted = (name: string) => chosen?.includes(name) ?? true;
  const inA = familiesOf(a).filter(wanted);
  const inB = familiesOf(b).filter(wanted);
  const columnFamilies = {
    common: inA.filter((name) => inB.includes(name)),
    added: inB.filter((name) => !inA.includes(name)),
    removed: inA.filter((name) => !inB.includes(name)),
  };
  return {
    columnFamilies,
    [Symbol.asyncIterator]: () => changes(a, b, [...new Set([...inA, ...inB])].sort(), options),
  };
}

async function* changes(
  a: Database,
  b: Database,
  names: string[],
  options: ReadAllOptions,
): AsyncGenerator<DatabaseChange, void> {
  const reading = new Reading(options);
  const snapshots = [snapshotOf(a), snapshotOf(b)] as const;
  try {
    for (const name of names) {
      const left = await Side.open(a, name, snapshots[0], reading);
      const right = await Side.open(b, name, snapshots[1], reading);
      try {
        yield* changesOfFamily(name, left, right);
      } finally {
        left.close();
        right.close();
      }
    }
  } finally {
    for (const snapshot of snapshots) {
      snapshot?.release();
    }
  }
}

async function* changesOfFamily(columnFamily: string, a: Side, b: Side): AsyncGenerator<DatabaseChange, void> {
  for (;;) {
    if (a.left === 0 && !a.ended) {
      await a.fill();
    }
    if (b.left === 0 && !b.ended) {
      await b.fill();
    }
    if (a.left === 0 && b.left === 0) {
      return;
    }
    const order = a.left === 0 ? 1 : b.left === 0 ? -1 : skipEqual(a, b);
    if (order === undefined) {
      continue;
    }
    if (order < 0) {
      yield { columnFamily, change: 'removed', key: a.key, before: a.value };
    } else if (order > 0) {
      yield { columnFamily, change: 'added', key: b.key, after: b.value };
    } else {
      yield { columnFamily, change: 'changed', key: a.key, before: a.value, after: b.value };
    }
    if (order <= 0) {
      a.advance(1);
    }
    if (order >= 0) {
      b.advance(1);
    }
  }
}

/**
 * Skips the next entries that are the same in both: 1 entry, then 2, 4, 8 at once. Most parts of the two databases are usually equal, and
 * comparing a large piece of memory at once takes almost no time. @returns how the two keys compare at which both sides stop; undefined if
 * one side has no more entries in memory
 */
function skipEqual(a: Side, b: Side): number | undefined {
  let step = 1;
  let found = false;
  while (a.left > 0 && b.left > 0) {
    step = Math.min(step, a.left, b.left);
    if (a.sameAs(b, step)) {
      a.advance(step);
      b.advance(step);
      step = found ? Math.max(step >> 1, 1) : step * 2;
    } else if (step > 1) {
      found = true;
      step >>= 1;
    } else {
      return Buffer.compare(a.key, b.key);
    }
  }
  return undefined;
}

const NOTHING: EntryBlock = { count: 0, ends: new Uint32Array(0), bytes: Buffer.alloc(0) };

/** One of the two databases, at its current position in one column family. */
class Side {
  readonly #reader: BlockReader | undefined;
  readonly #order: OrderCheck;
  readonly #name: string;
  readonly #reading: Reading;
  #block = NOTHING;
  #index = 0;
  /** Whether no entries follow those that are in memory. */
  ended = false;

  private constructor(reader: BlockReader | undefined, order: OrderCheck, name: string, reading: Reading) {
    this.#reader = reader;
    this.#order = order;
    this.#name = name;
    this.#reading = reading;
  }

  static async open(db: Database, name: string, snapshot: Snapshot | undefined, reading: Reading): Promise<Side> {
    const order = new OrderCheck(db.path, name);
    if (!db.columnFamilies.includes(name)) {
      return new Side(undefined, order, name, reading);
    }
    const space = db.columnFamily(name);
    const reverse = await isReversed(space, snapshot);
    return new Side(new BlockReader(space, { reverse, snapshot }), order, name, reading);
  }

  /** How many entries are in memory and not yet processed. */
  get left(): number {
    return this.#block.count - this.#index;
  }

  get key(): Buffer {
    return this.#block.bytes.subarray(this.#end(2 * this.#index - 1), this.#end(2 * this.#index));
  }

  get value(): Buffer {
    return this.#block.bytes.subarray(this.#end(2 * this.#index), this.#end(2 * this.#index + 1));
  }

  async fill(): Promise<void> {
    const block = await this.#reader?.next();
    this.#index = 0;
    this.#block = block ?? NOTHING;
    this.ended = block === undefined;
    if (block !== undefined) {
      this.#order.check(block);
      this.#reading.goOn(this.#name, block);
    }
  }

  advance(count: number): void {
    this.#index += count;
  }

  /** Whether the next `count` entries are the same on both sides. */
  sameAs(other: Side, count: number): boolean {
    const first = 2 * this.#index;
    const otherFirst = 2 * other.#index;
    const start = this.#end(first - 1);
    const otherStart = other.#end(otherFirst - 1);
    for (let n = 0; n < 2 * count; n++) {
      if (this.#end(first + n) - start !== other.#end(otherFirst + n) - otherStart) {
        return false;
      }
    }
    const end = this.#end(first + 2 * count - 1);
    const otherEnd = other.#end(otherFirst + 2 * count - 1);
    return this.#block.bytes.compare(other.#block.bytes, otherStart, otherEnd, start, end) === 0;
  }

  close(): void {
    this.#reader?.close();
  }

  #end(part: number): number {
    return part < 0 ? 0 : (this.#block.ends[part] as number);
  }
}
