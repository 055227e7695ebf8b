import { errorCode } from '../base/errors.js';

/**
 * Codes of failures that may go away by themselves: somebody else has locked the repository, or the operating system has a temporary
 * problem.
 */
const PASSING = new Set([
  'BACKUP_LOCKED',
  // The next attempt takes the lock on the current lock file.
  'LOCK_LOST',
  // For a manager that opens its database for each backup: another process has it open at the moment.
  'DATABASE_IN_USE',
  'NO_SPACE',
  'ROCKSDB_IO_ERROR',
  'ROCKSDB_BUSY',
  'ROCKSDB_TIMED_OUT',
  'ROCKSDB_TRY_AGAIN',
  // A new backup failed its verify. The next attempt makes a full one.
  'BACKUP_CORRUPT',
  // A listing was not complete yet.
  'STORAGE_INCONSISTENT',
  'STATE_NOT_DURABLE',
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
 * Whether to try again after an error. Wrong options, a closed database and a stop do not go away, so there is no new attempt after these.
 */
export function mayPass(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && PASSING.has(code);
}

/**
 * The wait before an attempt. It doubles each time. A random part of up to a half is subtracted, so that two processes do not collide again
 * and again.
 */
export function backoff(
  attempt: number,
  { delay, maxDelay }: { delay: number; maxDelay: number },
  random: () => number,
): number {
  const longest = Math.min(maxDelay, delay * 2 ** Math.min(attempt - 1, 30));
  return Math.round(longest * (0.5 + random() / 2));
}

/** Converts anything that was thrown to an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}
