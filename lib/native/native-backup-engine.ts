// The interface between binding/napi/backup/backup_engine.cc and lib. Types only; nothing here is public.

import type {
  BackupInfo,
  BackupSurvey,
  CopiedBackup,
  GarbageResult,
  PlannedFile,
  Progress,
  RestoreLeftover,
  RestorePlan,
  RestoreResult,
  VerifyResult,
} from './backup-info.js';
import type { NativeStorage } from './native-storage.js';

export interface NativeOperation {
  /** Returns false if the operation is past the point of no return. */
  stop(): boolean;
}

interface NativeBackupPlan {
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

/** A turn in the repository's queue of writes. Writes that were called later wait until the turn is released or garbage-collected. */
interface NativeWriteTurn {
  release(): void;
}

/**
 * `Db` is the native database of lib/native/binding.ts. An option object may hold only the options that its option table in native code
 * knows.
 */
export interface NativeBackupEngine<Db = unknown> {
  readonly token: string;
  readonly location: string;
  readonly readOnly: boolean;
  readonly storage: NativeStorage;
  createBackup(db: Db, operation: NativeOperation, options: object): Promise<BackupInfo>;
  verifyBackup(backupId: number, operation: NativeOperation, options: object): Promise<VerifyResult>;
  /** backupId 0 means the latest backup. */
  restoreBackup(backupId: number, dbDir: string, operation: NativeOperation, options: object): Promise<RestoreResult>;
  planRestore(backupId: number, dbDir: string, operation: NativeOperation, options: object): Promise<RestorePlan>;
  /** No ids: all backups. */
  copyFrom(
    source: NativeBackupEngine<Db>,
    backupIds: readonly number[],
    operation: NativeOperation,
    options: object,
  ): Promise<CopiedBackup[]>;
  /** Undefined: there is no repository yet. */
  planCopyTo(
    target: NativeBackupEngine<Db> | undefined,
    backupIds: readonly number[],
    operation: NativeOperation,
    options: object,
  ): Promise<CopiedBackup[]>;
  survey(options: object): Promise<BackupSurvey>;
  getBackupInfos(options: object): Promise<BackupInfo[]>;
  /** backupId 0 means the latest backup. */
  getBackupInfo(backupId: number, options: object): Promise<BackupInfo | undefined>;
  getCorruptedBackups(): Promise<number[]>;
  openBackup(backupId: number, operation: NativeOperation, options: object): Promise<Db>;
  takeTurn(): Promise<NativeWriteTurn>;
  deleteBackups(backupIds: readonly number[], options: object, turn?: NativeWriteTurn): Promise<void>;
  purgeOldBackups(numBackupsToKeep: number, options: object, turn?: NativeWriteTurn): Promise<void>;
  garbageCollect(options: object): Promise<GarbageResult>;
  checkDeletion(options: object): Promise<void>;
  listGarbage(): Promise<{ name: string; size: number }[]>;
  stopBackup(): boolean;
  close(): Promise<void>;
}

export interface NativeBackupModule<Db = unknown> {
  /** Throws the same errors about the options as openBackupEngine, and does nothing else. */
  checkEngineOptions(options: object): void;
  /** Throws the same errors about the options as createBackup, and does nothing else. */
  checkCreateOptions(options: object): void;
  openBackupEngine(place: string | NativeStorage, options: object): Promise<NativeBackupEngine<Db>>;
  planBackup(db: Db, place: string | NativeStorage, engineOptions: object, options: object): Promise<NativeBackupPlan>;
  attachBackupEngine(token: string): NativeBackupEngine<Db>;
  stopBackup(token: string): boolean;
  newOperation(onProgress?: (progress: Progress) => void): NativeOperation;
  newRateLimiter(options: object): NativeRateLimiter;
  /**
   * Why this process may not read a path: which part of the path denies it, who owns that part, and its mode. Undefined if nothing denies
   * it.
   */
  whyDenied(path: string): string | undefined;
  findRestoreLeftovers(directory: string, options: { remove: boolean }): Promise<RestoreLeftover[]>;
}
