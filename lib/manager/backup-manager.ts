import { EventEmitter } from 'node:events';
import { type Clock, systemClock } from '../base/clock.js';
import { invalidOption, RocksDBError } from '../base/errors.js';
import { listSnapshots, type SnapshotInfo } from '../checkpoints/snapshots.js';
import type { DrillResult } from '../drill/drill.js';
import type { BackupInfo } from '../native/backup-info.js';
import type { RetentionPlan } from '../retention/retention.js';
import { ExistingBackups } from './existing-backups.js';
import type { BackupRecord } from './inventory.js';
import type { ManagerEvents } from './manager-events.js';
import { type BackupManagerOptions, checkManagerOptions } from './manager-options.js';
import { type ManagerParts, partsOf } from './manager-parts.js';
import { ManagerSchedules } from './manager-schedules.js';
import type { ManagerStatus } from './manager-status.js';
import { ManagerMetrics } from './metrics.js';
import { NewBackups } from './new-backups.js';
import { SideTasks } from './side-tasks.js';
import type { ManagerStats } from './statistics.js';
import { earliest } from './ticker.js';

/** Parts of a manager that only tests replace. */
interface ReplacedParts {
  clock?: Clock | undefined;
  random?: (() => number) | undefined;
}

/** Options of {@link BackupManager.stop}. */
export interface StopOptions {
  /**
   * Makes a last backup, unless nothing was written since the newest one: see {@link BackupManagerOptions.skipUnchanged}. @default false
   */
  finalBackup?: boolean | undefined;
  /** Stops the running backup instead of waiting for it. That backup leaves nothing behind. @default false */
  abort?: boolean | undefined;
}

/**
 * Makes backups of a database on schedule, verifies them, deletes old ones, and proves that they can be restored. Its failures never throw
 * into the service. Instead, the manager reports them by events, by `onFailure`, in the audit log and in metrics, and tries again.
 *
 * Its timers do not keep the process alive; a running backup does.
 *
 * @example
 * const manager = new BackupManager({
 *   db,
 *   location: '/backups/users',
 *   schedule: ['15m', { cron: '0 3 * * *', timezone: 'Europe/Berlin' }],
 *   fullEvery: 100,
 *   retention: { last: 8, daily: 7, weekly: 5, monthly: 12 },
 *   drill: { schedule: '0 5 * * 0' },
 *   onFailure: (error, consecutiveFailures) => logger.error({ error, consecutiveFailures }, 'backup failed'),
 * });
 * manager.start();
 * process.once('SIGTERM', async () => {
 *   await manager.stop({ finalBackup: true });
 *   await db.close();
 * });
 */
export class BackupManager extends EventEmitter<ManagerEvents> implements AsyncDisposable {
  readonly #stopping = new AbortController();
  readonly #abort = new AbortController();
  readonly #parts: ManagerParts;
  readonly #existingBackups: ExistingBackups;
  readonly #newBackups: NewBackups;
  readonly #sideTasks: SideTasks;
  readonly #schedules: ManagerSchedules;
  readonly #metrics: ManagerMetrics | undefined;
  #started = false;
  #stopped: Promise<void> | undefined;

  constructor(options: BackupManagerOptions, { clock = systemClock, random = Math.random }: ReplacedParts = {}) {
    super();
    const settings = checkManagerOptions(options);
    const signals = { stopping: this.#stopping.signal, abort: this.#abort.signal };
    this.#parts = partsOf({ settings, clock, random, ...signals }, this);
    this.#existingBackups = new ExistingBackups(this.#parts);
    this.#newBackups = new NewBackups(this.#parts, this.#existingBackups);
    this.#sideTasks = new SideTasks(this.#parts, this.#existingBackups);
    this.#schedules = new ManagerSchedules(this.#parts, {
      backup: () => this.#newBackups.scheduleDue(),
      drill: () => this.#sideTasks.due('drill'),
      snapshot: () => this.#sideTasks.due('snapshot'),
    });
    if (settings.metrics !== undefined) {
      this.#metrics = new ManagerMetrics(settings.metrics, this);
    }
  }

  /** Where the repository is: its directory as it was given, or the URL or the name of its store. */
  get location(): string {
    return this.#parts.location;
  }

  /** How many backups in a row have failed, counted across restarts. 0 if the last one succeeded. */
  get consecutiveFailures(): number {
    return this.#parts.state.memory.consecutiveFailures.create ?? 0;
  }

  /** How many incremental backups were made since the last full one, counted across restarts. */
  get incrementalsSinceFull(): number {
    return this.#parts.state.memory.incrementalsSinceFull ?? 0;
  }

  /**
   * Starts the schedules, and the backups after {@link notifyChange}. If runs were missed while no manager was running, one run makes up
   * for all of them. The process stays alive for work that is due now, but not for work that is due later.
   */
  start(): void {
    this.#assertUsable();
    if (!this.#started) {
      this.#started = true;
      void this.#parts.lastTimes.load().then(() => {
        if (this.#stopped === undefined) {
          this.#schedules.start();
          this.#newBackups.changes.start();
        }
      });
    }
  }

  /**
   * Tells the manager that something was written. A backup will follow, at least `minInterval` after the previous one. Call it after each
   * write; it costs almost nothing.
   *
   * @example
   * await db.batch().put('a', '1').put('b', '2').write();
   * manager.notifyChange();
   */
  notifyChange(): void {
    this.#newBackups.changes.notify();
  }

  /**
   * Makes a backup that contains everything that was written before this call. It is full or incremental, whichever is due. If another
   * backup is running, it waits for that one. If several calls wait, one backup serves all of them.
   *
   * With `skipUnchanged`, no backup is made if nothing was written since the newest one, like for scheduled backups. The result is then the
   * newest backup.
   *
   * @example
   * const { backupId } = await manager.backupNow();
   */
  async backupNow({ skipUnchanged = false }: { skipUnchanged?: boolean | undefined } = {}): Promise<BackupInfo> {
    this.#assertUsable();
    return this.#newBackups.demand('auto', skipUnchanged);
  }

  /** Makes a backup that copies every file again and reuses no files of earlier backups. See {@link backupNow}. */
  async backupFull(): Promise<BackupInfo> {
    this.#assertUsable();
    return this.#newBackups.demand('full', false);
  }

  /**
   * Makes a backup that copies only the files that no earlier backup has. Makes a full one instead while shared files may be damaged. See
   * {@link backupNow}.
   */
  async backupIncremental(): Promise<BackupInfo> {
    this.#assertUsable();
    return this.#newBackups.demand('incremental', false);
  }

  /**
   * Makes a checkpoint: a copy of the database beside it, made of hard links. It takes almost no time, but is lost if the disk is lost.
   *
   * @returns the path of the checkpoint.
   */
  async snapshot(): Promise<string> {
    this.#assertUsable();
    return this.#sideTasks.snapshot('demand');
  }

  /** The checkpoints beside the database, in the order in which they were made. */
  async listSnapshots(): Promise<SnapshotInfo[]> {
    this.#assertUsable();
    const { settings, database } = this.#parts;
    return listSnapshots(database.path, { directory: settings.snapshotDirectory });
  }

  /** Verifies a backup, by default the latest. Rejects with BACKUP_CORRUPT if it is damaged. */
  async verify(backupId?: number, { checksum = true }: { checksum?: boolean | undefined } = {}): Promise<void> {
    this.#assertUsable();
    return this.#existingBackups.verify(backupId, checksum ? 'checksum' : 'size');
  }

  /**
   * Proves that a backup, by default the latest, can be restored: restores it to a temporary directory, opens the result, and compares it
   * with the backup.
   */
  async drill(backupId?: number): Promise<DrillResult> {
    this.#assertUsable();
    return this.#sideTasks.drill(backupId, 'demand');
  }

  /**
   * Verifies the latest backup and then deletes the backups that `retention` does not keep. With `dryRun`, it only says which those are.
   *
   * @example
   * const { delete: doomed } = await manager.prune({ dryRun: true });
   */
  async prune({ dryRun = false }: { dryRun?: boolean | undefined } = {}): Promise<RetentionPlan> {
    this.#assertUsable();
    return dryRun ? this.#existingBackups.planPruning() : this.#existingBackups.pruneOnDemand();
  }

  /** All backups, the oldest first, with their files, their pins and all that is known about them. */
  async list(): Promise<BackupRecord[]> {
    this.#assertUsable();
    return this.#existingBackups.list();
  }

  /**
   * Keeps a backup until it is unpinned, whatever the retention policy says.
   *
   * @example
   * await manager.pin(7, 'before the migration');
   */
  async pin(backupId: number, note?: string): Promise<void> {
    this.#assertUsable();
    return this.#existingBackups.pin(backupId, note);
  }

  /** Removes the pin of a backup. @returns whether it was pinned */
  async unpin(backupId: number): Promise<boolean> {
    this.#assertUsable();
    return this.#existingBackups.unpin(backupId);
  }

  /** What the manager is doing now, and its results so far. Reads nothing from the disk. */
  status(): ManagerStatus {
    const { clock, lastTimes, reports, settings, state, steady } = this.#parts;
    const dateIn = (wait: number | undefined) => dateOf(wait === undefined ? undefined : clock.now() + wait);
    return {
      started: this.#schedules.started,
      stopped: this.#stopped !== undefined,
      ...this.#newBackups.status(),
      nextRunAt: dateIn(earliest(this.#schedules.nextIn('backup'), this.#newBackups.changes.nextIn())),
      nextDrillAt: dateIn(this.#schedules.nextIn('drill')),
      lastFailure: reports.lastFailure,
      lastGoodBackup: dateOf(lastTimes.good),
      lastCurrent: dateOf(lastTimes.current),
      lastDrill: dateOf(lastTimes.drill),
      now: new Date(steady.now()),
      drillsScheduled: settings.drillSchedule.length > 0,
      consecutiveFailures: this.consecutiveFailures,
      incrementalsSinceFull: this.incrementalsSinceFull,
      suspects: state.memory.suspects,
      clockOffset: Math.round(steady.offset),
    };
  }

  /** Numbers about the repository and about the backups that were made. Reads the repository. */
  async stats(): Promise<ManagerStats> {
    this.#assertUsable();
    return this.#existingBackups.stats();
  }

  /**
   * Stops the schedules. Waits for the running backup and for those that were asked for; a running drill is stopped at once. Then closes
   * everything that the manager opened. A stopped manager cannot be started again, but a new manager continues where this one stopped.
   *
   * With `finalBackup`, makes a last backup. If that fails, this call rejects, after everything has been closed.
   *
   * @example
   * process.once('SIGTERM', () => manager.stop({ finalBackup: true }).finally(() => db.close()));
   */
  async stop({ finalBackup = false, abort = false }: StopOptions = {}): Promise<void> {
    if (finalBackup && abort) {
      throw invalidOption(TypeError, 'finalBackup', 'false if abort is true', 'true');
    }
    this.#stopped ??= this.#stop(finalBackup);
    if (abort) {
      const reason = new RocksDBError(`the manager of ${this.location} was stopped`, 'BACKUP_STOPPED', {
        path: this.location,
      });
      this.#newBackups.rejectWaiting(reason);
      this.#abort.abort(reason);
    }
    return this.#stopped;
  }

  /** Like stop() without options: waits for running work. */
  async [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(finalBackup: boolean): Promise<void> {
    const { engines, reports } = this.#parts;
    this.#schedules.stop();
    this.#newBackups.changes.stop();
    this.#stopping.abort(
      new RocksDBError(`the manager of ${this.location} was stopped`, 'MANAGER_STOPPED', { path: this.location }),
    );
    try {
      await this.#idle();
      if (finalBackup && !this.#abort.signal.aborted) {
        await this.#newBackups.last();
      }
    } finally {
      this.#metrics?.close();
      await this.#idle();
      await engines.close();
      reports.tell('stopped');
    }
  }

  /** Resolves when nothing is running any more. */
  async #idle(): Promise<void> {
    await this.#newBackups.idle();
    await this.#parts.running.idle();
  }

  #assertUsable(): void {
    if (this.#stopped !== undefined) {
      throw new RocksDBError(`the manager of ${this.location} was stopped: make a new one`, 'MANAGER_STOPPED', {
        path: this.location,
      });
    }
  }
}

function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}
