export type {
  LevelBatchOptions,
  LevelChainedBatch,
  LevelClearOptions,
  LevelCompression,
  LevelDelOptions,
  LevelFormat,
  LevelGetOptions,
  LevelHasOptions,
  LevelIteratorOptions,
  LevelKeyIteratorOptions,
  LevelOpenOptions,
  LevelOptions,
  LevelPutOptions,
  LevelRangeOptions,
  LevelReadOptions,
  LevelValueIteratorOptions,
} from './level-options.js';
export { RocksLevel } from './rocks-level.js';
