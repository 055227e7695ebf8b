import type { Handle } from '../native/handle.js';
import type { Database } from './database.js';
import { familyIdOf, handleOf, KeySpace } from './key-space.js';

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
