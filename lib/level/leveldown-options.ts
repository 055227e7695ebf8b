import type { OpenOptions } from '../database/database-options.js';
import type { WriteOptions } from '../native/options.js';
import { isLenientNumber, lenientNumbersOf } from './lenient-numbers.js';
import type { RocksDBOpenOptions, RocksDBWriteOptions } from './leveldown-types.js';

/** The names of our own options. Other options are ignored, because levelup and the layers below it pass their own options down to us. */
const OWN: Record<keyof OpenOptions, true> = {
  archive: true,
  atomicFlush: true,
  blobCompression: true,
  blobFileSize: true,
  blockSize: true,
  bloomFilterBits: true,
  bottommostCompression: true,
  bytesPerSync: true,
  cacheIndexAndFilterBlocks: true,
  cacheSize: true,
  columnFamilies: true,
  compactionStyle: true,
  comparator: true,
  compatibility: true,
  compression: true,
  createIfMissing: true,
  disableAutoCompactions: true,
  enableBlobFiles: true,
  enableBlobGarbageCollection: true,
  errorIfExists: true,
  infoLogLevel: true,
  keepLogFileNum: true,
  keepOptionsFile: true,
  level0FileNumCompactionTrigger: true,
  level0SlowdownWritesTrigger: true,
  level0StopWritesTrigger: true,
  levelCompactionDynamicLevelBytes: true,
  manualWalFlush: true,
  maxBackgroundJobs: true,
  maxBytesForLevelBase: true,
  maxLogFileSize: true,
  maxOpenFiles: true,
  maxSubcompactions: true,
  maxTotalWalSize: true,
  maxWriteBufferNumber: true,
  mergeOperator: true,
  minBlobSize: true,
  minWriteBufferNumberToMerge: true,
  mode: true,
  numLevels: true,
  paranoidChecks: true,
  rocksdb: true,
  targetFileSizeBase: true,
  ttl: true,
  useDirectReads: true,
  walBytesPerSync: true,
  walDir: true,
  walRecoveryMode: true,
  writeBufferSize: true,
};

/**
 * Defaults of Level/rocksdb that differ from RocksDB's. A service that moves from there keeps its memory usage and its number of open
 * files, and can still go back.
 */
const DEFAULTS: OpenOptions = {
  bloomFilterBits: 10,
  cacheSize: 8 << 20,
  compatibility: '6.6',
  infoLogLevel: 'header',
  keepLogFileNum: 10,
  maxLogFileSize: 2 << 20,
  maxOpenFiles: 1000,
  writeBufferSize: 4 << 20,
};

/** Converts the options of `open` to {@link OpenOptions}. */
export function openOptionsOf(given: RocksDBOpenOptions): OpenOptions {
  const own = Object.entries(given).filter(
    ([name, value]) => Object.hasOwn(OWN, name) && !isLenientNumber(name) && value !== undefined && value !== null,
  );
  const { blockRestartInterval, ...numbers } = lenientNumbersOf(given);
  const options: Record<string, unknown> = { ...DEFAULTS, ...Object.fromEntries(own), ...numbers };
  if (typeof options.compression === 'boolean') {
    options.compression = options.compression ? 'snappy' : 'none';
  }
  if (given.readOnly) {
    options.mode = 'readOnly';
  }
  if (typeof given.maxFileSize === 'number' && given.maxLogFileSize === undefined) {
    options.maxLogFileSize = given.maxFileSize;
  }
  if (blockRestartInterval !== undefined) {
    options.rocksdb = { block_restart_interval: blockRestartInterval, ...given.rocksdb };
  }
  return options;
}

/** The options of a write, without those that other layers pass down. Undefined in the usual case that there are none. */
export function writeOptionsOf(given: RocksDBWriteOptions): WriteOptions | undefined {
  const { sync, disableWAL, noSlowdown, lowPri } = given;
  return (sync ?? disableWAL ?? noSlowdown ?? lowPri) === undefined
    ? undefined
    : { sync, disableWAL, noSlowdown, lowPri };
}
