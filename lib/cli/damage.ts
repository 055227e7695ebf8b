import type { BackupEngine } from '../backup/backup-engine.js';
import { readKnownDamage } from '../backup/known-damage.js';
import * as manager from '../manager/damage.js';
import { ManagerState } from '../manager/manager-state.js';
import type { BackupInfo } from '../native/backup-info.js';
import { openStorage } from '../storage/storage.js';
import type { Context } from './context.js';
import { withDirectory } from './directory.js';
import { isFullDisk, reasonOf } from './errors.js';

/** Reads a backup. Remembers damage that is found in the same place as a manager does, and forgets it if the file is found intact. */
export async function notingDamage<T>(
  context: Context,
  engine: BackupEngine,
  info: BackupInfo,
  proves: manager.Proof,
  read: () => Promise<T>,
): Promise<T> {
  let found = 'whole';
  const { location } = engine;
  const state = new ManagerState(engine.storage, (failed, cause) => {
    if (failed === 'read') {
      tellUnread(context, location, cause);
      return;
    }
    const mend = isFullDisk(cause) ? 'Free some space' : 'Fix that';
    const again = proves === 'drill' ? 'drill' : 'verify';
    const text = `a backup in ${location} was found ${found}, but that could not be saved: ${reasonOf(cause)}. ${mend}, and ${again} again`;
    context.warnOnce([text, reasonOf(cause)], text);
  });
  return manager.notingDamage(state, engine, info, { proves, now: Date.now }, async () => {
    try {
      return await read();
    } catch (error) {
      found = 'damaged';
      throw error;
    }
  });
}

/** Ids of the backups that are or may be damaged, if a new backup could get their damage by sharing a file. */
export async function damagedToShare(context: Context, dir: string): Promise<number[]> {
  if ((await readKnownDamage(openStorage(dir))).length === 0) {
    return []; // also if the repository does not exist yet
  }
  const { suspects, spreads } = await withDirectory(dir, (engine) => {
    const { location } = engine;
    const state = new ManagerState(engine.storage, (failed, cause) =>
      failed === 'read'
        ? tellUnread(context, location, cause)
        : context.warnOnce([reasonOf(cause)], `the state of ${location} could not be written: ${reasonOf(cause)}`),
    );
    return manager.mayShare(state, engine);
  });
  return spreads ? suspects.map(({ backupId }) => backupId) : [];
}

function tellUnread(context: Context, location: string, cause: unknown): void {
  const why = `the state of ${location} cannot be read, and nothing is added to it: ${reasonOf(cause)}`;
  context.warnOnce([reasonOf(cause)], why);
}
