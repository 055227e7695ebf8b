import { DAMAGE } from './damage.js';
import type { DirectoryState } from './directory-state.js';
import type { Suspect } from './manager-state.js';
import { type BackupRef, isSameBackup, type OperationRecord } from './operation-record.js';

/** What is known of a backup by what was done to it. */
export type Health = 'good' | 'corrupt' | 'unverified';

/** The history, and what is remembered for longer than that. */
export function recordsNewestFirst({ last, history }: DirectoryState): OperationRecord[] {
  const older = Object.values(last).sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return [...older, ...history].reverse();
}

/** Whether a backup is damaged, or shares a file with one of which it is not known which file is: nobody decides it but this. */
export function suspicionOf(backup: BackupRef, suspects: readonly Suspect[]): Suspect | undefined {
  return suspects.find((suspect) => isSameBackup(suspect, backup));
}

/**
 * Of one backup: its own records, and its damage. What was found damaged stays so until it is read and found whole; no record of a
 * look at names and sizes changes that. A verify that was stopped, or could not read the disk for once, says nothing.
 */
export function healthOf(newestFirst: readonly OperationRecord[], suspicion: Suspect | undefined): Health {
  if (suspicion !== undefined) {
    return suspicion.isDamaged ? 'corrupt' : 'unverified';
  }
  const last = newestFirst.find(
    ({ operation, ok, error }) =>
      (operation === 'verify' || operation === 'drill') && (ok || DAMAGE.has(error?.code ?? '')),
  );
  return last?.ok ? 'good' : 'unverified';
}
