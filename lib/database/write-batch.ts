import type { Handle } from '../native/handle.js';
import type { Key, WriteOptions } from '../native/options.js';
import { PackedBatch } from '../native/packed-batch.js';
import { settleAfterWork } from '../native/settle.js';
import type { ColumnFamily } from './column-family.js';

/** Options of the operations of a {@link WriteBatch}. */
export interface BatchOperationOptions {
  /** The column family it is about. @default the one whose `batch()` made the batch */
  columnFamily?: ColumnFamily | undefined;
}

/**
 * Writes that become visible, and survive a crash, all or none, across column families.
 *
 * @example
 * await db.batch()
 *   .put('balance:a', '90')
 *   .put('balance:b', '110')
 *   .delete('pending:7', { columnFamily: db.columnFamily('transfers') })
 *   .write({ sync: true });
 */
export class WriteBatch {
  readonly #batch: PackedBatch;
  readonly #family: number;
  readonly #familyId: (family: ColumnFamily) => number;

  /** For the methods that make batches. */
  constructor(handle: Handle, family: number, familyId: (family: ColumnFamily) => number) {
    this.#batch = new PackedBatch(handle);
    this.#family = family;
    this.#familyId = familyId;
  }

  /** How many operations it holds. */
  get length(): number {
    return this.#batch.native.count;
  }

  /** How many bytes it holds. */
  get size(): number {
    return this.#batch.native.size;
  }

  /** Sets a key's value. */
  put(key: Key, value: Key, options?: BatchOperationOptions): this {
    this.#batch.put(this.#of(options), key, value);
    return this;
  }

  /** Removes a key, if it is there. */
  delete(key: Key, options?: BatchOperationOptions): this {
    this.#batch.delete(this.#of(options), key);
    return this;
  }

  /** Removes a key that was put only once since it last was not there; cheaper than `delete`. */
  singleDelete(key: Key, options?: BatchOperationOptions): this {
    this.#batch.native.singleDelete(this.#of(options), key);
    return this;
  }

  /** Removes the keys from `start` up to but without `end`. */
  deleteRange(start: Key, end: Key, options?: BatchOperationOptions): this {
    this.#batch.native.deleteRange(this.#of(options), start, end);
    return this;
  }

  /** Gives an operand to the family's merge operator. */
  merge(key: Key, operand: Key, options?: BatchOperationOptions): this {
    this.#batch.native.merge(this.#of(options), key, operand);
    return this;
  }

  /** Forgets all operations. */
  clear(): this {
    this.#batch.clear();
    return this;
  }

  /** Does it all at once, and leaves the batch empty. */
  async write(options?: WriteOptions): Promise<void> {
    await settleAfterWork(this.#batch.write(options));
  }

  /** The same, waiting on this thread. */
  writeSync(options?: WriteOptions): void {
    this.#batch.writeSync(options);
  }

  #of(options: BatchOperationOptions | undefined): number {
    return options?.columnFamily === undefined ? this.#family : this.#familyId(options.columnFamily);
  }
}
