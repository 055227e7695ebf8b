import type { BackupEngine } from '../backup-engine.js';
import type { BackupInfo } from '../backup-info.js';
import * as manager from '../manager/damage.js';
import { ManagerState, memoryOf, remainingSuspects, spreadsDamage } from '../manager/manager-state.js';
import { readState } from '../manager/state.js';
import { withDirectory } from './directory.js';

/** Reads a backup. Damage that is found is noted where a manager notes it. */
export function notingDamage<T>(engine: BackupEngine, info: BackupInfo, read: () => Promise<T>): Promise<T> {
  return manager.notingDamage(new ManagerState(engine.location), engine, info, new Date().toISOString(), read);
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
