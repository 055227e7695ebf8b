import { checkObject } from '../base/check-object.js';
import { describe, errorCode, invalidOption, RocksDBError } from '../base/errors.js';
import { type Database, type DatabaseSource, databaseFromNative, nativeDatabase } from '../database/database.js';
import type {
  BackupInfo,
  BackupSurvey,
  CopiedBackup,
  GarbageResult,
  LongOperation,
  RestorePlan,
  RestoreResult,
  VerifyResult,
} from '../native/backup-info.js';
import { native } from '../native/binding.js';
import type { NativeBackupEngine, NativeOperation } from '../native/native-backup-engine.js';
import type { NativeDatabase } from '../native/native-database.js';
import { openStorage, type RepositoryLocation, type Storage } from '../storage/storage.js';
import {
  type BackupEngineOptions,
  type BackupInfoOptions,
  type CreateBackupOptions,
  type DeleteOptions,
  nativeEngineOptions,
  type OpenBackupOptions,
  type RestoreOptions,
  type VerifyBackupOptions,
} from './backup-options.js';
import { type Removal, refuseToKeepDamaged } from './deletion-guard.js';
import { damageInWords, damageLookup, type KnownDamage, readKnownDamage } from './known-damage.js';
import { runOperation } from './long-operation.js';

/** Options of {@link BackupEngine.restoreBackup}. */
export interface RestoreBackupOptions extends RestoreOptions {
  /** Engines on repositories that have the files which `excludeFiles` left out, in the order in which they are searched. */
  alternates?: BackupEngine[] | undefined;
}

/** Options of {@link BackupEngine.restoreLatestBackup}. */
export interface RestoreLatestOptions extends RestoreBackupOptions {
  /**
   * Takes the latest backup that can be read, even if BackupManager or the command line found it to be damaged. If it is still damaged, the
   * restore fails with BACKUP_CORRUPT. @default false
   */
  includeDamaged?: boolean | undefined;
}

/** @internal What can be done during a turn in the repository's queue of writes. Without `damage`, the known damage is read. */
export interface WriteTurn {
  deleteBackups(backupIds: readonly number[], options: DeleteOptions, damage?: readonly KnownDamage[]): Promise<void>;
  purgeOldBackups(keep: number, options: DeleteOptions, damage?: readonly KnownDamage[]): Promise<void>;
}

/** @internal What is to be copied from one repository to another. */
export interface CopyOrder extends LongOperation {
  /** None: all. */
  backupIds: readonly number[];
  allowOtherDatabase: boolean;
}

const MAX_METADATA = 1024 * 1024;
const constructorKey = Symbol('BackupEngine');

/**
 * One repository of backups. It uses RocksDB's own BackupEngine and its format, which the engines of all programs can read.
 *
 * Writes (create, delete, purge, garbage collection) to one repository run one at a time. On one engine they wait for each other. Writes of
 * a second engine, in this process or another, fail with BACKUP_LOCKED. Reads can run at any time.
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
   * Opens a repository of backups. If it does not exist, creates it, unless `readOnly` is set or `createIfMissing` is off. A directory is made
   * with missing parent directories; a bucket is never made.
   *
   * @param location the path of a directory; or the URL of a place in an object store (`s3://bucket/prefix`, `gs://bucket/prefix`,
   * `az://account/container/prefix`, `opendal://service/prefix`); or an {@link ObjectStore}, whose methods are called on this thread
   * @example
   * const engine = await BackupEngine.open('/backups/users', { backupRateLimit: 50e6 });
   * @example
   * // The credentials come from the environment, or from the files of the vendor.
   * const engine = await BackupEngine.open('s3://backups/users?region=eu-central-1');
   */
  static async open(location: RepositoryLocation, options: BackupEngineOptions = {}): Promise<BackupEngine> {
    const { schemaVersion = 1 } = checkObject('options', options);
    const handle = await native.openBackupEngine(openStorage(location), nativeEngineOptions(options));
    return new BackupEngine(constructorKey, handle, schemaVersion);
  }

  /**
   * Makes a handle on the same engine in another thread of this process. The engine closes when its last handle closes.
   *
   * @example
   * // in a Worker
   * const engine = BackupEngine.attach(workerData.token);
   */
  static attach(token: string): BackupEngine {
    return new BackupEngine(constructorKey, native.attachBackupEngine(token), 2);
  }

  /** @internal */
  static nativeOf(engine: BackupEngine): NativeBackupEngine<NativeDatabase> {
    return engine.#native as NativeBackupEngine<NativeDatabase>;
  }

  /** Identifies this engine in every thread of the process. It may be posted to a Worker. */
  get token(): string {
    return this.#native.token;
  }

  /** Where the repository is: the absolute path of its directory, or the URL or the name of the store, without the options of a URL. */
  get location(): string {
    return this.#native.location;
  }

  /** @internal The place where the repository lives. */
  get storage(): Storage {
    return this.#native.storage;
  }

  /** Whether the engine was opened with `readOnly`. */
  get readOnly(): boolean {
    return this.#native.readOnly;
  }

  /**
   * Backs up a database while it is in use. Copies the files that no earlier backup in the repository has. Waits for all creates, deletes,
   * purges and clean-ups that were called on this engine before, in any thread.
   *
   * Rejects with BACKUP_STOPPED if it was stopped, with BACKUP_LOCKED if somebody else is writing to the repository, with NO_SPACE if the
   * backup would not fit, and with DATABASE_DIFFERS if the repository has only backups of other databases. In these cases nothing of the
   * backup is left. Rejects with LOCK_LOST if somebody removed the repository's lock file or moved its directory in the meantime. In that
   * case the directory is left as it is.
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
    return runOperation({ signal, onProgress }, (operation, guard) =>
      this.#native.createBackup(database, operation, {
        ...rest,
        excludeFiles: excludeFiles && guard((files: string[]) => checkExcluded(files, excludeFiles(files)), undefined),
      }),
    );
  }

  /**
   * Checks that a backup is intact. Without `checksum` it looks only at names and sizes; with it, it reads every byte. Both detect changes
   * in the list of the backup's files. It does not check whether this RocksDB can open the restored database: see `newerRocksDB` of
   * {@link getBackupInfo}. Rejects with BACKUP_CORRUPT, which names every damaged file; with BACKUP_NOT_FOUND; or with BACKUP_IN_USE while
   * the backup is being deleted.
   *
   * The sizes are in a record beside the backup's files, `private/<id>/rocksdb-backup.files`. A record that is damaged is damage of the
   * backup. If there is none, `sizesKnown` of the result is false: it may never have been there, because another program made the backup.
   *
   * @example
   * await engine.verifyBackup(7, { checksum: true });
   */
  async verifyBackup(backupId: number, options: VerifyBackupOptions = {}): Promise<VerifyResult> {
    const { signal, onProgress, ...rest } = checkObject('options', options);
    const result = await runOperation({ signal, onProgress }, (operation) =>
      this.#native.verifyBackup(backupId, operation, rest),
    );
    if (rest.checksum !== true) {
      await this.#refuseKnownDamage(backupId);
    }
    return result;
  }

  /** Correct names and sizes prove nothing about a file whose contents are already known to be damaged. */
  async #refuseKnownDamage(backupId: number): Promise<void> {
    const damage = await readKnownDamage(this.storage);
    if (damage.length === 0) {
      return;
    }
    const known = damageLookup(damage)(await this.getBackupInfo(backupId, { fileDetails: true }));
    if (known.length > 0) {
      throw new RocksDBError(
        `backup ${backupId} in ${this.location}: names and sizes are right, but ${damageInWords(known)}, and has not been read and ` +
          'found whole since.',
        'BACKUP_CORRUPT',
        {
          path: this.location,
          backupId,
          damagedFiles: known.flatMap(({ file }) => file ?? []),
          why: 'damaged',
          advice: 'verifyWithChecksums',
        },
      );
    }
  }

  /**
   * Restores a backup to a directory. The directory must not exist or must be empty, or, with `overwrite`, may contain a database. The
   * backup is restored beside the target and moved into place only when it is complete. So a restore that fails leaves the target as it
   * was.
   *
   * Rejects before anything is changed, with TARGET_EXISTS, DATABASE_DIFFERS, DATABASE_IN_USE, NO_SPACE, BACKUP_CORRUPT, BACKUP_NOT_FOUND,
   * with BACKUP_IN_USE while the backup is being deleted, or with BACKUP_LOCKED while rocksdb-js writes to the repository.
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
   * Says what {@link restoreBackup} would do with the same arguments. Changes nothing. Rejects with the errors that the restore would
   * report before it copies anything.
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
   * Restores the latest backup that can be read and is not known to be damaged. Damage that BackupManager and the command line find is
   * remembered until the file is read again and found intact. The result says which backup was restored.
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
        // The backup was deleted in the meantime: now another one is the latest.
        if (backupId === 0 || attempt === 3 || errorCode(error) !== 'BACKUP_NOT_FOUND') {
          throw error;
        }
      }
    }
  }

  /** Returns 0 if no damage is known, or if there is no backup to choose: then native code chooses, or reports that there is none. */
  async #latestWhole(): Promise<number> {
    const damage = await readKnownDamage(this.storage);
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
        { path: this.location, backupId: latest.backupId, why: 'damaged', advice: 'includeDamaged' },
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
    return runOperation({ signal, onProgress }, (operation) => start(operation, { ...rest, alternates: natives }));
  }

  /** @internal See copyBackups. */
  copyFrom(source: BackupEngine, { backupIds, allowOtherDatabase, ...long }: CopyOrder): Promise<CopiedBackup[]> {
    return runOperation(long, (operation) =>
      this.#native.copyFrom(source.#native, backupIds, operation, { allowOtherDatabase }),
    );
  }

  /** @internal What a copy to an engine, or to where nothing is yet, would do. */
  planCopyTo(
    target: BackupEngine | undefined,
    { backupIds, allowOtherDatabase, ...long }: CopyOrder,
  ): Promise<CopiedBackup[]> {
    return runOperation(long, (operation) =>
      this.#native.planCopyTo(target === undefined ? undefined : target.#native, backupIds, operation, {
        allowOtherDatabase,
      }),
    );
  }

  /**
   * Stops the running backup and those that wait for it, from any thread. They reject with BACKUP_STOPPED and leave nothing behind. The
   * engine stays usable. Restores and verifies continue.
   *
   * @returns whether there was a backup to stop. Also false if the backup was already past its last step: it then completes.
   */
  stopBackup(): boolean {
    return this.#native.stopBackup();
  }

  /**
   * Information about all backups, oldest first, or about one. Never waits for a running backup. Backups that cannot be read are not
   * included: see {@link getCorruptedBackups}.
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

  /** The latest backup that can be read. Undefined if there is none. */
  async getLatestBackupInfo(options: BackupInfoOptions = {}): Promise<BackupInfo | undefined> {
    return this.#native.getBackupInfo(0, checkObject('options', options));
  }

  /**
   * All backups of the repository at one moment: those that can be read, oldest first, and those that cannot, with the reason. Separate
   * calls of {@link getBackupInfo} and {@link getCorruptedBackups} may see two different moments.
   *
   * @example
   * const { backups, corrupt } = await engine.survey();
   * for (const { backupId, reason } of corrupt) console.error(backupId, reason);
   */
  async survey(options: BackupInfoOptions = {}): Promise<BackupSurvey> {
    return this.#native.survey(checkObject('options', options));
  }

  /**
   * The ids of backups whose meta file or other files are missing or damaged. Files that only these backups use are kept until something is
   * deleted with `force`.
   */
  async getCorruptedBackups(): Promise<number[]> {
    return this.#native.getCorruptedBackups();
  }

  /**
   * Opens a backup for reading, in place: nothing is copied. While it is open, the backup cannot be deleted.
   *
   * @example
   * const past = await engine.openBackup(7);
   * const value = await past.get('user:42');
   * await past.close();
   *
   * @example
   * // of a store: a second process finds on the disk what the first one has read
   * await engine.openBackup(7, { diskCache: { directory: '/var/cache/app', maxBytes: 4 * 2 ** 30 } });
   */
  async openBackup(backupId: number, options: OpenBackupOptions = {}): Promise<Database> {
    const { signal, ...rest } = checkObject('options', options);
    return runOperation({ signal }, async (operation) =>
      databaseFromNative(await this.#native.openBackup(backupId, operation, rest)),
    );
  }

  /**
   * Deletes a backup, with the files that no other backup uses. Rejects with BACKUP_CORRUPT while any backup is unreadable, because RocksDB
   * would delete the files of that backup; the error names the unreadable backups. Rejects with BACKUP_IN_USE while somebody reads the
   * backup to delete. If files of the backup cannot be deleted, the backup is deleted all the same, and this rejects; `leftFiles` of the
   * error has their names. Rejects with STORE_REFUSED if an object store has locked the backup; then it stays whole. The error has
   * `lockedUntil` if that is known.
   *
   * Rejects with BACKUP_CORRUPT also if it is the last whole backup of its database, and others are known to be damaged. `force` deletes it
   * nevertheless.
   */
  async deleteBackup(backupId: number, options: DeleteOptions = {}): Promise<void> {
    return this.deleteBackups([backupId], options);
  }

  /**
   * Deletes several backups in one pass, which takes about as long as deleting one. Rejects in the same cases as {@link deleteBackup}, and
   * if one of the backups does not exist. In all these cases none is deleted, with one exception: if a store refuses to delete one of them
   * and its lock was not known before (`lockedUntil` of the backup), the others are deleted.
   */
  async deleteBackups(backupIds: readonly number[], options: DeleteOptions = {}): Promise<void> {
    checkObject('options', options);
    return this.inTurn((turn) => turn.deleteBackups(backupIds, options));
  }

  /**
   * Deletes all backups but the latest `numBackupsToKeep`. If the repository has backups of several databases, it keeps that many of each.
   * Rejects in the same cases as {@link deleteBackup}; then nothing is deleted. Backups whose `lockedUntil` has not come yet stay, and are
   * deleted by a later call. If a store refuses a backup whose lock was not known, the others are deleted before it rejects.
   *
   * Rejects with BACKUP_CORRUPT also while a backup that it would keep is known to be damaged: the older ones may be the only whole ones.
   * `force` deletes them nevertheless.
   */
  async purgeOldBackups(numBackupsToKeep: number, options: DeleteOptions = {}): Promise<void> {
    checkObject('options', options);
    return this.inTurn((turn) => turn.purgeOldBackups(numBackupsToKeep, options));
  }

  /**
   * @internal For deleting on the basis of an earlier look at the repository. Waits for all writes that were called before. Writes that are
   * called later wait until `work` has ended.
   */
  async inTurn<T>(work: (turn: WriteTurn) => Promise<T>): Promise<T> {
    const turn = await this.#native.takeTurn();
    try {
      return await work({
        deleteBackups: async (backupIds, options, damage) => {
          await this.#refuseToKeepDamaged({ backupIds }, options, damage);
          return this.#native.deleteBackups(backupIds, options, turn);
        },
        purgeOldBackups: async (keep, options, damage) => {
          await this.#refuseToKeepDamaged({ keep }, options, damage);
          return this.#native.purgeOldBackups(keep, options, turn);
        },
      });
    } finally {
      turn.release();
    }
  }

  async #refuseToKeepDamaged(
    removal: Removal,
    { force }: DeleteOptions,
    damage?: readonly KnownDamage[],
  ): Promise<void> {
    if (force) return;
    const known = damage ?? (await readKnownDamage(this.storage));
    if (known.length > 0) {
      refuseToKeepDamaged(this.location, await this.getBackupInfo({ fileDetails: true }), known, removal);
    }
  }

  /**
   * Deletes what interrupted backups left. Rarely needed: create and delete do this too. Rejects with BACKUP_CORRUPT while any backup is
   * unreadable. If files cannot be deleted, it deletes everything else and rejects; `leftFiles` of the error has their names. What an object
   * store refuses to delete is no error: it is in the result.
   */
  async garbageCollect(options: DeleteOptions = {}): Promise<GarbageResult> {
    return this.#native.garbageCollect(checkObject('options', options));
  }

  /** @internal Rejects like a deletion that backups forbid which cannot be read or are damaged. Changes nothing. */
  async checkDeletion(options: DeleteOptions, removal?: Removal): Promise<void> {
    await this.#native.checkDeletion(options);
    if (removal !== undefined) await this.#refuseToKeepDamaged(removal, options);
  }

  /**
   * @internal The files that belong to no usable backup, by name relative to the repository. The name of an empty directory ends with a
   * slash.
   */
  async listGarbage(): Promise<{ name: string; size: number }[]> {
    return this.#native.listGarbage();
  }

  /**
   * Closes this handle. Closing the last handle stops the running operations. It may be closed twice; any other use afterwards fails with
   * ENGINE_CLOSED.
   */
  async close(): Promise<void> {
    return this.#native.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Stops the backup of an engine that is identified by its token, from any thread and without a handle.
 *
 * @returns whether a backup was running.
 *
 * @example
 * import { stopBackup } from 'rocksdb-backup';
 * stopBackup(workerData.engineToken);
 */
export function stopBackup(token: string): boolean {
  return native.stopBackup(token);
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

/** The native half of an engine, for code that passes it to native code. */
export const nativeEngine = BackupEngine.nativeOf;
