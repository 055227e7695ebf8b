import { RocksDBError } from '../base/errors.js';

/** How messages begin in rocksdb, which has no codes: what the code above it looks for. */
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
 * An error as rocksdb has it: an `Error`, so that its text begins with `Error: `, whose message begins with RocksDB's word for
 * what happened. It has the code of ours, which is its cause.
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

/** An error of a store alone. */
export function storeError(message: string, code: string, cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

/** What an iterator says whose store was closed. */
export function iteratorEnded(): Error {
  return storeError('iterator has ended', 'DATABASE_CLOSED');
}
