import { describe, errorCode, invalidOption, RocksDBError } from '../base/errors.js';
import { type Database, type DatabaseSource, databaseFromNative, nativeDatabase } from '../database/database.js';
import type {
  BackupInfo,
  BackupSurvey,
  LongOperation,
  Progress,
  RestorePlan,
  RestoreResult,
} from '../native/backup-info.js';
import { native } from '../native/binding.js';
import type { NativeBackupEngine, NativeOperation } from '../native/native-backup-engine.js';
import { damageInWords, damageLookup, readKnownDamage } from './known-damage.js';
import { nativeLimiter, RateLimiter } from './rate-limiter.js';

/** A line of RocksDB's log. */
export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'header';
  message: string;
}

/** Options of {@link BackupEngine.open}. All that RocksDB's BackupEngineOptions has. */
export interface BackupEngineOptions {
  /** Opens for reading only: creates nothing, needs no write access. @default false */
  readOnly?: boolean | undefined;
  /** Keeps table and blob files once for all backups that have them: backups are incremental. @default true */
  shareTableFiles?: boolean | undefined;
  /** Tells shared files apart by their contents' identity. Off, two databases in one directory destroy each other. @default true */
  shareFilesWithChecksum?: boolean | undefined;
  /** How shared files are named. @default 'dbSessionId' */
  shareFilesWithChecksumNaming?: 'dbSessionId' | 'legacyCrc32cAndFileSize' | undefined;
  /** Puts the size into the names of shared files, where later verification finds it. @default true */
  includeFileSizeInName?: boolean | undefined;
  /**
   * Makes each backup and restore survive a power cut, at some cost in speed. A restore that removes the database which it replaces
   * survives it in any case. @default true
   */
  sync?: boolean | undefined;
  /** Deletes all backups in the directory when opening it. @default false */
  destroyOldData?: boolean | undefined;
  /**
   * Includes the write-ahead log. Without it the database is flushed first, one column family after the other: a batch that is
   * written meanwhile to several of them can be in the backup in part, unless the database is opened with `atomicFlush` or the
   * backup made with it.
   * @default true
   */
  backupLogFiles?: boolean | undefined;
  /** Bytes per second that backups write, at least 10, or a limiter shared with others. 0: no limit. @default 0 */
  backupRateLimit?: number | RateLimiter | undefined;
  /** Bytes per second that restores write, at least 10, or a limiter shared with others. 0: no limit. @default 0 */
  restoreRateLimit?: number | RateLimiter | undefined;
  /** Files copied at a time. @default min(4, cores) */
  maxBackgroundOperations?: number | undefined;
  /** RocksDB's own callback distance in bytes. Progress does not depend on it. @default 4194304 */
  callbackTriggerIntervalSize?: number | undefined;
  /** With readOnly: how many of the latest backups to look at. @default all */
  maxValidBackupsToOpen?: number | undefined;
  /** Version of the meta files. 2 is needed by excludeFiles, and read by RocksDB from 6.19.0. @default 1 */
  schemaVersion?: 1 | 2 | undefined;
  /** With schemaVersion 2: the file system's temperatures overrule the manifest's. @default false */
  currentTemperaturesOverrideManifest?: boolean | undefined;
  /** Size of copy buffers. Needs RocksDB 9.11; see engineInfo(). */
  ioBufferSize?: number | undefined;
  /** Where RocksDB's log goes: the path of a file, which is appended to, or a function. */
  infoLog?: string | ((line: LogLine) => void) | undefined;
}

/** Options of {@link BackupEngine.createBackup}. */
export interface CreateBackupOptions extends LongOperation {
  /**
   * Writes out memory before the backup. Without it the backup has the same data, partly in the log. With `false`,
   * memory is written out all the same if data was written with `disableWAL`; with `backupLogFiles: false` it leaves out what else
   * was written since the last flush.
   * @default true if data was written with disableWAL, with backupLogFiles: false, or with atomicFlush; else false
   */
  flushBeforeBackup?: boolean | undefined;
  /**
   * Flushes all column families together before the backup: with `backupLogFiles: false`, a batch that is written meanwhile to
   * several of them is in the backup whole or not at all. Needs RocksDB 11.8, and is refused with ROCKSDB_NOT_SUPPORTED where
   * engineInfo().features has no `atomicFlush`: there, open the database with `atomicFlush`. @default false
   */
  atomicFlush?: boolean | undefined;
  /**
   * Copies every file: takes over none of an earlier backup, so that damage of those is not in it. The first one in a directory
   * lies where later backups share its files; others stand alone. @default false
   */
  full?: boolean | undefined;
  /** Also where the directory has backups of other databases only, and none of this one. @default false */
  allowOtherDatabase?: boolean | undefined;
  /** Kept with the backup, at most 1 MiB. */
  metadata?: string | Uint8Array | undefined;
  /**
   * Given the shared files that would be copied, returns those to leave out because they are kept elsewhere. Needs
   * `schemaVersion: 2`, and `alternates` on restore.
   */
  excludeFiles?: ((files: string[]) => string[]) | undefined;
  /** Lowers the CPU priority of the copying threads. @default 'normal' */
  backgroundThreadCpuPriority?: 'idle' | 'low' | 'normal' | undefined;
  /** Refuses before the first byte if the destination has not enough free space for what is new. @default true */
  checkDiskSpace?: boolean | undefined;
}

/** Options of {@link BackupEngine.verifyBackup}. */
export interface VerifyBackupOptions extends LongOperation {
  /**
   * Reads every file and compares its checksum. Without it only names and sizes are looked at, as they were when the backup was
   * made; of a backup that another program made, only the sizes that the names of shared files hold. @default false
   */
  checksum?: boolean | undefined;
}

/** Options of {@link BackupEngine.restoreBackup}. */
export interface RestoreBackupOptions extends LongOperation {
  /**
   * Where the write-ahead log goes: open the database with it as `walDir` then, or its newest data is missing. The OPTIONS file of
   * the restored database names the place. @default dbDir
   */
  walDir?: string | undefined;
  /** Leaves the logs that are in the target in use, archived ones included. @default false */
  keepLogFiles?: boolean | undefined;
  /**
   * Replaces a database that is in the target: its CURRENT names a MANIFEST that is there. Other files there stay. A directory
   * that is not empty and holds no database is refused with TARGET_EXISTS, which lists what it holds. @default false
   */
  overwrite?: boolean | undefined;
  /**
   * With `overwrite`: replaces also another database than the one that the backup is of, or one that was made anew in its place.
   * Without it that is refused with DATABASE_DIFFERS. @default false
   */
  allowOtherDatabase?: boolean | undefined;
  /**
   * Leaves the database that is replaced beside the target, or in it where it is a mount point: `keptOld` of what
   * `restoreBackup` returns is its path. @default false
   */
  keepOld?: boolean | undefined;
  /** Refuses before the first byte if the target has not enough free space. @default true */
  checkDiskSpace?: boolean | undefined;
  /**
   * What is taken over of a database that is replaced (with `overwrite`), by hard link, instead of being copied from the backup:
   *
   * - `purgeAllFiles`: nothing.
   * - `keepLatestDbSessionIdFiles`: table files that are the backup's by number and size and by the identity that is written in
   *   both. Damage in such a file of the database is not seen: for a database that is in order and should be as it was.
   * - `verifyChecksum`: table and blob files, after reading all of them: the checksum has to be the backup's.
   *
   * Whatever is not proved to be the backup's is copied, and everything is where the file system has no hard links. The names are
   * those of RocksDB 10's restore modes, which write into the target itself; here it is still replaced as a whole.
   * @default 'purgeAllFiles'
   */
  mode?: 'purgeAllFiles' | 'keepLatestDbSessionIdFiles' | 'verifyChecksum' | undefined;
  /** Engines on directories that have the files which `excludeFiles` left out, in order of search. */
  alternates?: BackupEngine[] | undefined;
}

/** Options of {@link BackupEngine.restoreLatestBackup}. */
export interface RestoreLatestOptions extends RestoreBackupOptions {
  /**
   * Takes the latest backup that can be read even if BackupManager or the command line has found it damaged. If it still is, the
   * restore fails with BACKUP_CORRUPT. @default false
   */
  includeDamaged?: boolean | undefined;
}

/** Options of what deletes. */
export interface DeleteOptions {
  /** Goes on although a backup cannot be read, whose files are then deleted for good. @default false */
  force?: boolean | undefined;
}

/** Options of {@link BackupEngine.getBackupInfo}. */
export interface BackupInfoOptions {
  /** Adds `fileDetails` and `excludedFiles`. @default false */
  fileDetails?: boolean | undefined;
}

/** @internal What can be done in a turn that was waited for. */
export interface WriteTurn {
  deleteBackups(backupIds: readonly number[], options: DeleteOptions): Promise<void>;
  purgeOldBackups(numBackupsToKeep: number, options: DeleteOptions): Promise<void>;
}

const MAX_METADATA = 1024 * 1024;
const constructorKey = Symbol('BackupEngine');

/**
 * One directory of backups: RocksDB's own BackupEngine, in the format that every program's engine reads.
 *
 * Writes (create, delete, purge, garbage collection) on one directory run one at a time: on one engine they wait for each
 * other, and a second engine, here or in another process, is refused with BACKUP_LOCKED. Reads run at any time.
 *
 * @example
 * const engine = await BackupEngine.open('/backups/users');
 * const { backupId } = await engine.createBackup(db, { onProgress: (p) => console.log(p.bytesDone, p.bytesTotal) });
 * await engine.verifyBackup(backupId, { checksum: true });
 * await engine.restoreBackup(backupId, '/data/users-restored');
 * await engine.close();
 */
export class BackupEngine implements AsyncDisposable {
  readonly #native: NativeBackupEngine;
  readonly #schemaVersion: number;

  /** @internal Use {@link BackupEngine.open}. */
  constructor(key: symbol, handle: NativeBackupEngine, schemaVersion: number) {
    if (key !== constructorKey) {
      throw new TypeError('BackupEngine has no public constructor; use BackupEngine.open()');
    }
    this.#native = handle;
    this.#schemaVersion = schemaVersion;
  }

  /**
   * Opens a directory of backups. Makes it, with those above it, if it is missing and `readOnly` is not set.
   *
   * @example
   * const engine = await BackupEngine.open('/backups/users', { backupRateLimit: 50e6 });
   */
  static async open(location: string, options: BackupEngineOptions = {}): Promise<BackupEngine> {
    const { schemaVersion = 1 } = checkObject('options', options);
    const handle = await native.openBackupEngine(location, nativeEngineOptions(options));
    return new BackupEngine(constructorKey, handle, schemaVersion);
  }

  /**
   * The same engine in another thread of this process. It closes when its last handle does.
   *
   * @example
   * // in a Worker
   * const engine = BackupEngine.attach(workerData.token);
   */
  static attach(token: string): BackupEngine {
    return new BackupEngine(constructorKey, native.attachBackupEngine(token), 2);
  }

  /** Names this engine in every thread of the process; may be posted to a Worker. */
  get token(): string {
    return this.#native.token;
  }

  /** The directory's absolute path. */
  get location(): string {
    return this.#native.location;
  }

  /** Whether it was opened with `readOnly`. */
  get readOnly(): boolean {
    return this.#native.readOnly;
  }

  /**
   * Backs up a database while it is in use. Copies what no earlier backup in the directory has. Waits for the creates, deletes,
   * purges and clean-ups that were called on this engine before, in any thread.
   *
   * Rejects with BACKUP_STOPPED when stopped, BACKUP_LOCKED when somebody else is writing to the directory, NO_SPACE when it
   * would not fit, DATABASE_DIFFERS when the directory has backups of other databases only; then nothing of it is left. With
   * LOCK_LOST when somebody removed the directory's lock file or moved the directory meanwhile: then it is left alone as it is.
   *
   * @example
   * const info = await engine.createBackup(db, { metadata: JSON.stringify({ reason: 'before upgrade' }) });
   */
  async createBackup(db: Database | DatabaseSource, options: CreateBackupOptions = {}): Promise<BackupInfo> {
    const { signal, onProgress, excludeFiles, ...rest } = checkObject('options', options);
    const { metadata } = rest;
    const metadataSize = typeof metadata === 'string' ? Buffer.byteLength(metadata) : (metadata?.byteLength ?? 0);
    if (metadataSize > MAX_METADATA) {
      throw invalidOption(RangeError, 'metadata', 'at most 1 MiB long', `${metadataSize} bytes`);
    }
    if (excludeFiles !== undefined && typeof excludeFiles !== 'function') {
      throw invalidOption(TypeError, 'excludeFiles', 'a function', describe(excludeFiles));
    }
    if (excludeFiles !== undefined && this.#schemaVersion < 2) {
      throw invalidOption(
        TypeError,
        'excludeFiles',
        'used with an engine opened with schemaVersion: 2',
        'schemaVersion: 1',
      );
    }
    if (rest.atomicFlush === true && rest.flushBeforeBackup === false) {
      throw invalidOption(TypeError, 'atomicFlush', 'used with a flush before the backup', 'flushBeforeBackup: false');
    }
    const database = nativeDatabase(db);
    return run(signal, onProgress, (operation, guard) =>
      this.#native.createBackup(database, operation, {
        ...rest,
        excludeFiles: excludeFiles && guard((files: string[]) => checkExcluded(files, excludeFiles(files)), undefined),
      }),
    );
  }

  /**
   * Checks that a backup is whole. Without `checksum` this looks at names and sizes only; with it, every byte is read.
   * Both see whether the list of the backup's files was changed. Whether this RocksDB can open what is restored is another matter:
   * see `newerRocksDB` of {@link getBackupInfo}. Rejects with BACKUP_CORRUPT, naming every damaged file, with
   * BACKUP_NOT_FOUND, or with BACKUP_IN_USE while it is being deleted.
   *
   * @example
   * await engine.verifyBackup(7, { checksum: true });
   */
  async verifyBackup(backupId: number, options: VerifyBackupOptions = {}): Promise<void> {
    const { signal, onProgress, ...rest } = checkObject('options', options);
    await run(signal, onProgress, (operation) => this.#native.verifyBackup(backupId, operation, rest));
    if (rest.checksum !== true) {
      await this.#refuseKnownDamage(backupId);
    }
  }

  /** That names and sizes are right proves nothing of a file whose bytes were found to be wrong. */
  async #refuseKnownDamage(backupId: number): Promise<void> {
    const damage = await readKnownDamage(this.location);
    if (damage.length === 0) {
      return;
    }
    const known = damageLookup(damage)(await this.getBackupInfo(backupId, { fileDetails: true }));
    if (known.length > 0) {
      throw new RocksDBError(
        `backup ${backupId} in ${this.location}: names and sizes are right, but ${damageInWords(known)}, and has not been read and ` +
          'found whole since. A verify with checksums reads it.',
        'BACKUP_CORRUPT',
        { path: this.location, backupId, damagedFiles: known.flatMap(({ file }) => file ?? []) },
      );
    }
  }

  /**
   * Restores a backup to a directory, which must not exist or be empty, or, with `overwrite`, holds a database. The backup is
   * restored beside the target and takes its place only when it is complete: a restore that fails leaves the target as it was.
   *
   * Rejects with TARGET_EXISTS, DATABASE_DIFFERS, DATABASE_IN_USE, NO_SPACE, BACKUP_CORRUPT, BACKUP_NOT_FOUND, BACKUP_IN_USE while the backup
   * is being deleted, or BACKUP_LOCKED while rocksdb-js writes to the directory, before anything is changed.
   *
   * @example
   * const { keptOld } = await engine.restoreBackup(7, '/data/users', { overwrite: true, keepOld: true });
   */
  async restoreBackup(backupId: number, dbDir: string, options: RestoreBackupOptions = {}): Promise<RestoreResult> {
    if (backupId === 0) {
      throw invalidOption(RangeError, 'backupId', 'at least 1', '0');
    }
    return this.#restoring(options, (...args) => this.#native.restoreBackup(backupId, dbDir, ...args));
  }

  /**
   * What {@link restoreBackup} would do with the same arguments. Changes nothing; rejects where the restore would before it
   * copies anything.
   *
   * @example
   * const { targetHolds, bytesToCopy } = await engine.planRestore(7, '/data/users', { overwrite: true });
   */
  async planRestore(backupId: number, dbDir: string, options: RestoreBackupOptions = {}): Promise<RestorePlan> {
    if (backupId === 0) {
      throw invalidOption(RangeError, 'backupId', 'at least 1', '0');
    }
    return this.#restoring(options, (...args) => this.#native.planRestore(backupId, dbDir, ...args));
  }

  /**
   * Restores the latest backup that can be read and is not known to be damaged: what BackupManager and the command line find is
   * remembered until it is read and found whole. What it returns says which one that was.
   *
   * @example
   * const { backupId, timestamp } = await engine.restoreLatestBackup('/data/users');
   */
  async restoreLatestBackup(dbDir: string, options: RestoreLatestOptions = {}): Promise<RestoreResult> {
    const { includeDamaged = false, ...rest } = checkObject('options', options);
    if (typeof includeDamaged !== 'boolean') {
      throw invalidOption(TypeError, 'includeDamaged', 'true or false', describe(includeDamaged));
    }
    for (let attempt = 1; ; attempt++) {
      const backupId = includeDamaged ? 0 : await this.#latestWhole();
      try {
        return await this.#restoring(rest, (...args) => this.#native.restoreBackup(backupId, dbDir, ...args));
      } catch (error) {
        // It was deleted since: then another is the latest.
        if (backupId === 0 || attempt === 3 || errorCode(error) !== 'BACKUP_NOT_FOUND') {
          throw error;
        }
      }
    }
  }

  /** 0 where no damage is known, or there is nothing to choose from: then it is for native code to choose, or to say so. */
  async #latestWhole(): Promise<number> {
    const damage = await readKnownDamage(this.location);
    if (damage.length === 0) {
      return 0;
    }
    const damageOf = damageLookup(damage);
    const backups = await this.getBackupInfo({ fileDetails: true });
    const whole = backups.filter((backup) => damageOf(backup).length === 0).pop();
    if (whole === undefined && backups.length > 0) {
      const latest = backups.at(-1) as BackupInfo;
      throw new RocksDBError(
        `all ${backups.length} backups in ${this.location} that can be read are known to be damaged. Of the latest, ${latest.backupId}: ` +
          `${damageInWords(damageOf(latest))}.`,
        'BACKUP_CORRUPT',
        { path: this.location, backupId: latest.backupId, advice: 'includeDamaged' },
      );
    }
    return whole?.backupId ?? 0;
  }

  async #restoring<T>(
    options: RestoreBackupOptions,
    start: (operation: NativeOperation, options: object) => Promise<T>,
  ): Promise<T> {
    const { signal, onProgress, alternates, ...rest } = checkObject('options', options);
    if (alternates !== undefined && !Array.isArray(alternates)) {
      throw invalidOption(TypeError, 'alternates', 'an array of BackupEngines', describe(alternates));
    }
    const natives = alternates?.map((engine) => {
      if (!(engine instanceof BackupEngine)) {
        throw invalidOption(TypeError, 'alternates', 'an array of BackupEngines', describe(engine));
      }
      return engine.#native;
    });
    return run(signal, onProgress, (operation) => start(operation, { ...rest, alternates: natives }));
  }

  /**
   * Stops the running backup and those that wait for it, from any thread. They reject with BACKUP_STOPPED, leave nothing
   * behind, and the engine stays usable; restores and verifies go on.
   *
   * @returns whether there was one. False also when the backup was already past its last step: it then completes.
   */
  stopBackup(): boolean {
    return this.#native.stopBackup();
  }

  /**
   * All backups, oldest first, or one. Never waits for a running backup. Unreadable backups are not among them: see
   * {@link getCorruptedBackups}.
   *
   * @example
   * for (const { backupId, timestamp, size } of await engine.getBackupInfo()) console.log(backupId, timestamp, size);
   * const { fileDetails } = await engine.getBackupInfo(7, { fileDetails: true });
   */
  getBackupInfo(options?: BackupInfoOptions): Promise<BackupInfo[]>;
  getBackupInfo(backupId: number, options?: BackupInfoOptions): Promise<BackupInfo>;
  async getBackupInfo(
    first?: number | BackupInfoOptions,
    options: BackupInfoOptions = {},
  ): Promise<BackupInfo | BackupInfo[]> {
    if (first === undefined || (typeof first === 'object' && first !== null)) {
      return this.#native.getBackupInfos(first ?? {});
    }
    if (first === 0) {
      throw invalidOption(RangeError, 'backupId', 'at least 1', '0');
    }
    return (await this.#native.getBackupInfo(first, checkObject('options', options))) as BackupInfo;
  }

  /** The latest backup that can be read, if there is one. */
  async getLatestBackupInfo(options: BackupInfoOptions = {}): Promise<BackupInfo | undefined> {
    return this.#native.getBackupInfo(0, checkObject('options', options));
  }

  /**
   * All backups of one moment: those that can be read, oldest first, and those that cannot, with the reason. Two calls, of
   * {@link getBackupInfo} and {@link getCorruptedBackups}, may see two moments.
   *
   * @example
   * const { backups, corrupt } = await engine.survey();
   * for (const { backupId, reason } of corrupt) console.error(backupId, reason);
   */
  async survey(options: BackupInfoOptions = {}): Promise<BackupSurvey> {
    return this.#native.survey(checkObject('options', options));
  }

  /** Ids of backups whose meta file or whose files are missing or damaged. What only they use is kept until `force`. */
  async getCorruptedBackups(): Promise<number[]> {
    return this.#native.getCorruptedBackups();
  }

  /**
   * Opens a backup for reading, in place: nothing is copied. While it is open the backup cannot be deleted.
   *
   * @example
   * const past = await engine.openBackup(7);
   * const value = await past.get('user:42');
   * await past.close();
   */
  async openBackup(backupId: number): Promise<Database> {
    return databaseFromNative(await this.#native.openBackup(backupId));
  }

  /**
   * Deletes a backup and the files that no other uses. Rejects with BACKUP_CORRUPT, naming them, while any backup is
   * unreadable (RocksDB would delete its files), and with BACKUP_IN_USE while this one is read.
   */
  async deleteBackup(backupId: number, options: DeleteOptions = {}): Promise<void> {
    return this.#native.deleteBackups([backupId], checkObject('options', options));
  }

  /**
   * Deletes several backups in one pass, which takes about as long as deleting one. Refuses as {@link deleteBackup} does; then,
   * or while one of them is not there, none is deleted.
   */
  async deleteBackups(backupIds: readonly number[], options: DeleteOptions = {}): Promise<void> {
    if (!Array.isArray(backupIds)) {
      throw new TypeError(`backupIds must be an array of backup ids, not ${describe(backupIds)}`);
    }
    return this.#native.deleteBackups(backupIds, checkObject('options', options));
  }

  /** Deletes all but the latest so many, of each database where there are several. Refuses as {@link deleteBackup} does; then nothing is deleted. */
  async purgeOldBackups(numBackupsToKeep: number, options: DeleteOptions = {}): Promise<void> {
    return this.#native.purgeOldBackups(numBackupsToKeep, checkObject('options', options));
  }

  /**
   * @internal For deleting what was looked at before: waits for the writes that were called before, and lets `work` run before
   * those that are called later.
   */
  async inTurn<T>(work: (turn: WriteTurn) => Promise<T>): Promise<T> {
    const turn = await this.#native.takeTurn();
    try {
      return await work({
        deleteBackups: (backupIds, options) => this.#native.deleteBackups(backupIds, options, turn),
        purgeOldBackups: (keep, options) => this.#native.purgeOldBackups(keep, options, turn),
      });
    } finally {
      turn.release();
    }
  }

  /** Deletes what interrupted backups left. Rarely needed: creating and deleting do it too. */
  async garbageCollect(options: DeleteOptions = {}): Promise<void> {
    return this.#native.garbageCollect(checkObject('options', options));
  }

  /** Closes this handle. The last one stops what runs. Closing twice is fine; any other use afterwards is ENGINE_CLOSED. */
  async close(): Promise<void> {
    return this.#native.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Stops the backup of an engine known by its token, from any thread and without a handle.
 *
 * @returns whether one was running.
 * @example
 * import { stopBackup } from 'rocksdb-backup';
 * stopBackup(workerData.engineToken);
 */
export function stopBackup(token: string): boolean {
  return native.stopBackup(token);
}

/** Throws what opening an engine with these options would throw about them. Opens nothing. */
export function checkEngineOptions(options: BackupEngineOptions): void {
  native.checkEngineOptions(nativeEngineOptions(checkObject('options', options)));
}

/** Throws what creating a backup with these options would throw about them. */
export function checkCreateOptions(options: CreateBackupOptions): void {
  const { signal, onProgress, ...rest } = checkObject('options', options);
  native.checkCreateOptions(rest);
}

function nativeEngineOptions(options: BackupEngineOptions): object {
  return {
    ...options,
    backupRateLimit: toNativeLimit(options.backupRateLimit),
    restoreRateLimit: toNativeLimit(options.restoreRateLimit),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: any function of the caller's, kept as it is
type Callback = (...args: any[]) => any;
/** Wraps a callback of the caller's: what it throws stops the operation, which rejects with it. */
type Guard = <F extends Callback>(callback: F, onError: ReturnType<F> | undefined) => F;

async function run<T>(
  signal: AbortSignal | undefined,
  onProgress: ((progress: Progress) => void) | undefined,
  start: (operation: NativeOperation, guard: Guard) => Promise<T>,
): Promise<T> {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidOption(TypeError, 'signal', 'an AbortSignal', describe(signal));
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidOption(TypeError, 'onProgress', 'a function', describe(onProgress));
  }
  signal?.throwIfAborted();
  let thrown: { error: unknown } | undefined;
  const guard: Guard = (callback, onError) =>
    ((...args) => {
      try {
        return callback(...args);
      } catch (error) {
        thrown ??= { error };
        operation.stop();
        return onError;
      }
    }) as typeof callback;
  const operation: NativeOperation = native.newOperation(onProgress && guard(onProgress, undefined));
  const stop = () => operation.stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const result = await start(operation, guard);
    if (thrown !== undefined) {
      throw thrown.error;
    }
    return result;
  } catch (error) {
    if (thrown !== undefined) {
      throw thrown.error;
    }
    // Stopped by the signal, and not failed for another reason while it was being aborted.
    if (signal?.aborted && isStopped(error)) {
      throw signal.reason;
    }
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function isStopped(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'BACKUP_STOPPED' || code === 'VERIFY_STOPPED' || code === 'RESTORE_STOPPED';
}

function checkExcluded(files: string[], answer: unknown): string[] {
  const expected = 'a function that returns an array of names it was given';
  if (!Array.isArray(answer)) {
    throw invalidOption(TypeError, 'excludeFiles', expected, `one that returns ${describe(answer)}`);
  }
  const unknown = answer.find((name) => !files.includes(name));
  if (unknown !== undefined || answer.includes(undefined)) {
    throw invalidOption(TypeError, 'excludeFiles', expected, `one that returns ${describe(unknown)} among them`);
  }
  return answer;
}

function checkObject<T extends object>(name: string, value: T): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidOption(TypeError, name, 'an object', describe(value));
  }
  return value;
}

function toNativeLimit(limit: number | RateLimiter | undefined): unknown {
  return limit instanceof RateLimiter ? nativeLimiter(limit) : limit;
}
