/** Whether a backup took over files of earlier ones: see {@link BackupInfo.kind}. */
export type BackupKind = 'full' | 'incremental';

/** What is known of one backup. */
export interface BackupInfo {
  /**
   * The engine's number of the backup. After the latest backup was deleted its number is given again: whatever refers to a
   * backup for longer keeps the timestamp beside it.
   */
  backupId: number;
  /** When the backup was begun, by the clock of the machine that made it, to the second. */
  timestamp: Date;
  /** Bytes that a restore writes. */
  size: number;
  /** What deleting it frees: bytes of the files that only this backup uses, `metaSize` included. */
  uniqueSize: number;
  /** Bytes of what tells of the backup: the engine's meta file, and our record beside it. Not part of `size`. */
  metaSize: number;
  /** Files of the backup, shared ones included. */
  numberFiles: number;
  /**
   * `full`: when it was made every file of it was copied. `incremental`: it took over files that earlier backups had copied. Of
   * a backup that another program made that is not known: it is full if none of its files lies where backups share files.
   */
  kind: BackupKind;
  /** Of `size`, what is write-ahead log: every backup copies that anew. Little after a flush, see `flushBeforeBackup`. */
  logBytes: number;
  /**
   * RocksDB's id of the database that it is of, as {@link Database.identity} has it; undefined where nothing tells. A restored
   * database and an opened checkpoint have the id of the database that they come from.
   */
  databaseId?: string;
  /** The metadata given to createBackup, read as UTF-8. */
  appMetadata: string;
  /** The same metadata, byte for byte. */
  appMetadataBytes: Buffer;
  /**
   * Set where the database is of a newer RocksDB, with tables that this one (see engineInfo()) cannot read: the version that it
   * needs. Such a backup can be verified and restored; opened, in place or restored, it is refused with NEWER_ROCKSDB.
   */
  newerRocksDB?: string;
  /**
   * Every file, when asked for with `fileDetails: true`. Of several backups that are asked for at once, a file that they share
   * is the same object in each.
   */
  fileDetails?: BackupFileDetails[];
  /** The files that `excludeFiles` left out, when asked for with `fileDetails: true`. A restore needs `alternates` then. */
  excludedFiles?: string[];
}

/** A backup that cannot be used. */
export interface UnreadableBackup {
  backupId: number;
  /** Which file is missing or damaged, or may not be read. */
  reason: string;
}

/** All backups of a directory at one moment. */
export interface BackupSurvey {
  /** Those that can be read, oldest first. */
  backups: BackupInfo[];
  /** Those that cannot. */
  corrupt: UnreadableBackup[];
}

/** One file of a backup. */
export interface BackupFileDetails {
  /** Relative to the backup directory, such as `shared_checksum/000009_sK3A_1040.sst`. */
  name: string;
  size: number;
  /** Whether it lies where backups share files. */
  shared: boolean;
  /** How many backups use it, this one included. */
  backups: number;
}

/** How far a backup, verify or restore is. */
export interface Progress {
  /**
   * `flush`: the database writes out what it has in memory. `copy`, `verify`, `restore`: bytes move. `commit`: the data is
   * there and is being made to last.
   */
  phase: 'flush' | 'copy' | 'commit' | 'verify' | 'restore';
  bytesDone: number;
  /** Bytes that will move: for a backup those that no earlier backup has. */
  bytesTotal: number;
  filesDone: number;
  filesTotal: number;
  /** Name of the file that moved last. */
  file: string;
  /** About the speed of the last three seconds; 0 while it is not known. */
  bytesPerSecond: number;
  /** `Infinity` while it is not known. */
  secondsLeft: number;
}

/** What createBackup, verifyBackup and restoreBackup have in common. */
export interface LongOperation {
  /** Ends the operation; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Called at the start with 0 bytes done, at most about 20 times a second, and at the end with all of them. What it throws
   * stops the operation, which then rejects with it.
   */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** A file that a backup would have. */
export interface PlannedFile {
  /** As the database names it. */
  name: string;
  size: number;
  /** Whether it would be copied; else an earlier backup has it. */
  copied: boolean;
  /** Whether it is of the write-ahead log. A backup that is flushed first has that in tables instead. */
  log: boolean;
}

/** What {@link BackupEngine.restoreBackup} has done. */
export interface RestoreResult extends BackupInfo {
  /** Bytes that were written. */
  bytesCopied: number;
  /** Bytes that need not be written, as files of the database that was replaced have them: see `mode`. */
  bytesReused: number;
  /** How many files those are. */
  filesReused: number;
  /** With `keepOld`: where the database that was replaced is now. */
  keptOld?: string;
  /** With `keepOld`: where its logs are, if they were in a directory that lies outside the database's. */
  keptOldLogs?: string;
}

/** What {@link BackupEngine.restoreBackup} would do. */
export interface RestorePlan {
  /** The backup that would be restored. */
  backup: BackupInfo;
  /** The target's absolute path; links are followed. */
  target: string;
  /**
   * What is there now: nothing (it does not exist, or is empty), a database, which would be replaced, or what a restore left that
   * died while it put its files in place.
   */
  targetHolds: 'nothing' | 'database' | 'interruptedRestore';
  /** Which database is there, as {@link BackupInfo.databaseId} says; undefined if there is none, or nothing tells. */
  targetDatabaseId?: string;
  /** Bytes that would be written. */
  bytesToCopy: number;
  /** Bytes that would not, as files of the database that is there have them: see `mode`. */
  bytesToReuse: number;
  /** How many files those are. */
  filesToReuse: number;
  /** Bytes that are free where the target is to be, if the system says that. */
  bytesFree?: number;
}

/** A directory that a restore left whose process was killed. */
export interface RestoreLeftover {
  /** Its absolute path: `.NAME.restoring-...`, where NAME is that of the restore's target. */
  path: string;
  /** Bytes of the files in it. */
  bytes: number;
  /**
   * Whether the restore had changed nothing yet, so that it is only a copy. If not, it died while files took their places, and what
   * lies there may be all that there is of a database: then nothing but a restore to the same target removes it.
   */
  unfinished: boolean;
  /** Whether it is gone now. */
  removed: boolean;
}
