import { describe, invalidOption } from '../base/errors.js';
import type { Handle } from '../native/handle.js';
import type { Key, WriteOptions } from '../native/options.js';
import { PackedBatch } from '../native/packed-batch.js';
import { settleAfterWork } from '../native/settle.js';

/** @internal The key of a column family's method that returns its id. It throws if it is called for a different handle. */
export const idFor: unique symbol = Symbol('idFor');

/** The part of a {@link ColumnFamily} that a batch needs. */
interface BatchFamily {
  /** @internal */
  [idFor](handle: Handle): number;
}

/** Options of the operations of a {@link WriteBatch}. */
export interface BatchOperationOptions {
  /** The {@link ColumnFamily} of the key. @default the one whose `batch()` made the batch */
  columnFamily?: BatchFamily | undefined;
}

/** The error about a value that is not a column family of this handle. */
export function wrongFamily(given: unknown): Error {
  return invalidOption(TypeError, 'columnFamily', 'a column family of this database handle', describe(given));
}

/**
 * A batch of writes, also to several column families. Either all of them become visible, or none. The same holds after a crash.
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
  readonly #handle: Handle;
  readonly #family: number;

  /** Only the methods that make batches call this. */
  constructor(handle: Handle, family: number) {
    this.#batch = new PackedBatch(handle);
    this.#handle = handle;
    this.#family = family;
  }

  /** How many operations the batch contains. */
  get length(): number {
    return this.#batch.native.count;
  }

  /** How many bytes the batch contains. */
  get size(): number {
    return this.#batch.native.size;
  }

  /** Sets the value of a key. */
  put(key: Key, value: Key, options?: BatchOperationOptions): this {
    this.#batch.put(this.#of(options), key, value);
    return this;
  }

  /** Removes a key, if it exists. */
  delete(key: Key, options?: BatchOperationOptions): this {
    this.#batch.delete(this.#of(options), key);
    return this;
  }

  /** Removes a key that was put only once since it last did not exist. Cheaper than `delete`. */
  singleDelete(key: Key, options?: BatchOperationOptions): this {
    this.#batch.native.singleDelete(this.#of(options), key);
    return this;
  }

  /** Removes all keys from `start` (included) to `end` (excluded). */
  deleteRange(start: Key, end: Key, options?: BatchOperationOptions): this {
    this.#batch.native.deleteRange(this.#of(options), start, end);
    return this;
  }

  /** Passes an operand to the family's merge operator. */
  merge(key: Key, operand: Key, options?: BatchOperationOptions): this {
    this.#batch.native.merge(this.#of(options), key, operand);
    return this;
  }

  /** Removes all operations from the batch. */
  clear(): this {
    this.#batch.clear();
    return this;
  }

  /** Makes all writes of the batch at once, and leaves the batch empty. */
  async write(options?: WriteOptions): Promise<void> {
    await settleAfterWork(this.#batch.write(options));
  }

  /** The same, but blocks this thread until it is done. */
  writeSync(options?: WriteOptions): void {
    this.#batch.writeSync(options);
  }

  #of(options: BatchOperationOptions | undefined): number {
    const family = options?.columnFamily;
    if (family === undefined) {
      return this.#family;
    }
    if (typeof (family as BatchFamily | null)?.[idFor] !== 'function') {
      throw wrongFamily(family);
    }
    return family[idFor](this.#handle);
  }
}
