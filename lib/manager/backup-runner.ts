import type { BackupEngine } from '../backup/backup-engine.js';
import { pause } from '../base/clock.js';
import { errorCode } from '../base/errors.js';
import type { Database, DatabaseSource } from '../database/database.js';
import type { BackupInfo, BackupKind } from '../native/backup-info.js';
import { ownBackups } from '../retention/databases.js';
import type { Job } from './backup-queue.js';
import type { ChangeWatch } from './change-watch.js';
import { mayShare } from './damage.js';
import {
  type BackedUpContent,
  contentBackedUp,
  contentToBackUp,
  type DatabaseContent,
  isSameContent,
} from './database-content.js';
import { isBad } from './last-good.js';
import { takeTurn } from './manager-engines.js';
import { type BackupContext, type ManagedOperation, type SuccessfulOutcome, warn } from './manager-events.js';
import type { ManagerParts } from './manager-parts.js';
import { count } from './manager-state.js';
import type { Activity } from './manager-status.js';
import { isSameBackup } from './operation-record.js';
import { type Entry, recorded } from './recorder.js';
import { backoff, mayPass, toError } from './retries.js';
import { verifyBackup } from './verify-backup.js';

/** An error, together with the step that failed and, if known, the backup. */
class StepError {
  constructor(
    readonly operation: ManagedOperation,
    readonly error: Error,
    readonly info?: BackupInfo,
  ) {}
}

interface Created {
  info: BackupInfo;
  bytesCopied: number;
  backedUp: BackedUpContent | undefined;
}

/** Makes one backup, with as many attempts as needed; verifies it and records the result. */
export class BackupRunner {
  readonly #parts: ManagerParts;
  readonly #activity: Activity;
  /**
   * Its `begun()` is called right before the database is looked at, and right before the engine takes its view of it. Changes that come
   * later may be missing in the backup.
   */
  readonly #changes: Pick<ChangeWatch, 'begun'>;
  readonly #job: Job;
  readonly #started: number;
  /** Whether the `before` hook has been called. It is called once for all attempts. */
  #prepared = false;

  constructor(parts: ManagerParts, activity: Activity, changes: Pick<ChangeWatch, 'begun'>, job: Job) {
    this.#parts = parts;
    this.#activity = activity;
    this.#changes = changes;
    this.#job = job;
    this.#started = parts.clock.monotonic();
  }

  async run(): Promise<SuccessfulOutcome> {
    const { settings, clock, random, location, reports, abort } = this.#parts;
    const { trigger } = this.#job;
    // The last backup is made, and tried again, while the manager stops.
    const stopping = trigger === 'final' ? abort : this.#parts.stopping;
    let { kind } = this.#job;
    for (let attempt = 1; ; attempt++) {
      const context: BackupContext = {
        kind: kind === 'auto' ? 'incremental' : kind,
        trigger,
        location,
        at: new Date(clock.now()),
        attempt,
      };
      try {
        return await this.#attempt(context, kind);
      } catch (thrown) {
        const step = thrown instanceof StepError ? thrown : new StepError('create', toError(thrown));
        if (abort.aborted && step.error === abort.reason) {
          throw step.error;
        }
        const isDamage = tellsOfDamage(step, context);
        const worthwhile = isDamage || (step.operation !== 'hook' && mayPass(step.error));
        const willRetry = attempt <= settings.retry.attempts && worthwhile && !stopping.aborted && !abort.aborted;
        if (isDamage) {
          // RocksDB's engine recognizes a shared file by its name. An incremental backup would reuse the damaged file, or fail because of
          // its size.
          kind = 'full';
          await this.#findDamage(step);
        }
        if (!willRetry || isDamage) {
          await this.#failed(step, context, willRetry);
        }
        if (!willRetry) {
          throw step.error;
        }
        const delayMs = backoff(attempt, settings.retry, random);
        this.#activity.enter('retry', context);
        const waited = pause(clock, delayMs, stopping);
        reports.tell('retry', { error: step.error, attempt, delayMs, context });
        await waited;
        if (stopping.aborted) {
          await this.#failed(step, context, false);
          throw step.error;
        }
      }
    }
  }

  async #attempt(context: BackupContext, asked: Job['kind']): Promise<SuccessfulOutcome> {
    const { settings, clock } = this.#parts;
    const engine = await this.#prepare(context, asked);
    const made = await this.#createUnlessCurrent(engine, context);
    if ('newest' in made) {
      return { ok: true, result: undefined, unchanged: { ...context, newest: made.newest } };
    }
    const { info, bytesCopied } = made;
    context.kind = info.kind;
    if (settings.verify !== false) {
      await this.#verify(engine, info, settings.verify, context);
    }
    await this.#remember(made);
    const durationMs = Math.round(clock.monotonic() - this.#started);
    return { ok: true, result: { ...context, info, durationMs, bytesCopied, verified: settings.verify } };
  }

  /** Opens the engine, chooses the kind, and calls the `before` hook. */
  async #prepare(context: BackupContext, asked: Job['kind']): Promise<BackupEngine> {
    const { engines, settings } = this.#parts;
    this.#activity.enter('before', context);
    const engine = await stepOf('open', engines.open());
    context.location = engine.location;
    context.kind = await this.#chooseKind(engine, asked);
    if (!this.#prepared) {
      await callHook(() => settings.before?.(context));
      this.#prepared = true;
    }
    return engine;
  }

  /** Creates a backup. If it may be left out and the newest one has everything, returns that one instead. */
  async #createUnlessCurrent(engine: BackupEngine, context: BackupContext): Promise<Created | { newest: BackupInfo }> {
    const { settings, database } = this.#parts;
    const { db, release } = await stepOf('open', database.acquire());
    try {
      this.#changes.begun();
      const content = await contentToBackUp(db, settings.create.flushBeforeBackup ?? true);
      const newest = this.#job.mayBeLeftOut ? await this.#newestIfCurrent(engine, content, context) : undefined;
      if (newest !== undefined) {
        return { newest };
      }
      const metadata = await callHook(() => settings.metadata?.());
      return await takeTurn(engine.storage, () => this.#create(engine, db, content, context, metadata));
    } finally {
      await release();
    }
  }

  async #remember({ info, bytesCopied, backedUp }: Created): Promise<void> {
    await this.#parts.state.update((memory, counters) => {
      memory.backedUp = backedUp;
      memory.incrementalsSinceFull = info.kind === 'full' ? 0 : (memory.incrementalsSinceFull ?? 0) + 1;
      memory.consecutiveFailures.create = 0;
      memory.consecutiveFailures.verify = 0;
      count(counters, 'created');
      count(counters, 'bytesCopied', bytesCopied);
    });
  }

  /**
   * Returns the newest backup if it contains exactly what the database contains now, and if it is intact as far as names and sizes show.
   */
  async #newestIfCurrent(
    engine: BackupEngine,
    content: DatabaseContent | undefined,
    context: BackupContext,
  ): Promise<BackupInfo | undefined> {
    const { state, abort } = this.#parts;
    const directory = await state.load();
    const { backedUp } = state.memory;
    if (directory === undefined || backedUp === undefined || !isSameContent(content, backedUp)) {
      return undefined;
    }
    const newest = await stepOf('open', engine.getLatestBackupInfo());
    if (newest === undefined || !isSameBackup(newest, backedUp) || isBad(directory, newest)) {
      return undefined;
    }
    try {
      await engine.verifyBackup(newest.backupId, { signal: abort });
    } catch (error) {
      if (errorCode(error) !== 'BACKUP_CORRUPT') {
        throw error;
      }
      // Verify it once more, this time with a history entry.
      await this.#verify(engine, newest, 'size', context);
    }
    return newest;
  }

  async #create(
    engine: BackupEngine,
    db: Database | DatabaseSource,
    content: DatabaseContent | undefined,
    context: BackupContext,
    metadata: unknown,
  ): Promise<Created> {
    const { settings, reports, abort } = this.#parts;
    this.#activity.enter('backup', context);
    const { kind, attempt, trigger } = context;
    const entry: Entry = { operation: 'create', kind, trigger, ...(attempt > 1 ? { detail: { attempt } } : {}) };
    let bytesCopied = 0;
    reports.tell('start', context);
    this.#changes.begun();
    const info = await recorded(this.#parts, entry, async ({ note }) => {
      const made = await engine.createBackup(db, {
        // Data in memory is also in the log, and every backup copies the log again.
        flushBeforeBackup: true,
        ...settings.create,
        full: kind === 'full',
        ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
        signal: abort,
        onProgress: (progress) => {
          bytesCopied = progress.bytesDone;
          this.#activity.progressed(progress);
          reports.tell('progress', progress, context);
        },
      });
      const { kind: madeKind, backupId, timestamp, databaseId } = made;
      note({
        kind: madeKind,
        backupId,
        timestamp: timestamp.toISOString(),
        bytes: bytesCopied,
        ...(databaseId === undefined ? {} : { databaseId }),
      });
      return made;
    });
    return { info, bytesCopied, backedUp: await contentBackedUp(db, content, info) };
  }

  async #verify(
    engine: BackupEngine,
    info: BackupInfo,
    how: 'size' | 'checksum',
    context: BackupContext,
  ): Promise<void> {
    const { abort: signal } = this.#parts;
    this.#activity.enter('verify', context);
    try {
      const verification = { trigger: context.trigger, signal };
      const { sizesKnown } = await verifyBackup(this.#parts, engine, info, { how, ...verification });
      // Its record could not be written. Right names alone prove too little to delete older backups.
      if (!sizesKnown && how === 'size') {
        await verifyBackup(this.#parts, engine, info, { how: 'checksum', ...verification });
      }
    } catch (error) {
      throw new StepError('verify', toError(error), info);
    }
  }

  /** Decides the kind of backup. A full one is made if it is due, and while any backup has a damaged file that others could share. */
  async #chooseKind(engine: BackupEngine, asked: Job['kind']): Promise<BackupKind> {
    if (asked === 'full') {
      return 'full';
    }
    const { settings, state, database } = this.#parts;
    if ((await mayShare(state, engine)).spreads) {
      return 'full';
    }
    if (settings.fullEvery === 0 || asked === 'incremental') {
      return 'incremental';
    }
    const incrementals = state.memory.incrementalsSinceFull ?? (await incrementalsSinceFull(engine, database.identity));
    if (state.memory.incrementalsSinceFull === undefined) {
      await state.update((memory) => {
        memory.incrementalsSinceFull ??= incrementals;
      });
    }
    return incrementals + 1 >= settings.fullEvery ? 'full' : 'incremental';
  }

  /**
   * A backup could not be made because of the files of other backups. This finds out which backups those are. An error while looking must
   * not hide the original failure.
   */
  async #findDamage({ operation }: StepError): Promise<void> {
    if (operation !== 'create') {
      return;
    }
    const { engines, location, abort: signal } = this.#parts;
    try {
      const engine = await engines.open();
      for (const info of await engine.getBackupInfo()) {
        await verifyBackup(this.#parts, engine, info, { how: 'size', trigger: 'damage', signal }).catch(
          () => undefined,
        );
      }
    } catch (error) {
      warn(`could not find out which backups of ${location} are damaged; the next backup is full`, error);
    }
  }

  #failed({ operation, error, info }: StepError, { trigger }: BackupContext, willRetry: boolean): Promise<void> {
    const id = info === undefined ? {} : { backupId: info.backupId };
    return this.#parts.reports.backupFailed({ operation, error, trigger, ...id, willRetry });
  }
}

/**
 * Whether a shared file has changed since it was written. A verify found it, or RocksDB found it when it wanted to share the file again.
 */
function tellsOfDamage({ operation, error }: StepError, { kind }: BackupContext): boolean {
  const code = errorCode(error);
  return operation === 'verify'
    ? code === 'BACKUP_CORRUPT'
    : operation === 'create' && code === 'ROCKSDB_CORRUPTION' && kind === 'incremental';
}

/**
 * Counts the incremental backups since the last full one by looking at the backups. Used if there is no stored count, or if it was lost.
 */
async function incrementalsSinceFull(engine: BackupEngine, databaseId: string | undefined): Promise<number> {
  const backups = ownBackups(await engine.getBackupInfo(), databaseId);
  const newestFirst = [...backups].reverse().findIndex(({ kind }) => kind === 'full');
  return newestFirst < 0 ? backups.length : newestFirst;
}

async function stepOf<T>(operation: ManagedOperation, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new StepError(operation, toError(error));
  }
}

async function callHook(hook: () => unknown): Promise<unknown> {
  return stepOf('hook', (async () => hook())());
}
