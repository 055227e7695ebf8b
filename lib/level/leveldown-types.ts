import type { Database, databaseOf } from '../database/database.js';
import type { Compression, OpenOptions } from '../database/database-options.js';
import type { WriteOptions } from '../native/options.js';

/** A key or a value. Anything that is not a Buffer, for instance a number, is converted to a string. */
export type Bytes = string | Buffer;

/** Called once, never before the method has returned: with an error, or without arguments. */
export type ErrorCallback = (error: Error | undefined) => void;

/** Called once, never before the method has returned: with an error, or with null and the value. */
export type ValueCallback<T> = (error: Error | undefined, value: T) => void;

/** Called for each entry: with an error, with null and the entry, or without arguments when there are no more entries. */
export type EntryCallback = (error: Error | undefined, key: Bytes, value: Bytes) => void;

/** Options of {@link RocksDBStore.open}. They include all options of `Database.open`. Unknown names are ignored. */
export interface RocksDBOpenOptions extends Omit<OpenOptions, 'compatibility' | 'compression' | 'infoLogLevel'> {
  /** Whether to compress blocks with snappy, or the compression to use. @default true */
  compression?: boolean | Compression | undefined;
  /** Opens the database for reading only. @default false */
  readOnly?: boolean | undefined;
  /** After this many keys of a block, one key is stored in full. @default 16 */
  blockRestartInterval?: number | undefined;
  /**
   * When RocksDB's log file, LOG, has this many bytes, RocksDB starts a new one. This option has the same effect in rocksdb. @default
   * 2097152
   */
  maxFileSize?: number | undefined;
  /**
   * Which versions of RocksDB must be able to read what is written from now on. With '6.6', the package rocksdb can read it, so you can go
   * back to that package.
   *
   * @default '6.6'
   */
  compatibility?: OpenOptions['compatibility'];
  /** The lowest level of messages that go to LOG. null means as few as possible. @default null */
  infoLogLevel?: OpenOptions['infoLogLevel'] | null;
}

/** Options of {@link RocksDBStore.get} and {@link RocksDBStore.getMany}. */
export interface RocksDBGetOptions {
  /** Whether to return values as Buffers; otherwise as strings. @default true */
  asBuffer?: boolean | undefined;
  /** Puts blocks that are read from the disk into the block cache. @default true */
  fillCache?: boolean | undefined;
}

/** Options of writes: the same as those of `Database`. */
export type RocksDBWriteOptions = WriteOptions;

/** One operation of {@link RocksDBStore.batch}. */
export type RocksDBOperation =
  | { readonly type: 'put'; readonly key: Bytes; readonly value: Bytes }
  | { readonly type: 'del'; readonly key: Bytes };

/** Options of {@link RocksDBStore.clear}: the range of entries. A bound of length 0 means no bound. */
export interface RocksDBRangeOptions {
  /** Only keys after this one. */
  gt?: Bytes | undefined;
  /** Only this key and keys after it. */
  gte?: Bytes | undefined;
  /** Only keys before this one. */
  lt?: Bytes | undefined;
  /** Only this key and keys before it. */
  lte?: Bytes | undefined;
  /** Goes from the last key to the first. @default false */
  reverse?: boolean | undefined;
  /** The maximum number of entries. A negative number means no limit. @default -1 */
  limit?: number | undefined;
}

/** Options of {@link RocksDBStore.iterator}. */
export interface RocksDBIteratorOptions extends RocksDBRangeOptions {
  /** Whether to read keys; otherwise keys are empty. @default true */
  keys?: boolean | undefined;
  /** Whether to read values; otherwise values are empty. @default true */
  values?: boolean | undefined;
  /** Whether to return keys as Buffers; otherwise as strings. @default true */
  keyAsBuffer?: boolean | undefined;
  /** Whether to return values as Buffers; otherwise as strings. @default true */
  valueAsBuffer?: boolean | undefined;
  /** Puts blocks that are read from the disk into the block cache. @default false */
  fillCache?: boolean | undefined;
  /** How many bytes are read ahead at once. @default 65536 */
  highWaterMark?: number | undefined;
}

/**
 * Walks over entries. It sees the database as it was when the iterator was made. End it when you do not need it any more; a `for await`
 * loop does that itself.
 *
 * @example
 * for await (const [key, value] of db.iterator({ gte: 'user:', lt: 'user;', keyAsBuffer: false })) {
 *   console.log(key, value);
 * }
 */
export interface RocksDBIterator extends AsyncIterable<[Bytes, Bytes]> {
  /** The store whose entries it reads. */
  readonly db: RocksDBStore;
  /** The next entry. */
  next(callback: EntryCallback): this;
  /** The next entry, or undefined if there are no more. */
  next(): Promise<[Bytes, Bytes] | undefined>;
  /**
   * Goes to a key or, if it does not exist, to the next one in the direction of the iterator. If the target is outside its range, there are
   * no more entries.
   */
  seek(target: Bytes): void;
  /** Ends the iterator. If an entry is being read, that entry is returned first. */
  end(callback: ErrorCallback): void;
  /** Ends the iterator. */
  end(): Promise<void>;
}

/**
 * A batch of writes: either all of them happen, or none.
 *
 * @example
 * db.batch().put('a', '1').del('b').write((error) => {});
 */
export interface RocksDBChainedBatch {
  /** The store to which it writes. */
  readonly db: RocksDBStore;
  /** Sets the value of a key. */
  put(key: Bytes, value: Bytes): this;
  /** Removes a key, if it exists. */
  del(key: Bytes): this;
  /** Removes all operations from the batch. */
  clear(): this;
  /** Makes all writes at once. The batch cannot be used again after that. */
  write(callback: ErrorCallback): void;
  /** Makes all writes at once. The batch cannot be used again after that. */
  write(options: RocksDBWriteOptions, callback: ErrorCallback): void;
}

/**
 * A store for levelup, encoding-down and everything else that builds on abstract-leveldown 7. `rocksdb` makes it.
 *
 * @example
 * const db = rocksdb('/var/lib/app/data');
 * db.open((error) => {
 *   if (error) throw error;
 *   db.put('greeting', 'hello', (error) => {});
 * });
 */
export interface RocksDBStore {
  /** The directory, as it was passed to the constructor. */
  readonly location: string;
  /** The state of the store. Only an 'open' store accepts calls. */
  readonly status: 'new' | 'opening' | 'open' | 'closing' | 'closed';
  /** The features of the store, for code that builds on it. */
  readonly supports: { readonly additionalMethods: Record<string, boolean>; readonly [feature: string]: unknown };
  /** The open database itself, for everything that a store cannot do. The getter throws `DATABASE_CLOSED` while the store is not open. */
  readonly database: Database;
  /** Lets you pass a store where a `Database` is expected, for instance to `engine.createBackup(store)`. */
  readonly [databaseOf]: Database;

  /** Opens the database in its directory. Creates it if it does not exist. */
  open(callback: ErrorCallback): void;
  /** Opens the database in its directory. */
  open(options: RocksDBOpenOptions, callback: ErrorCallback): void;
  /** Closes the database. Operations that have begun finish first. Iterators end. */
  close(callback: ErrorCallback): void;
  /** Whether the store accepts calls. */
  isOperational(): boolean;

  /** The value of a key. If the key does not exist, the callback gets an error whose message begins with `NotFound`. */
  get(key: Bytes, callback: ValueCallback<Buffer>): void;
  /** The value of a key, as a string. */
  get(key: Bytes, options: RocksDBGetOptions & { asBuffer: false }, callback: ValueCallback<string>): void;
  /** The value of a key. */
  get(key: Bytes, options: RocksDBGetOptions, callback: ValueCallback<Bytes>): void;
  /** The values of many keys, in the same order. Undefined for keys that do not exist. */
  getMany(keys: readonly Bytes[], callback: ValueCallback<(Buffer | undefined)[]>): void;
  /** The values of many keys, in the same order. Undefined for keys that do not exist. */
  getMany(keys: readonly Bytes[], options: RocksDBGetOptions, callback: ValueCallback<(Bytes | undefined)[]>): void;
  /** The values of many keys, in the same order. Undefined for keys that do not exist. */
  getMany(keys: readonly Bytes[], options?: RocksDBGetOptions): Promise<(Bytes | undefined)[]>;

  /** Sets the value of a key. */
  put(key: Bytes, value: Bytes, callback: ErrorCallback): void;
  /** Sets the value of a key. */
  put(key: Bytes, value: Bytes, options: RocksDBWriteOptions, callback: ErrorCallback): void;
  /** Removes a key, if it exists. */
  del(key: Bytes, callback: ErrorCallback): void;
  /** Removes a key, if it exists. */
  del(key: Bytes, options: RocksDBWriteOptions, callback: ErrorCallback): void;
  /** Makes a chained batch, to which operations are added one by one. */
  batch(): RocksDBChainedBatch;
  /** Makes several writes: either all of them happen, or none. */
  batch(operations: readonly RocksDBOperation[], callback: ErrorCallback): void;
  /** Makes several writes: either all of them happen, or none. */
  batch(operations: readonly RocksDBOperation[], options: RocksDBWriteOptions, callback: ErrorCallback): void;
  /** Removes all entries that exist when it is called. */
  clear(callback: ErrorCallback): void;
  /** Removes the entries of a range that exist when it is called. */
  clear(options: RocksDBRangeOptions, callback: ErrorCallback): void;

  /** Walks over entries. */
  iterator(options?: RocksDBIteratorOptions): RocksDBIterator;

  /** About how many bytes the keys from `start` (included) to `end` (excluded) take. */
  approximateSize(start: Bytes, end: Bytes, callback: ValueCallback<number>): void;
  /** Rewrites files so that data that was deleted or overwritten from `start` to `end` takes no space any more. */
  compactRange(start: Bytes, end: Bytes, callback: ErrorCallback): void;
  /** The value of one of RocksDB's properties, or '' if RocksDB has no property of that name. */
  getProperty(property: string): string;
}

/** The exports of `require('rocksdb-backup/leveldown')`. */
export interface RocksDBConstructor {
  /** Makes a store for the database in a directory. Does not open it yet. */
  new (location: string): RocksDBStore;
  /** Makes a store for the database in a directory. Does not open it yet. */
  (location: string): RocksDBStore;
  readonly prototype: RocksDBStore;
  /**
   * Deletes a database, but no other files in its directory. The database must not be open. Its directory must exist.
   *
   * @example
   * rocksdb.destroy('/var/lib/app/data', (error) => {});
   */
  destroy(location: string, callback: ErrorCallback): void;
  /**
   * Saves what can be saved of a database that cannot be opened any more. The database must not be open.
   *
   * @example
   * rocksdb.repair('/var/lib/app/data', (error) => {});
   */
  repair(location: string, callback: ErrorCallback): void;
}
