import type { BackupEngine } from '../backup-engine.js';
import type { BackupInfo } from '../backup-info.js';
import { RocksDBError } from '../errors.js';
import { isPinned, readState } from '../manager/state.js';
import { formatSize } from '../units.js';
import { localTime } from './time.js';

/** Backups with their files: what says how much deleting frees. */
export type DetailedBackup = BackupInfo;

/** Bytes that go when all of these backups are deleted: of files that no other uses. */
export function freedBy(backups: readonly DetailedBackup[], ids: ReadonlySet<number>): number {
  const kept = new Set<string>();
  for (const { backupId, fileDetails = [] } of backups) {
    if (!ids.has(backupId)) {
      for (const { name } of fileDetails) kept.add(name);
    }
  }
  const freed = new Map<string, number>();
  for (const { backupId, fileDetails = [] } of backups) {
    if (ids.has(backupId)) {
      for (const { name, size } of fileDetails) {
        if (!kept.has(name)) freed.set(name, size);
      }
    }
  }
  return [...freed.values()].reduce((sum, size) => sum + size, 0);
}

/** What is going to be deleted, in sentences. */
export function deletionPlan(location: string, backups: readonly BackupInfo[], freed: number, left: number): string[] {
  const which = backups.map(({ backupId, timestamp }) => `${backupId} (begun ${localTime(timestamp)})`).join(', ');
  return [
    `This deletes ${backups.length === 1 ? 'backup' : `${backups.length} backups,`} ${which} in ${location}, and frees ${formatSize(freed)}.`,
    left === 0 ? 'No backup is left then.' : `${left} ${left === 1 ? 'is' : 'are'} left then.`,
  ];
}

/** A pinned backup is kept until it is unpinned, whoever asks. */
export async function refusePinned(
  engine: BackupEngine,
  backups: readonly BackupInfo[],
  instead: string,
): Promise<void> {
  const state = await readState(engine.location);
  const pinned = backups.filter((backup) => isPinned(state, backup)).map(({ backupId }) => backupId);
  if (pinned.length > 0) {
    throw new RocksDBError(
      `${pinned.length === 1 ? 'backup' : 'backups'} ${pinned.join(', ')} in ${engine.location} ${pinned.length === 1 ? 'is' : 'are'} pinned, ` +
        `and nothing was deleted: ${instead}.`,
      'BACKUP_PINNED',
    );
  }
}
