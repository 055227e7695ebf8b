import { RocksDBError } from '../base/errors.js';

/** Maps our codes to those of classic-level that users of abstract-level know. */
const codes: Record<string, string> = {
  DATABASE_IN_USE: 'LEVEL_LOCKED',
  ROCKSDB_CORRUPTION: 'LEVEL_CORRUPTION',
  ROCKSDB_IO_ERROR: 'LEVEL_IO_ERROR',
};

/** Makes an error with a code of abstract-level. */
function levelError(message: string, code: string, cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

/** Converts an error of opening, destroying or repairing. It gets the code that classic-level uses for it, if there is one. */
export function asLevelError(error: unknown): unknown {
  const code = error instanceof RocksDBError ? codes[error.code] : undefined;
  return code === undefined ? error : levelError((error as RocksDBError).message, code, error);
}

/** The error of a method that was called before the database was open and cannot wait for it. */
export function notOpen(method: string): Error {
  return levelError(`the database is not open: await open() before ${method}`, 'LEVEL_DATABASE_NOT_OPEN');
}

/** The error of an iterator whose signal was aborted. */
export function aborted(signal: AbortSignal): Error {
  const error = levelError('the operation was aborted', 'LEVEL_ABORTED', signal.reason);
  error.name = 'AbortError';
  return error;
}
