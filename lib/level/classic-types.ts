// The names of the types of classic-level (and of `level`), for code that imports them together with the class.

import type {
  AbstractBatchOperation,
  AbstractChainedBatchWriteOptions,
  AbstractIterator,
  AbstractKeyIterator,
  AbstractSnapshot,
  AbstractValueIterator,
} from 'abstract-level';
import type { WriteOptions } from '../native/options.js';
import type { LevelIteratorOptions, LevelReadOptions } from './level-options.js';

export type {
  LevelBatchOptions as BatchOptions,
  LevelChainedBatch as ChainedBatch,
  LevelClearOptions as ClearOptions,
  LevelDelOptions as DelOptions,
  LevelGetOptions as GetManyOptions,
  LevelGetOptions as GetOptions,
  LevelHasOptions as HasManyOptions,
  LevelHasOptions as HasOptions,
  LevelIteratorOptions as IteratorOptions,
  LevelKeyIteratorOptions as KeyIteratorOptions,
  LevelOpenOptions as OpenOptions,
  LevelOptions as DatabaseOptions,
  LevelPutOptions as PutOptions,
  LevelRangeOptions as StartEndOptions,
  LevelValueIteratorOptions as ValueIteratorOptions,
} from './level-options.js';

/** Options of the `write` method of a chained batch. */
export interface ChainedBatchWriteOptions extends AbstractChainedBatchWriteOptions, WriteOptions {}

/** Options of iterators in addition to those of abstract-level. */
export interface AdditionalIteratorOptions
  extends LevelReadOptions,
    Pick<LevelIteratorOptions<unknown, unknown>, 'highWaterMarkBytes'> {}

/** An operation of `batch`. */
export type BatchOperation<TDatabase, K, V> = AbstractBatchOperation<TDatabase, K, V>;

/** The result of `iterator`. */
export type Iterator<TDatabase, K, V> = AbstractIterator<TDatabase, K, V>;

/** The result of `keys`. */
export type KeyIterator<TDatabase, K> = AbstractKeyIterator<TDatabase, K>;

/** The result of `values`. */
export type ValueIterator<TDatabase, K, V> = AbstractValueIterator<TDatabase, K, V>;

/** The result of `snapshot`. */
export type Snapshot = AbstractSnapshot;
