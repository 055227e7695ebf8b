import type { Suspect } from '../backup/known-damage.js';
import type { Progress } from '../native/backup-info.js';
import type { BackupContext, BackupResult, Failure } from './manager-events.js';

/** What a manager is doing. */
export type Phase = 'idle' | 'before' | 'backup' | 'verify' | 'retry' | 'prune' | 'after';

/** The result of {@link BackupManager.status}. */
export interface ManagerStatus {
  /** Whether the schedules are running. */
  started: boolean;
  stopped: boolean;
  /** Whether a backup is being made. Also true during a wait before another attempt. */
  running: boolean;
  /** What the manager is doing now. */
  phase: Phase;
  /** The backup that is being made. */
  current: BackupContext | undefined;
  progress: Progress | undefined;
  /** How many backups wait for the running one. */
  waiting: number;
  /** Whether there are changes that are not covered by a running or finished backup. */
  changePending: boolean;
  /** When the next backup begins by itself, as far as that is known. */
  nextRunAt: Date | undefined;
  nextDrillAt: Date | undefined;
  /** The last backup that this manager made. */
  lastSuccess: BackupResult | undefined;
  /** The last failure of this manager. */
  lastFailure: (Failure & { at: Date }) | undefined;
  /** When the last good backup of this database was made, by any manager. */
  lastGoodBackup: Date | undefined;
  /**
   * When that backup was last known to contain everything in the database: when it was made, or when a later backup was skipped because
   * nothing had been written. Alerts about the age of backups should use this.
   */
  lastCurrent: Date | undefined;
  lastDrill: Date | undefined;
  /** Use this time to compute ages. It is the system's time at which the manager was made, plus the time that has really passed since. */
  now: Date;
  /** Whether there is a schedule for drills. */
  drillsScheduled: boolean;
  consecutiveFailures: number;
  incrementalsSinceFull: number;
  /**
   * Backups that are damaged, and those that share a file with a damaged backup whose damaged file is not known. While there are any, no
   * backup is deleted. While new backups could get a damaged file, they are full.
   */
  suspects: readonly Suspect[];
  /** By how many milliseconds the system's clock was set forward since the manager was made. Negative if it was set back. */
  clockOffset: number;
}

/** The parts of a status that tell what is being done now. */
type Doing = Pick<ManagerStatus, 'phase' | 'current' | 'progress'>;

const NOTHING: Doing = { phase: 'idle', current: undefined, progress: undefined };

/** What a manager is doing with a backup now. */
export class Activity {
  #now = NOTHING;

  get now(): Doing {
    return this.#now;
  }

  enter(phase: Phase, current: BackupContext): void {
    this.#now = { ...this.#now, phase, current };
  }

  progressed(progress: Progress): void {
    this.#now = { ...this.#now, progress };
  }

  end(): void {
    this.#now = NOTHING;
  }
}
