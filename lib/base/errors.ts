import { type Advice, LIBRARY_ADVICE, withAdvice } from './advice.js';

/** How bad RocksDB holds an error to be for the whole database, where it says so. */
export type ErrorSeverity = 'soft' | 'hard' | 'fatal' | 'unrecoverable';

/**
 * Every error that comes from the engine or from this library. Wrong arguments are `TypeError`s and `RangeError`s with the
 * code `INVALID_OPTION` instead.
 *
 * `code` is stable and made to be compared: `ROCKSDB_<STATUS>` for what RocksDB reports (`ROCKSDB_CORRUPTION`,
 * `ROCKSDB_IO_ERROR`, ...), and words of this library's own (`DATABASE_CLOSED`, `DATABASE_IN_USE`, `BACKUP_STOPPED`, ...).
 *
 * @example
 * try {
 *   await Database.open('/var/lib/app');
 * } catch (error) {
 *   if (error instanceof RocksDBError && error.code === 'DATABASE_IN_USE') {
 *     console.error('Is the service still running?');
 *   }
 * }
 */
export class RocksDBError extends Error {
  static {
    RocksDBError.prototype.name = 'RocksDBError';
  }

  /** What went wrong, in one stable word. */
  readonly code: string;
  /** RocksDB's finer distinction, `NO_SPACE` for instance, where there is one. */
  readonly subcode?: string;
  /** How bad RocksDB holds it to be, where it says so. */
  readonly severity?: ErrorSeverity;
  /**
   * With BACKUP_CORRUPT: which files of the backup are damaged, relative to its directory, where that is known. With
   * ROCKSDB_IO_ERROR from a verify: which could not be read.
   */
  readonly damagedFiles?: readonly string[];
  /** The file or directory that it is about. */
  readonly path?: string;
  /** The backup that it is about. */
  readonly backupId?: number;
  /** With DATABASE_DIFFERS: the database that was to be backed up, or that is in the restore's target. */
  readonly databaseId?: string;
  /** Who has a lock, or a database open, in words: with BACKUP_LOCKED and DATABASE_IN_USE. */
  readonly holder?: string;
  /** With NO_SPACE: how many bytes were to be written. */
  readonly bytesNeeded?: number;
  /** With NO_SPACE: how many bytes are free there. */
  readonly bytesFree?: number;
  /** What happened, without what to do about it. The message has both. */
  readonly whatHappened: string;
  /** A word for what to do about it, for those who word that themselves. */
  readonly advice?: Advice;

  constructor(whatHappened: string, code: string, details: RocksDBErrorDetails = {}) {
    super(withAdvice(whatHappened, details.advice && LIBRARY_ADVICE[details.advice]));
    this.code = code;
    this.whatHappened = whatHappened;
    Object.assign(this, details);
  }
}

/** What a {@link RocksDBError} has beside its message and its code. */
export type RocksDBErrorDetails = Partial<
  Pick<
    RocksDBError,
    | 'subcode'
    | 'severity'
    | 'damagedFiles'
    | 'path'
    | 'backupId'
    | 'databaseId'
    | 'holder'
    | 'bytesNeeded'
    | 'bytesFree'
    | 'advice'
  >
>;

/**
 * The error about an argument that cannot be: which, what was expected, what was given. For what only lib can tell; native
 * code makes the same for everything else.
 */
export function invalidOption(
  Kind: TypeErrorConstructor | RangeErrorConstructor,
  name: string,
  expected: string,
  actual: string,
): Error {
  return Object.assign(new Kind(`${name} must be ${expected}, not ${actual}`), { code: 'INVALID_OPTION' });
}

/** The `code` of whatever was thrown; undefined if it has none. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** A value in the words of a message, whatever it is: not everything can be made a string. As native code says it. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `the string "${value.length > 100 ? `${value.slice(0, 100)}...` : value}"`;
    case 'bigint':
      return `${value}n`;
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    case 'object':
      return value === null ? 'null' : isArray(value) ? 'an array' : ArrayBuffer.isView(value) ? 'bytes' : 'an object';
    default:
      return String(value);
  }
}

/** A proxy that was revoked throws over being asked. */
function isArray(value: object): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
