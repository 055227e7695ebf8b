import { EventEmitter } from 'node:events';
import { type Clock, systemClock } from '../base/clock.js';
import { invalidOption, RocksDBError } from '../base/errors.js';
import { listSnapshots, type SnapshotInfo } from '../checkpoints/snapshots.js';
import type { DrillResult } from '../drill/drill.js';
import type { BackupInfo, BackupKind } from '../native/backup-info.js';
import type { RetentionPlan } from '../retention/retention.js';
import { pinBackup } from './guarded-delete.js';
import { type BackupRecord, readInventory } from './inventory.js';
import type { ManagerEvents } from './manager-events.js';
import { type BackupManagerOptions, checkManagerOptions } from './manager-options.js';
import type { ManagerStatus } from './manager-status.js';
import { ManagerWork } from './manager-work.js';
import { ManagerMetrics } from './metrics.js';
import { unpin } from './pins.js';
import type { ScheduleEntry } from './schedule.js';
import { updateState } from './state.js';
import type { ManagerStats } from './statistics.js';
import { createTicker, type Ticker } from './ticker.js';

/** Parts of a manager that only tests replace. */
export interface ManagerParts {
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
  readonly #work: ManagerWork;
  readonly #random: () => number;
  readonly #metrics: ManagerMetrics | undefined;
  #backupTickers: Ticker[] = [];
  #drillTickers: Ticker[] = [];
  #snapshotTickers: Ticker[] = [];
  #started = false;
  #keepsTime = false;
  #stopped: Promise<void> | undefined;

  constructor(options: BackupManagerOptions, { clock = systemClock, random = Math.random }: ManagerParts = {}) {
    super();
    const settings = checkManagerOptions(options);
    this.#random = random;
    this.#work = new ManagerWork(this, settings, clock, random);
    if (settings.metrics !== undefined) {
      this.#metrics = new ManagerMetrics(settings.metrics, this);
    }
  }

  /** The directory of the repository. */
  get location(): string {
    return this.#work.location;
  }

  /** How many backups in a row have failed, counted across restarts. 0 if the last one succeeded. */
  get consecutiveFailures(): number {
    return this.#work.state.memory.consecutiveFailures.create ?? 0;
  }

  /** How many incremental backups were made since the last full one, counted across restarts. */
  get incrementalsSinceFull(): number {
    return this.#work.state.memory.incrementalsSinceFull ?? 0;
  }

  /**
   * Starts the schedules, and the backups after {@link notifyChange}. If runs were missed while no manager was running, one run makes up
   * for all of them. The process stays alive for work that is due now, but not for work that is due later.
   */
  start(): void {
    this.#assertUsable();
    if (!this.#started) {
      this.#started = true;
      void this.#work.load().then(() => this.#startTickers());
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
    this.#work.changes.notify();
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
  backupNow({ skipUnchanged = false }: { skipUnchanged?: boolean | undefined } = {}): Promise<BackupInfo> {
    return this.#demand('auto', skipUnchanged);
  }

  /** Makes a backup that copies every file again and reuses no files of earlier backups. See {@link backupNow}. */
  backupFull(): Promise<BackupInfo> {
    return this.#demand('full');
  }

  /**
   * Makes a backup that copies only the files that no earlier backup has. Makes a full one instead while shared files may be damaged. See
   * {@link backupNow}.
   */
  backupIncremental(): Promise<BackupInfo> {
    return this.#demand('incremental');
  }

  /**
   * Makes a checkpoint: a copy of the database beside it, made of hard links. It takes almost no time, but is lost if the disk is lost.
   *
   * @returns the path of the checkpoint.
   */
  async snapshot(): Promise<string> {
    this.#assertUsable();
    return this.#work.aside.snapshot('demand');
  }

  /** The checkpoints beside the database, in the order in which they were made. */
  async listSnapshots(): Promise<SnapshotInfo[]> {
    this.#assertUsable();
    const { snapshotDirectory: directory } = this.#work.settings;
    return listSnapshots(this.#work.database.path, { directory });
  }

  /** Verifies a backup, by default the latest. Rejects with BACKUP_CORRUPT if it is damaged. */
  async verify(backupId?: number, { checksum = true }: { checksum?: boolean | undefined } = {}): Promise<void> {
    this.#assertUsable();
    return this.#work.verify(backupId, checksum ? 'checksum' : 'size');
  }

  /**
   * Proves that a backup, by default the latest, can be restored: restores it to a temporary directory, opens the result, and compares it
   * with the backup.
   */
  async drill(backupId?: number): Promise<DrillResult> {
    this.#assertUsable();
    return this.#work.aside.drill(backupId, 'demand');
  }

  /**
   * Verifies the latest backup and then deletes the backups that `retention` does not keep. With `dryRun`, it only says which those are.
   *
   * @example
   * const { delete: doomed } = await manager.prune({ dryRun: true });
   */
  async prune({ dryRun = false }: { dryRun?: boolean | undefined } = {}): Promise<RetentionPlan> {
    this.#assertUsable();
    return dryRun ? this.#work.plan() : this.#work.pruneOnDemand();
  }

  /** All backups, the oldest first, with their files, their pins and all that is known about them. */
  async list(): Promise<BackupRecord[]> {
    this.#assertUsable();
    const { engine } = await this.#work.engines.open();
    return (await readInventory(engine)).backups;
  }

  /**
   * Keeps a backup until it is unpinned, whatever the retention policy says.
   *
   * @example
   * await manager.pin(7, 'before the migration');
   */
  async pin(backupId: number, note?: string): Promise<void> {
    this.#assertUsable();
    const backup = await this.#work.find(backupId);
    const { engine } = await this.#work.engines.open();
    await pinBackup(engine, backup, note);
    await this.#work.note('pin', backup, note === undefined ? undefined : { note });
  }

  /** Removes the pin of a backup. @returns whether it was pinned */
  async unpin(backupId: number): Promise<boolean> {
    this.#assertUsable();
    const backup = await this.#work.find(backupId);
    let wasPinned = false;
    await updateState(this.#work.storage, (state) => {
      wasPinned = unpin(state, backup);
    });
    await this.#work.note('unpin', backup);
    return wasPinned;
  }

  /** What the manager is doing now, and its results so far. Reads nothing from the disk. */
  status(): ManagerStatus {
    const work = this.#work;
    const { memory } = work.state;
    return {
      started: this.#keepsTime,
      stopped: this.#stopped !== undefined,
      running: work.queue.busy,
      phase: work.phase,
      current: work.context,
      progress: work.progress,
      waiting: work.queue.waiting,
      changePending: work.changes.pending,
      nextRunAt: this.#next([...this.#backupTickers, work.changes]),
      nextDrillAt: this.#next(this.#drillTickers),
      lastSuccess: work.lastResult,
      lastFailure: work.lastFailure,
      lastGoodBackup: dateOf(work.lastGood),
      lastCurrent: dateOf(work.lastCurrent),
      lastDrill: dateOf(work.lastDrill),
      now: new Date(work.steady.now()),
      drillsScheduled: work.settings.drillSchedule.length > 0,
      consecutiveFailures: this.consecutiveFailures,
      incrementalsSinceFull: this.incrementalsSinceFull,
      suspects: memory.suspects,
      clockOffset: Math.round(work.steady.offset),
    };
  }

  /** Numbers about the repository and about the backups that were made. Reads the repository. */
  async stats(): Promise<ManagerStats> {
    this.#assertUsable();
    return this.#work.stats();
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
      throw invalidOption(TypeError, 'finalBackup', 'false where abort is true', 'true');
    }
    this.#stopped ??= this.#stop(finalBackup);
    if (abort) {
      const reason = new RocksDBError(`the manager of ${this.location} was stopped`, 'BACKUP_STOPPED');
      this.#work.queue.clear(reason);
      this.#work.abort.abort(reason);
    }
    return this.#stopped;
  }

  /** Like stop() without options: waits for running work. */
  async [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(finalBackup: boolean): Promise<void> {
    this.#keepsTime = false;
    const work = this.#work;
    for (const ticker of [...this.#backupTickers, ...this.#drillTickers, ...this.#snapshotTickers, work.changes]) {
      ticker.stop();
    }
    work.stopping.abort(new RocksDBError(`the manager of ${this.location} was stopped`, 'MANAGER_STOPPED'));
    try {
      await work.idle();
      if (finalBackup && !work.abort.signal.aborted) {
        await work.backUpLast();
      }
    } finally {
      this.#metrics?.close();
      await work.idle();
      await work.engines.close();
      work.tell('stopped');
    }
  }

  #startTickers(): void {
    if (this.#stopped !== undefined) {
      return;
    }
    this.#keepsTime = true;
    const work = this.#work;
    const { schedule, drillSchedule, snapshotSchedule, jitter } = work.settings;
    this.#backupTickers = this.#tickers('backup', schedule, jitter, () => work.scheduleDue());
    this.#drillTickers = this.#tickers('drill', drillSchedule, 0, () => work.aside.due('drill'));
    this.#snapshotTickers = this.#tickers('snapshot', snapshotSchedule, 0, () => work.aside.due('snapshot'));
    for (const ticker of [...this.#backupTickers, ...this.#drillTickers, ...this.#snapshotTickers, work.changes]) {
      ticker.start();
    }
  }

  #tickers(what: string, entries: ScheduleEntry[], jitter: number, onDue: () => Promise<boolean>): Ticker[] {
    const { clock, state } = this.#work;
    return entries.map((entry) => {
      const key = `${what} ${entry.key}`;
      const lastRun = state.memory.lastRuns[key];
      return createTicker(entry, {
        clock,
        jitter,
        random: this.#random,
        lastRun: lastRun === undefined ? undefined : Date.parse(lastRun),
        onDue: () => {
          const at = new Date(clock.now());
          // A run that failed or was interrupted is due again after a restart.
          this.#work.track(onDue().then((done) => (done ? this.#work.rememberRun(key, at) : undefined)));
        },
      });
    });
  }

  #next(sources: { nextIn(): number | undefined }[]): Date | undefined {
    const waits = sources.map((source) => source.nextIn()).filter((wait) => wait !== undefined);
    return waits.length === 0 ? undefined : new Date(this.#work.clock.now() + Math.min(...waits));
  }

  async #demand(kind: BackupKind | 'auto', mayBeLeftOut = false): Promise<BackupInfo> {
    this.#assertUsable();
    const result = await this.#work.queue.add({
      trigger: 'demand',
      kind,
      mayBeLeftOut,
    });
    return 'made' in result ? result.made.info : result.leftOut.newest;
  }

  #assertUsable(): void {
    if (this.#stopped !== undefined) {
      throw new RocksDBError(`the manager of ${this.location} was stopped: make a new one`, 'MANAGER_STOPPED');
    }
  }
}

function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}
