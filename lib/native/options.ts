import type { Snapshot } from './snapshot.js';

/** A key or a value: a string is taken as UTF-8, a Buffer or Uint8Array as the bytes it shows. */
export type Key = string | Uint8Array;

/** How bytes come back: as Buffers, or decoded as UTF-8. */
export type Encoding = 'buffer' | 'utf8';

/** What comes back in an encoding. */
export type Data<E extends Encoding> = E extends 'utf8' ? string : Buffer;

/** Options of reads: {@link KeySpace.get} and the like, and iterators. */
export interface ReadOptions<E extends Encoding = Encoding> {
  /** How keys and values come back. @default 'buffer' */
  encoding?: E | undefined;
  /** Reads the database as it was when the snapshot was made. @default the database as it is */
  snapshot?: Snapshot | undefined;
  /** Puts what is read from the disk into the block cache. Off is better for large scans. @default true */
  fillCache?: boolean | undefined;
  /** Checks the checksum of every block that is read from the disk. @default true */
  verifyChecksums?: boolean | undefined;
  /**
   * Where to look: everywhere; in memory and cached blocks only (`ROCKSDB_INCOMPLETE` if that is not enough to tell); only
   * in what survives a crash; only in what is not written out yet. @default 'all'
   */
  readTier?: 'all' | 'blockCache' | 'persisted' | 'memtable' | undefined;
}

/** Options of writes. */
export interface WriteOptions {
  /** Waits until the operating system has put the write on the disk: it then survives a power cut. @default false */
  sync?: boolean | undefined;
  /** Leaves the write-ahead log out: what is not flushed is lost when the process ends without closing. @default false */
  disableWAL?: boolean | undefined;
  /** Fails with `ROCKSDB_INCOMPLETE` instead of waiting when writes are stalled. @default false */
  noSlowdown?: boolean | undefined;
  /** Is slowed down first when compaction cannot keep up. @default false */
  lowPri?: boolean | undefined;
}

/** A range of keys, in the order of the comparator. */
export interface KeyRange {
  /** Keys after this one. */
  gt?: Key | undefined;
  /** This key and those after it. */
  gte?: Key | undefined;
  /** Keys before this one. */
  lt?: Key | undefined;
  /** This key and those before it. */
  lte?: Key | undefined;
}

/** Options of iterators. */
export interface RangeOptions<E extends Encoding = Encoding> extends KeyRange, ReadOptions<E> {
  /** From the last key to the first. @default false */
  reverse?: boolean | undefined;
  /** At most so many entries; a negative number is no limit. @default -1 */
  limit?: number | undefined;
}

/** Options of an iterator whose entries are borrowed: see {@link BorrowedEntry}. */
export interface BorrowRangeOptions extends RangeOptions<'buffer'> {
  /** Lends its entries, one at a time: each holds until the next one is asked for. */
  borrow: true;
}

/** Options of {@link KeySpace.getSync}. */
export interface GetSyncOptions<E extends Encoding = Encoding> extends ReadOptions<E> {
  /**
   * Lends the value: it is shown by memory, and by a Buffer, that the next value takes the place of which is borrowed on this
   * thread, out of whatever database. Copy what is to be kept. Values above 64 KiB are not lent but given. Not with
   * `encoding: 'utf8'`.
   *
   * @default false
   */
  borrow?: boolean | undefined;
}

/** Options of {@link KeySpace.compactRange}. */
export interface CompactRangeOptions {
  /** The first key to compact. @default the first there is */
  start?: Key | undefined;
  /** The last key to compact. @default the last there is */
  end?: Key | undefined;
  /** Whether to rewrite the last level as well. @default 'ifHaveCompactionFilter' */
  bottommostLevelCompaction?: 'skip' | 'ifHaveCompactionFilter' | 'force' | 'forceOptimized' | undefined;
  /** Lets no automatic compaction run beside it. @default false */
  exclusiveManualCompaction?: boolean | undefined;
  /** Moves the result to `targetLevel`. @default false */
  changeLevel?: boolean | undefined;
  /** The level to move the result to; -1: the lowest that can take it. @default -1 */
  targetLevel?: number | undefined;
  /** How many threads share the work; 0: as the database's options say. @default 0 */
  maxSubcompactions?: number | undefined;
  /** Begins at once even if writes are then stalled for a while. @default false */
  allowWriteStall?: boolean | undefined;
}
