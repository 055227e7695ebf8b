import type { Owner } from './cursor.js';
import type { MaybePromise, NativeDatabase, ReadArgument } from './native-database.js';
import type { Key, WriteOptions } from './options.js';
import { PackedWrites } from './packed-writes.js';
import { borrowedMemory, type Read, valueBorrowed, valueRead, valueReadSoon, valuesRead } from './reads.js';
import { isPromise, pacedAfterWork } from './settle.js';

/** At these limits, collected writes do not wait for more: together they must be small enough to be written on this thread. */
const MAX_COLLECTED_BYTES = 16 << 10;
const MAX_COLLECTED_WRITES = 1000;

/**
 * A handle of this thread on a database. The database object and its column families share it.
 *
 * Code may make many writes without waiting for each. From the second one on, such writes are collected. They are written together when the
 * code that made them waits: one call into native code and one write to the log instead of many. All other operations on the database use
 * `native`, which first writes what was collected. So the collecting changes nothing that a program can see, except the time.
 */
export class Handle implements Owner {
  isOpen = true;
  readonly #native: NativeDatabase;
  readonly #collected = new PackedWrites();
  #collecting = false;
  #family = 0;
  #written: Promise<void> | undefined;
  #settle: ((result: MaybePromise<void>) => void) | undefined;
  #fail: ((error: unknown) => void) | undefined;

  constructor(native: NativeDatabase) {
    this.#native = native;
  }

  get native(): NativeDatabase {
    if (this.#collected.count > 0) {
      this.#write();
    }
    return this.#native;
  }

  /** The value of a key. */
  get(family: number, key: Key, options?: ReadArgument): MaybePromise<Read> {
    return valueReadSoon(this.native.get(family, key, options));
  }

  getSync(family: number, key: Key, options?: ReadArgument): Read {
    return valueRead(this.native.getSync(family, key, options));
  }

  /** The same, but the value is borrowed: it lies in memory that the next borrowed value overwrites. */
  getBorrowed(family: number, key: Key, options: ReadArgument | undefined): Read {
    return valueBorrowed(this.native.getSync(family, key, options, borrowedMemory));
  }

  /** The values of many keys. `utf8` must be what the options say about the encoding. */
  getMany(
    family: number,
    keys: readonly Key[],
    options: ReadArgument | undefined,
    utf8: boolean,
  ): MaybePromise<Read[]> {
    const result = this.native.getMany(family, keys, options);
    return isPromise(result) ? result.then((values) => valuesRead(values, utf8)) : valuesRead(result, utf8);
  }

  put(family: number, key: Key, value: Key, options?: WriteOptions): MaybePromise<void> {
    if (options === undefined && this.#collects(family) && this.#collected.put(family, key, value)) {
      return this.#promise();
    }
    return this.native.put(family, key, value, options);
  }

  delete(family: number, key: Key, options?: WriteOptions): MaybePromise<void> {
    if (options === undefined && this.#collects(family) && this.#collected.delete(family, key)) {
      return this.#promise();
    }
    return this.native.delete(family, key, options);
  }

  /**
   * Whether a write to this family is to be collected. The first write is made at once. Those after it are collected until this thread gets
   * to its next microtask. Only writes to one family are collected together: if that family was dropped, no write to another one fails with
   * it.
   */
  #collects(family: number): boolean {
    if (this.#collecting) {
      if (this.#family !== family && this.#collected.count > 0) {
        this.#write();
      }
      this.#family = family;
      return this.isOpen;
    }
    this.#collecting = true;
    queueMicrotask(() => {
      this.#collecting = false;
      if (this.#collected.count > 0) {
        this.#write();
      }
    });
    return false;
  }

  #promise(): Promise<void> {
    this.#written ??= new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
    });
    const written = this.#written;
    if (this.#collected.used > MAX_COLLECTED_BYTES || this.#collected.count >= MAX_COLLECTED_WRITES) {
      this.#write();
    }
    return written;
  }

  #write(): void {
    const resolve = this.#settle;
    const fail = this.#fail;
    this.#written = undefined;
    this.#settle = undefined;
    this.#fail = undefined;
    const { count, used, bytes, words } = this.#collected;
    try {
      const result = pacedAfterWork(this.#native.writePacked(count, words, bytes, used));
      resolve?.(result);
    } catch (error) {
      fail?.(error);
    } finally {
      this.#collected.clear();
    }
  }
}
