import type { BackupEngine } from '../backup-engine.js';
import type { BackupInfo } from '../backup-info.js';
import { suspectDamage } from '../manager/backup-runner.js';
import { DAMAGE } from '../manager/last-good.js';
import { ManagerState, memoryOf, remainingSuspects, spreadsDamage } from '../manager/manager-state.js';
import { readState } from '../manager/state.js';
import { withDirectory } from './directory.js';
import { codeOf } from './errors.js';

/**
 * Reads a backup. Damage that is found is noted, so that no later backup shares the file, whoever makes it: RocksDB's engine takes
 * a file that is there by its name.
 */
export async function notingDamage<T>(engine: BackupEngine, info: BackupInfo, read: () => Promise<T>): Promise<T> {
  const since = new Date().toISOString();
  try {
    return await read();
  } catch (error) {
    if (DAMAGE.has(codeOf(error))) {
      await suspectDamage(new ManagerState(engine.location), engine, info, since);
    }
    throw error;
  }
}

/** Which backups are damaged or share a file with one that is, where a new backup could share it too. */
export async function damagedToShare(dir: string): Promise<number[]> {
  const state = await readState(dir);
  const { suspects } = memoryOf(state);
  if (suspects.length === 0) {
    return [];
  }
  const infos = await withDirectory(dir, (engine) => engine.getBackupInfo());
  const remaining = remainingSuspects(suspects, infos, state);
  return spreadsDamage(remaining) ? remaining.map(({ backupId }) => backupId) : [];
}
