import type { BackupEngine } from '../backup-engine.js';
import type { BackupInfo } from '../backup-info.js';
import { RocksDBError } from '../errors.js';
import { type BackupRef, isSameBackup } from './operation-record.js';
import { holdingState, isPinned, pin, unpin, updateState } from './state.js';

/** Options of {@link deleteUnlessPinned}. */
export interface GuardedDeleteOptions {
  /** Also while some backup cannot be read. @default false */
  force?: boolean | undefined;
  /** Somebody has named this very backup: it goes also if it is the newest, and if it is not known any more what was pinned. @default false */
  named?: boolean | undefined;
}

/**
 * Deletes a backup if it is still the one that was meant when it was decided, and nobody has pinned it since. Nobody can pin it
 * while it is being deleted. @returns what was deleted; undefined if it was left alone
 */
export function deleteUnlessPinned(
  engine: BackupEngine,
  meant: BackupRef,
  { force = false, named = false }: GuardedDeleteOptions = {},
): Promise<BackupInfo | undefined> {
  return holdingState(engine.location, async (state) => {
    const backups = await engine.getBackupInfo();
    const found = backups.find((backup) => isSameBackup(backup, meant));
    const isNewest = found !== undefined && found.backupId === backups.at(-1)?.backupId;
    if (found === undefined || isPinned(state, found) || (!named && (isNewest || state.pinsLost !== undefined))) {
      return undefined;
    }
    await engine.deleteBackup(found.backupId, { force });
    return found;
  });
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
