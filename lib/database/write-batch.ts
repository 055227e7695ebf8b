import { describe, invalidOption } from '../base/errors.js';
import type { Handle } from '../native/handle.js';
import type { Key, WriteOptions } from '../native/options.js';
import { PackedBatch } from '../native/packed-batch.js';
import { settleAfterWork } from '../native/settle.js';

/** @internal Under this key, a column family says its id to what writes with the same handle, and throws to anything else. */
export const idFor: unique symbol = Symbol('idFor');

/** A {@link ColumnFamily}, as far as a batch has to know it. */
export interface BatchFamily {
  /** @internal */
  [idFor](handle: Handle): number;
}

/** Options of the operations of a {@link WriteBatch}. */
export interface BatchOperationOptions {
  /** The {@link ColumnFamily} it is about. @default the one whose `batch()` made the batch */
  columnFamily?: BatchFamily | undefined;
}

/** The id of a column family that a batch of this handle was given. */
export function familyIdFor(family: BatchFamily, handle: Handle): number {
  if (typeof (family as BatchFamily | null)?.[idFor] !== 'function') {
    throw wrongFamily(family);
  }
  return family[idFor](handle);
}

/** What a batch is given that is no column family of its handle. */
export function wrongFamily(given: unknown): Error {
  return invalidOption(TypeError, 'columnFamily', 'a column family of this database handle', describe(given));
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
  readonly #handle: Handle;
  readonly #family: number;

  /** For the methods that make batches. */
  constructor(handle: Handle, family: number) {
    this.#batch = new PackedBatch(handle);
    this.#handle = handle;
    this.#family = family;
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
    return options?.columnFamily === undefined ? this.#family : familyIdFor(options.columnFamily, this.#handle);
  }
}
