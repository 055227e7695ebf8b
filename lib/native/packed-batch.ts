import type { Handle } from './handle.js';
import type { MaybePromise, NativeWriteBatch } from './native-database.js';
import type { Key, WriteOptions } from './options.js';
import { PackedWrites } from './packed-writes.js';

/**
 * A batch whose puts and deletes cross to native code together. All kinds of batches are built on it. A column family is given by its id.
 */
export class PackedBatch {
  readonly #handle: Handle;
  readonly #native: NativeWriteBatch;
  readonly #packed = new PackedWrites(); // these writes come after those in the native batch

  constructor(handle: Handle) {
    this.#handle = handle;
    this.#native = handle.native.batch();
  }

  put(family: number, key: Key, value: Key): void {
    if (!this.#handle.isOpen || !this.#packed.put(family, key, value)) {
      this.native.put(family, key, value); // it throws if something is wrong with them
    }
  }

  delete(family: number, key: Key): void {
    if (!this.#handle.isOpen || !this.#packed.delete(family, key)) {
      this.native.delete(family, key);
    }
  }

  get native(): NativeWriteBatch {
    const { count, words, bytes, used } = this.#packed;
    if (count > 0) {
      this.#native.append(count, words, bytes, used);
      this.#packed.clear();
    }
    return this.#native;
  }

  clear(): void {
    this.#packed.clear();
    this.#native.clear();
  }

  /** Writes the batch, after all writes that were made before, and leaves the batch empty. */
  write(options?: WriteOptions): MaybePromise<void> {
    return this.#whole().write(options);
  }

  /** The same, but blocks this thread until it is done. */
  writeSync(options?: WriteOptions): void {
    this.#whole().writeSync(options);
  }

  #whole(): NativeWriteBatch {
    void this.#handle.native; // this getter writes what was collected before
    try {
      return this.native;
    } catch (error) {
      this.clear(); // either all writes of the batch are made, or none
      throw error;
    }
  }
}
