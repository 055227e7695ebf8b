import type { Progress } from '../native/backup-info.js';
import type { BackupContext, BackupResult, Failure } from './manager-events.js';
import type { Suspect } from './manager-state.js';

/** What a manager is doing. */
export type Phase = 'idle' | 'before' | 'backup' | 'verify' | 'retry' | 'prune' | 'after';

/** What {@link BackupManager.status} tells. */
export interface ManagerStatus {
  /** Whether schedules are kept. */
  started: boolean;
  stopped: boolean;
  /** Whether a backup is being made, its waits for another attempt included. */
  running: boolean;
  /** What it is at. */
  phase: Phase;
  /** The backup that is being made. */
  current: BackupContext | undefined;
  progress: Progress | undefined;
  /** How many backups wait for the running one. */
  waiting: number;
  /** Whether there are changes that no backup has begun to see to. */
  changePending: boolean;
  /** When the next backup begins by itself, as far as is known. */
  nextRunAt: Date | undefined;
  nextDrillAt: Date | undefined;
  /** The last backup that this manager made. */
  lastSuccess: BackupResult | undefined;
  /** The last thing that failed in this manager. */
  lastFailure: (Failure & { at: Date }) | undefined;
  /** When the last good backup of this database was made, by whatever manager. */
  lastGoodBackup: Date | undefined;
  /**
   * When that backup was last known to have all that the database held: when it was made, or when a backup was left out after it,
   * as nothing had been written. What alerts of age go by.
   */
  lastCurrent: Date | undefined;
  lastDrill: Date | undefined;
  /** The time that ages are told by: of the system's clock when the manager was made, and steady since. */
  now: Date;
  /** Whether there is a schedule for drills. */
  drillsScheduled: boolean;
  consecutiveFailures: number;
  incrementalsSinceFull: number;
  /**
   * Backups that are damaged, or share a file with one of which it is not known which file is. As long as there are any, none is deleted,
   * and backups are full if they could get a damaged file.
   */
  suspects: readonly Suspect[];
  /** By how many milliseconds the system's clock was set forward, or back, since the manager was made. */
  clockOffset: number;
}
