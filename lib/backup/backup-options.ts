import { checkObject } from '../base/check-object.js';
import type { LongOperation } from '../native/backup-info.js';
import { native } from '../native/binding.js';
import { nativeLimiter, RateLimiter } from './rate-limiter.js';

/** A line of RocksDB's log. */
export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'header';
  message: string;
}

/** Options of {@link BackupEngine.open}. They include all of RocksDB's BackupEngineOptions. */
export interface BackupEngineOptions {
  /** Opens the repository for reading only: creates nothing and needs no write access. @default false */
  readOnly?: boolean | undefined;
  /**
   * Makes the repository if there is none. If this is off, a repository that does not exist fails with DIRECTORY_NOT_FOUND, so a typing error
   * makes nothing. @default true
   */
  createIfMissing?: boolean | undefined;
  /** Stores a table or blob file only once for all backups that contain it, so that backups are incremental. @default true */
  shareTableFiles?: boolean | undefined;
  /**
   * Names shared files by the identity of their contents. If this is off, two databases in one repository destroy each other's backups.
   * @default true
   */
  shareFilesWithChecksum?: boolean | undefined;
  /** The scheme for the names of shared files. @default 'dbSessionId' */
  shareFilesWithChecksumNaming?: 'dbSessionId' | 'legacyCrc32cAndFileSize' | undefined;
  /** Puts the size into the names of shared files, so that a later verify can check it. @default true */
  includeFileSizeInName?: boolean | undefined;
  /**
   * Makes each backup and each restore survive a power cut, at some cost in speed. A restore that removes the database it replaces survives
   * a power cut in any case. @default true
   */
  sync?: boolean | undefined;
  /** Deletes all backups of the repository when it is opened. @default false */
  destroyOldData?: boolean | undefined;
  /**
   * Includes the write-ahead log in the backup. If this is off, the database is flushed before the backup, one column family after the
   * other. A batch that writes to several families at that moment may then be only partly in the backup. To prevent that, open the database
   * with `atomicFlush`, or make the backup with it.
   *
   * @default true
   */
  backupLogFiles?: boolean | undefined;
  /** How many bytes per second backups may write, at least 10, or a limiter that is shared with others. 0 means no limit. @default 0 */
  backupRateLimit?: number | RateLimiter | undefined;
  /** How many bytes per second restores may write, at least 10, or a limiter that is shared with others. 0 means no limit. @default 0 */
  restoreRateLimit?: number | RateLimiter | undefined;
  /** How many files are copied at the same time. @default min(4, cores); 4 in an object store */
  maxBackgroundOperations?: number | undefined;
  /** After how many bytes RocksDB calls its own callback. Progress reports do not depend on it. @default 4194304 */
  callbackTriggerIntervalSize?: number | undefined;
  /** With `readOnly`: how many of the latest backups to look at. @default all */
  maxValidBackupsToOpen?: number | undefined;
  /** Version of the meta files. Version 2 is needed for excludeFiles; RocksDB can read it from 6.19.0 on. @default 1 */
  schemaVersion?: 1 | 2 | undefined;
  /** With schemaVersion 2: the file system's temperatures override those of the manifest. @default false */
  currentTemperaturesOverrideManifest?: boolean | undefined;
  /** Size of the buffers for copying. Needs RocksDB 9.11; see engineInfo(). */
  ioBufferSize?: number | undefined;
  /** Where RocksDB's log goes: a function, or the path of a file. The log is appended to the file. */
  infoLog?: string | ((line: LogLine) => void) | undefined;
}

/** Options of {@link BackupEngine.createBackup}. */
export interface CreateBackupOptions extends LongOperation {
  /**
   * Flushes the database's memory to files before the backup. Without a flush the backup has the same data, but a part of it is in the log.
   * `false` has two exceptions: if data was written with `disableWAL`, the database is flushed all the same; and with `backupLogFiles:
   * false`, the backup does not contain the other data that was written since the last flush.
   *
   * @default true if data was written with disableWAL, with backupLogFiles: false, or with atomicFlush; otherwise false
   */
  flushBeforeBackup?: boolean | undefined;
  /**
   * Flushes all column families together before the backup. With `backupLogFiles: false`, a batch that writes to several families at that
   * moment is then in the backup completely or not at all. Needs RocksDB 11.8. If engineInfo().features has no `atomicFlush`, this option
   * fails with ROCKSDB_NOT_SUPPORTED; then open the database with `atomicFlush` instead. @default false
   */
  atomicFlush?: boolean | undefined;
  /**
   * Copies every file and reuses none of earlier backups, so that damage in their files cannot get into this backup. The files of the first
   * such backup in a repository are stored where later backups can share them. Later full backups share nothing. @default false
   */
  full?: boolean | undefined;
  /** Makes the backup even if the repository contains only backups of other databases. @default false */
  allowOtherDatabase?: boolean | undefined;
  /** Stored with the backup. At most 1 MiB. */
  metadata?: string | Uint8Array | undefined;
  /**
   * A function that gets the shared files that would be copied, and returns those to leave out because they are stored elsewhere. Needs
   * `schemaVersion: 2`, and `alternates` for a restore.
   */
  excludeFiles?: ((files: string[]) => string[]) | undefined;
  /** Lowers the CPU priority of the threads that copy. @default 'normal' */
  backgroundThreadCpuPriority?: 'idle' | 'low' | 'normal' | undefined;
  /** Fails before the first byte is copied if the destination does not have enough free space for the new files. @default true */
  checkDiskSpace?: boolean | undefined;
}

/** Options of {@link BackupEngine.verifyBackup}. */
export interface VerifyBackupOptions extends LongOperation {
  /**
   * Reads every file and compares its checksum. Without it, only names and sizes are compared with those at the time of the backup. For a
   * backup that another program made, only the sizes that are part of the names of shared files can be compared. @default false
   */
  checksum?: boolean | undefined;
}

/** Options of {@link BackupEngine.restoreBackup}, except for `alternates`: that is declared with the class that it names. */
export interface RestoreOptions extends LongOperation {
  /**
   * The directory to which the write-ahead log is restored. Open the database with the same `walDir` afterwards, or its newest data is
   * missing. The OPTIONS file of the restored database names this directory. @default dbDir
   */
  walDir?: string | undefined;
  /** Keeps using the logs that are in the target, including archived ones. @default false */
  keepLogFiles?: boolean | undefined;
  /**
   * Allows to replace a database at the target. A directory counts as a database if its CURRENT file names a MANIFEST that exists. Other
   * files in the directory stay. A directory that is not empty and holds no database is refused with TARGET_EXISTS; the error lists what it
   * holds. @default false
   */
  overwrite?: boolean | undefined;
  /**
   * With `overwrite`: also replaces a database that is not the one in the backup, or one that was created anew in its place. Otherwise the
   * restore fails with DATABASE_DIFFERS. @default false
   */
  allowOtherDatabase?: boolean | undefined;
  /**
   * Keeps the database that is replaced. It is moved beside the target, or into the target if that is a mount point. `keptOld` in the
   * result of `restoreBackup` is its path. @default false
   */
  keepOld?: boolean | undefined;
  /** Fails before the first byte is written if the target does not have enough free space. @default true */
  checkDiskSpace?: boolean | undefined;
  /**
   * Which files of the replaced database (with `overwrite`) are reused as hard links instead of being copied from the backup:
   *
   * - `purgeAllFiles`: none.
   * - `keepLatestDbSessionIdFiles`: table files whose number, size and built-in identity are the same as in the backup. Damage in such a
   *   file of the database is not detected. Use this for an intact database that should go back to an earlier state.
   * - `verifyChecksum`: table and blob files. All of them are read, and their checksums must be those of the backup.
   *
   * All files that are not proved to be the same are copied. If the file system has no hard links, everything is copied. The names are
   * those of the restore modes of RocksDB 10. Those write into the target itself; here the target is still replaced as a whole.
   *
   * @default 'purgeAllFiles'
   */
  mode?: 'purgeAllFiles' | 'keepLatestDbSessionIdFiles' | 'verifyChecksum' | undefined;
}

/** Options of methods that delete. */
export interface DeleteOptions {
  /** Deletes even if some backup cannot be read. The files of that backup are then deleted for good. @default false */
  force?: boolean | undefined;
}

/** Options of {@link BackupEngine.getBackupInfo}. */
export interface BackupInfoOptions {
  /** Adds `fileDetails` and `excludedFiles` to the result. @default false */
  fileDetails?: boolean | undefined;
}

/** Options of {@link BackupEngine.openBackup}. */
export interface OpenBackupOptions {
  /**
   * Keeps what is read of a backup in an object store on a disk of this machine. Without effect for a repository on a disk.
   *
   * Several backups, processes and repositories may use one directory at the same time. The content of a block counts only for the object
   * that it was read of, by its ETag, and is checked by a checksum. The cache never fails a read: if it cannot be used, `problem` of
   * {@link Database.diskCache} says why.
   */
  diskCache?: DiskCacheOptions | undefined;
  /** Stops the opening when it is aborted. The promise then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface DiskCacheOptions {
  /**
   * A directory for this cache alone. It is made if it is missing, with the mode 0700, because the cache has the content of databases in
   * it. A directory that belongs to another user, or that others may write to, is not used.
   */
  directory: string;
  /** The bound: what was not used for the longest time goes first. From 16 MiB. @default 1 GiB */
  maxBytes?: number | undefined;
}

/** Throws the errors about these options that BackupEngine.open would throw. Opens nothing. */
export function checkEngineOptions(options: BackupEngineOptions): void {
  native.checkEngineOptions(nativeEngineOptions(checkObject('options', options)));
}

/** Throws the errors about these options that createBackup would throw. Creates nothing. */
export function checkCreateOptions(options: CreateBackupOptions): void {
  const { signal, onProgress, ...rest } = checkObject('options', options);
  native.checkCreateOptions(rest);
}

/** The options of an engine as native code takes them. */
export function nativeEngineOptions(options: BackupEngineOptions): object {
  return {
    ...options,
    backupRateLimit: toNativeLimit(options.backupRateLimit),
    restoreRateLimit: toNativeLimit(options.restoreRateLimit),
  };
}

function toNativeLimit(limit: number | RateLimiter | undefined): unknown {
  return limit instanceof RateLimiter ? nativeLimiter(limit) : limit;
}
