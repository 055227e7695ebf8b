import type { RocksDBError, WhyUnreadable } from '../base/errors.js';

/** Whether a backup reuses files of earlier backups: see {@link BackupInfo.kind}. */
export type BackupKind = 'full' | 'incremental';

/** Information about one backup. */
export interface BackupInfo {
  /**
   * The number that RocksDB's backup engine gave to the backup. If the latest backup is deleted, the next backup gets its number again. So
   * code that remembers a backup for a longer time must store the timestamp too.
   */
  backupId: number;
  /** When the create of the backup began, by the clock of the machine that made it. Precise to the second. */
  timestamp: Date;
  /** How many bytes a restore of this backup writes. */
  size: number;
  /** How many bytes a delete of this backup frees: the files that only this backup uses, plus `metaSize`. */
  uniqueSize: number;
  /**
   * Bytes of the files that describe the backup: the engine's meta file, and the record that this library writes beside it. Not part of
   * `size`.
   */
  metaSize: number;
  /** How many files the backup has, shared files included. */
  numberFiles: number;
  /**
   * `full`: the create copied every file of the backup. `incremental`: the backup reuses files that earlier backups had copied. For a
   * backup that another program made, nobody knows how it was made: it counts as `full` if none of its files lies in a folder for shared
   * files.
   */
  kind: BackupKind;
  /**
   * The part of `size` that is write-ahead log. Every backup copies its logs again. Small if the database was flushed first, see
   * `flushBeforeBackup`.
   */
  logBytes: number;
  /**
   * RocksDB's id of the database that was backed up, the same as {@link Database.identity}. Undefined if it cannot be found out. A restored
   * database and an opened checkpoint have the same id as the original database.
   */
  databaseId?: string;
  /** The metadata given to createBackup, decoded as UTF-8. */
  appMetadata: string;
  /** The same metadata as bytes. */
  appMetadataBytes: Buffer;
  /**
   * The object store does not delete the backup before this. Set if the store has `objectLock`; the time may be past. Retention keeps the
   * backup until then.
   */
  lockedUntil?: Date;
  /**
   * Set if the database in the backup was written by a newer RocksDB and has tables that the RocksDB of this package (see engineInfo())
   * cannot read. The value is the version that is needed. Such a backup can be verified and restored, but the database cannot be opened,
   * neither in place nor after a restore: the open fails with NEWER_ROCKSDB.
   */
  newerRocksDB?: string;
  /**
   * All files of the backup. Only set if the call has `fileDetails: true`. If one call returns several backups that share a file, they all
   * refer to the same object.
   */
  fileDetails?: BackupFileDetails[];
  /**
   * The files that `excludeFiles` left out of the backup. Only set if the call has `fileDetails: true`. If there are any, a restore needs
   * `alternates`.
   */
  excludedFiles?: string[];
}

/** A backup that cannot be used. */
export interface UnreadableBackup {
  backupId: number;
  /** Why, in words: which file is missing or damaged, or may not be read. */
  reason: string;
  /** Why, for programs. A backup that is `denied` or `io` may be whole: see to the permissions or the disk, and do not delete it. */
  why: WhyUnreadable;
}

/** All backups of a repository at one moment. */
export interface BackupSurvey {
  /** The backups that can be read, oldest first. */
  backups: BackupInfo[];
  /** The backups that cannot be read. */
  corrupt: UnreadableBackup[];
}

/** The result of {@link BackupEngine.garbageCollect}. */
export interface GarbageResult {
  /**
   * Files that belong to no backup and that an object store refused to delete: locked ones, for instance. They are still there, as paths
   * relative to the repository. A later clean-up tries it again.
   */
  refused: string[];
}

/** One file of a backup. */
export interface BackupFileDetails {
  /** The path relative to the repository's directory, for example `shared_checksum/000009_sK3A_1040.sst`. */
  name: string;
  size: number;
  /** Whether the file lies in a folder for files that several backups can share. */
  shared: boolean;
  /** How many backups use the file, this one included. */
  backups: number;
}

/** How far a create, verify or restore is. */
export interface Progress {
  /**
   * `flush`: the database writes its memory to files. `copy`, `verify`, `restore`: data is being read or written. `commit`: all data is
   * there and is now being made durable.
   */
  phase: 'flush' | 'copy' | 'commit' | 'verify' | 'restore';
  bytesDone: number;
  /** How many bytes will be read or written in total. For a create: only the bytes that no earlier backup has. */
  bytesTotal: number;
  filesDone: number;
  filesTotal: number;
  /** Name of the file that was worked on last. */
  file: string;
  /** About the speed of the last three seconds. 0 while it is not known. */
  bytesPerSecond: number;
  /** Estimated time left. `Infinity` while it is not known. */
  secondsLeft: number;
}

/** The options that createBackup, verifyBackup and restoreBackup have in common. */
export interface LongOperation {
  /** Stops the operation when it is aborted. The promise then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Called at the start with 0 bytes done, then at most about 20 times a second, and at the end with all bytes done. If the callback
   * throws, the operation stops and rejects with that error.
   */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** A file that a backup would contain. */
export interface PlannedFile {
  /** The name that the database uses for the file. */
  name: string;
  size: number;
  /** Whether the create would copy the file. If not, an earlier backup has it already. */
  copied: boolean;
  /** Whether the file belongs to the write-ahead log. If the create flushes first, the backup has that data in tables instead. */
  log: boolean;
}

/** What {@link BackupEngine.verifyBackup} looked at. */
export interface VerifyResult {
  /**
   * Whether the sizes of all files were compared with those at the time of the backup. False if there is no record of them: another program
   * made the backup, or the record is lost. Then only the sizes that are part of the names of shared files were compared.
   */
  sizesKnown: boolean;
}

/** What {@link BackupEngine.restoreBackup} did. */
export interface RestoreResult extends BackupInfo {
  /** How many bytes were written. */
  bytesCopied: number;
  /** How many bytes did not have to be written, because the database that was replaced had the same files: see `mode`. */
  bytesReused: number;
  /** How many files were reused in this way. */
  filesReused: number;
  /** With `keepOld`: the path to which the replaced database was moved. */
  keptOld?: string;
  /** With `keepOld`: the path to which its logs were moved, if they were in a directory outside the database's. */
  keptOldLogs?: string;
}

/** What {@link BackupEngine.restoreBackup} would do. */
export interface RestorePlan {
  /** The backup that would be restored. */
  backup: BackupInfo;
  /** The target's absolute path, with symlinks resolved. */
  target: string;
  /**
   * What is at the target now. `nothing`: it does not exist, or is an empty directory. `database`: a database, which would be replaced.
   * `interruptedRestore`: what an earlier restore left that died while it moved its files into place.
   */
  targetHolds: 'nothing' | 'database' | 'interruptedRestore';
  /**
   * The id of the database at the target, as in {@link BackupInfo.databaseId}. Undefined if there is no database, or its id cannot be found
   * out.
   */
  targetDatabaseId?: string;
  /** How many bytes would be written. */
  bytesToCopy: number;
  /** How many bytes would not have to be written, because the database at the target has the same files: see `mode`. */
  bytesToReuse: number;
  /** How many files would be reused in this way. */
  filesToReuse: number;
  /** How many bytes are free where the target will be, if the operating system says that. */
  bytesFree?: number;
}

/** A directory that a restore left behind because its process was killed. */
export interface RestoreLeftover {
  /** Its absolute path: `.NAME.restoring-...` beside the restore's target NAME, or `.restoring-...` in it. */
  path: string;
  /** Total size of the files in it, in bytes. */
  bytes: number;
  /**
   * True if the restore had not changed the target yet: the directory is only a copy and can be removed. False if the restore died while it
   * moved files into place: the directory may then hold the only copy of a database, and only another restore to the same target removes
   * it.
   */
  unfinished: boolean;
  /** Whether the directory was removed by this call. */
  removed: boolean;
}

/** One backup of a copy from one repository to another. */
export interface CopiedBackup {
  backupId: number;
  /** Undefined if the backup cannot be read. */
  timestamp?: Date;
  /**
   * - copied: it was copied. With `dryRun`: it would be copied.
   * - present: the target has it already.
   * - failed: it was not copied, because it cannot be read or is damaged, here or in the target. `error` says why.
   */
  state: 'copied' | 'present' | 'failed';
  /** The files that the target did not have. A file that several backups share counts once. */
  files: number;
  bytes: number;
  error?: RocksDBError;
}
