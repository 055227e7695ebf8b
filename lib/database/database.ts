import { EventEmitter } from 'node:events';
import { describe, invalidOption, RocksDBError } from '../base/errors.js';
import { native } from '../native/binding.js';
import { Handle } from '../native/handle.js';
import type { DiskCacheStatus, NativeDatabase } from '../native/native-database.js';
import type { Snapshot } from '../native/snapshot.js';
import { type Archive, type OwnArchive, openArchive } from './archive.js';
import type { ColumnFamilyOptions, OpenOptions } from './database-options.js';
import { familyIdOf, handleOf, KeySpace } from './key-space.js';

const constructorKey = Symbol('Database');

/** The key of the property that holds the {@link Database}, in objects that are built on top of a database. */
export const databaseOf: unique symbol = Symbol.for('rocksdb-backup.database');

/** An object that is built on top of a {@link Database}. It can be passed where a database is expected, for instance to createBackup. */
export interface DatabaseSource {
  /** The database. The getter throws if no database is open. */
  readonly [databaseOf]: Database;
}

/** Events of a database about its background work: see {@link Database.on}. */
export interface DatabaseEvents {
  /**
   * A flush, a compaction, or a write to the log failed. If the severity is `hard` or worse, the database accepts no writes until
   * {@link Database.resume} succeeds or the database is opened again.
   */
  error: [error: RocksDBError, during: string];
  /**
   * The database works again, either because RocksDB recovered by itself or because `resume` was called. The argument is the error that is
   * over.
   */
  recovered: [error: RocksDBError | undefined];
}

/**
 * An open RocksDB database. Its own read and write methods use the default column family.
 *
 * Threads: a `Database` object belongs to the thread that made it. Other threads of the process get their own handle on the same database
 * from {@link Database.attach}. The database is closed when its last handle is closed.
 *
 * @example
 * await using db = await Database.open('/var/lib/app/data');
 * await db.put('greeting', 'hello');
 * console.log(await db.get('greeting', { encoding: 'utf8' }));
 */
export class Database extends KeySpace implements AsyncDisposable {
  get #native(): NativeDatabase {
    return handleOf(this).native;
  }

  /** The database's directory, as an absolute path with symlinks resolved. */
  readonly path: string;
  /** Identifies the database for {@link Database.attach} in other threads of this process, as long as it is open. */
  readonly token: string;
  /** How the database was opened. */
  readonly mode: 'readWrite' | 'readOnly' | 'secondary';
  #events: EventEmitter<DatabaseEvents> | undefined;
  #archive: OwnArchive | undefined;
  #closed: Promise<void> | undefined;

  /** Use {@link Database.open} or {@link Database.attach}. */
  constructor(key: typeof constructorKey, handle: NativeDatabase) {
    if (key !== constructorKey) {
      throw new TypeError('Databases are made by Database.open and Database.attach');
    }
    super(new Handle(handle), 0);
    this.path = handle.path;
    this.token = handle.token;
    this.mode = handle.mode;
  }

  /**
   * Opens the database in a directory, with all its column families.
   *
   * @example
   * const db = await Database.open('/var/lib/app/data', { compression: 'zstd' });
   */
  static async open(path: string, options?: OpenOptions): Promise<Database> {
    const { archive, ...rest } = options ?? {};
    if (archive === undefined) {
      return new Database(constructorKey, await native.Database.open(path, options));
    }
    const opened = await openArchive(archive);
    try {
      const db = new Database(constructorKey, await native.Database.open(path, { ...rest, archived: true }));
      db.#archive = opened.start(db);
      return db;
    } catch (error) {
      await opened.giveUp();
      throw error;
    }
  }

  /** The archive of the log. Undefined unless this handle was opened with the option `archive`. */
  get archive(): Archive | undefined {
    return this.#archive;
  }

  /**
   * Makes another handle on a database that is open in this process, found by its token.
   *
   * @example
   * // in a Worker, which got db.token as workerData
   * const db = Database.attach(workerData);
   */
  static attach(token: string): Database {
    return new Database(constructorKey, native.Database.attach(token));
  }

  /**
   * The names of a database's column families. The database may be open or closed.
   *
   * @example
   * await Database.listColumnFamilies('/var/lib/app/data'); // ['default', 'users']
   */
  static listColumnFamilies(path: string): Promise<string[]> {
    return native.Database.listColumnFamilies(path);
  }

  /**
   * Deletes a database, but no other files in its directory. The database must not be open. Options are only needed if they say where its
   * files are (`walDir`).
   *
   * @example
   * await Database.destroy('/var/lib/app/data');
   */
  static destroy(path: string, options?: OpenOptions): Promise<void> {
    return native.Database.destroy(path, options);
  }

  /**
   * Saves what can be saved of a database that cannot be opened any more. The database must not be open. It cannot tell you what was lost:
   * if you have a backup, restore that instead.
   *
   * @example
   * await Database.repair('/var/lib/app/data');
   */
  static repair(path: string, options?: OpenOptions): Promise<void> {
    return native.Database.repair(path, options);
  }

  /** The sequence number of the last write. */
  get latestSequenceNumber(): bigint {
    return this.#native.latestSequenceNumber;
  }

  /** The database's id. A copy of the database, including a restored one, has the same id. */
  get identity(): string {
    return this.#native.identity;
  }

  /**
   * How the cache on the disk does through which this database is read. Undefined if there is none: see `diskCache` of
   * {@link BackupEngine.openBackup}.
   */
  get diskCache(): DiskCacheStatus | undefined {
    return this.#native.diskCache;
  }

  /** The names of the column families. */
  get columnFamilies(): string[] {
    return this.#native.columnFamilies();
  }

  /**
   * Returns a column family by its name. Throws `COLUMN_FAMILY_NOT_FOUND` if there is none of that name.
   *
   * @example
   * await db.columnFamily('users').get('1');
   */
  columnFamily(name: string): ColumnFamily {
    const id = this.#native.columnFamily(name);
    if (id === undefined) {
      throw new RocksDBError(`the database ${this.path} has no column family "${name}"`, 'COLUMN_FAMILY_NOT_FOUND', {
        path: this.path,
      });
    }
    return new ColumnFamily(handleOf(this), id, name, this);
  }

  /**
   * Creates a column family. For options that are not given, the values with which the database was opened apply.
   *
   * @example
   * const users = await db.createColumnFamily('users');
   */
  async createColumnFamily(name: string, options?: ColumnFamilyOptions): Promise<ColumnFamily> {
    return new ColumnFamily(handleOf(this), await this.#native.createColumnFamily(name, options), name, this);
  }

  /**
   * Removes a column family with all its data. Reads that have already begun continue normally.
   *
   * @example
   * await db.dropColumnFamily('users');
   */
  dropColumnFamily(name: string): Promise<void> {
    return this.#native.dropColumnFamily(name);
  }

  /**
   * Makes a snapshot: a view of the database as it is now.
   *
   * @example
   * using snapshot = db.snapshot();
   */
  snapshot(): Snapshot {
    return this.#native.snapshot();
  }

  /**
   * Writes the memory of all column families to files.
   *
   * @example
   * await db.flush();
   */
  flush(): Promise<void> {
    return this.#native.flush();
  }

  /**
   * Makes a copy of the database in a new directory. On the same file system it consists of hard links: that takes almost no time, and no
   * space at first. Missing parent directories are created.
   *
   * @example
   * await db.checkpoint('/var/lib/app/before-migration');
   */
  checkpoint(path: string): Promise<void> {
    return this.#native.checkpoint(path);
  }

  /**
   * Adds a listener for failures of background work, and for recovery from them. If there is no listener for 'error', nothing is thrown:
   * the next write fails with that error. Listeners do not keep the process alive.
   *
   * @example
   * db.on('error', (error, during) => logger.error({ error, during }));
   */
  on<E extends keyof DatabaseEvents>(event: E, listener: (...args: DatabaseEvents[E]) => void): this {
    const native = this.#native;
    if (this.#events === undefined) {
      // No reference to `this`: a database that is not used any more can be garbage-collected, even if it has listeners.
      const events = new EventEmitter<DatabaseEvents>();
      native.onEvent((kind, during, error) => {
        if (kind === 'error' && events.listenerCount('error') > 0) {
          events.emit('error', error as RocksDBError, during);
        } else if (kind === 'recovered') {
          events.emit('recovered', error);
        }
      });
      this.#events = events;
    }
    (this.#events as EventEmitter).on(event, listener);
    return this;
  }

  /** Removes a listener. */
  off<E extends keyof DatabaseEvents>(event: E, listener: (...args: DatabaseEvents[E]) => void): this {
    (this.#events as EventEmitter | undefined)?.off(event, listener);
    return this;
  }

  /**
   * Makes the database accept writes again after background work failed. Call it when the cause is gone: for instance, when a full disk has
   * space again. It flushes the memory to files. It rejects with the error if the cause is still there. After an error of severity `fatal`,
   * only closing and opening the database helps. If nothing had failed, it does nothing. After some errors, RocksDB also tries this by
   * itself.
   *
   * @example
   * db.on('error', async (error) => {
   *   if (error.subcode === 'NO_SPACE') await makeRoom().then(() => db.resume());
   * });
   */
  resume(): Promise<void> {
    return this.#native.resume();
  }

  /**
   * For a secondary: applies what the primary has written since the last call.
   *
   * @example
   * await secondary.tryCatchUpWithPrimary();
   */
  tryCatchUpWithPrimary(): Promise<void> {
    return this.#native.tryCatchUpWithPrimary();
  }

  /**
   * Closes this handle. If it is the last handle, closes the database: the promise then resolves when its files are closed and its lock is
   * free. Operations that have begun finish first, but compactions are stopped. Iterators, snapshots and batches of this handle end. A
   * second call does nothing more.
   *
   * @example
   * await db.close();
   */
  close(): Promise<void> {
    if (this.#archive === undefined) {
      return this.#closeNative();
    }
    this.#closed ??= this.#closeArchived(this.#archive);
    return this.#closed;
  }

  #closeNative(): Promise<void> {
    const closed = this.#native.close();
    handleOf(this).isOpen = false;
    return closed;
  }

  async #closeArchived(archive: OwnArchive): Promise<void> {
    await archive.beginClose();
    try {
      await this.#closeNative();
    } finally {
      await archive.endClose();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The native half of a database, for code that passes it to native code. */
export function nativeDatabase(source: Database | DatabaseSource): NativeDatabase {
  const database =
    source instanceof Database ? source : (source as Partial<DatabaseSource> | null | undefined)?.[databaseOf];
  if (!(database instanceof Database)) {
    throw invalidOption(TypeError, 'db', 'a Database', describe(source));
  }
  return handleOf(database).native;
}

/** Wraps a database that native code opened. */
export function databaseFromNative(handle: unknown): Database {
  return new Database(constructorKey, handle as NativeDatabase);
}

/**
 * A column family: a separate set of keys and values in the same database. One batch can write to several families.
 *
 * @example
 * const users = await db.createColumnFamily('users', { compression: 'zstd' });
 * await users.put('1', 'Ada');
 */
export class ColumnFamily extends KeySpace {
  /** The name of the column family. */
  readonly name: string;
  /** The database that the column family belongs to. */
  readonly database: Database;

  /** Only the methods of {@link Database} call this. */
  constructor(handle: Handle, family: number, name: string, database: Database) {
    super(handle, family);
    this.name = name;
    this.database = database;
  }

  /**
   * Writes the memory of this column family, and no other, to files.
   *
   * @example
   * await users.flush();
   */
  flush(): Promise<void> {
    return handleOf(this).native.flush(familyIdOf(this));
  }
}
