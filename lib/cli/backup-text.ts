import { formatSize } from '../base/units.js';
import type { BackupInfo } from '../native/backup-info.js';

/** The size of a backup's write-ahead log, if that is most of the backup. Otherwise an empty string. */
export function logShare({ size, logBytes }: BackupInfo): string {
  return logBytes > 1e6 && logBytes > size / 2 ? formatSize(logBytes) : '';
}

/** Names some backups: `backup 3`, `backups 3, 4`. */
export function backupsNamed(ids: readonly number[]): string {
  return `${ids.length === 1 ? 'backup' : 'backups'} ${ids.join(', ')}`;
}
