import type { BackupEngine, WriteTurn } from '../backup-engine.js';
import type { BackupInfo } from '../backup-info.js';
import { RocksDBError } from '../errors.js';
import { type BackupRef, isSameBackup } from './operation-record.js';
import { type DirectoryState, holdingState, isPinned, pin, unpin, updateState } from './state.js';

/** Options of {@link deleteUnlessPinned}. */
export interface GuardedDeleteOptions {
  /** Also while some backup cannot be read. @default false */
  force?: boolean | undefined;
  /** Somebody has named this very backup: it goes also if it is the newest. @default false */
  named?: boolean | undefined;
}

/**
 * Deletes a backup if it is still the one that was meant when it was decided, and nobody has pinned it since. Nobody can pin it
 * while it is being deleted. While it is not known what was pinned, it is left alone. @returns what was deleted; undefined if it
 * was left alone
 */
export function deleteUnlessPinned(
  engine: BackupEngine,
  meant: BackupRef,
  { force = false, named = false }: GuardedDeleteOptions = {},
): Promise<BackupInfo | undefined> {
  return deletingUnpinned(engine, async (state, { deleteBackup }) => {
    const backups = await engine.getBackupInfo();
    const found = backups.find((backup) => isSameBackup(backup, meant));
    const isNewest = found !== undefined && found.backupId === backups.at(-1)?.backupId;
    if (found === undefined || isPinned(state, found) || (!named && isNewest) || state.pinsLost !== undefined) {
      return undefined;
    }
    await deleteBackup(found.backupId, { force });
    return found;
  });
}

/**
 * Decides by the pins what to delete, and deletes it before anybody can change them. The turn to write comes first: whoever
 * waited for it with the pins in hand would keep everybody from pinning, and from writing anything down, for as long as the
 * backup takes that is being made.
 */
export function deletingUnpinned<T>(
  engine: BackupEngine,
  decide: (state: DirectoryState, turn: WriteTurn) => Promise<T>,
): Promise<T> {
  return engine.inTurn((turn) =>
    holdingState(engine.location, (state, assertHeld) =>
      decide(state, {
        deleteBackup: async (backupId, options) => {
          assertHeld();
          await turn.deleteBackup(backupId, options);
        },
        purgeOldBackups: async (keep, options) => {
          assertHeld();
          await turn.purgeOldBackups(keep, options);
        },
      }),
    ),
  );
}

/** Pins a backup; one that was deleted meanwhile is BACKUP_NOT_FOUND, and not pinned. */
export async function pinBackup(engine: BackupEngine, backup: BackupRef, note?: string): Promise<void> {
  const { location } = engine;
  await updateState(location, (state) => pin(state, backup, note));
  if (!(await engine.getBackupInfo()).some((other) => isSameBackup(other, backup))) {
    await updateState(location, (state) => void unpin(state, backup));
    throw new RocksDBError(
      `backup ${backup.backupId} in ${location} was deleted before it could be pinned`,
      'BACKUP_NOT_FOUND',
    );
  }
}
