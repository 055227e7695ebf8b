import { RocksDBError } from '../base/errors.js';
import type { Database } from '../database/database.js';
import { handleOf } from '../database/key-space.js';
import type { Handle } from '../native/handle.js';
import type { MaybePromise, NativeDatabase } from '../native/native-database.js';
import type { AnyCallback } from './leveldown-abstract.js';
import { answer, answerDone, type Tally } from './leveldown-answer.js';
import { asStoreError } from './leveldown-errors.js';

/** The database behind a store. `open` and `close` change it; all other methods of a store use it. */
export class Store {
  readonly location: string;
  #opening: Promise<Database> | undefined;
  #database: Database | undefined;
  #begun = 0;
  #whenAllEnded: (() => void)[] = [];
  /** Counts the calls that have not called back yet. `close` waits for them. */
  readonly tally: Tally = {
    begin: () => {
      this.#begun++;
    },
    end: () => {
      if (--this.#begun > 0) return;
      for (const resolve of this.#whenAllEnded.splice(0)) resolve();
    },
  };

  constructor(location: string) {
    this.location = location;
  }

  /** The open database. */
  get database(): Database {
    if (this.#database === undefined || !handleOf(this.#database).isOpen) {
      throw new RocksDBError(
        `Database is not open: call open() on the store of ${this.location} and wait for its callback`,
        'DATABASE_CLOSED',
        { path: this.location },
      );
    }
    return this.#database;
  }

  get handle(): Handle {
    try {
      return handleOf(this.database);
    } catch (error) {
      throw asStoreError(error);
    }
  }

  /** Whether a handle of this store can still be used. */
  isOpen(handle: Handle): boolean {
    return this.#database !== undefined && handleOf(this.#database) === handle && handle.isOpen;
  }

  get native(): NativeDatabase {
    return this.handle.native;
  }

  async open(attempt: () => Promise<Database>): Promise<void> {
    if (this.#opening !== undefined) {
      throw new RocksDBError(
        `open ${this.location}: this store is open already; close() it before you open it again`,
        'DATABASE_IN_USE',
        { path: this.location, holder: 'this process' },
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

  /** See {@link answer}. */
  answer<T>(callback: AnyCallback, attempt: () => MaybePromise<T>, finish?: (value: T) => unknown): void {
    answer(callback, attempt, finish, this.tally);
  }

  /** See {@link answerDone}. */
  answerDone(callback: AnyCallback, attempt: () => MaybePromise<unknown>): void {
    answerDone(callback, attempt, this.tally);
  }

  /** Closes the database, even if it is still being opened. It waits until all earlier calls are done and have called back. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#database = undefined; // from now on no call can begin
    const database = await opening?.catch(() => undefined); // the caller of open() gets the error
    if (this.#opening === opening) {
      this.#database = undefined;
    }
    if (this.#begun > 0) {
      await new Promise<void>((resolve) => this.#whenAllEnded.push(resolve));
    }
    try {
      await database?.close();
    } finally {
      if (this.#opening === opening) {
        this.#opening = undefined;
      }
    }
  }
}
