import { createHash } from 'node:crypto';
import { BlockReader, type BlockReaderOptions, isReversed } from '../database/block-reader.js';
import type { Database } from '../database/database.js';
import type { EntryBlock } from '../native/block.js';
import type { Snapshot } from '../native/snapshot.js';
import { familiesOf, type ReadAllOptions, Reading, snapshotOf } from './read-all.js';

/** Number of keys and checksum of one column family. */
export interface FamilyDigest {
  name: string;
  keys: number;
  /** Total size of its keys and values, in bytes. */
  bytes: number;
  /** SHA-256 of all keys and values in the order of the keys' bytes, and of their lengths. */
  checksum: string;
}

/** Counts and checksums that show whether two databases have the same contents. */
export interface DatabaseDigest {
  keys: number;
  bytes: number;
  /** SHA-256 of the names and checksums of all families. */
  checksum: string;
  /** Sorted by name. */
  columnFamilies: FamilyDigest[];
}

/** The parts of a database to read if not all of it is read: for each family, the keys at which runs start. */
export interface Sample {
  runs: ReadonlyMap<string, readonly Run[]>;
}

/** A run of at most `limit` entries, starting at one key, in the order of the keys' bytes. */
export interface Run {
  from: Buffer;
  /** The run ends before this key. */
  to: Buffer | undefined;
  limit: number;
}

/** Options of {@link digestDatabase}. */
export interface DigestOptions extends ReadAllOptions {
  /** @internal */
  sample?: Sample | undefined;
}

/**
 * Reads a whole database and computes counts and checksums of its contents. Two databases have the same contents if and only if their
 * digests are equal. It does not matter in which files the data is and in which order the comparators sort the keys. A database that is
 * being written to is read as it is at one moment.
 *
 * @example
 * const digest = await digestDatabase(db);
 * console.log(digest.keys, digest.checksum);
 */
export async function digestDatabase(db: Database, options: DigestOptions = {}): Promise<DatabaseDigest> {
  const reading = new Reading(options);
  const snapshot = snapshotOf(db);
  try {
    const columnFamilies: FamilyDigest[] = [];
    for (const name of familiesOf(db)) {
      columnFamilies.push(await digestFamily(db, name, snapshot, reading, options.sample?.runs.get(name)));
    }
    const whole = createHash('sha256');
    for (const { name, checksum } of columnFamilies) {
      whole.update(`${Buffer.byteLength(name)} ${name} ${checksum}\n`);
    }
    return { keys: reading.keys, bytes: reading.bytes, checksum: whole.digest('hex'), columnFamilies };
  } finally {
    snapshot?.release();
  }
}

async function digestFamily(
  db: Database,
  name: string,
  snapshot: Snapshot | undefined,
  reading: Reading,
  runs: readonly Run[] | undefined,
): Promise<FamilyDigest> {
  const space = db.columnFamily(name);
  const reverse = await isReversed(space, snapshot);
  const sum = new EntriesSum();
  for (const range of runs === undefined ? [{}] : runs.map((run) => rangeOf(run, reverse))) {
    const reader = new BlockReader(space, { ...range, reverse, snapshot });
    try {
      for (let block = await reader.next(); block !== undefined; block = await reader.next()) {
        reading.goOn(name, block);
        sum.add(block);
      }
    } finally {
      reader.close();
    }
  }
  return { name, keys: sum.keys, bytes: sum.bytes, checksum: sum.checksum() };
}

/** The bounds of a reader follow the order of the comparator. In a family with the reverse comparator, the greater key comes first. */
function rangeOf({ from, to, limit }: Run, reversed: boolean): BlockReaderOptions {
  return reversed ? { lte: from, gt: to, limit } : { gte: from, lt: to, limit };
}

/**
 * Checksums the lengths and the bytes separately. Together they tell where each key and value ends. This needs only two updates for each
 * block.
 */
class EntriesSum {
  keys = 0;
  bytes = 0;
  readonly #lengths = createHash('sha256');
  readonly #bytes = createHash('sha256');
  #scratch = new Uint32Array(1024);

  add({ count, ends, bytes }: EntryBlock): void {
    if (this.#scratch.length < ends.length) {
      this.#scratch = new Uint32Array(2 * ends.length);
    }
    const lengths = this.#scratch;
    let before = 0;
    for (let n = 0; n < ends.length; n++) {
      const end = ends[n] as number;
      lengths[n] = end - before;
      before = end;
    }
    this.#lengths.update(new Uint8Array(lengths.buffer, 0, 4 * ends.length));
    this.#bytes.update(bytes);
    this.keys += count;
    this.bytes += bytes.length;
  }

  checksum(): string {
    return createHash('sha256').update(this.#lengths.digest()).update(this.#bytes.digest()).digest('hex');
  }
}
