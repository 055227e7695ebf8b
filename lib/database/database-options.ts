import type { ArchiveSetting } from './archive.js';

/** A compression for blocks. `engineInfo().compressions` lists those that are built in. */
export type Compression = 'none' | 'snappy' | 'zlib' | 'lz4' | 'lz4hc' | 'zstd';

/** Options of one column family. In {@link OpenOptions} they apply to all families, except where a family has its own options. */
export interface ColumnFamilyOptions {
  /** How blocks are compressed. @default 'snappy' */
  compression?: Compression | undefined;
  /** How blocks of the last level are compressed. Most of the data is there. @default the value of `compression` */
  bottommostCompression?: Compression | undefined;
  /** The order of keys. It cannot be changed later. @default the comparator of the existing database, or 'bytewise' for a new one */
  comparator?: 'bytewise' | 'reverseBytewise' | undefined;
  /**
   * What `merge` does. `uint64add`: adds 64-bit little-endian numbers. `stringappend`: appends, with a comma between. `put`: replaces.
   * `max`: keeps the greater value. `bytesxor`: exclusive or.
   *
   * @default the merge operator with which the database was last opened, or none
   */
  mergeOperator?: 'uint64add' | 'stringappend' | 'put' | 'max' | 'bytesxor' | undefined;
  /** How many bytes are collected in memory before they are written to a file. @default 67108864 */
  writeBufferSize?: number | undefined;
  /** How many such buffers may exist before writes must wait. @default 2 */
  maxWriteBufferNumber?: number | undefined;
  /** How many buffers are written to a file together. @default 1 */
  minWriteBufferNumberToMerge?: number | undefined;
  /** Size of a table file of level 1, in bytes. @default 67108864 */
  targetFileSizeBase?: number | undefined;
  /** Total size of level 1, in bytes. @default 268435456 */
  maxBytesForLevelBase?: number | undefined;
  /** The number of levels. @default 7 */
  numLevels?: number | undefined;
  /** Computes the sizes of the levels from the last one upwards, which wastes less space. @default true */
  levelCompactionDynamicLevelBytes?: boolean | undefined;
  /** How many files in level 0 start a compaction. @default 4 */
  level0FileNumCompactionTrigger?: number | undefined;
  /** How many files in level 0 slow writes down. @default 20 */
  level0SlowdownWritesTrigger?: number | undefined;
  /** How many files in level 0 stop writes. @default 36 */
  level0StopWritesTrigger?: number | undefined;
  /** Compacts only when a program asks for it. @default false */
  disableAutoCompactions?: boolean | undefined;
  /** How files are compacted. @default 'level' */
  compactionStyle?: 'level' | 'universal' | 'fifo' | undefined;
  /** After this many seconds, data is compacted again, or deleted if the style is 'fifo'. @default 30 days */
  ttl?: number | undefined;
  /** Stores large values in separate files, apart from the keys. @default false */
  enableBlobFiles?: boolean | undefined;
  /** From this number of bytes on, a value counts as large. @default 0 */
  minBlobSize?: number | undefined;
  /** Size of a blob file, in bytes. @default 268435456 */
  blobFileSize?: number | undefined;
  /** How blobs are compressed. @default 'none' */
  blobCompression?: Compression | undefined;
  /** Frees the space of overwritten blobs during compaction. @default false */
  enableBlobGarbageCollection?: boolean | undefined;
  /** Size of a block in bytes. A block is the unit of reading and compressing. @default 4096 */
  blockSize?: number | undefined;
  /** Keeps indexes and filters in the block cache. The cache size then limits their memory. @default false */
  cacheIndexAndFilterBlocks?: boolean | undefined;
  /**
   * Bits per key of a Bloom filter. With the filter, a read can skip files that do not contain the key. The filter saves time and costs
   * memory while a file is open. 0 means no filter, which is RocksDB's own default.
   *
   * @default 10
   */
  bloomFilterBits?: number | undefined;
  /** Any other option of the family or its block-based tables, under RocksDB's own name. RocksDB checks it. @default {} */
  rocksdb?: Record<string, string | number | bigint | boolean> | undefined;
}

/** Options of {@link Database.open}. */
export interface OpenOptions extends Omit<ColumnFamilyOptions, 'rocksdb'> {
  /**
   * Creates the database if it does not exist, with missing parent directories. Also creates the families of `columnFamilies` that it does
   * not have. @default true
   */
  createIfMissing?: boolean | undefined;
  /** Fails if the database exists already. @default false */
  errorIfExists?: boolean | undefined;
  /**
   * `readWrite`: to read and write. `readOnly`: to read what is there now. `secondary`: to follow a database that another process writes.
   * The value of `secondary` is a directory of its own, where this process keeps its notes. @default 'readWrite'
   */
  mode?: 'readWrite' | 'readOnly' | { secondary: string } | undefined;
  /** Options of single families. All families of the database are opened, whether they are named here or not. @default 'all' */
  columnFamilies?: 'all' | Record<string, ColumnFamilyOptions> | undefined;
  /**
   * Which versions of RocksDB must be able to read what is written from now on. `latest`: the version in this package. `6.6`: also all
   * versions from 6.6 on. Those must also know the `compression`. Blob files are not covered: they need 6.18.
   *
   * @default 'latest'
   */
  compatibility?: 'latest' | '6.6' | undefined;
  /** The directory of the write-ahead log. @default the database's own directory */
  walDir?: string | undefined;
  /**
   * Does not change the database's OPTIONS file. Otherwise, RocksDB writes the options of this open there, and some programs take the
   * options of their next open from it. For tools that open a database without knowing its options. Backups and checkpoints then contain
   * the file that was there before. @default false
   */
  keepOptionsFile?: boolean | undefined;
  /** Size of the block cache in bytes. All families share it. 0 means no cache. @default 33554432 */
  cacheSize?: number | undefined;
  /**
   * How many of the database's files may be open at the same time. -1 means all, which is fastest.
   *
   * @default -1 if the process may open at least four times as many files as the database has when it is opened, otherwise half of the
   * process's limit
   */
  maxOpenFiles?: number | undefined;
  /** How many threads flush and compact. @default 2 */
  maxBackgroundJobs?: number | undefined;
  /** How many threads share one compaction. @default 1 */
  maxSubcompactions?: number | undefined;
  /**
   * When the write-ahead logs have this many bytes together, the oldest buffers are written to files. 0 means four times the size of the
   * buffers. @default 0
   */
  maxTotalWalSize?: number | undefined;
  /** While a table file is being written, sends it to the disk after each of this many bytes. 0 means only at its end. @default 0 */
  bytesPerSync?: number | undefined;
  /** Sends the write-ahead log to the disk after each of this many bytes. 0 means that the operating system decides. @default 0 */
  walBytesPerSync?: number | undefined;
  /** Stops at the first sign of corruption. @default true */
  paranoidChecks?: boolean | undefined;
  /** Flushes all families together, so that they are consistent with each other even without the write-ahead log. @default false */
  atomicFlush?: boolean | undefined;
  /** Writes the log only when a program asks for it, instead of with every write. @default false */
  manualWalFlush?: boolean | undefined;
  /** Reads without the operating system's cache. @default false */
  useDirectReads?: boolean | undefined;
  /** What to do with a damaged write-ahead log. @default 'pointInTimeRecovery' */
  walRecoveryMode?:
    | 'tolerateCorruptedTailRecords'
    | 'absoluteConsistency'
    | 'pointInTimeRecovery'
    | 'skipAnyCorruptedRecords'
    | undefined;
  /** The lowest level of messages that go to the database's LOG. @default 'info' */
  infoLogLevel?: 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'header' | undefined;
  /** How many old LOG files are kept. @default 1000 */
  keepLogFileNum?: number | undefined;
  /** When the LOG file has this many bytes, a new one is started. 0 means never. @default 0 */
  maxLogFileSize?: number | undefined;
  /**
   * Archives the log: everything that is written is in that repository within seconds, and {@link PointInTimeRecovery} brings back any moment.
   * The repository's backups are what a recovery starts from; the first one is made at once. Writes with `disableWAL` are refused.
   *
   * @default the log is not archived
   */
  archive?: ArchiveSetting;
  /** Any other option of the database or its families, under RocksDB's own name. RocksDB checks it. @default {} */
  rocksdb?: Record<string, string | number | bigint | boolean> | undefined;
}
