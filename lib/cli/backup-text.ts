import type { BackupInfo } from '../backup-info.js';
import { formatSize } from '../units.js';

/** How much of a backup is write-ahead log, where that is most of it; else empty. */
export function logShare({ size, logBytes }: BackupInfo): string {
  return logBytes > 1e6 && logBytes > size / 2 ? formatSize(logBytes) : '';
}
