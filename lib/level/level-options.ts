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
import { doorNumbersOf, isDoorNumber } from './door-numbers.js';
import { LevelSnapshot } from './level-snapshot.js';

/** What keys and values are made of when they reach the database. */
export type LevelFormat = string | Buffer | Uint8Array;

/** A way to compress blocks, or as in classic-level: whether to. True is 'snappy'. */
export type LevelCompression = Compression | boolean;

/** Options of opening: all of {@link OpenOptions}, and those of classic-level. */
export interface LevelOpenOptions extends Omit<OpenOptions, 'compression'>, AbstractOpenOptions {
  /** How blocks are compressed. @default 'snappy' */
  compression?: LevelCompression | undefined;
  /** Reads what is there now, and writes nothing: `mode: 'readOnly'`. @default false */
  readOnly?: boolean | undefined;
  /** classic-level's name of `targetFileSizeBase`. @default as that */
  maxFileSize?: number | undefined;
  /** How many keys of a block share what they begin with. @default 16 */
  blockRestartInterval?: number | undefined;
}

/** Options of the constructor. */
export interface LevelOptions<K = string, V = string>
  extends Omit<LevelOpenOptions, 'passive'>,
    AbstractDatabaseOptions<K, V> {}

/** Options of all reads, beside abstract-level's. */
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

/** Options of `iterator`. `highWaterMarkBytes` is taken and has no effect: blocks have at most 64 KiB. */
export interface LevelIteratorOptions<K, V> extends AbstractIteratorOptions<K, V>, LevelReadOptions {
  /** Of classic-level; has no effect. */
  highWaterMarkBytes?: number | undefined;
}

/** Options of `keys`. */
export interface LevelKeyIteratorOptions<K> extends AbstractKeyIteratorOptions<K>, LevelReadOptions {
  /** Of classic-level; has no effect. */
  highWaterMarkBytes?: number | undefined;
}

/** Options of `values`. */
export interface LevelValueIteratorOptions<K, V> extends AbstractValueIteratorOptions<K, V>, LevelReadOptions {
  /** Of classic-level; has no effect. */
  highWaterMarkBytes?: number | undefined;
}

/** Options of `approximateSize` and `compactRange`. */
export interface LevelRangeOptions<K> {
  /** How `start` and `end` are encoded. @default that of the database */
  keyEncoding?: string | Transcoder.PartialEncoder<K> | undefined;
}

/** What `batch()` gives: abstract-level's chained batch, whose `write` takes our options. */
export interface LevelChainedBatch<TDatabase, K, V> extends AbstractChainedBatch<TDatabase, K, V> {
  write(): Promise<void>;
  write(options: WriteOptions): Promise<void>;
}

/**
 * What is passed on to `Database.open`. abstract-level lets its users give options of their own to hooks through `open`, so
 * that others have to be let through, too.
 */
const passedOn: Record<Exclude<keyof OpenOptions, 'compression'>, true> = {
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

/** What LevelDB makes of a smaller `maxFileSize`. */
const LEAST_FILE = 1 << 20;

/** The options of `Database.open` for those of abstract-level's `open`. */
export function openOptionsOf(options: LevelOpenOptions & { multithreading?: unknown }): OpenOptions {
  const { readOnly, compression, maxFileSize, multithreading } = options;
  const { blockRestartInterval, ...numbers } = doorNumbersOf(options);
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
  const others = Object.entries(options).filter(([name]) => Object.hasOwn(passedOn, name) && !isDoorNumber(name));
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

/** What abstract-level hands to the methods of an implementation, as far as we look at it. */
export interface PrivateReadOptions extends LevelReadOptions {
  keyEncoding?: string;
  valueEncoding?: string;
  snapshot?: unknown;
}

/** The options of a read, beside its encoding. */
export function readOptionsOf(options: PrivateReadOptions): object | undefined {
  const { snapshot, fillCache, verifyChecksums, readTier } = options;
  return (snapshot === undefined || snapshot === null) &&
    fillCache === undefined &&
    verifyChecksums === undefined &&
    readTier === undefined
    ? undefined
    : { snapshot: LevelSnapshot.nativeOf(snapshot), fillCache, verifyChecksums, readTier };
}

/** The native options of a read that gives values. Nothing is made where nothing was said. */
export function valueOptionsOf(options: PrivateReadOptions): ReadArgument | undefined {
  const encoding = nativeEncoding(options.valueEncoding);
  const rest = readOptionsOf(options);
  return rest === undefined ? (encoding === 'utf8' ? encoding : undefined) : { ...rest, encoding };
}

/** The native options of a write. Nothing is made where nothing was said. */
export function writeOptionsOf(options: WriteOptions): WriteOptions | undefined {
  const { sync, disableWAL, noSlowdown, lowPri } = options;
  return sync === undefined && disableWAL === undefined && noSlowdown === undefined && lowPri === undefined
    ? undefined
    : { sync, disableWAL, noSlowdown, lowPri };
}

/** How native code gives out what abstract-level wants in a format. A Buffer is a view, too. */
export function nativeEncoding(format: string | undefined): 'utf8' | 'buffer' {
  return format === 'utf8' ? 'utf8' : 'buffer';
}
