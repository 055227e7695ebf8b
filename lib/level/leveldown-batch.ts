import { PackedBatch } from '../native/packed-batch.js';
import { pacedAfterWork } from '../native/settle.js';
import { AbstractChainedBatch, type AbstractStore, type AnyCallback } from './leveldown-abstract.js';
import { writeOptionsOf } from './leveldown-options.js';
import type { Store } from './leveldown-store.js';
import type { Bytes, RocksDBWriteOptions } from './leveldown-types.js';

/** The chained batch of a store. */
export class LeveldownChainedBatch extends AbstractChainedBatch {
  readonly #store: Store;
  readonly #batch: PackedBatch;

  constructor(db: AbstractStore, store: Store) {
    super(db);
    this.#store = store;
    this.#batch = new PackedBatch(store.handle);
  }

  _put(key: Bytes, value: Bytes): void {
    this.#batch.put(0, key, value);
  }

  _del(key: Bytes): void {
    this.#batch.delete(0, key);
  }

  _clear(): void {
    this.#batch.clear();
  }

  _write(options: RocksDBWriteOptions, callback: AnyCallback): void {
    this.#store.answerDone(callback, () => pacedAfterWork(this.#batch.write(writeOptionsOf(options))));
  }
}
