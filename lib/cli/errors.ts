import { errorCode, RocksDBError } from '../base/errors.js';
import { toReadAgain, unreadableFor } from '../manager/unreadable-backups.js';

/** A command line that is wrong. `hint` is what the user can type instead. */
export class UsageError extends Error {
  readonly code = 'USAGE';

  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** The signal's reason when a command is asked to stop, and the error when the user answers no. */
export class StoppedError extends Error {
  readonly code = 'STOPPED';
}

export function notFound(code: `${string}_NOT_FOUND`, message: string): RocksDBError {
  return new RocksDBError(message, code);
}

// Replaces advice in messages of the library by the words of the command line.
const words: readonly (readonly [RegExp, string])[] = [
  [/pass force: true/g, 'pass --force'],
  [/deleteBackup\((\w+), \{ force: true \}\)/g, 'rocksdb-backup delete --force'],
  [/pass overwrite: true, which/g, 'pass --overwrite, which'],
  [
    /Restore another backup; getBackupInfo\(\) lists them\./g,
    "Restore another backup; 'rocksdb-backup list' shows them.",
  ],
  [/Choose a new directory as walDir/g, 'Choose a new directory with --wal-dir'],
  [/pass allowOtherDatabase: true/g, 'pass --allow-other-database'],
  [/pass checkDiskSpace: false/g, 'pass --no-space-check'],
  [/or drill in another directory\./g, 'or name another place with --directory.'],
  [/Check the path; an engine opened without readOnly: true makes a new one\./g, 'Check the path.'],
  [/Name one that does the same in mergeOperator; any/g, 'Name one that does the same with --merge-operator; any'],
  [/, and createIfMissing is false/g, ''],
  [/getCorruptedBackups\(\) tells which/g, 'rocksdb-backup list tells which'],
  [/Open it with openBackup\(\), or move it/g, 'Read it with get, scan and diff, or move it'],
  [/\bmaxBackups (?=\d)/g, '--max-backups '],
  [/\bmaxBytes (?=\d)/g, '--max-bytes '],
  [/pass includeDamaged: true/g, 'pass --include-damaged'],
  [/, or open it with mode 'readOnly'/g, ''],
  [/Name the merge operator in mergeOperator,/g, 'Name the merge operator with --merge-operator,'],
  [
    /: close it there first, or open it here with mode "readOnly" or as a secondary/g,
    ': back it up from inside that process with BackupManager, or stop the service first',
  ],
];

/** The message for a user at a terminal: what happened, to which file, and what to do. */
export function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  const text = inOwnWords(typeof message === 'string' && message !== '' ? message : String(error));
  const why = codeOf(error) === 'BACKUP_CORRUPT' ? unreadableFor(text) : 'damage';
  return why === 'damage' ? text : `${text.replace(/\.$/, '')}. ${capital(toReadAgain(why))}.`;
}

/** Makes the first letter a capital, as at the start of a sentence. */
export function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** Rewrites a message of the library, also one from the history, to the options of the command line. */
export function inOwnWords(sentence: string): string {
  let text = sentence;
  for (const [pattern, replacement] of words) {
    text = text.replace(pattern, replacement);
  }
  return text;
}

/** The stable code of an error. */
export function codeOf(error: unknown): string {
  const { name } = (error ?? {}) as { name?: unknown };
  return errorCode(error) ?? (name === 'AbortError' ? 'STOPPED' : 'FAILED');
}

/** The message without the full stop, for use inside a sentence. */
export function reasonOf(error: unknown): string {
  return messageOf(error).replace(/\.$/, '');
}

/** Whether something failed because a disk is full. */
export function isFullDisk(error: unknown): boolean {
  const { code, subcode, cause } = (error ?? {}) as { code?: unknown; subcode?: unknown; cause?: unknown };
  const isFull = [code, subcode].some((word) => word === 'ENOSPC' || word === 'EDQUOT' || word === 'NO_SPACE');
  return isFull || (cause !== undefined && isFullDisk(cause));
}
