import { errorCode, RocksDBError } from '../base/errors.js';
import type { BackupInfo } from '../native/backup-info.js';
import { ownBackups } from '../retention/databases.js';
import type { RetentionPlan, RetentionPolicy } from '../retention/retention.js';
import { pinBackup } from './guarded-delete.js';
import { type BackupRecord, readInventory } from './inventory.js';
import type { ManagerParts } from './manager-parts.js';
import type { OperationName } from './operation-record.js';
import { unpin } from './pins.js';
import { planPruning, prune } from './pruner.js';
import { toError } from './retries.js';
import { updateState } from './state.js';
import { type ManagerStats, statisticsOf } from './statistics.js';
import { verifyBackup } from './verify-backup.js';

/** What a manager does with the backups that exist: finds, verifies, prunes and pins them. */
export class ExistingBackups {
  readonly #parts: ManagerParts;

  constructor(parts: ManagerParts) {
    this.#parts = parts;
  }

  /** Finds a backup, by default the latest one of the manager's database. */
  async find(backupId: number | undefined): Promise<BackupInfo> {
    const { engines, database, location } = this.#parts;
    const engine = await engines.open();
    if (backupId !== undefined) {
      return engine.getBackupInfo(backupId);
    }
    const latest = ownBackups(await engine.getBackupInfo(), database.identity).at(-1);
    if (latest === undefined) {
      throw new RocksDBError(`there is no backup in ${location}`, 'BACKUP_NOT_FOUND', { path: location });
    }
    return latest;
  }

  /** All backups with all that is known about them, the oldest first. */
  async list(): Promise<BackupRecord[]> {
    const engine = await this.#parts.engines.open();
    return (await readInventory(engine)).backups;
  }

  async stats(): Promise<ManagerStats> {
    const { engines, lastTimes, recorder, state, steady } = this.#parts;
    await lastTimes.load();
    const engine = await engines.open();
    const inventory = await readInventory(engine, recorder, state.memory);
    lastTimes.recheck(inventory.state);
    return statisticsOf(inventory, steady.now(), lastTimes);
  }

  async pin(backupId: number, note: string | undefined): Promise<void> {
    const backup = await this.find(backupId);
    const engine = await this.#parts.engines.open();
    await pinBackup(engine, backup, note);
    await this.#record('pin', backup, note === undefined ? {} : { detail: { note } });
  }

  /** @returns whether it was pinned */
  async unpin(backupId: number): Promise<boolean> {
    const backup = await this.find(backupId);
    let wasPinned = false;
    await updateState(this.#parts.storage, (state) => {
      wasPinned = unpin(state, backup);
    });
    await this.#record('unpin', backup);
    return wasPinned;
  }

  /** Records an operation that took no time. */
  async #record(
    operation: OperationName,
    { backupId, timestamp }: BackupInfo,
    detail: { detail?: Record<string, unknown> } = {},
  ): Promise<void> {
    const { clock, recorder } = this.#parts;
    await recorder.record({
      operation,
      at: new Date(clock.now()).toISOString(),
      ok: true,
      durationMs: 0,
      backupId,
      timestamp: timestamp.toISOString(),
      trigger: 'demand',
      ...detail,
    });
  }

  /** Verifies a backup, by default the latest. */
  verify(backupId: number | undefined, how: 'size' | 'checksum'): Promise<void> {
    return this.#parts.running.track(this.#verify(backupId, how));
  }

  async #verify(backupId: number | undefined, how: 'size' | 'checksum'): Promise<void> {
    const { lastTimes, engines, reports, stopping: signal } = this.#parts;
    await lastTimes.load();
    const info = await this.find(backupId);
    const engine = await engines.open();
    try {
      await verifyBackup(this.#parts, engine, info, { how, trigger: 'demand', signal });
      await reports.wentWell('verify');
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) {
        await reports.failed('verify', toError(error), info.backupId);
      }
      throw error;
    }
  }

  /** What a prune would do. */
  async planPruning(): Promise<RetentionPlan> {
    const { lastTimes, engines, settings, database } = this.#parts;
    await lastTimes.load();
    const engine = await engines.open();
    const parts = { ...this.#parts, databaseId: database.identity };
    return (await planPruning(engine, settings.retention ?? {}, parts)).plan;
  }

  /** Verifies the latest backup, and deletes what the policy does not keep. */
  pruneOnDemand(): Promise<RetentionPlan> {
    const { running, settings } = this.#parts;
    const work = async () => {
      await this.#verify(undefined, settings.verify || 'size');
      return this.prune(settings.retention ?? {}, 'demand');
    };
    return running.track(work());
  }

  /** Deletes what the policy does not keep. A failure is reported before this rejects. */
  async prune(policy: RetentionPolicy, trigger: 'demand' | 'schedule'): Promise<RetentionPlan> {
    const { engines, database, reports } = this.#parts;
    try {
      const engine = await engines.open();
      const parts = { ...this.#parts, databaseId: database.identity };
      const { plan, deleted, refused } = await prune(engine, policy, parts, trigger);
      await reports.wentWell('prune');
      if (plan.blocked === undefined) {
        reports.tell('pruned', plan, deleted);
      } else {
        reports.skip({ operation: 'prune', reason: 'blocked', message: plan.blocked });
      }
      if (refused.ids.length > 0) {
        const which = `${refused.ids.length === 1 ? 'backup' : 'backups'} ${refused.ids.join(', ')}`;
        reports.skip({
          operation: 'prune',
          reason: 'locked',
          message: `the store refuses to delete ${which}: ${refused.why}`,
        });
      }
      return plan;
    } catch (error) {
      if (trigger === 'schedule' && errorCode(error) === 'BACKUP_LOCKED') {
        // The next backup will prune too, so this does no harm.
        reports.skip({ operation: 'prune', reason: 'running', message: toError(error).message });
      } else {
        await reports.failed('prune', toError(error));
      }
      throw error;
    }
  }
}
