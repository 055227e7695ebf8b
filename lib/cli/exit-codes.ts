import { errorCode } from '../base/errors.js';

/** The exits of a command and their numbers for scripts. The numbers are stable. */
export const exitCodes = {
  ok: { number: 0, meaning: 'done' },
  failed: { number: 1, meaning: 'it failed; the message says why' },
  usage: { number: 2, meaning: 'the command line or the configuration is wrong; nothing was done' },
  notFound: { number: 3, meaning: 'there is no such database, repository, backup, column family or key' },
  locked: { number: 4, meaning: 'another process or operation uses the database, the repository or the backup' },
  corrupt: { number: 5, meaning: 'a backup or a database is damaged, or cannot be read' },
  stopped: { number: 6, meaning: 'it was stopped (Ctrl-C, SIGTERM, SIGHUP), or the answer to the question was no' },
  differs: { number: 7, meaning: 'diff found differences' },
} as const;

export type Exit = keyof typeof exitCodes;

/** The exit codes when a process ends at once: after a second Ctrl-C, SIGTERM or SIGHUP. */
export const AT_ONCE = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const byErrorCode: Record<string, Exit> = {
  USAGE: 'usage',
  INVALID_OPTION: 'usage',
  BACKUP_NOT_FOUND: 'notFound',
  DIRECTORY_NOT_FOUND: 'notFound',
  DATABASE_NOT_FOUND: 'notFound',
  COLUMN_FAMILY_NOT_FOUND: 'notFound',
  STORE_NO_BUCKET: 'notFound',
  KEY_NOT_FOUND: 'notFound',
  ARCHIVE_EMPTY: 'notFound',
  POINT_NOT_FOUND: 'notFound',
  TARGET_BEFORE_WINDOW: 'notFound',
  TARGET_AFTER_WINDOW: 'notFound',
  AMBIGUOUS_TIME: 'usage',
  AMBIGUOUS_POINT: 'usage',
  CONFIG_NOT_FOUND: 'notFound',
  BACKUP_LOCKED: 'locked',
  BACKUP_IN_USE: 'locked',
  DATABASE_IN_USE: 'locked',
  STATE_LOCKED: 'locked',
  STATE_CHANGED: 'locked',
  LOCK_LOST: 'locked',
  ARCHIVE_LOCKED: 'locked',
  BACKUP_CORRUPT: 'corrupt',
  ARCHIVE_GAP: 'corrupt',
  ARCHIVE_CORRUPT: 'corrupt',
  SEGMENT_CORRUPT: 'corrupt',
  DRILL_FAILED: 'corrupt',
  ROCKSDB_CORRUPTION: 'corrupt',
  BACKUP_STOPPED: 'stopped',
  VERIFY_STOPPED: 'stopped',
  RESTORE_STOPPED: 'stopped',
  OPEN_STOPPED: 'stopped',
  STOPPED: 'stopped',
  ABORT_ERR: 'stopped',
};

export function exitOf(error: unknown): Exit {
  const { name } = (error ?? {}) as { name?: unknown };
  const code = errorCode(error);
  if (name === 'AbortError') {
    return 'stopped';
  }
  return (code !== undefined && Object.hasOwn(byErrorCode, code) ? byErrorCode[code] : undefined) ?? 'failed';
}
