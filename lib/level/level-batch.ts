import { AbstractChainedBatch } from 'abstract-level';
import { WriteBatch } from '../database/write-batch.js';
import type { Key, WriteOptions } from '../native/options.js';
import type { Place } from './level-iterator.js';
import { writeOptionsOf } from './level-options.js';

/** The operations that abstract-level passes to `_batch`. */
export type PrivateOperation = { type: 'put'; key: Key; value: Key } | { type: 'del'; key: Key };

/** Makes a batch of writes to one column family. */
export function batchOf({ handle, family }: Place): WriteBatch {
  return new WriteBatch(handle, family);
}

/** Makes all writes or none. */
export function writeAll(place: Place, operations: readonly PrivateOperation[], options: WriteOptions): Promise<void> {
  const batch = batchOf(place);
  for (const operation of operations) {
    if (operation.type === 'put') {
      batch.put(operation.key, operation.value);
    } else {
      batch.delete(operation.key);
    }
  }
  return batch.write(writeOptionsOf(options));
}

/** The result of `batch()`. It adds each operation to a batch of this library. */
export class NativeChainedBatch<TDatabase, K, V> extends AbstractChainedBatch<TDatabase, K, V> {
  readonly #batch: WriteBatch;

  constructor(db: TDatabase, place: Place) {
    super(db);
    this.#batch = batchOf(place);
  }

  protected _put(key: Key, value: Key): void {
    this.#batch.put(key, value);
  }

  protected _del(key: Key): void {
    this.#batch.delete(key);
  }

  protected _clear(): void {
    this.#batch.clear();
  }

  protected _write(options: WriteOptions): Promise<void> {
    return this.#batch.write(writeOptionsOf(options));
  }

  protected async _close(): Promise<void> {
    this.#batch.clear();
  }
}
