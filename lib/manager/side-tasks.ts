import { errorCode } from '../base/errors.js';
import { createSnapshot, pruneSnapshots } from '../checkpoints/snapshots.js';
import { type DrillResult, drillBackup } from '../drill/drill.js';
import { notingDamage } from './damage.js';
import { databaseBehind } from './database-access.js';
import type { ExistingBackups } from './existing-backups.js';
import type { ManagerParts } from './manager-parts.js';
import { recorded } from './recorder.js';
import { toError } from './retries.js';
import { succeeded } from './running-work.js';

/** The work of a manager beside backups: drills and checkpoints. Of each kind, one runs at a time. */
export class SideTasks {
  readonly #parts: ManagerParts;
  readonly #existing: Pick<ExistingBackups, 'find'>;
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(parts: ManagerParts, existing: Pick<ExistingBackups, 'find'>) {
    this.#parts = parts;
    this.#existing = existing;
  }

  /** Restores a backup, by default the latest, to a temporary directory and compares it. */
  drill(backupId: number | undefined, trigger: string): Promise<DrillResult> {
    return this.#runAlone('drill', () => this.#drill(backupId, trigger));
  }

  async #drill(asked: number | undefined, trigger: string): Promise<DrillResult> {
    const { clock, engines, lastTimes, reports, settings, state, stopping: signal } = this.#parts;
    const isStopped = (error: unknown) => signal.aborted && error === signal.reason;
    let backupId: number | undefined;
    try {
      const result = await recorded(this.#parts, { operation: 'drill', trigger }, async ({ note }) => {
        const engine = await engines.open();
        const drillOne = async () => {
          const info = await this.#existing.find(asked);
          backupId = info.backupId;
          note({ backupId, timestamp: info.timestamp.toISOString() });
          const reading = { proves: 'drill', now: () => clock.now() } as const;
          return notingDamage(state, engine, info, reading, () =>
            drillBackup(engine, info.backupId, { ...settings.drill, signal }),
          );
        };
        try {
          return await drillOne().catch((error: unknown) => {
            // The backup that was the latest was pruned before the drill opened it.
            if (asked === undefined && errorCode(error) === 'BACKUP_NOT_FOUND') {
              return drillOne();
            }
            throw error;
          });
        } catch (error) {
          note({ nothingDone: isStopped(error) });
          throw error;
        }
      });
      lastTimes.drilled();
      await reports.wentWell('drill');
      reports.tell('drilled', result);
      return result;
    } catch (error) {
      if (isStopped(error)) {
        reports.skip({ operation: 'drill', reason: 'stopping', message: 'the drill was ended by stop()' });
      } else {
        await reports.failed('drill', toError(error), backupId);
      }
      throw error;
    }
  }

  /** Makes a checkpoint beside the database. @returns its path */
  snapshot(trigger: string): Promise<string> {
    return this.#runAlone('snapshot', () => this.#snapshot(trigger));
  }

  async #snapshot(trigger: string): Promise<string> {
    const { database, engines, reports, settings, steady } = this.#parts;
    const { snapshotDirectory: directory, snapshotRetention } = settings;
    try {
      const made = await recorded(this.#parts, { operation: 'snapshot', trigger }, async ({ at, elapsed, note }) => {
        // Opening the engine creates the repository, where the operation will be recorded. If that fails, the checkpoint is made all the
        // same.
        await engines.open().catch(() => undefined);
        const { path } = await database.use((db) => createSnapshot(databaseBehind(db), { directory }));
        note({ kind: 'snapshot', detail: { path } });
        const durationMs = elapsed();
        if (snapshotRetention !== undefined) {
          await pruneSnapshots(database.path, snapshotRetention, new Date(steady.now()), { directory });
        }
        return { path, at, durationMs };
      });
      await reports.wentWell('snapshot');
      reports.tell('snapshot', made);
      return made.path;
    } catch (error) {
      await reports.failed('snapshot', toError(error));
      throw error;
    }
  }

  /** Runs what a schedule made due and nobody waits for. @returns whether this time of the schedule is done */
  async due(operation: 'drill' | 'snapshot'): Promise<boolean> {
    const { reports } = this.#parts;
    if (this.#running.has(operation)) {
      const message = `a ${operation} was due while another was running`;
      reports.skip({ operation, trigger: 'schedule', reason: 'running', message });
      return true;
    }
    if (operation === 'drill' && (await this.#isEmpty())) {
      const message = 'a drill was due before the first backup';
      reports.skip({ operation, trigger: 'schedule', reason: 'empty', message });
      return false;
    }
    return succeeded(operation === 'drill' ? this.drill(undefined, 'schedule') : this.snapshot('schedule'));
  }

  /** Whether there is no backup yet. Also false if that cannot be found out: the drill itself will then report the problem. */
  async #isEmpty(): Promise<boolean> {
    try {
      const engine = await this.#parts.engines.open();
      return (await engine.getLatestBackupInfo()) === undefined;
    } catch {
      return false;
    }
  }

  /** Runs one piece of work at a time for each operation. */
  async #runAlone<T>(operation: 'drill' | 'snapshot', work: () => Promise<T>): Promise<T> {
    const { lastTimes, running } = this.#parts;
    await lastTimes.load();
    while (this.#running.has(operation)) {
      await this.#running.get(operation);
    }
    const mine = running.track(work());
    this.#running.set(operation, succeeded(mine));
    try {
      return await mine;
    } finally {
      this.#running.delete(operation);
    }
  }
}
