import type { Handle } from './handle.js';
import type { MaybePromise, NativeWriteBatch } from './native-database.js';
import type { Key, WriteOptions } from './options.js';
import { PackedWrites } from './packed-writes.js';

/**
 * A batch whose puts and deletes cross to native code together: what all kinds of batches are made of. A family is named by
 * its id.
 */
export class PackedBatch {
  readonly #handle: Handle;
  readonly #native: NativeWriteBatch;
  readonly #packed = new PackedWrites(); // what comes after what the native batch has

  constructor(handle: Handle) {
    this.#handle = handle;
    this.#native = handle.native.batch();
  }

  put(family: number, key: Key, value: Key): void {
    if (!this.#handle.isOpen || !this.#packed.put(family, key, value)) {
      this.native.put(family, key, value); // which tells what is wrong, if something is
    }
  }

  delete(family: number, key: Key): void {
    if (!this.#handle.isOpen || !this.#packed.delete(family, key)) {
      this.native.delete(family, key);
    }
  }

  /** The native batch, with everything in it. */
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

  /** Writes it all, after the writes that came before, and leaves the batch empty. */
  write(options?: WriteOptions): MaybePromise<void> {
    return this.#whole().write(options);
  }

  /** The same, waiting on this thread. */
  writeSync(options?: WriteOptions): void {
    this.#whole().writeSync(options);
  }

  #whole(): NativeWriteBatch {
    void this.#handle.native; // which writes what came before
    try {
      return this.native;
    } catch (error) {
      this.clear(); // all or none
      throw error;
    }
  }
}
