import { type Advice, LIBRARY_ADVICE, withAdvice } from './advice.js';

/**
 * Why something cannot be read: this user has no permission (`denied`), or the disk fails (`io`). With a backup also `damaged`: a file of
 * it is damaged or missing, or cannot be read for another reason.
 */
export type WhyUnreadable = 'denied' | 'io' | 'damaged';

/** How bad an error is for the whole database, in RocksDB's judgement. RocksDB does not say it for every error. */
export type ErrorSeverity = 'soft' | 'hard' | 'fatal' | 'unrecoverable';

/**
 * Every error that comes from RocksDB or from this library. Wrong arguments are different: they throw `TypeError`s and `RangeError`s with
 * the code `INVALID_OPTION`.
 *
 * `code` is stable and made to be compared. Errors that RocksDB reports have `ROCKSDB_<STATUS>` (`ROCKSDB_CORRUPTION`, `ROCKSDB_IO_ERROR`,
 * ...). Errors of this library have their own words (`DATABASE_CLOSED`, `DATABASE_IN_USE`, `BACKUP_STOPPED`, ...).
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
  // The following are only declared. So an error has no property for a fact that does not apply, and a log does not show it as undefined.

  /** A more exact code from RocksDB, for instance `NO_SPACE`. Undefined if RocksDB gives none. */
  declare readonly subcode?: string;
  /** How bad the error is for the whole database. Undefined if RocksDB does not say. */
  declare readonly severity?: ErrorSeverity;
  /**
   * With BACKUP_CORRUPT: the damaged files of the backup, as paths relative to the repository's directory, if they are known. With
   * ROCKSDB_IO_ERROR from a verify: the files that could not be read.
   */
  declare readonly damagedFiles?: readonly string[];
  /** The files that a deletion had to leave, as paths relative to the repository's directory. */
  declare readonly leftFiles?: readonly string[];
  /**
   * Why the file or the backup could not be read. With BACKUP_CORRUPT, a backup that is `denied` or `io` may be whole. With other codes,
   * `denied` or `io`, if that is known; then also if something could not be written.
   */
  declare readonly why?: WhyUnreadable;
  /** The file, the directory or the object of a store that the error is about. Of a copy from one place to another, the place that is written. */
  declare readonly path?: string;
  /** The backup that the error is about. If there are several, one of them. */
  declare readonly backupId?: number;
  /** With DATABASE_DIFFERS: the database that was to be backed up, or that is in the restore's target. */
  declare readonly databaseId?: string;
  /** Who has a lock, or a database open, in words: with BACKUP_LOCKED, DATABASE_IN_USE, and BACKUP_IN_USE if the backup is being deleted. */
  declare readonly holder?: string;
  /** With NO_SPACE: how many bytes were to be written. */
  declare readonly bytesNeeded?: number;
  /** With NO_SPACE: how many bytes are free there. */
  declare readonly bytesFree?: number;
  /** With STORE_REFUSED: until when the store has locked the backup, in milliseconds since 1970, if that is known. */
  declare readonly lockedUntil?: number;
  /**
   * With TARGET_ codes and ARCHIVE_GAP: the times between which the archive has something, or lacks it; as texts, to the microsecond.
   */
  declare readonly from?: string;
  declare readonly to?: string;
  /** The same as sequence numbers of writes. */
  declare readonly firstSequence?: number;
  declare readonly lastSequence?: number;
  /** With STORE_ codes: the HTTP status of the store's answer. */
  declare readonly status?: number;
  /** With STORE_ codes: the store's own code, such as `AccessDenied`. */
  declare readonly storeCode?: string;
  /** With STORE_ codes: by this id, those who run the store find the request. */
  declare readonly requestId?: string;
  /** A word for what can be done about the error. A program can use it to give advice in its own terms. */
  declare readonly advice?: Advice;
  readonly #whatHappened: string;

  constructor(whatHappened: string, code: string, details: RocksDBErrorDetails = {}) {
    super(withAdvice(whatHappened, details.advice && LIBRARY_ADVICE[details.advice]));
    this.code = code;
    this.#whatHappened = whatHappened;
    Object.assign(this, details);
  }

  /** What happened, without what to do about it. The message has both. */
  get whatHappened(): string {
    return this.#whatHappened;
  }
}

/** What a {@link RocksDBError} has beside its message and its code. */
export type RocksDBErrorDetails = Partial<
  Pick<
    RocksDBError,
    | 'subcode'
    | 'severity'
    | 'damagedFiles'
    | 'leftFiles'
    | 'why'
    | 'path'
    | 'backupId'
    | 'databaseId'
    | 'holder'
    | 'bytesNeeded'
    | 'bytesFree'
    | 'lockedUntil'
    | 'from'
    | 'to'
    | 'firstSequence'
    | 'lastSequence'
    | 'status'
    | 'storeCode'
    | 'requestId'
    | 'advice'
  >
>;

/**
 * Makes the error about a wrong argument. It says which argument, what was expected and what was given. Only for what TypeScript code alone
 * can check; native code makes the same error for everything else.
 */
export function invalidOption(
  Kind: TypeErrorConstructor | RangeErrorConstructor,
  name: string,
  expected: string,
  actual: string,
): Error {
  return Object.assign(new Kind(`${name} must be ${expected}, not ${actual}`), { code: 'INVALID_OPTION' });
}

/** The `code` of anything that was thrown. Undefined if it has none. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/**
 * Describes any value for an error message. It does not convert objects to strings, because that can fail. Native code uses the same words.
 */
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

/** Array.isArray throws for a proxy that was revoked. */
function isArray(value: object): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

const SHOWN_BYTES = 80;

/** Formats a key for a message: as text if it is ASCII text, otherwise in hexadecimal digits. */
export function showKey(key: Buffer): string {
  const shown = key.subarray(0, SHOWN_BYTES);
  const more = key.length > SHOWN_BYTES ? `... (${key.length} bytes)` : '';
  const text = shown.toString('latin1');
  return /^[\x20-\x7e]+$/.test(text) ? `"${text}"${more}` : `0x${shown.toString('hex')}${more}`;
}
