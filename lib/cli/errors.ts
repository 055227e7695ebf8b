import { type Advice, withAdvice, withoutFullStop } from '../base/advice.js';
import { errorCode, RocksDBError, type RocksDBErrorDetails } from '../base/errors.js';
import type { RecordedError } from '../manager/operation-record.js';
import { toReadAgain } from '../manager/unreadable-backups.js';
import { COMMAND_ADVICE } from './advice.js';

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

export function notFound(code: `${string}_NOT_FOUND`, message: string, facts?: RocksDBErrorDetails): RocksDBError {
  return new RocksDBError(message, code, facts);
}

/** The message for a user at a terminal: what happened, to which file, and what to do. */
export function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  const text =
    error instanceof RocksDBError
      ? inOwnWords(error.whatHappened, error.advice)
      : typeof message === 'string' && message !== ''
        ? message
        : String(error);
  const why =
    error instanceof RocksDBError && error.code === 'BACKUP_CORRUPT' && error.advice === undefined
      ? error.why
      : undefined;
  return why === undefined || why === 'damaged' ? text : `${withoutFullStop(text)}. ${capital(toReadAgain(why))}.`;
}

/** Makes the first letter a capital, as at the start of a sentence. */
export function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** What happened, and what the user of the command line can do about it. */
function inOwnWords(whatHappened: string, advice: string | undefined): string {
  const known = advice !== undefined && Object.hasOwn(COMMAND_ADVICE, advice);
  return withAdvice(whatHappened, known ? COMMAND_ADVICE[advice as Advice] : undefined);
}

/** The same for an error in the history. */
export function recordedInOwnWords(error: RecordedError | undefined): string {
  return error === undefined ? 'no reason is known' : inOwnWords(error.message, error.advice);
}

/** The stable code of an error. */
export function codeOf(error: unknown): string {
  const { name } = (error ?? {}) as { name?: unknown };
  return errorCode(error) ?? (name === 'AbortError' ? 'STOPPED' : 'FAILED');
}

/** The message without the full stop, for use inside a sentence. */
export function reasonOf(error: unknown): string {
  return withoutFullStop(messageOf(error));
}

/** Whether something failed because a disk is full. */
export function isFullDisk(error: unknown): boolean {
  const { subcode, cause } = (error ?? {}) as { subcode?: unknown; cause?: unknown };
  const isFull = [errorCode(error), subcode].some(
    (word) => word === 'ENOSPC' || word === 'EDQUOT' || word === 'NO_SPACE',
  );
  return isFull || (cause !== undefined && isFullDisk(cause));
}
