import type { BackupInfo } from '../backup-info.js';
import { RocksDBError } from '../errors.js';
import type { BackupRecord, Inventory } from '../manager/inventory.js';
import { formatSize } from '../units.js';
import { safe } from './output/text.js';
import { localTime } from './time.js';

/** What is going to be deleted, in sentences. */
export function deletionPlan(location: string, backups: readonly BackupInfo[], freed: number, left: number): string[] {
  const which = backups.map(({ backupId, timestamp }) => `${backupId} (begun ${localTime(timestamp)})`).join(', ');
  return [
    `This deletes ${backups.length === 1 ? 'backup' : `${backups.length} backups,`} ${which} in ${safe(location)}, and frees ${formatSize(freed)}.`,
    left === 0 ? 'No backup is left then.' : `${left} ${left === 1 ? 'is' : 'are'} left then.`,
  ];
}

/** A pinned backup is kept until it is unpinned, whoever asks. */
export function refusePinned({ location }: Inventory, backups: readonly BackupRecord[], instead: string): void {
  const pinned = backups.filter((backup) => backup.pinned).map(({ backupId }) => backupId);
  if (pinned.length > 0) {
    const [subject, verb] = pinned.length === 1 ? ['backup', 'is'] : ['backups', 'are'];
    throw new RocksDBError(
      `${subject} ${pinned.join(', ')} in ${location} ${verb} pinned, and nothing was deleted: ${instead}.`,
      'BACKUP_PINNED',
    );
  }
}
