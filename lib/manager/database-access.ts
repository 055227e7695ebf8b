import { describe, invalidOption } from '../base/errors.js';
import { realPathOf } from '../base/real-path.js';
import { Database, type DatabaseSource, databaseOf } from '../database/database.js';

/** A database that is open only while a {@link BackupManager} works with it, for programs that have no other use for it. */
export interface DatabaseOpener {
  /** The database's directory. */
  readonly path: string;
  /** Opens it. The manager closes it when it has done its work. */
  open(): Promise<Database>;
}

/** What a manager can be given as its database. */
export type ManagedDatabase = Database | DatabaseSource | DatabaseOpener;

/** A manager's way to its database: one that its owner has open, or one that is opened for each piece of work. */
export class DatabaseAccess {
  readonly #database: ManagedDatabase;
  #users = 0;
  #opened: Promise<Database> | undefined;
  #closing: Promise<void> | undefined;

  constructor(database: ManagedDatabase) {
    this.#database = database;
  }

  /** The database's directory: absolute, links resolved. Throws while a source has no open database. */
  get path(): string {
    return isOpener(this.#database) ? realPathOf(this.#database.path) : databaseBehind(this.#database).path;
  }

  /** Which database it is; undefined while it is not open. */
  get identity(): string | undefined {
    try {
      return isOpener(this.#database) ? undefined : databaseBehind(this.#database).identity;
    } catch {
      return undefined;
    }
  }

  /** The database, to be let go of when the work is done. What works at the same time has the same one. */
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

/** The database behind what was given as one. Throws while it is closed, if it is one that opens and closes. */
export function databaseBehind(source: Database | DatabaseSource): Database {
  const database = (source as Partial<DatabaseSource>)[databaseOf] ?? (source as Database);
  if (typeof (database as Partial<Database>).latestSequenceNumber !== 'bigint') {
    throw invalidOption(TypeError, 'db', 'a Database', describe(source));
  }
  return database;
}
