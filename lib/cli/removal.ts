import type { BackupEngine } from '../backup/backup-engine.js';
import { RocksDBError } from '../base/errors.js';
import { formatSize } from '../base/units.js';
import { deleteUnlessPinned, type GuardedDeleteOptions } from '../manager/guarded-delete.js';
import { type BackupRecord, type Inventory, missingPins } from '../manager/inventory.js';
import { toReadAgain } from '../manager/unreadable-backups.js';
import type { BackupInfo } from '../native/backup-info.js';
import { backupsNamed } from './backup-text.js';
import type { Context } from './context.js';
import { capital } from './errors.js';
import { safe } from './output/text.js';
import { localTime } from './time.js';

/** Describes in sentences which backups will be deleted. */
export function deletionPlan(location: string, backups: readonly BackupInfo[], freed: number, left: number): string[] {
  const which = backups.map(({ backupId, timestamp }) => `${backupId} (begun ${localTime(timestamp)})`).join(', ');
  return [
    `This deletes ${backups.length === 1 ? 'backup' : `${backups.length} backups,`} ${which} in ${safe(location)}, and frees ${formatSize(freed)}.`,
    left === 0 ? 'No backup is left afterwards.' : `${left} ${left === 1 ? 'is' : 'are'} left afterwards.`,
  ];
}

/** Describes which unreadable backups --force gives up. Nothing is known about them but their ids. */
export function unreadablePlan(location: string, backupIds: readonly number[]): string[] {
  if (backupIds.length === 0) {
    return [];
  }
  const they = backupIds.length === 1 ? 'it' : 'they';
  const what = `${backupsNamed(backupIds)} in ${safe(location)}, which cannot be read`;
  return [`This gives up ${what}: the files that only ${they} had are deleted for good.`];
}

/** For a user who wants to delete other backups: says which backups cannot be read, and why the latest of them cannot. */
export function unreadableLine({ corrupt }: Inventory): string {
  const which = capital(backupsNamed(corrupt.map(({ backupId }) => backupId)));
  const latest = corrupt.at(-1);
  const why = latest?.why ?? 'damaged';
  const todo = why === 'damaged' ? '' : `. ${capital(toReadAgain(why))}`;
  return `${which} cannot be read, and nothing is deleted until this is resolved. Backup ${latest?.backupId}: ${safe(latest?.reason ?? '')}${todo}`;
}

/** The error code if a backup has changed since it was decided to delete it. */
export const CHANGED = 'BACKUP_CHANGED';

/** Deletes a backup that was shown or planned, if it is still the same one and not pinned. Records that. */
export async function deleteShown(
  context: Context,
  engine: BackupEngine,
  { backupId, timestamp }: { backupId: number; timestamp: Date },
  options?: GuardedDeleteOptions,
): Promise<void> {
  const entry = { operation: 'delete', backupId, timestamp: timestamp.toISOString() } as const;
  await context.recorded(engine, entry, async ({ note }) => {
    const gone = await deleteUnlessPinned(engine, { backupId, timestamp }, options);
    if (gone === undefined) {
      throw new RocksDBError(
        `backup ${backupId} in ${engine.location} was not deleted: it has changed since the decision, or it was pinned`,
        CHANGED,
        { path: engine.location, backupId },
      );
    }
    note({ bytes: gone.uniqueSize });
  });
}

/** While it is not known which backups were pinned, nothing may be deleted. */
export function refuseLostPins({ state, location }: Pick<Inventory, 'state' | 'location'>): void {
  if (state.pinsLost !== undefined) {
    throw new RocksDBError(`nothing was deleted: ${state.pinsLost}`, 'BACKUP_PINNED', { path: location });
  }
}

/** A message about pinned backups that do not exist any more. Undefined if there are none. */
export function missingPinsLine(inventory: Pick<Inventory, 'backups' | 'corrupt' | 'state'>): string | undefined {
  const ids = missingPins(inventory).map(({ backupId }) => backupId);
  if (ids.length === 0) {
    return undefined;
  }
  const [are, their, them] =
    ids.length === 1 ? ['is', 'its meta file was', 'it'] : ['are', 'their meta files were', 'them'];
  return `${capital(backupsNamed(ids))}, pinned, ${are} missing: ${their} removed, or another program deleted ${them}. If their other files still exist, bring the meta back to meta/ before anything is deleted or backed up. Otherwise unpin ${them}`;
}

/** Refuses to delete pinned backups. They are kept until they are unpinned, whoever asks. */
export function refusePinned({ location }: Inventory, backups: readonly BackupRecord[], instead: string): void {
  const pinned = backups.filter((backup) => backup.pinned).map(({ backupId }) => backupId);
  const backupId = pinned[0];
  if (backupId !== undefined) {
    const verb = pinned.length === 1 ? 'is' : 'are';
    throw new RocksDBError(
      `${backupsNamed(pinned)} in ${location} ${verb} pinned, and nothing was deleted: ${instead}.`,
      'BACKUP_PINNED',
      { path: location, backupId },
    );
  }
}
