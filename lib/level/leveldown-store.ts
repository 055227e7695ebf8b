import type { Database } from '../database.js';
import { RocksDBError } from '../errors.js';
import type { Handle } from '../handle.js';
import { handleOf } from '../key-space.js';
import type { NativeDatabase } from '../native-database.js';

/** The database behind a store: what its `open` and `close` change, and all its methods need. */
export class Store {
  readonly location: string;
  #opening: Promise<Database> | undefined;
  #database: Database | undefined;

  constructor(location: string) {
    this.location = location;
  }

  /** The open database. */
  get database(): Database {
    if (this.#database === undefined || !handleOf(this.#database).isOpen) {
      throw new RocksDBError(
        `Database is not open: call open() on the store of ${this.location} and wait for its callback`,
        'DATABASE_CLOSED',
      );
    }
    return this.#database;
  }

  get handle(): Handle {
    return handleOf(this.database);
  }

  get native(): NativeDatabase {
    return this.handle.native;
  }

  async open(attempt: () => Promise<Database>): Promise<void> {
    if (this.#opening !== undefined) {
      throw new RocksDBError(
        `open ${this.location}: this store is open already; close() it before you open it again`,
        'DATABASE_IN_USE',
      );
    }
    this.#opening = attempt();
    try {
      this.#database = await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  /** Closes what is open, or is being opened. */
  async close(): Promise<void> {
    const opening = this.#opening;
    const database = await opening?.catch(() => undefined); // whoever opens is told
    try {
      await database?.close();
    } finally {
      if (this.#opening === opening) {
        this.#opening = undefined;
        this.#database = undefined;
      }
    }
  }
}
