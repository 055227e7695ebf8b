import { describe, invalidOption } from '../base/errors.js';
import { realPathOf } from '../base/real-path.js';
import { Database, type DatabaseSource, databaseOf } from '../database/database.js';

/** Opens a database only while a {@link BackupManager} works with it. For programs that do not use the database themselves. */
export interface DatabaseOpener {
  /** The database's directory. */
  readonly path: string;
  /** Opens the database. The manager closes it after its work. */
  open(): Promise<Database>;
}

/** All forms in which a manager accepts its database. */
export type ManagedDatabase = Database | DatabaseSource | DatabaseOpener;

/** Gives a manager access to its database, which is either open all the time or opened for each piece of work. */
export class DatabaseAccess {
  readonly #database: ManagedDatabase;
  #identity: string | undefined;
  #users = 0;
  #opened: Promise<Database> | undefined;
  #closing: Promise<void> | undefined;

  constructor(database: ManagedDatabase) {
    this.#database = database;
  }

  /** The database's directory, as an absolute path with symlinks resolved. Throws if a source has no open database. */
  get path(): string {
    return isOpener(this.#database) ? realPathOf(this.#database.path) : databaseBehind(this.#database).path;
  }

  /**
   * The id of the database. It is remembered while the database is closed. Undefined while it is not known: a database that is opened for
   * each piece of work tells its id with the first backup.
   */
  get identity(): string | undefined {
    this.remember(this.#openIdentity());
    return this.#identity;
  }

  /** Remembers the id that was found in a backup of the database. */
  remember(identity: string | undefined): void {
    this.#identity = identity ?? this.#identity;
  }

  #openIdentity(): string | undefined {
    try {
      return isOpener(this.#database) ? undefined : databaseBehind(this.#database).identity;
    } catch {
      return undefined;
    }
  }

  /** Returns the database; release it after the work. Work that runs at the same time gets the same open database. */
  async acquire(): Promise<{
    db: Database | DatabaseSource;
    release(): Promise<void>;
  }> {
    const database = this.#database;
    if (!isOpener(database)) {
      return { db: database, release: async () => undefined };
    }
    this.#users++;
    try {
      const db = await this.#openOnce(database);
      return { db, release: () => this.#release() };
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  async use<T>(work: (db: Database | DatabaseSource) => Promise<T>): Promise<T> {
    const { db, release } = await this.acquire();
    try {
      return await work(db);
    } finally {
      await release();
    }
  }

  #openOnce(database: DatabaseOpener): Promise<Database> {
    this.#opened ??= (async () => {
      await this.#closing?.catch(() => undefined);
      return database.open();
    })();
    return this.#opened;
  }

  async #release(): Promise<void> {
    this.#users--;
    if (this.#users > 0) {
      return;
    }
    const opened = this.#opened;
    this.#opened = undefined;
    const closing = (async () => {
      const db = await opened?.catch(() => undefined);
      await db?.close();
    })();
    this.#closing = closing;
    await closing;
  }
}

export function isOpener(database: unknown): database is DatabaseOpener {
  const { path, open } = (database ?? {}) as Partial<DatabaseOpener>;
  return !(database instanceof Database) && typeof path === 'string' && path !== '' && typeof open === 'function';
}

/** Returns the database behind a `db` option. Throws while it is closed, if its owner opens and closes it. */
export function databaseBehind(source: Database | DatabaseSource): Database {
  const database = (source as Partial<DatabaseSource>)[databaseOf] ?? (source as Database);
  if (typeof (database as Partial<Database>).latestSequenceNumber !== 'bigint') {
    throw invalidOption(TypeError, 'db', 'a Database', describe(source));
  }
  return database;
}
