import type { Snapshot } from './snapshot.js';

/** A key or a value. A string is encoded as UTF-8. A Buffer or Uint8Array is used as its bytes. */
export type Key = string | Uint8Array;

/** How keys and values are returned: as Buffers, or decoded as UTF-8. */
export type Encoding = 'buffer' | 'utf8';

/** The type of a key or value for an encoding. */
export type Data<E extends Encoding> = E extends 'utf8' ? string : Buffer;

/** Options of reads: {@link KeySpace.get} and similar methods, and iterators. */
export interface ReadOptions<E extends Encoding = Encoding> {
  /** How keys and values are returned. @default 'buffer' */
  encoding?: E | undefined;
  /** Reads the database as it was when this snapshot was made. @default the current database */
  snapshot?: Snapshot | undefined;
  /** Puts blocks that are read from the disk into the block cache. `false` is better for large scans. @default true */
  fillCache?: boolean | undefined;
  /** Verifies the checksum of every block that is read from the disk. @default true */
  verifyChecksums?: boolean | undefined;
  /**
   * Where to look. `all`: everywhere. `blockCache`: only in memory and in cached blocks; the read fails with `ROCKSDB_INCOMPLETE` if that
   * is not enough for an answer. `persisted`: only in data that survives a crash. `memtable`: only in data that is not flushed to files
   * yet. @default 'all'
   */
  readTier?: 'all' | 'blockCache' | 'persisted' | 'memtable' | undefined;
}

/** Options of writes. */
export interface WriteOptions {
  /** Waits until the operating system has put the write on the disk, so that it survives a power cut. @default false */
  sync?: boolean | undefined;
  /**
   * Does not write to the write-ahead log. Data that is not flushed is lost if the process ends without closing the database. @default
   * false
   */
  disableWAL?: boolean | undefined;
  /** Fails with `ROCKSDB_INCOMPLETE` instead of waiting when RocksDB stalls writes. @default false */
  noSlowdown?: boolean | undefined;
  /** Low priority: RocksDB slows this write down before others if compaction cannot keep up. @default false */
  lowPri?: boolean | undefined;
}

/** A range of keys, in the order of the comparator. */
export interface KeyRange {
  /** Only keys after this one. */
  gt?: Key | undefined;
  /** Only this key and keys after it. */
  gte?: Key | undefined;
  /** Only keys before this one. */
  lt?: Key | undefined;
  /** Only this key and keys before it. */
  lte?: Key | undefined;
}

/** Options of iterators. */
export interface RangeOptions<E extends Encoding = Encoding> extends KeyRange, ReadOptions<E> {
  /** Goes from the last key to the first. @default false */
  reverse?: boolean | undefined;
  /** The maximum number of entries. A negative number means no limit. @default -1 */
  limit?: number | undefined;
}

/** Options of an iterator with borrowed entries: see {@link BorrowedEntry}. */
export interface BorrowRangeOptions extends RangeOptions<'buffer'> {
  /** Lends the entries, one at a time: each is valid only until the next one is asked for. */
  borrow: true;
}

/** Options of {@link KeySpace.getSync}. */
export interface GetSyncOptions<E extends Encoding = Encoding> extends ReadOptions<E> {
  /**
   * Lends the value instead of giving a copy: the result is a Buffer over memory that is used again. The next borrowed value on this thread
   * overwrites it, from whatever database it comes. Copy what you want to keep. Values above 64 KiB are not lent; they are normal Buffers.
   * Cannot be used with `encoding: 'utf8'`.
   *
   * @default false
   */
  borrow?: boolean | undefined;
}

/** Options of {@link KeySpace.compactRange}. */
export interface CompactRangeOptions {
  /** The first key to compact. @default the first key of the database */
  start?: Key | undefined;
  /** The last key to compact. @default the last key of the database */
  end?: Key | undefined;
  /** Whether to rewrite the last level as well. @default 'ifHaveCompactionFilter' */
  bottommostLevelCompaction?: 'skip' | 'ifHaveCompactionFilter' | 'force' | 'forceOptimized' | undefined;
  /** Runs no automatic compaction at the same time. @default false */
  exclusiveManualCompaction?: boolean | undefined;
  /** Moves the result to `targetLevel`. @default false */
  changeLevel?: boolean | undefined;
  /** The level to move the result to. -1 means the lowest level that can take it. @default -1 */
  targetLevel?: number | undefined;
  /** How many threads share the work. 0 means that the database's options decide. @default 0 */
  maxSubcompactions?: number | undefined;
  /** Starts at once, even if that stalls writes for a while. @default false */
  allowWriteStall?: boolean | undefined;
}
