import type { Clock, SteadyClock } from '../base/clock.js';
import { errorCode } from '../base/errors.js';
import { createSnapshot, pruneSnapshots } from '../checkpoints/snapshots.js';
import { type DrillResult, drillBackup } from '../drill/drill.js';
import type { BackupInfo } from '../native/backup-info.js';
import { notingDamage } from './damage.js';
import { type DatabaseAccess, databaseBehind } from './database-access.js';
import type { ManagerEngines } from './manager-engines.js';
import type { ManagedOperation, ManagerEvents, Skipped } from './manager-events.js';
import type { Settings } from './manager-options.js';
import type { ManagerState } from './manager-state.js';
import { recorded } from './recorded.js';
import type { Recorder } from './recorder.js';
import { toError } from './retries.js';

/** What side tasks need from the manager to which they belong. */
export interface SideTaskHost {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly steady: SteadyClock;
  readonly database: DatabaseAccess;
  readonly engines: ManagerEngines;
  readonly state: ManagerState;
  readonly recorder: Recorder;
  /** Aborted when the manager stops. */
  readonly stopping: AbortController;
  lastDrill: number | undefined;
  load(): Promise<void>;
  find(backupId: number | undefined): Promise<BackupInfo>;
  tell<K extends keyof ManagerEvents & string>(event: K, ...args: ManagerEvents[K]): void;
  skip(skipped: Skipped): void;
  failed(operation: ManagedOperation, error: Error, backupId?: number): Promise<void>;
  wentWell(operation: ManagedOperation): Promise<void>;
}

/** The work of a manager beside backups: drills and checkpoints. Of each kind, one runs at a time. */
export class SideTasks {
  readonly #work: SideTaskHost;
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(work: SideTaskHost) {
    this.#work = work;
  }

  /** Resolves when nothing is running any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Restores a backup, by default the latest, to a temporary directory and compares it. */
  drill(backupId: number | undefined, trigger: string): Promise<DrillResult> {
    return this.#runAlone('drill', () => this.#drill(backupId, trigger));
  }

  async #drill(asked: number | undefined, trigger: string): Promise<DrillResult> {
    const { clock, engines, settings, state, stopping, steady } = this.#work;
    const { signal } = stopping;
    const isStopped = (error: unknown) => signal.aborted && error === signal.reason;
    let backupId: number | undefined;
    try {
      const result = await recorded(this.#work, { operation: 'drill', trigger }, async ({ note }) => {
        const { engine } = await engines.open();
        const drillOne = async () => {
          const info = await this.#work.find(asked);
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
      this.#work.lastDrill = steady.now();
      await this.#work.wentWell('drill');
      this.#work.tell('drilled', result);
      return result;
    } catch (error) {
      if (isStopped(error)) {
        this.#work.skip({ operation: 'drill', reason: 'stopping', message: 'the drill was ended by stop()' });
      } else {
        await this.#work.failed('drill', toError(error), backupId);
      }
      throw error;
    }
  }

  /** Makes a checkpoint beside the database. @returns its path */
  snapshot(trigger: string): Promise<string> {
    return this.#runAlone('snapshot', () => this.#snapshot(trigger));
  }

  async #snapshot(trigger: string): Promise<string> {
    try {
      const made = await recorded(this.#work, { operation: 'snapshot', trigger }, async ({ at, elapsed, note }) => {
        const { database, engines, settings, steady } = this.#work;
        const { snapshotDirectory: directory, snapshotRetention } = settings;
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
      await this.#work.wentWell('snapshot');
      this.#work.tell('snapshot', made);
      return made.path;
    } catch (error) {
      await this.#work.failed('snapshot', toError(error));
      throw error;
    }
  }

  /** Runs what a schedule made due and nobody waits for. @returns whether this time of the schedule is done */
  async due(operation: 'drill' | 'snapshot'): Promise<boolean> {
    if (this.#running.has(operation)) {
      const message = `a ${operation} was due while another was running`;
      this.#work.skip({ operation, trigger: 'schedule', reason: 'running', message });
      return true;
    }
    if (operation === 'drill' && (await this.#isEmpty())) {
      this.#work.skip({
        operation,
        trigger: 'schedule',
        reason: 'empty',
        message: 'a drill was due before the first backup',
      });
      return false;
    }
    return succeeded(operation === 'drill' ? this.drill(undefined, 'schedule') : this.snapshot('schedule'));
  }

  /** Whether there is no backup yet. Also false if that cannot be found out: the drill itself will then report the problem. */
  async #isEmpty(): Promise<boolean> {
    try {
      return (await (await this.#work.engines.open()).engine.getLatestBackupInfo()) === undefined;
    } catch {
      return false;
    }
  }

  /** Runs one piece of work at a time for each operation. */
  async #runAlone<T>(operation: 'drill' | 'snapshot', work: () => Promise<T>): Promise<T> {
    await this.#work.load();
    while (this.#running.has(operation)) {
      await this.#running.get(operation);
    }
    const mine = work();
    this.#running.set(operation, succeeded(mine));
    try {
      return await mine;
    } finally {
      this.#running.delete(operation);
    }
  }
}

/** Whether some work succeeds. Never rejects. */
export function succeeded(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
