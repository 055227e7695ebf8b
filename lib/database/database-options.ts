/** A way to compress blocks. `engineInfo().compressions` tells which are linked in. */
export type Compression = 'none' | 'snappy' | 'zlib' | 'lz4' | 'lz4hc' | 'zstd';

/** Options of one column family. In {@link OpenOptions} they are those of every family that does not say otherwise. */
export interface ColumnFamilyOptions {
  /** How blocks are compressed. @default 'snappy' */
  compression?: Compression | undefined;
  /** How blocks of the last level are compressed, where most of the data is. @default as `compression` */
  bottommostCompression?: Compression | undefined;
  /** The order of keys. Cannot be changed later. @default what the database was made with, else 'bytewise' */
  comparator?: 'bytewise' | 'reverseBytewise' | undefined;
  /**
   * What `merge` does: add 64-bit little-endian numbers, append after a comma, replace, keep the greater, or exclusive or.
   * @default what the database was last opened with, else none
   */
  mergeOperator?: 'uint64add' | 'stringappend' | 'put' | 'max' | 'bytesxor' | undefined;
  /** Bytes that are collected in memory before they are written to a file. @default 67108864 */
  writeBufferSize?: number | undefined;
  /** How many such buffers there may be before writes wait. @default 2 */
  maxWriteBufferNumber?: number | undefined;
  /** How many buffers are written out together. @default 1 */
  minWriteBufferNumberToMerge?: number | undefined;
  /** Bytes of a table file of level 1. @default 67108864 */
  targetFileSizeBase?: number | undefined;
  /** Bytes of level 1 in all. @default 268435456 */
  maxBytesForLevelBase?: number | undefined;
  /** How many levels there are. @default 7 */
  numLevels?: number | undefined;
  /** Sizes levels from the last one up, which wastes less space. @default true */
  levelCompactionDynamicLevelBytes?: boolean | undefined;
  /** How many files of level 0 start a compaction. @default 4 */
  level0FileNumCompactionTrigger?: number | undefined;
  /** How many files of level 0 slow writes down. @default 20 */
  level0SlowdownWritesTrigger?: number | undefined;
  /** How many files of level 0 stop writes. @default 36 */
  level0StopWritesTrigger?: number | undefined;
  /** Compacts only when told to. @default false */
  disableAutoCompactions?: boolean | undefined;
  /** How files are compacted. @default 'level' */
  compactionStyle?: 'level' | 'universal' | 'fifo' | undefined;
  /** Seconds after which data is compacted again, or deleted where the style is 'fifo'. @default 30 days */
  ttl?: number | undefined;
  /** Keeps large values in files of their own, apart from the keys. @default false */
  enableBlobFiles?: boolean | undefined;
  /** Bytes from which a value is large. @default 0 */
  minBlobSize?: number | undefined;
  /** Bytes of a blob file. @default 268435456 */
  blobFileSize?: number | undefined;
  /** How blobs are compressed. @default 'none' */
  blobCompression?: Compression | undefined;
  /** Frees the space of overwritten blobs while compacting. @default false */
  enableBlobGarbageCollection?: boolean | undefined;
  /** Bytes of a block, the unit of reading and compressing. @default 4096 */
  blockSize?: number | undefined;
  /** Keeps indexes and filters in the block cache, which then bounds their memory. @default false */
  cacheIndexAndFilterBlocks?: boolean | undefined;
  /**
   * Bits per key of a filter that spares reads of files that do not have a key: memory, while a file is open, for time. 0 is
   * none, as RocksDB itself has it.
   * @default 10
   */
  bloomFilterBits?: number | undefined;
  /** Any other option of the family or its block-based tables, by RocksDB's own name, checked by RocksDB. @default {} */
  rocksdb?: Record<string, string | number | bigint | boolean> | undefined;
}

/** Options of {@link Database.open}. */
export interface OpenOptions extends Omit<ColumnFamilyOptions, 'rocksdb'> {
  /** Makes the database, missing directories above it, and families of `columnFamilies` that it lacks. @default true */
  createIfMissing?: boolean | undefined;
  /** Refuses a database that is there already. @default false */
  errorIfExists?: boolean | undefined;
  /**
   * To read and write; to read what is there now; or to follow a database that another process writes, with a directory of
   * its own for what this process notes down. @default 'readWrite'
   */
  mode?: 'readWrite' | 'readOnly' | { secondary: string } | undefined;
  /** Options of single families. All that the database has are opened, named here or not. @default 'all' */
  columnFamilies?: 'all' | Record<string, ColumnFamilyOptions> | undefined;
  /**
   * Which RocksDB has to be able to read what is written from now on: this one, or those from 6.6 on as well. It has to
   * know the `compression` too. Does not cover blob files, which are of 6.18.
   * @default 'latest'
   */
  compatibility?: 'latest' | '6.6' | undefined;
  /** Where the write-ahead log is. @default the database's own directory */
  walDir?: string | undefined;
  /**
   * Leaves the database's OPTIONS file alone, where RocksDB otherwise notes the options of this open, and some programs look for
   * those of the next. For tools that open a database without knowing its options. The file that is there is in backups and
   * checkpoints. @default false
   */
  keepOptionsFile?: boolean | undefined;
  /** Bytes of the block cache, which all families share. 0 is none. @default 33554432 */
  cacheSize?: number | undefined;
  /**
   * How many of the database's files may be open; -1: all, which is fastest.
   * @default -1 while the process may open four times as many files as the database has when it is opened, else half of that limit
   */
  maxOpenFiles?: number | undefined;
  /** How many threads write out and compact. @default 2 */
  maxBackgroundJobs?: number | undefined;
  /** How many threads share one compaction. @default 1 */
  maxSubcompactions?: number | undefined;
  /** Bytes of write-ahead logs from which the oldest buffers are written out. 0: four times the buffers. @default 0 */
  maxTotalWalSize?: number | undefined;
  /** Hands table files to the disk every so many bytes while writing. 0: at the end. @default 0 */
  bytesPerSync?: number | undefined;
  /** Hands the write-ahead log to the disk every so many bytes. 0: when the system likes. @default 0 */
  walBytesPerSync?: number | undefined;
  /** Stops at the first sign of corruption. @default true */
  paranoidChecks?: boolean | undefined;
  /** Writes all families out together, so that they agree even without the write-ahead log. @default false */
  atomicFlush?: boolean | undefined;
  /** Writes the log when told to instead of with every write. @default false */
  manualWalFlush?: boolean | undefined;
  /** Reads around the operating system's cache. @default false */
  useDirectReads?: boolean | undefined;
  /** What to make of a damaged write-ahead log. @default 'pointInTimeRecovery' */
  walRecoveryMode?:
    | 'tolerateCorruptedTailRecords'
    | 'absoluteConsistency'
    | 'pointInTimeRecovery'
    | 'skipAnyCorruptedRecords'
    | undefined;
  /** The least that is worth a line in the database's LOG. @default 'info' */
  infoLogLevel?: 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'header' | undefined;
  /** How many old LOG files are kept. @default 1000 */
  keepLogFileNum?: number | undefined;
  /** Bytes from which a new LOG file is begun. 0: never. @default 0 */
  maxLogFileSize?: number | undefined;
  /** Any other option, of the database or its families, by RocksDB's own name, checked by RocksDB. @default {} */
  rocksdb?: Record<string, string | number | bigint | boolean> | undefined;
}
