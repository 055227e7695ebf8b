import { EventEmitter } from 'node:events';
import { BackupEngine, nativeEngine } from '../backup/backup-engine.js';
import { runOperation } from '../backup/long-operation.js';
import { checkObject } from '../base/check-object.js';
import { describe, invalidOption, type RocksDBError } from '../base/errors.js';
import {
  type ArchiveEvents,
  type ArchiveOptions,
  type ArchiveStatus,
  type OwnArchive,
  openArchivesWith,
  type RecoveryPoint,
} from '../database/archive.js';
import { type Database, nativeDatabase } from '../database/database.js';
import { native } from '../native/binding.js';
import type { NativeArchiveStatus } from '../native/native-archive.js';
import { recoveryPoint, toDate } from './recovery-points.js';

const LOOK_MS = 250;
const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 300_000;
const PRUNE_EVERY_MS = 3_600_000;

/** Starts the native archiver of a database, tells what happens to it, and makes the backups that its timelines need. */
class RunningArchive implements OwnArchive {
  readonly #db: Database;
  readonly #engine: BackupEngine;
  readonly #ownsEngine: boolean;
  readonly #events = new EventEmitter<ArchiveEvents>();
  readonly #ending = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #failing: string | undefined;
  #timeline: number | undefined;
  #base: Promise<void> | undefined;
  #retryMs = FIRST_RETRY_MS;
  #nextBase = 0;
  #nextPrune = Date.now() + PRUNE_EVERY_MS;

  constructor(db: Database, engine: BackupEngine, ownsEngine: boolean, options: Omit<ArchiveOptions, 'to'>) {
    this.#db = db;
    this.#engine = engine;
    this.#ownsEngine = ownsEngine;
    native.startArchiver(nativeDatabase(db), nativeEngine(engine), options);
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  status(): ArchiveStatus {
    return statusOf(native.archiverStatus(nativeDatabase(this.#db)));
  }

  async flush({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await runOperation({ signal }, (operation) => native.flushArchive(nativeDatabase(this.#db), operation));
  }

  async createRecoveryPoint(
    name: string,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<RecoveryPoint> {
    if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > 60) {
      throw invalidOption(TypeError, 'name', 'a string of 1 to 60 bytes', describe(name));
    }
    return recoveryPoint(
      await runOperation({ signal }, (operation) => native.addRecoveryPoint(nativeDatabase(this.#db), name, operation)),
      this.status().timeline ?? 0,
    );
  }

  on<E extends keyof ArchiveEvents>(event: E, listener: (...args: ArchiveEvents[E]) => void): this {
    (this.#events as EventEmitter).on(event, listener);
    return this;
  }

  off<E extends keyof ArchiveEvents>(event: E, listener: (...args: ArchiveEvents[E]) => void): this {
    (this.#events as EventEmitter).off(event, listener);
    return this;
  }

  async beginClose(): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort();
    await this.#base;
  }

  async endClose(): Promise<void> {
    if (this.#ownsEngine) {
      await this.#engine.close();
    }
  }

  #look(): void {
    const status = this.status();
    const code = status.lastError?.code;
    if (code !== this.#failing) {
      this.#failing = code;
      if (status.lastError === undefined) {
        this.#events.emit('recovered');
      } else {
        this.#tell(status.lastError);
      }
    }
    if (status.timeline !== this.#timeline) {
      this.#timeline = status.timeline;
      this.#events.emit('timeline', status);
    }
    if (Date.now() >= this.#nextPrune) {
      this.#prune();
    }
    if (status.needsBase && this.#base === undefined && Date.now() >= this.#nextBase) {
      this.#base = this.#makeBase().finally(() => {
        this.#base = undefined;
      });
    }
  }

  /** Removes what no backup needs any more. If that fails, it is done the next time. */
  #prune(): void {
    this.#nextPrune = Date.now() + PRUNE_EVERY_MS;
    native.pruneArchive(nativeEngine(this.#engine)).catch((error) => this.#tell(error));
  }

  async #makeBase(): Promise<void> {
    try {
      const { backupId } = await this.#engine.createBackup(this.#db, { signal: this.#ending.signal });
      this.#retryMs = FIRST_RETRY_MS;
      this.#events.emit('base', backupId);
    } catch (error) {
      if (this.#ending.signal.aborted) {
        return;
      }
      this.#nextBase = Date.now() + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
      this.#tell(error as RocksDBError);
    }
  }

  #tell(error: RocksDBError): void {
    if (this.#events.listenerCount('error') > 0) {
      this.#events.emit('error', error);
    }
  }
}

function statusOf(status: NativeArchiveStatus): ArchiveStatus {
  const { timeline, archivedSequence, latestSequence } = status;
  return {
    state: status.error !== undefined ? 'failing' : timeline === undefined ? 'starting' : 'archiving',
    timeline,
    timelineReason: status.timelineReason,
    needsBase: status.needsBase,
    archivedSequence,
    latestSequence,
    lagWrites: latestSequence - (archivedSequence ?? 0),
    archivedTime: toDate(status.archivedTime),
    segments: status.segments,
    bytes: status.bytes,
    logsGivenUp: status.logsGivenUp,
    lastError: status.error,
  };
}

openArchivesWith(async (given) => {
  const { to, ...options } =
    typeof given === 'object' && 'to' in given ? checkObject('archive', given as ArchiveOptions) : { to: given };
  const owns = !(to instanceof BackupEngine);
  const engine = owns ? await BackupEngine.open(to as string) : to;
  return {
    start: (db) => new RunningArchive(db as Database, engine, owns, options),
    giveUp: async () => {
      if (owns) {
        await engine.close();
      }
    },
  };
});
