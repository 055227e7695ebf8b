import { percentile } from '../base/units.js';
import type { Inventory } from './inventory.js';
import type { OperationRecord } from './operation-record.js';

/** The result of {@link BackupManager.stats} for a repository. */
export interface ManagerStats {
  /** How many backups can be read. */
  backups: number;
  fullBackups: number;
  incrementalBackups: number;
  pinned: number;
  /** Ids of backups that cannot be read. */
  corrupt: number[];
  /** Ids of backups that are damaged, or that share a file with a damaged backup whose damaged file is not known. */
  suspects: number[];
  oldest: Date | undefined;
  newest: Date | undefined;
  /** How many bytes the backups take on the disk. */
  bytesOnDisk: number;
  /** The sum of the backups' sizes: how many bytes it would write to restore each of them. */
  logicalBytes: number;
  /** How many backups managers have made over the whole life of the repository. */
  created: number;
  failed: number;
  /** The share of backups that succeeded, among those that managers tried to make. Undefined before the first. */
  successRate: number | undefined;
  bytesCopied: number;
  /** Durations of the latest backups in the history, in milliseconds. Undefined if there are none. */
  duration: { p50: number; p95: number } | undefined;
  /** The last backup that was made and verified as requested. */
  lastGoodBackup: Date | undefined;
  /** How many backups were skipped because nothing had been written since the newest one. */
  leftOut: number;
  /** When the last good backup was last known to contain everything in the database. See {@link ManagerStatus.lastCurrent}. */
  lastCurrent: Date | undefined;
  /** Milliseconds since `lastCurrent`. */
  msSinceLastGoodBackup: number | undefined;
  lastDrill: Date | undefined;
  msSinceLastDrill: number | undefined;
}

/** Computes the statistics. `now` is in milliseconds. */
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
