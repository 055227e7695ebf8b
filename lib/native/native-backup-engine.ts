// What binding/napi/backup/backup_engine.cc gives to lib. Types only; nothing of this is public.

import type {
  BackupInfo,
  BackupSurvey,
  PlannedFile,
  Progress,
  RestoreLeftover,
  RestorePlan,
  RestoreResult,
} from './backup-info.js';

export interface NativeOperation {
  /** False when it is past the point of no return. */
  stop(): boolean;
}

export interface NativeBackupPlan {
  files: PlannedFile[];
  bytesFree?: number;
  databaseId?: string;
}

export interface NativeRateLimiter {
  readonly bytesPerSecond: number | bigint;
  readonly totalBytes: number | bigint;
  readonly totalRequests: number | bigint;
  setBytesPerSecond(bytesPerSecond: number): void;
}

/** What writes to the directory and was called later waits until it is released, or forgotten. */
export interface NativeWriteTurn {
  release(): void;
}

export interface NativeStateLock {
  release(): void;
  /** Throws LOCK_LOST when its file was removed: others may have taken another. */
  assertHeld(): void;
}

/** `Db` is the native database of lib/native/binding.ts. An option object holds only what its option table knows. */
export interface NativeBackupEngine<Db = unknown> {
  readonly token: string;
  readonly location: string;
  readonly readOnly: boolean;
  createBackup(db: Db, operation: NativeOperation, options: object): Promise<BackupInfo>;
  verifyBackup(backupId: number, operation: NativeOperation, options: object): Promise<void>;
  /** backupId 0: the latest. */
  restoreBackup(backupId: number, dbDir: string, operation: NativeOperation, options: object): Promise<RestoreResult>;
  planRestore(backupId: number, dbDir: string, operation: NativeOperation, options: object): Promise<RestorePlan>;
  survey(options: object): Promise<BackupSurvey>;
  getBackupInfos(options: object): Promise<BackupInfo[]>;
  /** backupId 0: the latest. */
  getBackupInfo(backupId: number, options: object): Promise<BackupInfo | undefined>;
  getCorruptedBackups(): Promise<number[]>;
  openBackup(backupId: number): Promise<Db>;
  takeTurn(): Promise<NativeWriteTurn>;
  deleteBackups(backupIds: readonly number[], options: object, turn?: NativeWriteTurn): Promise<void>;
  purgeOldBackups(numBackupsToKeep: number, options: object, turn?: NativeWriteTurn): Promise<void>;
  garbageCollect(options: object): Promise<void>;
  stopBackup(): boolean;
  close(): Promise<void>;
}

export interface NativeBackupModule<Db = unknown> {
  /** Throws what openBackupEngine would about its options, and does nothing. */
  checkEngineOptions(options: object): void;
  /** The same of createBackup. */
  checkCreateOptions(options: object): void;
  openBackupEngine(location: string, options: object): Promise<NativeBackupEngine<Db>>;
  planBackup(db: Db, location: string, engineOptions: object, options: object): Promise<NativeBackupPlan>;
  attachBackupEngine(token: string): NativeBackupEngine<Db>;
  stopBackup(token: string): boolean;
  newOperation(onProgress?: (progress: Progress) => void): NativeOperation;
  newRateLimiter(options: object): NativeRateLimiter;
  /** Why this process may not read a path: which part of it denies that, whose that is, and its mode. */
  whyDenied(path: string): string | undefined;
  /** Undefined while another process, or another holder in this one, has it. */
  tryLockState(location: string): NativeStateLock | undefined;
  findRestoreLeftovers(directory: string, options: { remove: boolean }): Promise<RestoreLeftover[]>;
}
