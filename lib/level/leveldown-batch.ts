import type { NativeWriteBatch } from '../native-database.js';
import { AbstractChainedBatch, type AbstractStore, type AnyCallback } from './leveldown-abstract.js';
import { answerDone } from './leveldown-answer.js';
import { writeOptionsOf } from './leveldown-options.js';
import type { Bytes, RocksDBWriteOptions } from './leveldown-types.js';

/** The batch of a store that is filled call by call. */
export class LeveldownChainedBatch extends AbstractChainedBatch {
  readonly #native: NativeWriteBatch;

  constructor(db: AbstractStore, native: NativeWriteBatch) {
    super(db);
    this.#native = native;
  }

  _put(key: Bytes, value: Bytes): void {
    this.#native.put(0, key, value);
  }

  _del(key: Bytes): void {
    this.#native.delete(0, key);
  }

  _clear(): void {
    this.#native.clear();
  }

  _write(options: RocksDBWriteOptions, callback: AnyCallback): void {
    answerDone(callback, () => this.#native.write(writeOptionsOf(options)));
  }
}
