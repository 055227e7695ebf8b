import { BackupEngine, nativeEngine } from '../backup/backup-engine.js';
import type { RestoreOptions } from '../backup/backup-options.js';
import { runOperation } from '../backup/long-operation.js';
import { checkObject } from '../base/check-object.js';
import { describe, invalidOption, RocksDBError } from '../base/errors.js';
import type { RecoveryPoint } from '../database/archive.js';
import type { OpenOptions } from '../database/database-options.js';
import type { RestoreResult } from '../native/backup-info.js';
import { native } from '../native/binding.js';
import type { NativeRecoveryTarget, NativeTimeline } from '../native/native-archive.js';
import type { RepositoryLocation } from '../storage/storage.js';
import { recoveryPoint, toDate } from './recovery-points.js';

/** Which moment is meant, where one time is in the archive more than once. */
export interface RecoveryChoice {
  /** The timeline. @default the newest; for a time, the one that has it */
  timeline?: number | undefined;
  /** The era: a stretch in which nobody set the clock. The error AMBIGUOUS_TIME lists them. */
  era?: string | undefined;
}

/** Options of {@link PointInTimeRecovery.recoverToTimestamp} and the others. */
export interface RecoverOptions extends RecoveryChoice, Omit<RestoreOptions, 'walDir' | 'keepLogFiles'> {
  /** The directory of the recovered database. */
  into: string;
  /** With which options the database is opened to replay the log: a merge operator of its own, for instance. */
  database?: Omit<OpenOptions, 'archive' | 'mode' | 'createIfMissing' | 'errorIfExists'> | undefined;
}

/** What a recovery would do. */
export interface RecoveryEstimate {
  readonly timeline: number;
  readonly era: string;
  /** The last write that the recovered database would have. */
  readonly sequence: number;
  /** The backup from which it would start. */
  readonly backupId: number;
  /** How many segments and writes would be replayed after it. */
  readonly segments: number;
  readonly writesToReplay: number;
}

/** What a recovery did. */
export interface RecoveryResult extends Omit<RecoveryEstimate, 'writesToReplay'> {
  /** The time of the last write that the recovered database has. Undefined if none was replayed. */
  readonly recoveredTo: Date | undefined;
  readonly writesReplayed: number;
  readonly batchesReplayed: number;
  readonly bytesReplayed: number;
  /** How long it took, in milliseconds. */
  readonly duration: number;
  /** The restore of the backup. */
  readonly restored: RestoreResult;
}

/** A stretch of time that can be recovered, write by write. */
export interface RecoveryWindow {
  readonly timeline: number;
  readonly reason: string;
  /** Times of the first and the last write that are recoverable. Undefined if no write has a time. */
  readonly from: Date | undefined;
  readonly to: Date | undefined;
  /** Sequence numbers: every one between them can be recovered. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly bytes: number;
  readonly backupIds: readonly number[];
  readonly points: readonly RecoveryPoint[];
}

/** @internal A time, a sequence number, the name of a point, or nothing: the latest. */
export interface RecoveryMoment extends RecoveryChoice {
  time?: Date | string | undefined;
  sequence?: number | undefined;
  point?: string | undefined;
}

const constructorKey = Symbol('PointInTimeRecovery');
/** A time before this is in seconds, or a mistake. In milliseconds. */
const EARLIEST = Date.UTC(2000, 0, 1);

/**
 * Brings back any moment of an archived database: see the option `archive` of {@link Database.open}.
 *
 * @example
 * await using recovery = await PointInTimeRecovery.open('/backups/users');
 * const { recoveredTo } = await recovery.recoverToTimestamp('2026-11-28T14:02:59Z', { into: '/data/users-1402' });
 */
export class PointInTimeRecovery implements AsyncDisposable {
  readonly #engine: BackupEngine;
  readonly #ownsEngine: boolean;

  /** @internal Use {@link PointInTimeRecovery.open}. */
  constructor(key: symbol, engine: BackupEngine, ownsEngine: boolean) {
    if (key !== constructorKey) {
      throw new TypeError('PointInTimeRecovery has no public constructor; use PointInTimeRecovery.open()');
    }
    this.#engine = engine;
    this.#ownsEngine = ownsEngine;
  }

  /** Opens the archive of a repository. An engine that is given stays open. */
  static async open(repository: RepositoryLocation | BackupEngine): Promise<PointInTimeRecovery> {
    return repository instanceof BackupEngine
      ? new PointInTimeRecovery(constructorKey, repository, false)
      : new PointInTimeRecovery(constructorKey, await BackupEngine.open(repository, { createIfMissing: false }), true);
  }

  /**
   * Recovers the database as it was at a moment: with every write that was acknowledged by then, and none that began later. It is restored and
   * replayed beside the target, and takes the target's place when it is complete, as with restoreBackup.
   *
   * Rejects with TARGET_BEFORE_WINDOW, TARGET_AFTER_WINDOW, ARCHIVE_GAP, AMBIGUOUS_TIME, SEGMENT_CORRUPT, and with the errors of restoreBackup.
   *
   * @param time a date, or a text with a zone such as `2026-11-28T14:02:59Z`
   */
  recoverToTimestamp(time: Date | string, options: RecoverOptions): Promise<RecoveryResult> {
    return this.#recover({ kind: 'time', time: toMicros(time) }, options);
  }

  /** Recovers the database as it was after the write with this sequence number. */
  recoverToSequence(sequence: number, options: RecoverOptions): Promise<RecoveryResult> {
    return this.#recover({ kind: 'sequence', sequence }, options);
  }

  /** Recovers everything that is in the archive. */
  recoverToLatest(options: RecoverOptions): Promise<RecoveryResult> {
    return this.#recover({ kind: 'latest' }, options);
  }

  /** Recovers the moment that was given this name: see {@link Archive.createRecoveryPoint}. */
  async recoverToPoint(name: string, options: RecoverOptions): Promise<RecoveryResult> {
    return this.#recover(await this.#targetOfPoint(name, checkObject('options', options).timeline), options);
  }

  /** What recoverToTimestamp would do. Changes nothing. */
  estimateRecovery(time: Date | string, choice: RecoveryChoice = {}): Promise<RecoveryEstimate> {
    return this.#plan({ kind: 'time', time: toMicros(time), ...checkObject('choice', choice) });
  }

  /** @internal The same for any moment. */
  async estimate(moment: RecoveryMoment): Promise<RecoveryEstimate> {
    return this.#plan(await this.#targetOf(moment));
  }

  /** @internal */
  async recoverTo(moment: RecoveryMoment, options: RecoverOptions): Promise<RecoveryResult> {
    return this.#recover(await this.#targetOf(moment), options);
  }

  async #targetOf({ time, sequence, point, timeline, era }: RecoveryMoment): Promise<NativeRecoveryTarget> {
    if (point !== undefined) {
      return this.#targetOfPoint(point, timeline);
    }
    const choice = { timeline, era };
    if (time !== undefined) {
      return { kind: 'time', time: toMicros(time), ...choice };
    }
    return sequence === undefined ? { kind: 'latest', ...choice } : { kind: 'sequence', sequence, ...choice };
  }

  /** What can be recovered, timeline by timeline, the oldest first. A timeline without a backup to start from is not in the list. */
  async listRecoveryPoints(): Promise<RecoveryWindow[]> {
    const [timelines, backups] = await Promise.all([
      native.listArchive(nativeEngine(this.#engine)),
      this.#engine.getBackupInfo(),
    ]);
    const known = new Set(backups.map(({ backupId, timestamp }) => `${backupId} ${timestamp.getTime() / 1000}`));
    return timelines.flatMap((timeline) => windowOf(timeline, known) ?? []);
  }

  /**
   * Removes what no recovery can need: the archive from before the oldest backup. A database that is open with `archive` does that every hour.
   *
   * @returns how many files were removed
   */
  prune(): Promise<number> {
    return native.pruneArchive(nativeEngine(this.#engine));
  }

  /** Closes the repository, unless it was given as an engine. */
  async close(): Promise<void> {
    if (this.#ownsEngine) {
      await this.#engine.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #plan(target: NativeRecoveryTarget): Promise<RecoveryEstimate> {
    return native.planRecovery(nativeEngine(this.#engine), target);
  }

  async #targetOfPoint(name: string, timeline: number | undefined): Promise<NativeRecoveryTarget> {
    const found = (await native.listArchive(nativeEngine(this.#engine)))
      .filter((each) => timeline === undefined || each.timeline === timeline)
      .flatMap((each) => each.points.filter((point) => point.name === name).map((point) => ({ ...point, in: each })));
    const [point, other] = found;
    if (point === undefined || other !== undefined) {
      throw new RocksDBError(
        point === undefined
          ? `the archive of ${this.#engine.location} has no recovery point named "${name}"`
          : `the archive of ${this.#engine.location} has ${found.length} recovery points named "${name}": at sequence ` +
              `${found.map((each) => `${each.sequence} of timeline ${each.in.timeline}`).join(', ')}`,
        point === undefined ? 'POINT_NOT_FOUND' : 'AMBIGUOUS_POINT',
        { path: this.#engine.location },
      );
    }
    return { kind: 'sequence', sequence: point.sequence, timeline: point.in.timeline };
  }

  async #recover(target: NativeRecoveryTarget, options: RecoverOptions): Promise<RecoveryResult> {
    const { into, timeline, era, database = {}, signal, onProgress, ...restore } = checkObject('options', options);
    const begun = performance.now();
    const { time, ...recovered } = await runOperation({ signal, onProgress }, (operation) =>
      native.recover(
        nativeEngine(this.#engine),
        { ...target, ...(timeline !== undefined && { timeline }), ...(era !== undefined && { era }) },
        into,
        operation,
        restore,
        database,
      ),
    );
    return { ...recovered, recoveredTo: toDate(time), duration: performance.now() - begun };
  }
}

/** A time of day without a zone means another moment on each machine. */
function toMicros(time: Date | string): number {
  const hasZone = typeof time !== 'string' || /(Z|[+-]\d\d:?\d\d)$/i.test(time);
  const fraction = typeof time === 'string' ? (/\.\d{3}(\d{1,3})/.exec(time)?.[1] ?? '') : '';
  const ms = time instanceof Date ? time.getTime() : typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (!hasZone || !(ms >= EARLIEST)) {
    throw invalidOption(
      TypeError,
      'time',
      'a date after 2000, or such a text with a zone, like 2026-11-28T14:02:59Z',
      describe(time),
    );
  }
  // A date means the whole of its millisecond.
  return ms * 1000 + (typeof time === 'string' && /\.\d{4,}/.test(time) ? Number(fraction.padEnd(3, '0')) : 999);
}

function windowOf(timeline: NativeTimeline, known: ReadonlySet<string>): RecoveryWindow | undefined {
  const bases = timeline.bases.filter(({ backupId, timestamp }) => known.has(`${backupId} ${timestamp}`));
  const first = bases[0];
  if (first === undefined) {
    return undefined;
  }
  const after = timeline.segments.filter(({ lastSequence, to }) => lastSequence > first.sequence && to !== undefined);
  return {
    timeline: timeline.timeline,
    reason: timeline.reason,
    from: toDate(first.sequence < timeline.firstSequence ? timeline.begun : after[0]?.from),
    to: toDate(after.at(-1)?.to),
    firstSequence: first.sequence,
    lastSequence: Math.max(timeline.lastSequence, first.sequence),
    bytes: timeline.bytes,
    backupIds: bases.map(({ backupId }) => backupId),
    points: timeline.points.map((point) => recoveryPoint(point, timeline.timeline)),
  };
}
