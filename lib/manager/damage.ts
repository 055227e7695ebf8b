import type { BackupEngine } from '../backup-engine.js';
import type { BackupInfo } from '../backup-info.js';
import type { ManagerState, Suspect } from './manager-state.js';

/** Codes of what failed because of the backup, and not because there was no room, for instance. */
export const DAMAGE: ReadonlySet<string> = new Set(['BACKUP_CORRUPT', 'DRILL_FAILED', 'ROCKSDB_CORRUPTION']);

/**
 * Reads a backup. Damage that is found is noted, so that no later backup shares the file, whoever makes it: RocksDB's engine takes
 * a file that is there by its name.
 */
export async function notingDamage<T>(
  state: ManagerState,
  engine: BackupEngine,
  info: BackupInfo,
  since: string,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const { code } = (error ?? {}) as { code?: unknown };
    if (typeof code === 'string' && DAMAGE.has(code)) {
      await suspectDamage(state, engine, info, since);
    }
    throw error;
  }
}

/** Notes that a backup is damaged, and with it those that have a file in common with it. */
export async function suspectDamage(
  state: ManagerState,
  engine: BackupEngine,
  info: BackupInfo,
  since: string,
): Promise<void> {
  const suspects = await thoseThatShareWith(engine, info);
  await state.update((memory) => {
    const known = memory.suspects.filter((old) => !suspects.some((suspect) => suspect.backupId === old.backupId));
    memory.suspects = [...known, ...suspects.map((suspect) => ({ ...suspect, since }))];
  });
}

/** A backup, and those that have a file in common with it: which file is damaged, the error tells people only. */
async function thoseThatShareWith(engine: BackupEngine, info: BackupInfo): Promise<Omit<Suspect, 'since'>[]> {
  const all = await engine.getBackupInfo({ fileDetails: true }).catch(() => []);
  const sharedFiles = ({ fileDetails = [] }: BackupInfo) =>
    fileDetails.filter(({ shared }) => shared).map(({ name }) => name);
  const own = new Set(all.filter(({ backupId }) => backupId === info.backupId).flatMap(sharedFiles));
  const sharing = all.filter(
    (other) => other.backupId !== info.backupId && sharedFiles(other).some((name) => own.has(name)),
  );
  return [info, ...sharing].map(({ backupId, timestamp }) => ({
    backupId,
    timestamp: timestamp.toISOString(),
    // Where nothing could be listed, whatever is possible is assumed.
    shares: all.length === 0 || own.size > 0,
  }));
}
