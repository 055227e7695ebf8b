import { EventEmitter } from 'node:events';
import { describe, invalidOption, RocksDBError } from '../base/errors.js';
import { native } from '../native/binding.js';
import { Handle } from '../native/handle.js';
import type { NativeDatabase } from '../native/native-database.js';
import type { Snapshot } from '../native/snapshot.js';
import type { ColumnFamilyOptions, OpenOptions } from './database-options.js';
import { familyIdOf, handleOf, KeySpace } from './key-space.js';

const constructorKey = Symbol('Database');

/** Under this key, an object that is built over a database has it. */
export const databaseOf: unique symbol = Symbol.for('rocksdb-backup.database');

/** Something built over a {@link Database}, which goes where a database does: into a backup, for instance. */
export interface DatabaseSource {
  /** The database. Throws while there is none that is open. */
  readonly [databaseOf]: Database;
}

/** What a database tells of the work that it does by itself: see {@link Database.on}. */
export interface DatabaseEvents {
  /**
   * A flush, a compaction, or a write to the log failed. From the severity `hard` on, the database takes no writes until
   * {@link Database.resume} succeeds, or it is opened again.
   */
  error: [error: RocksDBError, during: string];
  /** It works again: RocksDB got over the error by itself, or was told to resume. The error is the one that is over. */
  recovered: [error: RocksDBError | undefined];
}

/**
 * An open RocksDB database. Its own methods read and write the default column family.
 *
 * Threads: a `Database` belongs to the thread that made it. Other threads of the process get a handle on the same database
 * from {@link Database.attach}; it is closed when its last handle is.
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

  /** The database's directory: absolute, links resolved. */
  readonly path: string;
  /** Names the database for {@link Database.attach} in other threads of this process, as long as it is open. */
  readonly token: string;
  /** How it was opened. */
  readonly mode: 'readWrite' | 'readOnly' | 'secondary';
  #events: EventEmitter<DatabaseEvents> | undefined;

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
   * Opens the database in a directory, with all column families it has.
   *
   * @example
   * const db = await Database.open('/var/lib/app/data', { compression: 'zstd' });
   */
  static async open(path: string, options?: OpenOptions): Promise<Database> {
    return new Database(constructorKey, await native.Database.open(path, options));
  }

  /**
   * Another handle on a database that is open in this process, by its token.
   *
   * @example
   * // in a Worker, which got db.token as workerData
   * const db = Database.attach(workerData);
   */
  static attach(token: string): Database {
    return new Database(constructorKey, native.Database.attach(token));
  }

  /**
   * The names of a database's column families, whether it is open or not.
   *
   * @example
   * await Database.listColumnFamilies('/var/lib/app/data'); // ['default', 'users']
   */
  static listColumnFamilies(path: string): Promise<string[]> {
    return native.Database.listColumnFamilies(path);
  }

  /**
   * Deletes a database, and no other file in its directory. It must not be open. Options are needed where they say where
   * its files are (`walDir`).
   *
   * @example
   * await Database.destroy('/var/lib/app/data');
   */
  static destroy(path: string, options?: OpenOptions): Promise<void> {
    return native.Database.destroy(path, options);
  }

  /**
   * Saves what can be saved of a database that cannot be opened any more. It must not be open. What was lost, it cannot say:
   * restore a backup if there is one.
   *
   * @example
   * await Database.repair('/var/lib/app/data');
   */
  static repair(path: string, options?: OpenOptions): Promise<void> {
    return native.Database.repair(path, options);
  }

  /** The number of the last write. */
  get latestSequenceNumber(): bigint {
    return this.#native.latestSequenceNumber;
  }

  /** The database's own id. A copy, also a restored one, has the same. */
  get identity(): string {
    return this.#native.identity;
  }

  /** The names of the column families. */
  get columnFamilies(): string[] {
    return this.#native.columnFamilies();
  }

  /**
   * A column family by its name. Throws `COLUMN_FAMILY_NOT_FOUND` if there is none.
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
   * Makes a column family. Options that are not given are those the database was opened with.
   *
   * @example
   * const users = await db.createColumnFamily('users');
   */
  async createColumnFamily(name: string, options?: ColumnFamilyOptions): Promise<ColumnFamily> {
    return new ColumnFamily(handleOf(this), await this.#native.createColumnFamily(name, options), name, this);
  }

  /**
   * Removes a column family and all its data. Reads that have begun are not disturbed.
   *
   * @example
   * await db.dropColumnFamily('users');
   */
  dropColumnFamily(name: string): Promise<void> {
    return this.#native.dropColumnFamily(name);
  }

  /**
   * Keeps a view of the database as it is now.
   *
   * @example
   * using snapshot = db.snapshot();
   */
  snapshot(): Snapshot {
    return this.#native.snapshot();
  }

  /**
   * Writes what is in memory to files, of all column families.
   *
   * @example
   * await db.flush();
   */
  flush(): Promise<void> {
    return this.#native.flush();
  }

  /**
   * Makes a copy of the database in a new directory, out of hard links where that is on the same file system: in no time,
   * and taking no space at first. Missing directories above it are made.
   *
   * @example
   * await db.checkpoint('/var/lib/app/before-migration');
   */
  checkpoint(path: string): Promise<void> {
    return this.#native.checkpoint(path);
  }

  /**
   * Calls a listener when background work of the database fails, and when it works again. Of an 'error' without a listener
   * nothing is thrown: the next write fails with it. Listeners keep no process alive.
   *
   * @example
   * db.on('error', (error, during) => logger.error({ error, during }));
   */
  on<E extends keyof DatabaseEvents>(event: E, listener: (...args: DatabaseEvents[E]) => void): this {
    const native = this.#native;
    if (this.#events === undefined) {
      // No reference to this: a database that nobody uses any more can go, listeners or not.
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

  /** Takes a listener away. */
  off<E extends keyof DatabaseEvents>(event: E, listener: (...args: DatabaseEvents[E]) => void): this {
    (this.#events as EventEmitter | undefined)?.off(event, listener);
    return this;
  }

  /**
   * Has the database take writes again after background work had failed, when the cause is gone: a full disk has space again, for
   * instance. Writes out what is in memory. Rejects with the error if it is still there; after an error of the severity `fatal`
   * only closing and opening helps. Where nothing had failed, does nothing. RocksDB tries it by itself as well, after some errors.
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
   * In a secondary: sees what the primary has written since.
   *
   * @example
   * await secondary.tryCatchUpWithPrimary();
   */
  tryCatchUpWithPrimary(): Promise<void> {
    return this.#native.tryCatchUpWithPrimary();
  }

  /**
   * Closes this handle, and with the last handle the database: then the promise resolves when its files are closed and its
   * lock is free. What has begun is finished first, compactions are stopped; iterators, snapshots and batches of this handle
   * end. Again does nothing more.
   *
   * @example
   * await db.close();
   */
  close(): Promise<void> {
    const closed = this.#native.close();
    handleOf(this).isOpen = false;
    return closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The native half of a database, for those who pass it to native code. */
export function nativeDatabase(source: Database | DatabaseSource): NativeDatabase {
  const database =
    source instanceof Database ? source : (source as Partial<DatabaseSource> | null | undefined)?.[databaseOf];
  if (!(database instanceof Database)) {
    throw invalidOption(TypeError, 'db', 'a Database', describe(source));
  }
  return handleOf(database).native;
}

/** A database that native code opened. */
export function databaseFromNative(handle: unknown): Database {
  return new Database(constructorKey, handle as NativeDatabase);
}

/**
 * A column family: keys and values of their own in the same database, written together with the others by one batch.
 *
 * @example
 * const users = await db.createColumnFamily('users', { compression: 'zstd' });
 * await users.put('1', 'Ada');
 */
export class ColumnFamily extends KeySpace {
  /** Its name. */
  readonly name: string;
  /** The database it belongs to. */
  readonly database: Database;

  /** For the methods of {@link Database}. */
  constructor(handle: Handle, family: number, name: string, database: Database) {
    super(handle, family);
    this.name = name;
    this.database = database;
  }

  /**
   * Writes what is in memory to files: this family's only.
   *
   * @example
   * await users.flush();
   */
  flush(): Promise<void> {
    return handleOf(this).native.flush(familyIdOf(this));
  }
}
