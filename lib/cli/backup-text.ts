import { formatSize } from '../base/units.js';
import type { BackupInfo } from '../native/backup-info.js';

/** How much of a backup is write-ahead log, where that is most of it; else empty. */
export function logShare({ size, logBytes }: BackupInfo): string {
  return logBytes > 1e6 && logBytes > size / 2 ? formatSize(logBytes) : '';
}
