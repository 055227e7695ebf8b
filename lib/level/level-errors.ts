import { RocksDBError } from '../base/errors.js';

/** Our codes for what abstract-level's users know by a code of classic-level. */
const codes: Record<string, string> = {
  DATABASE_IN_USE: 'LEVEL_LOCKED',
  ROCKSDB_CORRUPTION: 'LEVEL_CORRUPTION',
  ROCKSDB_IO_ERROR: 'LEVEL_IO_ERROR',
};

/** An error with a code of abstract-level's. */
export function levelError(message: string, code: string, cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

/** The error of opening, destroying or repairing, under the code that classic-level gives it where it has one. */
export function asLevelError(error: unknown): unknown {
  const code = error instanceof RocksDBError ? codes[error.code] : undefined;
  return code === undefined ? error : levelError((error as RocksDBError).message, code, error);
}

/** What a method does that cannot wait for the database to be opened. */
export function notOpen(method: string): Error {
  return levelError(`the database is not open: await open() before ${method}`, 'LEVEL_DATABASE_NOT_OPEN');
}

/** What an iterator does whose signal was aborted. */
export function aborted(signal: AbortSignal): Error {
  const error = levelError('the operation was aborted', 'LEVEL_ABORTED', signal.reason);
  error.name = 'AbortError';
  return error;
}
