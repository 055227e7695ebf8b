import type {
  AbstractBatchOptions,
  AbstractChainedBatch,
  AbstractClearOptions,
  AbstractDatabaseOptions,
  AbstractDelOptions,
  AbstractGetOptions,
  AbstractHasOptions,
  AbstractIteratorOptions,
  AbstractKeyIteratorOptions,
  AbstractOpenOptions,
  AbstractPutOptions,
  AbstractValueIteratorOptions,
  Transcoder,
} from 'abstract-level';
import { describe, invalidOption } from '../base/errors.js';
import type { Compression, OpenOptions } from '../database/database-options.js';
import type { ReadArgument } from '../native/native-database.js';
import type { ReadOptions, WriteOptions } from '../native/options.js';
import { isLenientNumber, lenientNumbersOf } from './lenient-numbers.js';
import { LevelSnapshot } from './level-snapshot.js';

/** The types of keys and values when they reach the database. */
export type LevelFormat = string | Buffer | Uint8Array;

/** A compression for blocks. Or, as in classic-level, whether to compress: true means 'snappy'. */
export type LevelCompression = Compression | boolean;

/** Options of opening: all of {@link OpenOptions}, and those of classic-level. */
export interface LevelOpenOptions extends Omit<OpenOptions, 'compression'>, AbstractOpenOptions {
  /** How blocks are compressed. @default 'snappy' */
  compression?: LevelCompression | undefined;
  /** Reads what is there now and writes nothing, like `mode: 'readOnly'`. @default false */
  readOnly?: boolean | undefined;
  /** classic-level's name for `targetFileSizeBase`. @default the default of that option */
  maxFileSize?: number | undefined;
  /** How many keys of a block share their common prefix. @default 16 */
  blockRestartInterval?: number | undefined;
}

/** Options of the constructor. */
export interface LevelOptions<K = string, V = string>
  extends Omit<LevelOpenOptions, 'passive'>,
    AbstractDatabaseOptions<K, V> {}

/** Options of all reads, in addition to those of abstract-level. */
export type LevelReadOptions = Pick<ReadOptions, 'fillCache' | 'verifyChecksums' | 'readTier'>;

/** Options of `get` and `getMany`. */
export interface LevelGetOptions<K, V> extends AbstractGetOptions<K, V>, LevelReadOptions {}

/** Options of `has` and `hasMany`. */
export interface LevelHasOptions<K> extends AbstractHasOptions<K>, LevelReadOptions {}

/** Options of `put`. */
export interface LevelPutOptions<K, V> extends AbstractPutOptions<K, V>, WriteOptions {}

/** Options of `del`. */
export interface LevelDelOptions<K> extends AbstractDelOptions<K>, WriteOptions {}

/** Options of `batch`. */
export interface LevelBatchOptions<K, V> extends AbstractBatchOptions<K, V>, WriteOptions {}

/** Options of `clear`. */
export interface LevelClearOptions<K> extends AbstractClearOptions<K>, WriteOptions {}

/** Options of `iterator`. `highWaterMarkBytes` is accepted but has no effect: blocks have at most 64 KiB. */
export interface LevelIteratorOptions<K, V> extends AbstractIteratorOptions<K, V>, LevelReadOptions {
  /** An option of classic-level. It has no effect. */
  highWaterMarkBytes?: number | undefined;
}

/** Options of `keys`. */
export interface LevelKeyIteratorOptions<K> extends AbstractKeyIteratorOptions<K>, LevelReadOptions {
  /** An option of classic-level. It has no effect. */
  highWaterMarkBytes?: number | undefined;
}

/** Options of `values`. */
export interface LevelValueIteratorOptions<K, V> extends AbstractValueIteratorOptions<K, V>, LevelReadOptions {
  /** An option of classic-level. It has no effect. */
  highWaterMarkBytes?: number | undefined;
}

/** Options of `approximateSize` and `compactRange`. */
export interface LevelRangeOptions<K> {
  /** The encoding of `start` and `end`. @default that of the database */
  keyEncoding?: string | Transcoder.PartialEncoder<K> | undefined;
}

/** The result of `batch()`: abstract-level's chained batch. Its `write` accepts our options. */
export interface LevelChainedBatch<TDatabase, K, V> extends AbstractChainedBatch<TDatabase, K, V> {
  write(): Promise<void>;
  write(options: WriteOptions): Promise<void>;
}

/**
 * The options that are passed to `Database.open`. Other options must be ignored, not refused: with abstract-level, users may pass options
 * through `open` to their own hooks.
 */
const passedOn: Record<Exclude<keyof OpenOptions, 'compression'>, true> = {
  archive: true,
  bottommostCompression: true,
  compatibility: true,
  comparator: true,
  mergeOperator: true,
  writeBufferSize: true,
  maxWriteBufferNumber: true,
  minWriteBufferNumberToMerge: true,
  targetFileSizeBase: true,
  maxBytesForLevelBase: true,
  numLevels: true,
  levelCompactionDynamicLevelBytes: true,
  level0FileNumCompactionTrigger: true,
  level0SlowdownWritesTrigger: true,
  level0StopWritesTrigger: true,
  disableAutoCompactions: true,
  compactionStyle: true,
  ttl: true,
  enableBlobFiles: true,
  minBlobSize: true,
  blobFileSize: true,
  blobCompression: true,
  enableBlobGarbageCollection: true,
  blockSize: true,
  cacheIndexAndFilterBlocks: true,
  bloomFilterBits: true,
  rocksdb: true,
  createIfMissing: true,
  errorIfExists: true,
  mode: true,
  columnFamilies: true,
  walDir: true,
  cacheSize: true,
  maxOpenFiles: true,
  maxBackgroundJobs: true,
  maxSubcompactions: true,
  maxTotalWalSize: true,
  bytesPerSync: true,
  walBytesPerSync: true,
  paranoidChecks: true,
  atomicFlush: true,
  manualWalFlush: true,
  useDirectReads: true,
  walRecoveryMode: true,
  infoLogLevel: true,
  keepLogFileNum: true,
  keepOptionsFile: true,
  maxLogFileSize: true,
};

/** LevelDB raises a smaller `maxFileSize` to this value. */
const LEAST_FILE = 1 << 20;

/** Converts the options of abstract-level's `open` to those of `Database.open`. */
export function openOptionsOf(options: LevelOpenOptions & { multithreading?: unknown }): OpenOptions {
  const { readOnly, compression, maxFileSize, multithreading } = options;
  const { blockRestartInterval, ...numbers } = lenientNumbersOf(options);
  if (multithreading) {
    throw invalidOption(
      TypeError,
      'multithreading',
      'left out: give other threads level.database.token, for new RocksLevel(Database.attach(token))',
      describe(multithreading),
    );
  }
  if (readOnly !== undefined && typeof readOnly !== 'boolean') {
    throw invalidOption(TypeError, 'readOnly', 'true or false', describe(readOnly));
  }
  const others = Object.entries(options).filter(([name]) => Object.hasOwn(passedOn, name) && !isLenientNumber(name));
  const result: OpenOptions = { ...Object.fromEntries(others), ...numbers };
  if (compression !== undefined && compression !== null) {
    result.compression = compression === true ? 'snappy' : compression === false ? 'none' : compression;
  }
  if (readOnly) {
    result.mode = 'readOnly';
  }
  if (typeof maxFileSize === 'number') {
    result.targetFileSizeBase = Math.max(LEAST_FILE, Math.floor(maxFileSize) || 0);
  }
  if (blockRestartInterval !== undefined) {
    result.rocksdb = { block_restart_interval: blockRestartInterval, ...result.rocksdb };
  }
  return result;
}

/** The options that abstract-level passes to the methods of an implementation. Only those that are used here. */
export interface PrivateReadOptions extends LevelReadOptions {
  keyEncoding?: string;
  valueEncoding?: string;
  snapshot?: unknown;
}

/** The options of a read, without its encoding. */
export function readOptionsOf(options: PrivateReadOptions): object | undefined {
  const { snapshot, fillCache, verifyChecksums, readTier } = options;
  return (snapshot === undefined || snapshot === null) &&
    fillCache === undefined &&
    verifyChecksums === undefined &&
    readTier === undefined
    ? undefined
    : { snapshot: LevelSnapshot.nativeOf(snapshot), fillCache, verifyChecksums, readTier };
}

/** The native options of a read that returns values. Undefined if there is nothing to say, so that no object is made. */
export function valueOptionsOf(options: PrivateReadOptions): ReadArgument | undefined {
  const encoding = nativeEncoding(options.valueEncoding);
  const rest = readOptionsOf(options);
  return rest === undefined ? (encoding === 'utf8' ? encoding : undefined) : { ...rest, encoding };
}

/** The native options of a write. Undefined if there is nothing to say, so that no object is made. */
export function writeOptionsOf(options: WriteOptions): WriteOptions | undefined {
  const { sync, disableWAL, noSlowdown, lowPri } = options;
  return sync === undefined && disableWAL === undefined && noSlowdown === undefined && lowPri === undefined
    ? undefined
    : { sync, disableWAL, noSlowdown, lowPri };
}

/** The native encoding for a format of abstract-level. The format 'view' also gets a Buffer, because a Buffer is a Uint8Array. */
export function nativeEncoding(format: string | undefined): 'utf8' | 'buffer' {
  return format === 'utf8' ? 'utf8' : 'buffer';
}
