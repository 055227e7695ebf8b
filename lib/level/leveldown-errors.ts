import { RocksDBError } from '../base/errors.js';

/** The beginnings of messages in rocksdb. Its errors have no codes, so code above it looks for these beginnings. */
const beginnings: Record<string, string> = {
  ROCKSDB_NOT_FOUND: 'NotFound: ',
  ROCKSDB_CORRUPTION: 'Corruption: ',
  ROCKSDB_NOT_SUPPORTED: 'Not implemented: ',
  ROCKSDB_INVALID_ARGUMENT: 'Invalid argument: ',
  ROCKSDB_IO_ERROR: 'IO error: ',
  ROCKSDB_MERGE_IN_PROGRESS: 'Merge in progress: ',
  ROCKSDB_INCOMPLETE: 'Result incomplete: ',
  ROCKSDB_SHUTDOWN_IN_PROGRESS: 'Shutdown in progress: ',
  ROCKSDB_TIMED_OUT: 'Operation timed out: ',
  ROCKSDB_ABORTED: 'Operation aborted: ',
  ROCKSDB_BUSY: 'Resource busy: ',
  ROCKSDB_TRY_AGAIN: 'Operation failed. Try again.: ',
  DATABASE_IN_USE: 'IO error: lock: ',
  LEVELDB_DIRECTORY: 'Invalid argument: ',
  MERGE_OPERATOR_UNKNOWN: 'Invalid argument: ',
};

/**
 * Converts an error to one like those of rocksdb: an `Error`, so that its text begins with `Error: `, with a message that begins with
 * RocksDB's word for the problem. It also has our code, and our error as its cause.
 */
export function asStoreError(error: unknown): unknown {
  if (!(error instanceof RocksDBError)) {
    return error;
  }
  const { code, subcode, severity, message } = error;
  const begins = beginnings[code] ?? '';
  const text = message.startsWith(begins) ? message : begins + message.replace(begins, '');
  return Object.assign(storeError(text, code, error), {
    ...(subcode !== undefined && { subcode }),
    ...(severity !== undefined && { severity }),
  });
}

/** An error that only stores have. */
export function storeError(message: string, code: string, cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

/** The error of an iterator whose store was closed. */
export function iteratorEnded(): Error {
  return storeError('iterator has ended', 'DATABASE_CLOSED');
}
