import type { Database, databaseOf } from '../database/database.js';
import type { Compression, OpenOptions } from '../database/database-options.js';
import type { WriteOptions } from '../native/options.js';

/** A key or a value. What is no Buffer is made a string, a number for instance. */
export type Bytes = string | Buffer;

/** Called once, never before the method has returned: with an error, or with nothing. */
export type ErrorCallback = (error: Error | undefined) => void;

/** Called once, never before the method has returned: with an error, or with null and the value. */
export type ValueCallback<T> = (error: Error | undefined, value: T) => void;

/** Called for each entry: with an error, with null and the entry, or with nothing when there are no more. */
export type EntryCallback = (error: Error | undefined, key: Bytes, value: Bytes) => void;

/** Options of {@link RocksDBStore.open}. All of `Database.open` are there as well; names it does not know are ignored. */
export interface RocksDBOpenOptions extends Omit<OpenOptions, 'compatibility' | 'compression' | 'infoLogLevel'> {
  /** Whether to compress blocks, with snappy; or how. @default true */
  compression?: boolean | Compression | undefined;
  /** Opens the database for reading only. @default false */
  readOnly?: boolean | undefined;
  /** After how many keys of a block one is stored in full. @default 16 */
  blockRestartInterval?: number | undefined;
  /** Bytes of RocksDB's log file, LOG, after which it begins another: what this option does in rocksdb. @default 2097152 */
  maxFileSize?: number | undefined;
  /**
   * Which RocksDB has to be able to read what is written from now on. With '6.6', rocksdb can: there is a way back to it.
   * @default '6.6'
   */
  compatibility?: OpenOptions['compatibility'];
  /** What is noted down in LOG; null is as little as possible. @default null */
  infoLogLevel?: OpenOptions['infoLogLevel'] | null;
}

/** Options of {@link RocksDBStore.get} and {@link RocksDBStore.getMany}. */
export interface RocksDBGetOptions {
  /** Whether values come as Buffers, or else as strings. @default true */
  asBuffer?: boolean | undefined;
  /** Puts what is read from the disk into the block cache. @default true */
  fillCache?: boolean | undefined;
}

/** Options of writes: those of `Database`. */
export type RocksDBWriteOptions = WriteOptions;

/** One operation of {@link RocksDBStore.batch}. */
export type RocksDBOperation =
  | { readonly type: 'put'; readonly key: Bytes; readonly value: Bytes }
  | { readonly type: 'del'; readonly key: Bytes };

/** Options of {@link RocksDBStore.clear}: which entries. A bound of no length is none. */
export interface RocksDBRangeOptions {
  /** Keys after this one. */
  gt?: Bytes | undefined;
  /** This key and those after it. */
  gte?: Bytes | undefined;
  /** Keys before this one. */
  lt?: Bytes | undefined;
  /** This key and those before it. */
  lte?: Bytes | undefined;
  /** From the last key to the first. @default false */
  reverse?: boolean | undefined;
  /** At most so many entries; a negative number is no limit. @default -1 */
  limit?: number | undefined;
}

/** Options of {@link RocksDBStore.iterator}. */
export interface RocksDBIteratorOptions extends RocksDBRangeOptions {
  /** Whether to read keys; without them they are empty. @default true */
  keys?: boolean | undefined;
  /** Whether to read values; without them they are empty. @default true */
  values?: boolean | undefined;
  /** Whether keys come as Buffers, or else as strings. @default true */
  keyAsBuffer?: boolean | undefined;
  /** Whether values come as Buffers, or else as strings. @default true */
  valueAsBuffer?: boolean | undefined;
  /** Puts what is read from the disk into the block cache. @default false */
  fillCache?: boolean | undefined;
  /** Bytes that are read ahead at once. @default 65536 */
  highWaterMark?: number | undefined;
}

/**
 * Goes over entries. It sees the database as it was when the iterator was made. End it when you are done with it; `for
 * await` does so itself.
 *
 * @example
 * for await (const [key, value] of db.iterator({ gte: 'user:', lt: 'user;', keyAsBuffer: false })) {
 *   console.log(key, value);
 * }
 */
export interface RocksDBIterator extends AsyncIterable<[Bytes, Bytes]> {
  /** The store it goes over. */
  readonly db: RocksDBStore;
  /** The next entry. */
  next(callback: EntryCallback): this;
  /** The next entry, or undefined when there are no more. */
  next(): Promise<[Bytes, Bytes] | undefined>;
  /** Goes to a key, or to the next one in the direction of the iterator. Out of its range, there are no more entries. */
  seek(target: Bytes): void;
  /** Ends it. What it is reading is given out first. */
  end(callback: ErrorCallback): void;
  /** Ends it. */
  end(): Promise<void>;
}

/**
 * Writes that happen all or none.
 *
 * @example
 * db.batch().put('a', '1').del('b').write((error) => {});
 */
export interface RocksDBChainedBatch {
  /** The store it writes to. */
  readonly db: RocksDBStore;
  /** Sets a key's value. */
  put(key: Bytes, value: Bytes): this;
  /** Removes a key, if it is there. */
  del(key: Bytes): this;
  /** Forgets all operations. */
  clear(): this;
  /** Does it all at once; after that the batch is of no use. */
  write(callback: ErrorCallback): void;
  /** Does it all at once; after that the batch is of no use. */
  write(options: RocksDBWriteOptions, callback: ErrorCallback): void;
}

/**
 * A store as levelup, encoding-down and everything else above abstract-leveldown 7 take it: what `rocksdb` makes.
 *
 * @example
 * const db = rocksdb('/var/lib/app/data');
 * db.open((error) => {
 *   if (error) throw error;
 *   db.put('greeting', 'hello', (error) => {});
 * });
 */
export interface RocksDBStore {
  /** The directory it was made for, as it was given. */
  readonly location: string;
  /** Where it stands. Only 'open' answers. */
  readonly status: 'new' | 'opening' | 'open' | 'closing' | 'closed';
  /** What it can do, for those who build on it. */
  readonly supports: { readonly additionalMethods: Record<string, boolean>; readonly [feature: string]: unknown };
  /** The open database itself: for what a store cannot do. Throws `DATABASE_CLOSED` while there is none. */
  readonly database: Database;
  /** Lets a store go where a `Database` does, into `engine.createBackup(store)` for instance. */
  readonly [databaseOf]: Database;

  /** Opens the database in its directory, and makes it if it is missing. */
  open(callback: ErrorCallback): void;
  /** Opens the database in its directory. */
  open(options: RocksDBOpenOptions, callback: ErrorCallback): void;
  /** Closes it. What has begun is finished first, iterators end. */
  close(callback: ErrorCallback): void;
  /** Whether it answers. */
  isOperational(): boolean;

  /** The value of a key. A key that is not there is an error whose message begins with `NotFound`. */
  get(key: Bytes, callback: ValueCallback<Buffer>): void;
  /** The value of a key, as a string. */
  get(key: Bytes, options: RocksDBGetOptions & { asBuffer: false }, callback: ValueCallback<string>): void;
  /** The value of a key. */
  get(key: Bytes, options: RocksDBGetOptions, callback: ValueCallback<Bytes>): void;
  /** The values of many keys, in their order; undefined where there is none. */
  getMany(keys: readonly Bytes[], callback: ValueCallback<(Buffer | undefined)[]>): void;
  /** The values of many keys, in their order; undefined where there is none. */
  getMany(keys: readonly Bytes[], options: RocksDBGetOptions, callback: ValueCallback<(Bytes | undefined)[]>): void;
  /** The values of many keys, in their order; undefined where there is none. */
  getMany(keys: readonly Bytes[], options?: RocksDBGetOptions): Promise<(Bytes | undefined)[]>;

  /** Sets a key's value. */
  put(key: Bytes, value: Bytes, callback: ErrorCallback): void;
  /** Sets a key's value. */
  put(key: Bytes, value: Bytes, options: RocksDBWriteOptions, callback: ErrorCallback): void;
  /** Removes a key, if it is there. */
  del(key: Bytes, callback: ErrorCallback): void;
  /** Removes a key, if it is there. */
  del(key: Bytes, options: RocksDBWriteOptions, callback: ErrorCallback): void;
  /** A batch to be filled call by call. */
  batch(): RocksDBChainedBatch;
  /** Writes that happen all or none. */
  batch(operations: readonly RocksDBOperation[], callback: ErrorCallback): void;
  /** Writes that happen all or none. */
  batch(operations: readonly RocksDBOperation[], options: RocksDBWriteOptions, callback: ErrorCallback): void;
  /** Removes all entries that are there when it is called. */
  clear(callback: ErrorCallback): void;
  /** Removes the entries of a range that are there when it is called. */
  clear(options: RocksDBRangeOptions, callback: ErrorCallback): void;

  /** Goes over entries. */
  iterator(options?: RocksDBIteratorOptions): RocksDBIterator;

  /** About how many bytes the keys from `start` up to `end` take. */
  approximateSize(start: Bytes, end: Bytes, callback: ValueCallback<number>): void;
  /** Rewrites files so that what was deleted or overwritten from `start` to `end` takes no space any more. */
  compactRange(start: Bytes, end: Bytes, callback: ErrorCallback): void;
  /** One of RocksDB's properties, or '' if it has none of that name. */
  getProperty(property: string): string;
}

/** What `require('rocksdb-backup/leveldown')` gives. */
export interface RocksDBConstructor {
  /** A store for the database in a directory. Opens nothing yet. */
  new (location: string): RocksDBStore;
  /** A store for the database in a directory. Opens nothing yet. */
  (location: string): RocksDBStore;
  readonly prototype: RocksDBStore;
  /**
   * Deletes a database, and no other file in its directory. It must not be open, and its directory must be there.
   *
   * @example
   * rocksdb.destroy('/var/lib/app/data', (error) => {});
   */
  destroy(location: string, callback: ErrorCallback): void;
  /**
   * Saves what can be saved of a database that cannot be opened any more. It must not be open.
   *
   * @example
   * rocksdb.repair('/var/lib/app/data', (error) => {});
   */
  repair(location: string, callback: ErrorCallback): void;
}
