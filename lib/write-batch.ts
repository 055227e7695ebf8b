import type { ColumnFamily } from './column-family.js';
import type { Handle } from './handle.js';
import type { NativeWriteBatch } from './native-database.js';
import type { Key, WriteOptions } from './options.js';
import { PackedWrites } from './packed-writes.js';
import { settle } from './settle.js';

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
  readonly #handle: Handle;
  readonly #native: NativeWriteBatch;
  readonly #packed = new PackedWrites(); // what comes after what the native batch has
  readonly #family: number;
  readonly #familyId: (family: ColumnFamily) => number;

  /** For the methods that make batches. */
  constructor(handle: Handle, family: number, familyId: (family: ColumnFamily) => number) {
    this.#handle = handle;
    this.#native = handle.native.batch();
    this.#family = family;
    this.#familyId = familyId;
  }

  /** How many operations it holds. */
  get length(): number {
    return this.#all().count;
  }

  /** How many bytes it holds. */
  get size(): number {
    return this.#all().size;
  }

  /** Sets a key's value. */
  put(key: Key, value: Key, options?: BatchOperationOptions): this {
    const family = this.#of(options);
    if (!this.#packs() || !this.#packed.put(family, key, value)) {
      this.#all().put(family, key, value);
    }
    return this;
  }

  /** Removes a key, if it is there. */
  delete(key: Key, options?: BatchOperationOptions): this {
    const family = this.#of(options);
    if (!this.#packs() || !this.#packed.delete(family, key)) {
      this.#all().delete(family, key);
    }
    return this;
  }

  /** Removes a key that was put only once since it last was not there; cheaper than `delete`. */
  singleDelete(key: Key, options?: BatchOperationOptions): this {
    this.#all().singleDelete(this.#of(options), key);
    return this;
  }

  /** Removes the keys from `start` up to but without `end`. */
  deleteRange(start: Key, end: Key, options?: BatchOperationOptions): this {
    this.#all().deleteRange(this.#of(options), start, end);
    return this;
  }

  /** Gives an operand to the family's merge operator. */
  merge(key: Key, operand: Key, options?: BatchOperationOptions): this {
    this.#all().merge(this.#of(options), key, operand);
    return this;
  }

  /** Forgets all operations. */
  clear(): this {
    this.#packed.clear();
    this.#native.clear();
    return this;
  }

  /** Does it all at once, and leaves the batch empty. */
  write(options?: WriteOptions): Promise<void> {
    try {
      return settle(this.#inOrder().write(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same, waiting on this thread. */
  writeSync(options?: WriteOptions): void {
    this.#inOrder().writeSync(options);
  }

  /** A batch of a closed database tells so when something is added to it. */
  #packs(): boolean {
    return this.#handle.isOpen;
  }

  /** The native batch with everything in it. */
  #all(): NativeWriteBatch {
    const { count, words, bytes, used } = this.#packed;
    if (count > 0) {
      this.#packed.clear();
      this.#native.append(count, words, bytes, used);
    }
    return this.#native;
  }

  /** The same, after the writes that came before this one. */
  #inOrder(): NativeWriteBatch {
    void this.#handle.native;
    return this.#all();
  }

  #of(options: BatchOperationOptions | undefined): number {
    return options?.columnFamily === undefined ? this.#family : this.#familyId(options.columnFamily);
  }
}
