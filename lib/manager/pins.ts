import type { DirectoryState, Pin } from './directory-state.js';
import { type BackupRef, isSameBackup } from './operation-record.js';

/** Whether a backup is kept until it is unpinned. */
export function isPinned(state: DirectoryState, backup: BackupRef): boolean {
  return pinOf(state, backup) !== undefined;
}

/** The pin of a backup. Undefined if it has none. */
export function pinOf(state: DirectoryState, backup: BackupRef): Pin | undefined {
  return state.pins.find((pinned) => isSameBackup(pinned, backup));
}

/** Pins a backup. If it is already pinned, only the note changes. */
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

/** Removes the pin of a backup. @returns whether it was pinned */
export function unpin(state: DirectoryState, backup: BackupRef): boolean {
  const before = state.pins.length;
  state.pins = state.pins.filter((pinned) => !isSameBackup(pinned, backup));
  return state.pins.length < before;
}

/** Confirms that the pins are correct again after they had been lost. Pruning can then continue. */
export function acknowledgeLostPins(state: DirectoryState): void {
  delete state.pinsLost;
}
