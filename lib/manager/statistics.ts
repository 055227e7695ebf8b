import type { Inventory } from './inventory.js';
import type { OperationRecord } from './operation-record.js';

/** What {@link BackupManager.stats} tells of a directory of backups. */
export interface ManagerStats {
  /** Backups that can be read. */
  backups: number;
  fullBackups: number;
  incrementalBackups: number;
  pinned: number;
  /** Ids of backups that cannot be read. */
  corrupt: number[];
  /** Ids of backups that are damaged, or share a file with one of which it is not known which file is. */
  suspects: number[];
  oldest: Date | undefined;
  newest: Date | undefined;
  /** What the backups take on the disk. */
  bytesOnDisk: number;
  /** The sum of their sizes: what restoring each of them would write. */
  logicalBytes: number;
  /** Over the directory's life, by managers. */
  created: number;
  failed: number;
  /** Of the backups that managers tried to make; undefined before the first. */
  successRate: number | undefined;
  bytesCopied: number;
  /** Over the last backups that the history remembers, in milliseconds; undefined when there is none. */
  duration: { p50: number; p95: number } | undefined;
  /** The last backup that was made and verified as was asked for. */
  lastGoodBackup: Date | undefined;
  /** Backups that were left out, as nothing had been written since the newest one. */
  leftOut: number;
  /** When that backup was last known to have all that the database held. See {@link ManagerStatus.lastCurrent}. */
  lastCurrent: Date | undefined;
  /** Since `lastCurrent`. */
  msSinceLastGoodBackup: number | undefined;
  lastDrill: Date | undefined;
  msSinceLastDrill: number | undefined;
}

/** Counts and sums up. `now` is in milliseconds. */
export function statisticsOf(
  inventory: Inventory,
  now: number,
  last: {
    good: number | undefined;
    current: number | undefined;
    drill: number | undefined;
  },
): ManagerStats {
  const { backups, corrupt, suspects, state } = inventory;
  const full = backups.filter(({ kind }) => kind === 'full').length;
  const { created = 0, failed = 0, bytesCopied = 0, leftOut = 0 } = state.counters;
  const durations = state.history.filter(isCreated).map(({ durationMs }) => durationMs);
  return {
    backups: backups.length,
    fullBackups: full,
    incrementalBackups: backups.length - full,
    pinned: backups.filter(({ pinned }) => pinned).length,
    corrupt: corrupt.map(({ backupId }) => backupId),
    suspects: suspects.map(({ backupId }) => backupId),
    oldest: backups[0]?.timestamp,
    newest: backups.at(-1)?.timestamp,
    bytesOnDisk: inventory.bytesOnDisk,
    logicalBytes: inventory.logicalBytes,
    created,
    failed,
    successRate: created + failed === 0 ? undefined : created / (created + failed),
    bytesCopied,
    duration:
      durations.length === 0 ? undefined : { p50: percentile(durations, 0.5), p95: percentile(durations, 0.95) },
    lastGoodBackup: dateOf(last.good),
    leftOut,
    lastCurrent: dateOf(last.current),
    msSinceLastGoodBackup: last.current === undefined ? undefined : Math.max(0, now - last.current),
    lastDrill: dateOf(last.drill),
    msSinceLastDrill: last.drill === undefined ? undefined : Math.max(0, now - last.drill),
  };
}

const isCreated = ({ operation, ok }: OperationRecord) => operation === 'create' && ok;

function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}

/** The smallest of the values that so large a share of them does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
