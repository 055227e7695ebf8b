import type { BackupEngine } from '../backup-engine.js';
import type { BackupInfo } from '../backup-info.js';
import { readKnownDamage } from '../known-damage.js';
import * as manager from '../manager/damage.js';
import { ManagerState } from '../manager/manager-state.js';
import { withDirectory } from './directory.js';

/** Reads a backup. Damage that is found is noted where a manager notes it, and so is what is found whole. */
export function notingDamage<T>(
  engine: BackupEngine,
  info: BackupInfo,
  proves: manager.Proof,
  read: () => Promise<T>,
): Promise<T> {
  return manager.notingDamage(new ManagerState(engine.location), engine, info, { proves, now: Date.now }, read);
}

/** Which backups are damaged, or may be, where a new backup could get their damage by sharing a file. */
export async function damagedToShare(dir: string): Promise<number[]> {
  if ((await readKnownDamage(dir)).length === 0) {
    return []; // also where the directory is yet to be made
  }
  const { suspects, spreads } = await withDirectory(dir, (engine) =>
    manager.mayShare(new ManagerState(engine.location), engine),
  );
  return spreads ? suspects.map(({ backupId }) => backupId) : [];
}
