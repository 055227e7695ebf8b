import type { EventEmitter } from 'node:events';
import { type Clock, SteadyClock } from '../base/clock.js';
import { errorCode, RocksDBError } from '../base/errors.js';
import type { BackupInfo, Progress } from '../native/backup-info.js';
import { ownBackups } from '../retention/databases.js';
import type { RetentionPlan, RetentionPolicy } from '../retention/retention.js';
import { openStorage, type Storage } from '../storage/storage.js';
import { BackupQueue } from './backup-queue.js';
import { BackupRunner, type Job, type JobResult, type RunnerParts, verifyAndRecord } from './backup-runner.js';
import { ChangeWatch } from './change-watch.js';
import { DatabaseAccess } from './database-access.js';
import type { DirectoryState } from './directory-state.js';
import { readInventory } from './inventory.js';
import { type GoodBackup, isBad, lastGoodOf } from './last-good.js';
import { ManagerEngines } from './manager-engines.js';
import {
  type BackupContext,
  type BackupResult,
  callSafely,
  type Failure,
  type ManagedOperation,
  type ManagerEvents,
  type Skipped,
  tell,
  type UnchangedBackup,
  warn,
} from './manager-events.js';
import type { Settings } from './manager-options.js';
import { count, ManagerState } from './manager-state.js';
import type { Phase } from './manager-status.js';
import { isSameBackup, type OperationName } from './operation-record.js';
import { planPruning, prune } from './pruner.js';
import { Recorder } from './recorder.js';
import { backoff, toError } from './retries.js';
import { SideTasks, succeeded } from './side-tasks.js';
import { type ManagerStats, statisticsOf } from './statistics.js';

/** Errors after which the same changes are not tried again, because the database or the repository is closed. */
const CLOSED = new Set(['DATABASE_CLOSED', 'ENGINE_CLOSED', 'MANAGER_STOPPED']);

/** Does the work of a manager, started by schedules or by calls, and reports the results. */
export class ManagerWork {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly steady: SteadyClock;
  readonly location: string;
  readonly storage: Storage;
  readonly state: ManagerState;
  readonly queue: BackupQueue<JobResult>;
  readonly changes: ChangeWatch;
  readonly database: DatabaseAccess;
  readonly engines: ManagerEngines;
  readonly recorder: Recorder;
  /** The work that runs beside backups. */
  readonly aside: SideTasks;
  /** Aborted when the manager stops. Then nothing waits before another attempt, and work that can be repeated later is stopped. */
  readonly stopping = new AbortController();
  /** Aborted when the running backup must stop. */
  readonly abort = new AbortController();

  phase: Phase = 'idle';
  context: BackupContext | undefined;
  progress: Progress | undefined;
  lastDrill: number | undefined;
  lastResult: BackupResult | undefined;
  lastFailure: (Failure & { at: Date }) | undefined;

  readonly #emitter: EventEmitter<ManagerEvents>;
  readonly #random: () => number;
  readonly #tracked = new Set<Promise<unknown>>();
  #loaded: Promise<void> | undefined;
  #good: GoodBackup | undefined;
  /** The last skipped backup: it was skipped because the last good one contained everything in the database. */
  #leftOut: GoodBackup | undefined;
  #databaseId: string | undefined;

  constructor(emitter: EventEmitter<ManagerEvents>, settings: Settings, clock: Clock, random: () => number) {
    const { location, engine, minInterval, auditLog } = settings;
    this.#emitter = emitter;
    this.#random = random;
    this.settings = settings;
    this.clock = clock;
    this.steady = new SteadyClock(clock);
    this.location = typeof location === 'string' ? location : location.location;
    this.storage = typeof location === 'string' ? openStorage(location) : location.storage;
    this.database = new DatabaseAccess(settings.db);
    this.engines = new ManagerEngines(location, engine);
    this.state = new ManagerState(this.storage);
    this.recorder = new Recorder(this.storage, {
      auditLog,
      onProblem: (problem) => warn('a record is missing', problem),
    });
    this.aside = new SideTasks(this);
    this.queue = new BackupQueue((job) => this.#backUp(job));
    this.changes = new ChangeWatch({ clock, minInterval, onDue: () => this.#changeDue() });
  }

  /** Reads what earlier managers left, once. */
  load(): Promise<void> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  async #load(): Promise<void> {
    const state = await this.state.load();
    if (state !== undefined) {
      this.#good ??= lastGoodOf(state, this.settings.verify, this.databaseId);
      const { drill, skip } = state.last;
      if (skip?.backupId !== undefined && skip.timestamp !== undefined) {
        this.#leftOut ??= {
          backupId: skip.backupId,
          timestamp: skip.timestamp,
          at: Date.parse(skip.at),
        };
      }
      this.lastDrill ??= drill === undefined ? undefined : Date.parse(drill.at);
    }
  }

  /** When the last good backup was made. */
  get lastGood(): number | undefined {
    return this.#good?.at;
  }

  /** When the last good backup was last known to contain everything in the database. */
  get lastCurrent(): number | undefined {
    const [good, leftOut] = [this.#good, this.#leftOut];
    return good !== undefined && leftOut !== undefined && isSameBackup(good, leftOut)
      ? Math.max(good.at, leftOut.at)
      : good?.at;
  }

  /** The last good backup may have been found damaged in the meantime, by this process or another. */
  #reconsider(state: DirectoryState | undefined): void {
    if (state !== undefined && this.#good !== undefined && isBad(state, this.#good)) {
      this.#good = lastGoodOf(state, this.settings.verify, this.databaseId);
    }
  }

  tell<K extends keyof ManagerEvents & string>(event: K, ...args: ManagerEvents[K]): void {
    tell(this.#emitter, event, ...args);
  }

  skip(skipped: Skipped): void {
    this.tell('skipped', skipped);
  }

  /** Makes a scheduled backup, unless one is running or waiting. @returns whether this time of the schedule is done */
  async scheduleDue(): Promise<boolean> {
    if (this.queue.busy) {
      const message = 'a backup was due while another was being made';
      this.skip({ operation: 'backup', trigger: 'schedule', reason: 'running', message });
      return true;
    }
    return this.#unattended({
      trigger: 'schedule',
      kind: 'auto',
      mayBeLeftOut: this.settings.skipUnchanged,
    });
  }

  #changeDue(): void {
    // If a backup is running, its end makes the changes due again.
    if (!this.queue.busy) {
      void this.#unattended({ trigger: 'change', kind: 'auto' });
    }
  }

  /** Makes a backup that nobody waits for. Events report a failure. */
  #unattended(job: Job): Promise<boolean> {
    return succeeded(this.queue.add(job));
  }

  /** Makes the last backup before the service ends. */
  async backUpLast(): Promise<void> {
    await this.queue.add({
      trigger: 'final',
      kind: 'auto',
      mayBeLeftOut: this.settings.skipUnchanged,
    });
  }

  async #backUp(job: Job): Promise<JobResult> {
    await this.load();
    const { settings } = this;
    const stopping = job.trigger === 'final' ? this.abort.signal : this.stopping.signal;
    const runner = new BackupRunner({ ...this.#runnerParts(), stopping });
    let outcome: Parameters<NonNullable<Settings['after']>>[1];
    let ended: JobResult | undefined;
    let again: number | undefined;
    try {
      ended = await runner.run(job);
      if ('leftOut' in ended) {
        outcome = { ok: true, result: undefined, unchanged: ended.leftOut };
        await this.#tellLeftOut(ended.leftOut);
      } else {
        outcome = { ok: true, result: ended.made };
        await this.#tellMade(ended.made);
      }
    } catch (thrown) {
      const error = toError(thrown);
      outcome = { ok: false, error };
      this.#reconsider(await this.state.load());
      const closed = CLOSED.has(errorCode(error) ?? '');
      again = closed
        ? undefined
        : backoff(this.state.memory.consecutiveFailures.create ?? 1, settings.retry, this.#random);
    }
    const { context } = this;
    if (settings.after !== undefined && context !== undefined) {
      this.#enter('after', context);
      try {
        await settings.after(context, outcome);
      } catch (error) {
        await this.failed('hook', toError(error));
      }
    }
    this.#enter('idle');
    this.progress = undefined;
    this.changes.ended(outcome.ok, again);
    if (ended === undefined) {
      throw (outcome as { error: Error }).error;
    }
    return ended;
  }

  async #tellMade(result: BackupResult): Promise<void> {
    const { retention } = this.settings;
    this.#good = { ...result.info, at: this.steady.now() };
    this.#databaseId = result.info.databaseId ?? this.#databaseId;
    this.lastResult = result;
    this.tell('backup', result);
    if (retention !== undefined) {
      this.#enter('prune', result);
      await this.prune(retention, 'schedule').catch(() => undefined);
    }
  }

  /**
   * A skipped backup is a success: the newest backup was checked and is what would have been made. Nothing is pruned, because there is no
   * new backup.
   */
  async #tellLeftOut({ newest: { backupId, timestamp }, trigger, at }: UnchangedBackup): Promise<void> {
    this.#leftOut = { backupId, timestamp, at: this.steady.now() };
    await this.state.update((memory, counters) => {
      memory.consecutiveFailures.create = 0;
      memory.consecutiveFailures.verify = 0;
      count(counters, 'leftOut');
    });
    await this.recorder.record({
      operation: 'skip',
      at: at.toISOString(),
      ok: true,
      durationMs: 0,
      backupId,
      timestamp: timestamp.toISOString(),
      trigger,
      detail: { reason: 'unchanged' },
    });
    const message = `nothing was written since backup ${backupId}, which is there and whole`;
    this.skip({
      operation: 'backup',
      trigger,
      reason: 'unchanged',
      message,
      backupId,
    });
  }

  #enter(phase: Phase, context?: BackupContext): void {
    this.phase = phase;
    this.context = context;
  }

  #runnerParts(): Omit<RunnerParts, 'stopping'> {
    return {
      settings: this.settings,
      clock: this.clock,
      random: this.#random,
      database: this.database,
      databaseId: this.databaseId,
      engines: this.engines,
      state: this.state,
      recorder: this.recorder,
      abort: this.abort.signal,
      onPhase: (phase, context) => this.#enter(phase, context),
      onLook: () => this.changes.begun(),
      onBegin: (context) => {
        this.tell('start', context);
        this.changes.begun();
      },
      onProgress: (progress, context) => {
        this.progress = progress;
        this.tell('progress', progress, context);
      },
      onVerified: ({ backupId, timestamp }, how, durationMs) =>
        this.tell('verified', { backupId, timestamp, how, durationMs }),
      onRetry: (error, attempt, delayMs, context) => this.tell('retry', { error, attempt, delayMs, context }),
      onFailure: (failure) => this.#tellFailure(failure),
    };
  }

  /** The id of the database whose backups this manager makes and deletes. Undefined while it is not known. */
  get databaseId(): string | undefined {
    this.#databaseId = this.database.identity ?? this.#databaseId;
    return this.#databaseId;
  }

  /** Counts and reports a failure that is not part of making a backup. */
  async failed(operation: ManagedOperation, error: Error, backupId?: number): Promise<void> {
    await this.state.update((memory, counters) => {
      memory.consecutiveFailures[operation] = (memory.consecutiveFailures[operation] ?? 0) + 1;
      count(counters, `${operation}Failed`);
    });
    this.#reconsider(await this.state.load());
    const consecutiveFailures = this.state.memory.consecutiveFailures[operation] ?? 1;
    const id = backupId === undefined ? {} : { backupId };
    this.#tellFailure({ operation, error, consecutiveFailures, ...id, willRetry: false });
  }

  /** Ends a series of failures. */
  async wentWell(operation: ManagedOperation): Promise<void> {
    if ((this.state.memory.consecutiveFailures[operation] ?? 0) > 0) {
      await this.state.update((memory) => {
        memory.consecutiveFailures[operation] = 0;
      });
    }
  }

  #tellFailure(failure: Failure): void {
    this.lastFailure = { ...failure, at: new Date(this.clock.now()) };
    const { onFailure } = this.settings;
    if (onFailure !== undefined) {
      callSafely('onFailure', () => onFailure(failure.error, failure.consecutiveFailures, failure));
    }
    this.tell('failure', failure);
  }

  /** Deletes what the policy does not keep. A failure is reported before this rejects. */
  async prune(policy: RetentionPolicy, trigger: string): Promise<RetentionPlan> {
    const { clock, steady, state } = this;
    try {
      const { engine } = await this.engines.open();
      const parts = { clock, steady, state, recorder: this.recorder, databaseId: this.databaseId };
      const { plan, deleted } = await prune(engine, policy, parts, trigger);
      await this.wentWell('prune');
      if (plan.blocked === undefined) {
        this.tell('pruned', plan, deleted);
      } else {
        this.skip({ operation: 'prune', reason: 'blocked', message: plan.blocked });
      }
      return plan;
    } catch (error) {
      if (trigger === 'schedule' && errorCode(error) === 'BACKUP_LOCKED') {
        // The next backup will prune too, so this does no harm.
        this.skip({ operation: 'prune', reason: 'running', message: toError(error).message });
      } else {
        await this.failed('prune', toError(error));
      }
      throw error;
    }
  }

  /** What a prune would do. */
  async plan(): Promise<RetentionPlan> {
    await this.load();
    const { engine } = await this.engines.open();
    return (await planPruning(engine, this.settings.retention ?? {}, this)).plan;
  }

  pruneOnDemand(): Promise<RetentionPlan> {
    return this.#tracking(async () => {
      await this.#verify(undefined, this.settings.verify || 'size');
      return this.prune(this.settings.retention ?? {}, 'demand');
    });
  }

  /** Verifies a backup, by default the latest. */
  verify(backupId: number | undefined, how: 'size' | 'checksum'): Promise<void> {
    return this.#tracking(() => this.#verify(backupId, how));
  }

  async #verify(backupId: number | undefined, how: 'size' | 'checksum'): Promise<void> {
    await this.load();
    const info = await this.find(backupId);
    const { engine } = await this.engines.open();
    const abort = this.stopping.signal;
    try {
      await verifyAndRecord({ ...this.#runnerParts(), abort }, engine, info, how, 'demand');
      await this.wentWell('verify');
    } catch (error) {
      if (!abort.aborted || error !== abort.reason) {
        await this.failed('verify', toError(error), info.backupId);
      }
      throw error;
    }
  }

  async #tracking<T>(work: () => Promise<T>): Promise<T> {
    const running = work();
    this.track(succeeded(running));
    return running;
  }

  /** Records an operation that took no time. */
  async note(
    operation: OperationName,
    { backupId, timestamp }: BackupInfo,
    detail?: Record<string, unknown>,
  ): Promise<void> {
    await this.recorder.record({
      operation,
      at: new Date(this.clock.now()).toISOString(),
      ok: true,
      durationMs: 0,
      backupId,
      timestamp: timestamp.toISOString(),
      trigger: 'demand',
      ...(detail === undefined ? {} : { detail }),
    });
  }

  async find(backupId: number | undefined): Promise<BackupInfo> {
    const { engine } = await this.engines.open();
    if (backupId !== undefined) {
      return engine.getBackupInfo(backupId);
    }
    const latest = ownBackups(await engine.getBackupInfo(), this.databaseId).at(-1);
    if (latest === undefined) {
      throw new RocksDBError(`there is no backup in ${this.location}`, 'BACKUP_NOT_FOUND', { path: this.location });
    }
    return latest;
  }

  async stats(): Promise<ManagerStats> {
    await this.load();
    const inventory = await readInventory((await this.engines.open()).engine, this.recorder, this.state.memory);
    this.#reconsider(inventory.state);
    const last = {
      good: this.lastGood,
      current: this.lastCurrent,
      drill: this.lastDrill,
    };
    return statisticsOf(inventory, this.steady.now(), last);
  }

  /** Remembers when an entry of a schedule fired. */
  async rememberRun(key: string, at: Date): Promise<void> {
    await this.state.update((memory) => {
      memory.lastRuns[key] = at.toISOString();
    });
  }

  /** Makes idle() wait for this work too. The promise must not reject. */
  track(work: Promise<unknown>): void {
    this.#tracked.add(work);
    void work.finally(() => this.#tracked.delete(work));
  }

  /** Resolves when nothing is running any more. */
  async idle(): Promise<void> {
    await this.queue.idle();
    await Promise.all([this.aside.idle(), ...this.#tracked]);
  }
}
