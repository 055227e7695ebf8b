import type { DirectoryState, Pin } from './directory-state.js';
import { type BackupRef, isSameBackup } from './operation-record.js';

/** Whether a backup is kept until it is unpinned. */
export function isPinned(state: DirectoryState, backup: BackupRef): boolean {
  return pinOf(state, backup) !== undefined;
}

/** The pin of a backup, if it has one. */
export function pinOf(state: DirectoryState, backup: BackupRef): Pin | undefined {
  return state.pins.find((pinned) => isSameBackup(pinned, backup));
}

/** Pins a backup; again only changes the note. */
export function pin(state: DirectoryState, backup: BackupRef, note?: string): void {
  const { backupId, timestamp } = backup;
  unpin(state, backup);
  state.pins.push({
    backupId,
    timestamp: new Date(timestamp).toISOString(),
    ...(note === undefined ? {} : { note }),
    at: new Date().toISOString(),
  });
}

/** Lets go of a pinned backup. @returns whether it was pinned */
export function unpin(state: DirectoryState, backup: BackupRef): boolean {
  const before = state.pins.length;
  state.pins = state.pins.filter((pinned) => !isSameBackup(pinned, backup));
  return state.pins.length < before;
}

/** Says that the pins are as they should be again, after they had been lost: pruning goes on. */
export function acknowledgeLostPins(state: DirectoryState): void {
  delete state.pinsLost;
}
