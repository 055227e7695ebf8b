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
import type { OperationName } from './operation-record.js';
import { type Entry, recorded } from './recorded.js';
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

  async drill(backupId: number | undefined, trigger: string): Promise<DrillResult> {
    return this.#runAlone('drill', trigger, async (entry) => {
      const { engine } = await this.#work.engines.open();
      const signal = this.#work.stopping.signal;
      const drillOne = async () => {
        const info = await this.#work.find(backupId);
        entry.backupId = info.backupId;
        entry.timestamp = info.timestamp.toISOString();
        const reading = { proves: 'drill', now: () => this.#work.clock.now() } as const;
        return notingDamage(this.#work.state, engine, info, reading, () =>
          drillBackup(engine, info.backupId, { ...this.#work.settings.drill, signal }),
        );
      };
      const result = await drillOne().catch((error: unknown) => {
        // The backup that was the latest was pruned before the drill opened it.
        if (backupId === undefined && errorCode(error) === 'BACKUP_NOT_FOUND') {
          return drillOne();
        }
        throw error;
      });
      this.#work.lastDrill = this.#work.steady.now();
      return { result, tell: () => this.#work.tell('drilled', result) };
    });
  }

  async snapshot(trigger: string): Promise<string> {
    return this.#runAlone('snapshot', trigger, async (entry) => {
      const at = new Date(this.#work.clock.now());
      const begun = this.#work.clock.monotonic();
      const { snapshotDirectory: directory, snapshotRetention } = this.#work.settings;
      // Opening the engine creates the repository, where the operation will be recorded. If that fails, the checkpoint is made all the
      // same.
      await this.#work.engines.open().catch(() => undefined);
      const { path } = await this.#work.database.use((db) => createSnapshot(databaseBehind(db), { directory }));
      entry.kind = 'snapshot';
      entry.detail = { path };
      const durationMs = Math.round(this.#work.clock.monotonic() - begun);
      if (snapshotRetention !== undefined) {
        await pruneSnapshots(this.#work.database.path, snapshotRetention, new Date(this.#work.steady.now()), {
          directory,
        });
      }
      return { result: path, tell: () => this.#work.tell('snapshot', { path, at, durationMs }) };
    });
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

  /** Runs one piece of work at a time for each operation, and records and reports it. */
  async #runAlone<T>(
    operation: OperationName & ManagedOperation,
    trigger: string,
    work: (entry: Entry) => Promise<{ result: T; tell: () => void }>,
  ): Promise<T> {
    await this.#work.load();
    while (this.#running.has(operation)) {
      await this.#running.get(operation);
    }
    const mine = this.#recorded(operation, trigger, work);
    const ended = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#running.set(operation, ended);
    try {
      return await mine;
    } finally {
      this.#running.delete(operation);
    }
  }

  async #recorded<T>(
    operation: OperationName & ManagedOperation,
    trigger: string,
    work: (entry: Entry) => Promise<{ result: T; tell: () => void }>,
  ): Promise<T> {
    const { signal } = this.#work.stopping;
    const entry: Entry = { operation, trigger };
    const isStopped = (error: unknown) => signal.aborted && error === signal.reason;
    try {
      const { result, tell } = await recorded(this.#work, entry, () =>
        work(entry).catch((error) => {
          entry.nothingDone = isStopped(error);
          throw error;
        }),
      );
      await this.#work.wentWell(operation);
      tell();
      return result;
    } catch (error) {
      if (isStopped(error)) {
        this.#work.skip({
          operation: operation as 'drill',
          reason: 'stopping',
          message: `the ${operation} was ended by stop()`,
        });
        throw error;
      }
      await this.#work.failed(operation, toError(error), entry.backupId);
      throw error;
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
