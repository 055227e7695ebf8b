import {
  type AbstractBatchOperation,
  type AbstractIterator,
  type AbstractKeyIterator,
  AbstractLevel,
  type AbstractSnapshot,
  type AbstractValueIterator,
} from 'abstract-level';
import '../archive/archive.js';
import { BackupEngine } from '../backup/backup-engine.js';
import type { BackupEngineOptions } from '../backup/backup-options.js';
import { describe, invalidOption, RocksDBError } from '../base/errors.js';
import { ColumnFamily, Database, type DatabaseSource, databaseOf } from '../database/database.js';
import { familyIdOf, handleOf } from '../database/key-space.js';
import type { Handle } from '../native/handle.js';
import type { MaybePromise } from '../native/native-database.js';
import type { Key, WriteOptions } from '../native/options.js';
import { paced, settle, settleAfterWork } from '../native/settle.js';
import { clear } from './clear.js';
import { NativeChainedBatch, type PrivateOperation, writeAll } from './level-batch.js';
import { asLevelError, notOpen } from './level-errors.js';
import {
  LevelIterator,
  LevelKeyIterator,
  LevelValueIterator,
  type Place,
  type PrivateRangeOptions,
} from './level-iterator.js';
import {
  type LevelBatchOptions,
  type LevelChainedBatch,
  type LevelClearOptions,
  type LevelDelOptions,
  type LevelFormat,
  type LevelGetOptions,
  type LevelHasOptions,
  type LevelIteratorOptions,
  type LevelKeyIteratorOptions,
  type LevelOpenOptions,
  type LevelOptions,
  type LevelPutOptions,
  type LevelRangeOptions,
  type LevelValueIteratorOptions,
  nativeEncoding,
  openOptionsOf,
  type PrivateReadOptions,
  readOptionsOf,
  valueOptionsOf,
  writeOptionsOf,
} from './level-options.js';
import { LevelSnapshot } from './level-snapshot.js';
import { isNotThere } from './not-there.js';

const manifest = {
  encodings: { buffer: true, utf8: true, view: true },
  has: true,
  getSync: true,
  createIfMissing: true,
  errorIfExists: true,
  explicitSnapshots: true,
  additionalMethods: { approximateSize: true, compactRange: true },
  signals: { iterators: true },
};

/**
 * An abstract-level database on RocksDB. It has the same methods as `classic-level`, which is built on LevelDB. In addition, it can be
 * backed up while it is in use.
 *
 * @example
 * import { RocksLevel } from 'rocksdb-backup/level';
 *
 * const db = new RocksLevel('/var/lib/app/data', { valueEncoding: 'json' });
 * await db.put('user:1', { name: 'Ada' });
 *
 * const engine = await db.backupEngine('/backups/app');
 * await engine.createBackup(db);
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: what the interface declares are methods of AbstractLevel
export class RocksLevel<K = string, V = string> extends AbstractLevel<LevelFormat, K, V> implements DatabaseSource {
  readonly #source: string | Database | ColumnFamily;
  #database: Database | undefined;
  #place!: Place;
  /**
   * The work that close() waits for: calls of clear(), which take several steps, and compactions, which a close would otherwise interrupt.
   */
  readonly #underWay = new Set<Promise<void>>();

  /**
   * Makes a database for a directory; or for a Database that is already open, or for one of its column families. An open Database stays
   * open when this object is closed. Like every abstract-level database, this one opens itself, and calls that are made before it is open
   * wait for that.
   *
   * @example
   * const db = new RocksLevel('/var/lib/app/data', { compression: 'zstd' });
   * const users = new RocksLevel(database.columnFamily('users'), { valueEncoding: 'json' });
   */
  constructor(location: string | Database | ColumnFamily, options?: LevelOptions<K, V>) {
    const isOpenAlready = location instanceof Database || location instanceof ColumnFamily;
    if (!isOpenAlready && (typeof location !== 'string' || location === '')) {
      throw invalidOption(TypeError, 'location', 'a path, a Database or a ColumnFamily', describe(location));
    }
    super({ ...manifest, ...(isOpenAlready ? { createIfMissing: false, errorIfExists: false } : {}) }, options);
    this.#source = location;
  }

  /**
   * Deletes a database, but no other files in its directory. The database must not be open. If the directory does not exist, there is
   * nothing to do.
   *
   * @example
   * await RocksLevel.destroy('/var/lib/app/data');
   */
  static async destroy(location: string): Promise<void> {
    try {
      await Database.destroy(location);
    } catch (error) {
      if (!(error instanceof RocksDBError && (await isNotThere(location)))) {
        throw asLevelError(error);
      }
    }
  }

  /**
   * Saves what can be saved of a database that cannot be opened any more. If you have a backup, restore that instead.
   *
   * @example
   * await RocksLevel.repair('/var/lib/app/data');
   */
  static async repair(location: string): Promise<void> {
    await Database.repair(location).catch(throwAsLevelError);
  }

  /** The directory of the database. */
  get location(): string {
    const source = this.#source;
    return typeof source === 'string' ? source : openedDatabase(source).path;
  }

  /**
   * The Database behind this object: for column families, checkpoints, properties, and its token for other threads. Throws
   * `LEVEL_DATABASE_NOT_OPEN` unless this object is open.
   *
   * @example
   * await db.database.checkpoint('/var/lib/app/before-migration');
   */
  get database(): Database {
    return this.#open('using its database');
  }

  /** The Database, for code that accepts a {@link DatabaseSource}. */
  get [databaseOf](): Database {
    return this.#open('a backup of it');
  }

  /**
   * Opens a repository of backups, for this database and any other. The same as {@link BackupEngine.open}.
   *
   * @example
   * const engine = await db.backupEngine('/backups/app');
   * const { backupId } = await engine.createBackup(db);
   */
  backupEngine(location: string, options?: BackupEngineOptions): Promise<BackupEngine> {
    return BackupEngine.open(location, options);
  }

  /**
   * About how many bytes the keys from `start` (included) to `end` (excluded) take.
   *
   * @example
   * await db.approximateSize('user:', 'user;');
   */
  async approximateSize<TKey = K>(start: TKey, end: TKey, options?: LevelRangeOptions<TKey>): Promise<number> {
    if (this.status === 'opening') {
      return this.deferAsync(() => this.approximateSize(start, end, options));
    }
    const native = handleOf(this.#open('approximateSize()')).native;
    const [from, to] = this.#encodedRange(start, end, options);
    return native.approximateSize(this.#place.family, from, to);
  }

  /**
   * Rewrites the files that contain the keys from `start` to `end`, so that deleted data takes no space any more.
   *
   * @example
   * await db.compactRange('user:', 'user;');
   */
  async compactRange<TKey = K>(start: TKey, end: TKey, options?: LevelRangeOptions<TKey>): Promise<void> {
    if (this.status === 'opening') {
      return this.deferAsync(() => this.compactRange(start, end, options));
    }
    const native = handleOf(this.#open('compactRange()')).native;
    const [from, to] = this.#encodedRange(start, end, options);
    await this.#beforeClose(native.compactRange(this.#place.family, { start: from, end: to }));
  }

  /**
   * The value of one of RocksDB's properties. The prefix `leveldb.` is replaced by `rocksdb.`. Empty if RocksDB has no property of that
   * name.
   *
   * @example
   * db.getProperty('rocksdb.stats');
   */
  getProperty(property: string): string {
    if (typeof property !== 'string') {
      throw invalidOption(TypeError, 'property', 'a string', describe(property));
    }
    const native = handleOf(this.#open('getProperty()')).native;
    return native.property(this.#place.family, property.replace(/^leveldb\./, 'rocksdb.')) ?? '';
  }

  #open(what: string): Database {
    // Do not check the status: hooks and events run before it becomes 'open'.
    if (this.#database === undefined) {
      throw notOpen(what);
    }
    return this.#database;
  }

  #encodedRange<TKey>(start: TKey, end: TKey, options: LevelRangeOptions<TKey> | undefined): [Key, Key] {
    if (start === undefined || start === null || end === undefined || end === null) {
      throw invalidOption(TypeError, 'start and end', 'two keys', 'missing');
    }
    const encoding = this.keyEncoding(options?.keyEncoding as 'utf8');
    return [encoding.encode(start as string) as Key, encoding.encode(end as string) as Key];
  }

  // The rest is abstract-level's private interface. Arguments have been checked, encoded and prefixed already.

  protected async _open(options: LevelOpenOptions): Promise<void> {
    const source = this.#source;
    if (typeof source !== 'string') {
      this.#use(openedDatabase(source), handleOf(source), familyIdOf(source));
      return;
    }
    const database = await Database.open(source, openOptionsOf(options)).catch(throwAsLevelError);
    this.#use(database, handleOf(database), familyIdOf(database));
  }

  #use(database: Database, handle: Handle, family: number): void {
    if (!handle.isOpen) {
      throw notOpen('making a RocksLevel of it');
    }
    this.#database = database;
    this.#place = { handle, family };
  }

  protected async _close(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    await Promise.allSettled(this.#underWay); // their callers get the errors
    if (typeof this.#source === 'string') {
      await database?.close();
    }
  }

  protected _get(key: Key, options: PrivateReadOptions): Promise<Buffer | string | undefined> {
    const { handle, family } = this.#place;
    return settle(handle.get(family, key, valueOptionsOf(options)));
  }

  protected _getSync(key: Key, options: PrivateReadOptions): Buffer | string | undefined {
    const { handle, family } = this.#place;
    return handle.getSync(family, key, valueOptionsOf(options));
  }

  protected _getMany(keys: Key[], options: PrivateReadOptions): Promise<(Buffer | string | undefined)[]> {
    const { handle, family } = this.#place;
    const utf8 = nativeEncoding(options.valueEncoding) === 'utf8';
    return settleAfterWork(handle.getMany(family, keys, valueOptionsOf(options), utf8));
  }

  protected _has(key: Key, options: PrivateReadOptions): MaybePromise<boolean> {
    const { handle, family } = this.#place;
    return paced(handle.native.has(family, key, readOptionsOf(options)));
  }

  protected _hasMany(keys: Key[], options: PrivateReadOptions): MaybePromise<boolean[]> {
    const { handle, family } = this.#place;
    return settleAfterWork(handle.native.hasMany(family, keys, readOptionsOf(options)));
  }

  protected _put(key: Key, value: Key, options: WriteOptions): MaybePromise<void> {
    const { handle, family } = this.#place;
    return paced(handle.put(family, key, value, writeOptionsOf(options)));
  }

  protected _del(key: Key, options: WriteOptions): MaybePromise<void> {
    const { handle, family } = this.#place;
    return paced(handle.delete(family, key, writeOptionsOf(options)));
  }

  protected _batch(operations: PrivateOperation[], options: WriteOptions): Promise<void> {
    return writeAll(this.#place, operations, options);
  }

  protected _chainedBatch(): NativeChainedBatch<this, K, V> {
    return new NativeChainedBatch(this, this.#place);
  }

  protected _clear(options: PrivateRangeOptions & WriteOptions): Promise<void> {
    return this.#beforeClose(clear(this.#place, options));
  }

  async #beforeClose(work: Promise<void>): Promise<void> {
    this.#underWay.add(work);
    try {
      await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  protected _iterator(options: PrivateRangeOptions): LevelIterator<this, K, V> {
    return new LevelIterator(this, this.#place, options);
  }

  protected _keys(options: PrivateRangeOptions): LevelKeyIterator<this, K> {
    return new LevelKeyIterator(this, this.#place, options);
  }

  protected _values(options: PrivateRangeOptions): LevelValueIterator<this, K, V> {
    return new LevelValueIterator(this, this.#place, options);
  }

  protected _snapshot(options: object): LevelSnapshot {
    return new LevelSnapshot(this.#place.handle.native.snapshot(), options);
  }
}

// abstract-level's own methods, with our additional options.
export interface RocksLevel<K, V> {
  open(): Promise<void>;
  open(options: LevelOpenOptions): Promise<void>;
  get(key: K): Promise<V | undefined>;
  get<TKey = K, TValue = V>(key: TKey, options: LevelGetOptions<TKey, TValue>): Promise<TValue | undefined>;
  getSync(key: K): V | undefined;
  getSync<TKey = K, TValue = V>(key: TKey, options: LevelGetOptions<TKey, TValue>): TValue | undefined;
  getMany(keys: K[]): Promise<(V | undefined)[]>;
  getMany<TKey = K, TValue = V>(keys: TKey[], options: LevelGetOptions<TKey, TValue>): Promise<(TValue | undefined)[]>;
  has(key: K): Promise<boolean>;
  has<TKey = K>(key: TKey, options: LevelHasOptions<TKey>): Promise<boolean>;
  hasMany(keys: K[]): Promise<boolean[]>;
  hasMany<TKey = K>(keys: TKey[], options: LevelHasOptions<TKey>): Promise<boolean[]>;
  put(key: K, value: V): Promise<void>;
  put<TKey = K, TValue = V>(key: TKey, value: TValue, options: LevelPutOptions<TKey, TValue>): Promise<void>;
  del(key: K): Promise<void>;
  del<TKey = K>(key: TKey, options: LevelDelOptions<TKey>): Promise<void>;
  batch(operations: AbstractBatchOperation<this, K, V>[]): Promise<void>;
  batch<TKey = K, TValue = V>(
    operations: AbstractBatchOperation<this, TKey, TValue>[],
    options: LevelBatchOptions<TKey, TValue>,
  ): Promise<void>;
  batch(): LevelChainedBatch<this, K, V>;
  clear(): Promise<void>;
  clear<TKey = K>(options: LevelClearOptions<TKey>): Promise<void>;
  iterator(): AbstractIterator<this, K, V>;
  iterator<TKey = K, TValue = V>(options: LevelIteratorOptions<TKey, TValue>): AbstractIterator<this, TKey, TValue>;
  keys(): AbstractKeyIterator<this, K>;
  keys<TKey = K>(options: LevelKeyIteratorOptions<TKey>): AbstractKeyIterator<this, TKey>;
  values(): AbstractValueIterator<this, K, V>;
  values<TKey = K, TValue = V>(
    options: LevelValueIteratorOptions<TKey, TValue>,
  ): AbstractValueIterator<this, TKey, TValue>;
  snapshot(): AbstractSnapshot;
}

function openedDatabase(source: Database | ColumnFamily): Database {
  return source instanceof Database ? source : source.database;
}

function throwAsLevelError(error: unknown): never {
  throw asLevelError(error);
}
