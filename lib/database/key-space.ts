import { describe, invalidOption } from '../base/errors.js';
import { BorrowedEntry } from '../native/block.js';
import { Cursor } from '../native/cursor.js';
import type { Handle } from '../native/handle.js';
import type { NativeDatabase } from '../native/native-database.js';
import type {
  BorrowRangeOptions,
  CompactRangeOptions,
  Data,
  Encoding,
  GetSyncOptions,
  Key,
  RangeOptions,
  ReadOptions,
  WriteOptions,
} from '../native/options.js';
import { settle, settleAfterWork } from '../native/settle.js';
import { DatabaseIterator, type Entry } from './iterator.js';
import { idFor, WriteBatch, wrongFamily } from './write-batch.js';

let handleOf: (space: KeySpace) => Handle;
let familyIdOf: (space: KeySpace) => number;

/**
 * The operations on keys and values that a {@link Database} (for its default column family) and every other {@link ColumnFamily} have.
 *
 * When the database is closed, methods that return a promise reject with `DATABASE_CLOSED`; the others throw it.
 */
export abstract class KeySpace {
  static {
    handleOf = (space) => space.#handle;
    familyIdOf = (space) => space.#family;
  }

  readonly #handle: Handle;
  readonly #family: number;

  protected constructor(handle: Handle, family: number) {
    this.#handle = handle;
    this.#family = family;
  }

  get #native(): NativeDatabase {
    return this.#handle.native;
  }

  /**
   * The value of a key, or undefined if there is no such key.
   *
   * @example
   * const value = await db.get('greeting', { encoding: 'utf8' });
   */
  get<E extends Encoding = 'buffer'>(key: Key, options?: ReadOptions<E>): Promise<Data<E> | undefined> {
    return settle(this.#handle.get(this.#family, key, options)) as Promise<Data<E> | undefined>;
  }

  /**
   * The value of a key, or undefined if there is no such key. If it must read the disk, it blocks this thread.
   *
   * @example
   * const value = db.getSync('greeting');
   * const count = db.getSync('count', { borrow: true })?.readUInt32LE(); // the Buffer holds until the next that is borrowed
   */
  getSync<E extends Encoding = 'buffer'>(key: Key, options?: GetSyncOptions<E>): Data<E> | undefined {
    if (options?.borrow !== undefined) {
      const { borrow, ...rest } = options;
      if (isLent(borrow, rest.encoding)) {
        return this.#handle.getBorrowed(this.#family, key, isEmpty(rest) ? undefined : rest) as Data<E> | undefined;
      }
      options = rest as GetSyncOptions<E>;
    }
    return this.#handle.getSync(this.#family, key, options) as Data<E> | undefined;
  }

  /**
   * The values of many keys, in the same order. Undefined for keys that do not exist. Buffers may be parts of one piece of memory of up to
   * 256 KiB, which stays in memory as long as any of these Buffers does.
   *
   * @example
   * const [a, b] = await db.getMany(['a', 'b']);
   */
  getMany<E extends Encoding = 'buffer'>(
    keys: readonly Key[],
    options?: ReadOptions<E>,
  ): Promise<(Data<E> | undefined)[]> {
    const utf8 = options?.encoding === 'utf8';
    return settleAfterWork(this.#handle.getMany(this.#family, keys, options, utf8)) as Promise<(Data<E> | undefined)[]>;
  }

  /**
   * Whether a key exists.
   *
   * @example
   * if (await db.has('greeting')) { ... }
   */
  has(key: Key, options?: ReadOptions): Promise<boolean> {
    return settle(this.#native.has(this.#family, key, options));
  }

  /**
   * Whether each of many keys exists, in the same order.
   *
   * @example
   * const [hasA, hasB] = await db.hasMany(['a', 'b']);
   */
  hasMany(keys: readonly Key[], options?: ReadOptions): Promise<boolean[]> {
    return settleAfterWork(this.#native.hasMany(this.#family, keys, options));
  }

  /**
   * Sets the value of a key. Values of 64 MiB work well; the limit is 4 GiB.
   *
   * @example
   * await db.put('greeting', 'hello', { sync: true });
   */
  put(key: Key, value: Key, options?: WriteOptions): Promise<void> {
    return settle(this.#handle.put(this.#family, key, value, options));
  }

  /**
   * Sets the value of a key, and blocks this thread until it is done.
   *
   * @example
   * db.putSync('greeting', 'hello');
   */
  putSync(key: Key, value: Key, options?: WriteOptions): void {
    this.#native.putSync(this.#family, key, value, options);
  }

  /**
   * Removes a key, if it exists.
   *
   * @example
   * await db.delete('greeting');
   */
  delete(key: Key, options?: WriteOptions): Promise<void> {
    return settle(this.#handle.delete(this.#family, key, options));
  }

  /**
   * Removes a key, if it exists, and blocks this thread until it is done.
   *
   * @example
   * db.deleteSync('greeting');
   */
  deleteSync(key: Key, options?: WriteOptions): void {
    this.#native.deleteSync(this.#family, key, options);
  }

  /**
   * Removes a key that was put only once since it last did not exist. Cheaper than `delete`. The result is undefined for other keys.
   *
   * @example
   * await db.singleDelete('job:17');
   */
  singleDelete(key: Key, options?: WriteOptions): Promise<void> {
    return settle(this.#native.singleDelete(this.#family, key, options));
  }

  /**
   * Removes all keys from `start` (included) to `end` (excluded) in one write, however many there are.
   *
   * @example
   * await db.deleteRange('session:', 'session;');
   */
  deleteRange(start: Key, end: Key, options?: WriteOptions): Promise<void> {
    return settle(this.#native.deleteRange(this.#family, start, end, options));
  }

  /**
   * Passes an operand to the merge operator with which the family was opened.
   *
   * @example
   * const db = await Database.open(path, { mergeOperator: 'stringappend' });
   * await db.merge('log', 'one more');
   */
  merge(key: Key, operand: Key, options?: WriteOptions): Promise<void> {
    return settle(this.#native.merge(this.#family, key, operand, options));
  }

  /**
   * Makes a batch of writes: either all of them happen, or none.
   *
   * @example
   * await db.batch().put('a', '1').delete('b').write();
   */
  batch(): WriteBatch {
    return new WriteBatch(this.#handle, this.#family);
  }

  /**
   * Walks over keys and values.
   *
   * @example
   * for await (const [key, value] of db.iterator({ gte: 'a', limit: 10 })) { ... }
   * for await (const { bytes, valueStart } of db.iterator({ borrow: true })) { ... } // see BorrowedEntry, for its danger
   */
  iterator(range: BorrowRangeOptions): DatabaseIterator<BorrowedEntry>;
  iterator<E extends Encoding = 'buffer'>(range?: RangeOptions<E>): DatabaseIterator<Entry<E>>;
  iterator(range?: RangeOptions & { borrow?: boolean }): DatabaseIterator<unknown> {
    if (range?.borrow === undefined) {
      return this.#iterate(range, true, true, entryAt);
    }
    const { borrow, ...rest } = range;
    return this.#iterate(rest, true, true, entryAt, isLent(borrow, rest.encoding));
  }

  /**
   * Walks over keys.
   *
   * @example
   * for await (const key of db.keys({ reverse: true })) { ... }
   */
  keys<E extends Encoding = 'buffer'>(range?: RangeOptions<E>): DatabaseIterator<Data<E>> {
    return this.#iterate(range, true, false, keyAt) as DatabaseIterator<Data<E>>;
  }

  /**
   * Walks over values, in the order of their keys.
   *
   * @example
   * for await (const value of db.values()) { ... }
   */
  values<E extends Encoding = 'buffer'>(range?: RangeOptions<E>): DatabaseIterator<Data<E>> {
    return this.#iterate(range, false, true, valueAt) as DatabaseIterator<Data<E>>;
  }

  /**
   * Rewrites files so that deleted and overwritten data takes no space any more. Rejects early, with `DATABASE_CLOSED`, if the database is
   * closed in the meantime.
   *
   * @example
   * await db.compactRange({ bottommostLevelCompaction: 'force' });
   */
  compactRange(options?: CompactRangeOptions): Promise<void> {
    return this.#native.compactRange(this.#family, options);
  }

  /**
   * About how many bytes the keys from `start` (included) to `end` (excluded) take, in files and in memory.
   *
   * @example
   * await db.approximateSize('user:', 'user;');
   */
  approximateSize(start: Key, end: Key): Promise<number> {
    return this.#native.approximateSize(this.#family, start, end);
  }

  /**
   * The value of one of RocksDB's properties, or undefined if RocksDB has no property of that name.
   *
   * @example
   * db.property('rocksdb.estimate-num-keys');
   */
  property(name: string): string | undefined {
    return this.#native.property(this.#family, name);
  }

  /** @internal */
  [idFor](handle: Handle): number {
    if (handle !== this.#handle) {
      throw wrongFamily(this);
    }
    return this.#family;
  }

  #iterate(
    range: RangeOptions | undefined,
    keys: boolean,
    values: boolean,
    read: (cursor: Cursor) => unknown,
    lends = false,
  ): DatabaseIterator<unknown> {
    const limit = range?.limit ?? -1;
    if (!Number.isInteger(limit) && limit !== Number.POSITIVE_INFINITY) {
      throw invalidOption(TypeError, 'limit', 'a whole number', describe(limit));
    }
    const native = this.#native.iterator(this.#family, { ...range, keys, values });
    const encoding = range?.encoding ?? 'buffer';
    const parts = { key: keys ? encoding : undefined, value: values ? encoding : undefined };
    const cursor = new Cursor(native, this.#handle, parts, limit < 0 ? Number.POSITIVE_INFINITY : limit);
    if (!lends) {
      return new DatabaseIterator(cursor, read);
    }
    cursor.lends();
    const entry = new BorrowedEntry();
    return new DatabaseIterator<BorrowedEntry>(
      cursor,
      () => {
        cursor.lend(entry);
        return entry;
      },
      entry,
    );
  }
}

/** Checks the `borrow` option and returns its value. */
function isLent(borrow: unknown, encoding: unknown): boolean {
  if (typeof borrow !== 'boolean') {
    throw invalidOption(TypeError, 'borrow', 'true or false', describe(borrow));
  }
  if (borrow && encoding === 'utf8') {
    throw invalidOption(TypeError, 'borrow', "left out with encoding 'utf8': strings are not lent", 'true');
  }
  return borrow;
}

function isEmpty(options: object): boolean {
  for (const _ in options) {
    return false;
  }
  return true;
}

const entryAt = (cursor: Cursor) => [cursor.key, cursor.value];
const keyAt = (cursor: Cursor) => cursor.key;
const valueAt = (cursor: Cursor) => cursor.value;

/** The handle behind a database or column family, and the id of the family. */
export { familyIdOf, handleOf };
