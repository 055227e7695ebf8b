import type { BackupEngine } from '../backup/backup-engine.js';
import { type Clock, pause } from '../base/clock.js';
import { errorCode } from '../base/errors.js';
import type { Database, DatabaseSource } from '../database/database.js';
import type { BackupInfo, BackupKind, Progress } from '../native/backup-info.js';
import { ownBackups } from '../retention/databases.js';
import { mayShare, notingDamage } from './damage.js';
import type { DatabaseAccess } from './database-access.js';
import {
  type BackedUpContent,
  contentBackedUp,
  contentToBackUp,
  type DatabaseContent,
  isSameContent,
} from './database-content.js';
import { isBad } from './last-good.js';
import { type ManagerEngines, type OpenEngine, takeTurn } from './manager-engines.js';
import {
  type BackupContext,
  type BackupResult,
  type Failure,
  type ManagedOperation,
  type Trigger,
  type UnchangedBackup,
  warn,
} from './manager-events.js';
import type { Settings } from './manager-options.js';
import { count, type ManagerState } from './manager-state.js';
import type { Phase } from './manager-status.js';
import { isSameBackup } from './operation-record.js';
import { type Entry, recorded } from './recorded.js';
import type { Recorder } from './recorder.js';
import { backoff, mayPass, toError } from './retries.js';

/** What a backup has been asked for. */
export interface Job {
  trigger: Trigger;
  kind: BackupKind | 'auto';
  /** Whether it may be left out if nothing is new. */
  mayBeLeftOut?: boolean | undefined;
}

/** What came of it. */
export type JobResult = { made: BackupResult } | { leftOut: UnchangedBackup };

/** What a runner works with, and whom it tells. */
export interface RunnerParts {
  settings: Settings;
  clock: Clock;
  random: () => number;
  database: DatabaseAccess;
  /** Which database that is, if it is known. */
  databaseId: string | undefined;
  engines: ManagerEngines;
  state: ManagerState;
  recorder: Recorder;
  onPhase(phase: Phase, context?: BackupContext): void;
  /** Right before the database is looked at, and again before the engine takes its view of it: what is written later is not in the backup. */
  onLook(): void;
  onBegin(context: BackupContext): void;
  onProgress(progress: Progress, context: BackupContext): void;
  onVerified(info: BackupInfo, how: 'size' | 'checksum', durationMs: number): void;
  onRetry(error: Error, attempt: number, delayMs: number, context: BackupContext): void;
  onFailure(failure: Failure): void;
  /** Aborted when waiting for a better moment makes no sense any more. */
  stopping: AbortSignal;
  /** Aborted when the backup itself is to be stopped. */
  abort: AbortSignal;
}

/** An error with what it happened in, as far as more than the backup itself. */
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

/** Makes one backup: as often as it takes, verified, and written down. */
export class BackupRunner {
  readonly #parts: RunnerParts;
  /** Whether the before-hook has been called: once for all attempts. */
  #prepared = false;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  async run(job: Job): Promise<JobResult> {
    const { settings, clock, random, stopping, abort } = this.#parts;
    const started = clock.monotonic();
    let kind = job.kind;
    for (let attempt = 1; ; attempt++) {
      const context: BackupContext = {
        kind: kind === 'auto' ? 'incremental' : kind,
        trigger: job.trigger,
        location: locationOf(settings.location),
        at: new Date(clock.now()),
        attempt,
      };
      try {
        return await this.#attempt(context, kind, job.mayBeLeftOut ?? false, started);
      } catch (thrown) {
        const step = thrown instanceof StepError ? thrown : new StepError('create', toError(thrown));
        if (abort.aborted && step.error === abort.reason) {
          throw step.error;
        }
        const isDamage = tellsOfDamage(step, context);
        const worthwhile = isDamage || (step.operation !== 'hook' && mayPass(step.error));
        const willRetry = attempt <= settings.retry.attempts && worthwhile && !stopping.aborted && !abort.aborted;
        if (isDamage) {
          // RocksDB's engine takes a shared file by its name: it would share the damaged one again, or stumble over its size.
          kind = 'full';
          await this.#findDamage(step);
        }
        if (!willRetry || isDamage) {
          await this.#failed(step, context, willRetry);
        }
        if (!willRetry) {
          throw step.error;
        }
        const delay = backoff(attempt, settings.retry, random);
        this.#parts.onPhase('retry', context);
        const waited = pause(clock, delay, stopping);
        this.#parts.onRetry(step.error, attempt, delay, context);
        await waited;
        if (stopping.aborted) {
          await this.#failed(step, context, false);
          throw step.error;
        }
      }
    }
  }

  async #attempt(
    context: BackupContext,
    asked: Job['kind'],
    mayBeLeftOut: boolean,
    started: number,
  ): Promise<JobResult> {
    const { settings, clock, state, database } = this.#parts;
    this.#parts.onPhase('before', context);
    const opened = await stepOf('open', this.#parts.engines.open());
    context.location = opened.location;
    context.kind = await this.#chooseKind(opened, asked);
    if (!this.#prepared && settings.before !== undefined) {
      await stepOf(
        'hook',
        callHook(() => settings.before?.(context)),
      );
      this.#prepared = true;
    }
    const { db, release } = await stepOf('open', database.acquire());
    let created: Created;
    try {
      this.#parts.onLook();
      const content = await contentToBackUp(db, settings.create.flushBeforeBackup ?? true);
      const newest = mayBeLeftOut ? await this.#newestIfCurrent(opened, content, context) : undefined;
      if (newest !== undefined) {
        return { leftOut: { ...context, newest } };
      }
      const metadata = await stepOf(
        'hook',
        callHook(() => settings.metadata?.()),
      );
      created = await takeTurn(opened.location, () => this.#create(opened, db, content, context, metadata));
    } finally {
      await release();
    }
    const { info, bytesCopied, backedUp } = created;
    context.kind = info.kind;
    if (settings.verify !== false) {
      await this.#verify(opened.engine, info, settings.verify, context);
    }
    await state.update((memory, counters) => {
      memory.backedUp = backedUp;
      memory.incrementalsSinceFull = context.kind === 'full' ? 0 : (memory.incrementalsSinceFull ?? 0) + 1;
      memory.consecutiveFailures.create = 0;
      memory.consecutiveFailures.verify = 0;
      count(counters, 'created');
      count(counters, 'bytesCopied', bytesCopied);
    });
    const durationMs = Math.round(clock.monotonic() - started);
    return { made: { ...context, info, durationMs, bytesCopied, verified: settings.verify } };
  }

  /** The newest backup, if it has just what the database holds, and is there and whole as far as names and sizes tell. */
  async #newestIfCurrent(
    { engine }: OpenEngine,
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
      // Once more, to have it written down.
      await this.#verify(engine, newest, 'size', context);
    }
    return newest;
  }

  async #create(
    opened: OpenEngine,
    db: Database | DatabaseSource,
    content: DatabaseContent | undefined,
    context: BackupContext,
    metadata: unknown,
  ): Promise<Created> {
    const { settings, abort } = this.#parts;
    this.#parts.onPhase('backup', context);
    const { kind, attempt, trigger } = context;
    const entry: Entry = { operation: 'create', kind, trigger, ...(attempt > 1 ? { detail: { attempt } } : {}) };
    let bytesCopied = 0;
    this.#parts.onBegin(context);
    const info = await recorded(this.#parts, entry, async () => {
      const made = await opened.engine.createBackup(db, {
        // What is in memory is in the log too, which every backup copies again.
        flushBeforeBackup: true,
        ...settings.create,
        full: kind === 'full',
        ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
        signal: abort,
        onProgress: (progress) => {
          bytesCopied = progress.bytesDone;
          this.#parts.onProgress(progress, context);
        },
      });
      Object.assign(entry, { kind: made.kind, backupId: made.backupId, timestamp: made.timestamp.toISOString() });
      Object.assign(
        entry,
        { bytes: bytesCopied },
        made.databaseId === undefined ? {} : { databaseId: made.databaseId },
      );
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
    this.#parts.onPhase('verify', context);
    try {
      await verifyAndRecord(this.#parts, engine, info, how, context.trigger);
    } catch (error) {
      throw new StepError('verify', toError(error), info);
    }
  }

  /** Full when it is a full one's turn, and as long as some backup has a damaged file that others could share. */
  async #chooseKind(opened: OpenEngine, asked: Job['kind']): Promise<BackupKind> {
    if (asked === 'full') {
      return 'full';
    }
    const { settings, state } = this.#parts;
    if ((await mayShare(state, opened.engine)).spreads) {
      return 'full';
    }
    if (settings.fullEvery === 0 || asked === 'incremental') {
      return 'incremental';
    }
    const incrementals =
      state.memory.incrementalsSinceFull ?? (await incrementalsSinceFull(opened.engine, this.#parts.databaseId));
    if (state.memory.incrementalsSinceFull === undefined) {
      await state.update((memory) => {
        memory.incrementalsSinceFull ??= incrementals;
      });
    }
    return incrementals + 1 >= settings.fullEvery ? 'full' : 'incremental';
  }

  /** A backup that could not be made because of the files of others: of which ones? That the answer fails hides no failure. */
  async #findDamage({ operation }: StepError): Promise<void> {
    if (operation !== 'create') {
      return;
    }
    try {
      const { engine } = await this.#parts.engines.open();
      for (const info of await engine.getBackupInfo()) {
        await verifyAndRecord(this.#parts, engine, info, 'size', 'damage').catch(() => undefined);
      }
    } catch (error) {
      const location = locationOf(this.#parts.settings.location);
      warn(`which backups of ${location} are damaged could not be found out; the next one is a full one`, error);
    }
  }

  async #failed({ operation, error, info }: StepError, context: BackupContext, willRetry: boolean): Promise<void> {
    const { state } = this.#parts;
    // For whoever waits for a good backup it is the same, whatever of it failed.
    await state.update((memory, counters) => {
      memory.consecutiveFailures.create = (memory.consecutiveFailures.create ?? 0) + 1;
      count(counters, 'failed');
    });
    this.#parts.onFailure({
      operation,
      error,
      consecutiveFailures: state.memory.consecutiveFailures.create ?? 1,
      trigger: context.trigger,
      ...(info === undefined ? {} : { backupId: info.backupId }),
      willRetry,
    });
  }
}

/** Whether a file that backups share is not what it was: found by a verify, or by RocksDB when it wanted to share it again. */
function tellsOfDamage({ operation, error }: StepError, { kind }: BackupContext): boolean {
  const code = errorCode(error);
  return operation === 'verify'
    ? code === 'BACKUP_CORRUPT'
    : operation === 'create' && code === 'ROCKSDB_CORRUPTION' && kind === 'incremental';
}

/** Verifies a backup and writes down how it went; if it is damaged, so that no later backup shares what is. */
export async function verifyAndRecord(
  {
    clock,
    recorder,
    state,
    onVerified,
    abort,
  }: Pick<RunnerParts, 'clock' | 'recorder' | 'state' | 'onVerified' | 'abort'>,
  engine: BackupEngine,
  info: BackupInfo,
  how: 'size' | 'checksum',
  trigger: string,
): Promise<void> {
  const { backupId } = info;
  const checksum = how === 'checksum';
  const entry: Entry = { operation: 'verify', backupId, timestamp: info.timestamp.toISOString(), checksum, trigger };
  const reading = { proves: checksum ? 'every byte' : 'sizes', now: () => clock.now() } as const;
  const durationMs = await recorded({ clock, recorder }, entry, async (_, elapsed) => {
    await notingDamage(state, engine, info, reading, () => engine.verifyBackup(backupId, { checksum, signal: abort }));
    entry.bytes = checksum ? info.size : 0;
    return elapsed();
  });
  onVerified(info, how, durationMs);
}

/** By the backups themselves: for when nobody has counted, or the count was lost. */
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

async function callHook<T>(hook: () => T): Promise<Awaited<T>> {
  return await hook();
}

function locationOf(location: string | BackupEngine): string {
  return typeof location === 'string' ? location : location.location;
}
