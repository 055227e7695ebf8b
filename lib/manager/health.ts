import type { Suspect } from '../backup/known-damage.js';
import { DAMAGE } from './damage.js';
import type { DirectoryState } from './directory-state.js';
import { type BackupRef, isSameBackup, type OperationRecord } from './operation-record.js';

/** What earlier operations say about a backup. */
export type Health = 'good' | 'corrupt' | 'unverified';

/** The history entries, and the older ones that are kept in `last`; newest first. */
export function recordsNewestFirst({ last, history }: DirectoryState): OperationRecord[] {
  const older = Object.values(last).sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return [...older, ...history].reverse();
}

/**
 * Whether a backup is damaged, or shares a file with a damaged backup whose damaged file is not known. All code that needs to know this
 * uses this function.
 */
export function suspicionOf(backup: BackupRef, suspects: readonly Suspect[]): Suspect | undefined {
  return suspects.find((suspect) => isSameBackup(suspect, backup));
}

/**
 * The health of one backup, from its own history entries and its damage. Known damage remains until the file is read and found intact; a
 * later check of names and sizes does not clear it. A verify says nothing if it was stopped, if it could not read the disk at that
 * moment, or if it knew no sizes and read nothing.
 */
export function healthOf(newestFirst: readonly OperationRecord[], suspicion: Suspect | undefined): Health {
  if (suspicion !== undefined) {
    return suspicion.isDamaged ? 'corrupt' : 'unverified';
  }
  const last = newestFirst.find(
    ({ operation, ok, error, detail }) =>
      (operation === 'verify' || operation === 'drill') &&
      (ok ? detail?.sizesKnown !== false : DAMAGE.has(error?.code ?? '')),
  );
  return last?.ok ? 'good' : 'unverified';
}
