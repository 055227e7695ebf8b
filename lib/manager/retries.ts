import { errorCode } from '../base/errors.js';

/** Codes of failures that may pass by themselves: somebody else holds the directory, or the system has a bad moment. */
const PASSING = new Set([
  'BACKUP_LOCKED',
  // The next attempt takes the lock that is there.
  'LOCK_LOST',
  // Of a manager that opens its database for each backup: another process has it for the moment.
  'DATABASE_IN_USE',
  'NO_SPACE',
  'ROCKSDB_IO_ERROR',
  'ROCKSDB_BUSY',
  'ROCKSDB_TIMED_OUT',
  'ROCKSDB_TRY_AGAIN',
  // A backup that was made and did not verify: the next attempt is a full one.
  'BACKUP_CORRUPT',
  'STATE_UNWRITABLE',
  'EACCES',
  'EAGAIN',
  'EBUSY',
  'EDQUOT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EINTR',
  'EIO',
  'EMFILE',
  'ENETDOWN',
  'ENFILE',
  'ENOLCK',
  'ENOMEM',
  'ENOSPC',
  'ENOTCONN',
  'EROFS',
  'ESTALE',
  'ETIMEDOUT',
]);

/**
 * Whether to try again after an error. Not after wrong options, a closed database, or a stop: they do not pass.
 */
export function mayPass(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && PASSING.has(code);
}

/** The wait before an attempt: doubling, and between half and all of it at random, so that two do not meet again and again. */
export function backoff(
  attempt: number,
  { delay, maxDelay }: { delay: number; maxDelay: number },
  random: () => number,
): number {
  const longest = Math.min(maxDelay, delay * 2 ** Math.min(attempt - 1, 30));
  return Math.round(longest * (0.5 + random() / 2));
}

/** An error, whatever was thrown. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}
