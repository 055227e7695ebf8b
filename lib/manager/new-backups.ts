import { errorCode } from '../base/errors.js';
import type { BackupInfo, BackupKind } from '../native/backup-info.js';
import { BackupQueue, type Job } from './backup-queue.js';
import { BackupRunner } from './backup-runner.js';
import { ChangeWatch } from './change-watch.js';
import type { ExistingBackups } from './existing-backups.js';
import type { BackupOutcome, BackupResult, SuccessfulOutcome, UnchangedBackup } from './manager-events.js';
import type { ManagerParts } from './manager-parts.js';
import { count } from './manager-state.js';
import { Activity, type ManagerStatus } from './manager-status.js';
import { backoff, toError } from './retries.js';
import { succeeded } from './running-work.js';

/** Errors after which the same changes are not tried again, because the database or the repository is closed. */
const CLOSED = new Set(['DATABASE_CLOSED', 'ENGINE_CLOSED', 'MANAGER_STOPPED']);

/** Makes the backups of a manager, one after the other: those that are asked for, those on schedule, and those after changes. */
export class NewBackups {
  /** Makes a backup due after changes. */
  readonly changes: ChangeWatch;
  readonly #parts: ManagerParts;
  readonly #existing: Pick<ExistingBackups, 'prune'>;
  readonly #queue: BackupQueue<SuccessfulOutcome>;
  readonly #activity = new Activity();
  #lastSuccess: BackupResult | undefined;

  constructor(parts: ManagerParts, existing: Pick<ExistingBackups, 'prune'>) {
    const { clock, settings } = parts;
    const { minInterval } = settings;
    this.#parts = parts;
    this.#existing = existing;
    this.#queue = new BackupQueue((job) => this.#make(job));
    this.changes = new ChangeWatch({ clock, minInterval, onDue: () => this.#changeDue() });
  }

  /** The parts of the status that are about making backups. */
  status() {
    return {
      running: this.#queue.busy,
      ...this.#activity.now,
      waiting: this.#queue.waiting,
      changePending: this.changes.pending,
      lastSuccess: this.#lastSuccess,
    } satisfies Partial<ManagerStatus>;
  }

  /** Makes a backup, or finds that the newest one has everything. @returns that backup */
  async demand(kind: BackupKind | 'auto', mayBeLeftOut: boolean): Promise<BackupInfo> {
    const outcome = await this.#queue.add({ trigger: 'demand', kind, mayBeLeftOut });
    return outcome.result === undefined ? outcome.unchanged.newest : outcome.result.info;
  }

  /** Makes a scheduled backup, unless one is running or waiting. @returns whether this time of the schedule is done */
  async scheduleDue(): Promise<boolean> {
    const { reports, settings } = this.#parts;
    if (this.#queue.busy) {
      const message = 'a backup was due while another was being made';
      reports.skip({ operation: 'backup', trigger: 'schedule', reason: 'running', message });
      return true;
    }
    return this.#unattended({ trigger: 'schedule', kind: 'auto', mayBeLeftOut: settings.skipUnchanged });
  }

  #changeDue(): void {
    // If a backup is running, its end makes the changes due again.
    if (!this.#queue.busy) {
      void this.#unattended({ trigger: 'change', kind: 'auto' });
    }
  }

  /** Makes a backup that nobody waits for. Events report a failure. */
  #unattended(job: Job): Promise<boolean> {
    return succeeded(this.#queue.add(job));
  }

  /** Makes the last backup before the service ends. */
  async last(): Promise<void> {
    const { skipUnchanged } = this.#parts.settings;
    await this.#queue.add({ trigger: 'final', kind: 'auto', mayBeLeftOut: skipUnchanged });
  }

  /** Rejects the backups that have not begun. */
  rejectWaiting(reason: Error): void {
    this.#queue.clear(reason);
  }

  /** Resolves when no backup is running or waiting. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  async #make(job: Job): Promise<SuccessfulOutcome> {
    await this.#parts.lastTimes.load();
    let outcome: BackupOutcome;
    let retryIn: number | undefined;
    try {
      outcome = await new BackupRunner(this.#parts, this.#activity, this.changes, job).run();
      await (outcome.result === undefined ? this.#leftOut(outcome.unchanged) : this.#made(outcome.result));
    } catch (thrown) {
      const error = toError(thrown);
      outcome = { ok: false, error };
      retryIn = await this.#retryIn(error);
    }
    await this.#callAfter(outcome);
    this.#activity.end();
    this.changes.ended(outcome.ok, retryIn);
    if (!outcome.ok) {
      throw outcome.error;
    }
    return outcome;
  }

  async #made(result: BackupResult): Promise<void> {
    const { settings, database, lastTimes, reports } = this.#parts;
    lastTimes.made(result.info);
    database.remember(result.info.databaseId);
    this.#lastSuccess = result;
    reports.tell('backup', result);
    if (settings.retention !== undefined) {
      this.#activity.enter('prune', result);
      await this.#existing.prune(settings.retention, 'schedule').catch(() => undefined);
    }
  }

  /**
   * A skipped backup is a success: the newest backup was checked and is what would have been made. Nothing is pruned, because there is no
   * new backup.
   */
  async #leftOut({ newest, trigger, at }: UnchangedBackup): Promise<void> {
    const { lastTimes, recorder, reports, state } = this.#parts;
    const { backupId, timestamp } = newest;
    lastTimes.leftOut(newest);
    await state.update((memory, counters) => {
      memory.consecutiveFailures.create = 0;
      memory.consecutiveFailures.verify = 0;
      count(counters, 'leftOut');
    });
    await recorder.record({
      operation: 'skip',
      at: at.toISOString(),
      ok: true,
      durationMs: 0,
      backupId,
      timestamp: timestamp.toISOString(),
      trigger,
      detail: { reason: 'unchanged' },
    });
    const message = `nothing was written since backup ${backupId}, which exists and is whole`;
    reports.skip({ operation: 'backup', trigger, reason: 'unchanged', message, backupId });
  }

  /** After how many milliseconds the changes of a failed backup are due again. Undefined: after the next change. */
  async #retryIn(error: Error): Promise<number | undefined> {
    const { lastTimes, random, settings, state } = this.#parts;
    lastTimes.recheck(await state.load());
    return CLOSED.has(errorCode(error) ?? '')
      ? undefined
      : backoff(state.memory.consecutiveFailures.create ?? 1, settings.retry, random);
  }

  async #callAfter(outcome: BackupOutcome): Promise<void> {
    const { settings, reports } = this.#parts;
    const { current } = this.#activity.now;
    if (settings.after === undefined || current === undefined) {
      return;
    }
    this.#activity.enter('after', current);
    try {
      await settings.after(current, outcome);
    } catch (error) {
      await reports.failed('hook', toError(error));
    }
  }
}
