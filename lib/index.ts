import './archive/archive.js';

export {
  PointInTimeRecovery,
  type RecoverOptions,
  type RecoveryChoice,
  type RecoveryEstimate,
  type RecoveryResult,
  type RecoveryWindow,
} from './archive/point-in-time-recovery.js';
export {
  BackupEngine,
  type RestoreBackupOptions,
  type RestoreLatestOptions,
  stopBackup,
} from './backup/backup-engine.js';
export type {
  BackupEngineOptions,
  BackupInfoOptions,
  CreateBackupOptions,
  DeleteOptions,
  DiskCacheOptions,
  LogLine,
  OpenBackupOptions,
  VerifyBackupOptions,
} from './backup/backup-options.js';
export { type BackupPlan, type PlanBackupOptions, planBackup } from './backup/backup-plan.js';
export type { KnownDamage } from './backup/known-damage.js';
export { RateLimiter, type RateLimiterOptions } from './backup/rate-limiter.js';
export { removeRestoreLeftovers } from './backup/restore-leftovers.js';
export { type ErrorSeverity, RocksDBError, type WhyUnreadable } from './base/errors.js';
export {
  type CreateSnapshotOptions,
  createSnapshot,
  deleteSnapshot,
  listSnapshots,
  pinSnapshot,
  planSnapshots,
  pruneSnapshots,
  type SnapshotInfo,
  type SnapshotPlace,
  unpinSnapshot,
} from './checkpoints/snapshots.js';
export { type DatabaseChange, type DatabaseDiff, type DiffOptions, diffDatabases } from './compare/diff.js';
export { type DatabaseDigest, digestDatabase, type FamilyDigest } from './compare/digest.js';
export type { ReadAllOptions, ReadProgress } from './compare/read-all.js';
export { type CopyBackupsOptions, type CopyResult, copyBackups } from './copy/copy-backups.js';
export type {
  Archive,
  ArchiveEvents,
  ArchiveOptions,
  ArchiveRepository,
  ArchiveSetting,
  ArchiveStatus,
  RecoveryPoint,
} from './database/archive.js';
export { ColumnFamily, Database, type DatabaseEvents, type DatabaseSource } from './database/database.js';
export type { ColumnFamilyOptions, Compression, OpenOptions } from './database/database-options.js';
export { DatabaseIterator, type Entry } from './database/iterator.js';
export { KeySpace } from './database/key-space.js';
export { type BatchOperationOptions, WriteBatch } from './database/write-batch.js';
export { DrillError, type DrillOptions, type DrillProgress, type DrillResult, drillBackup } from './drill/drill.js';
export { BackupManager, type StopOptions } from './manager/backup-manager.js';
export type { DatabaseOpener } from './manager/database-access.js';
export {
  type BackupRecord,
  freedBy,
  type Inventory,
  readInventory,
  retentionBackups,
  type SharedFiles,
  sharedWith,
} from './manager/inventory.js';
export type {
  AfterHook,
  BackupContext,
  BackupOutcome,
  BackupResult,
  BeforeHook,
  Failure,
  ManagedOperation,
  ManagerEvents,
  OnFailure,
  Skipped,
  Trigger,
  UnchangedBackup,
} from './manager/manager-events.js';
export type {
  BackupManagerOptions,
  ManagerDrillOptions,
  ManagerSnapshotOptions,
  RetryOptions,
} from './manager/manager-options.js';
export type { ManagerStatus, Phase } from './manager/manager-status.js';
export type { MetricsOptions, MetricsRegistry } from './manager/metrics.js';
export type { OperationName, OperationRecord } from './manager/operation-record.js';
export type { ScheduleSpec } from './manager/schedule.js';
export type { ManagerStats } from './manager/statistics.js';
export type {
  BackupFileDetails,
  BackupInfo,
  BackupKind,
  BackupSurvey,
  CopiedBackup,
  GarbageResult,
  LongOperation,
  PlannedFile,
  Progress,
  RestoreLeftover,
  RestorePlan,
  RestoreResult,
  UnreadableBackup,
  VerifyResult,
} from './native/backup-info.js';
export { BorrowedEntry } from './native/block.js';
export { engineInfo } from './native/engine-info.js';
export type { DiskCacheStatus, EngineInfo } from './native/native-database.js';
export type { RepositoryUse } from './native/native-storage.js';
export type {
  BorrowRangeOptions,
  CompactRangeOptions,
  Data,
  Encoding,
  GetSyncOptions,
  Key,
  KeyRange,
  RangeOptions,
  ReadOptions,
  WriteOptions,
} from './native/options.js';
export type { Snapshot } from './native/snapshot.js';
export {
  planRetention,
  type RetentionBackup,
  type RetentionDecision,
  type RetentionOptions,
  type RetentionPlan,
  type RetentionPolicy,
} from './retention/retention.js';
export {
  type LiveLease,
  type RepositoryStatus,
  type RepositoryStatusOptions,
  repositoryStatus,
} from './status/repository-status.js';
export type { RepositoryLocation } from './storage/storage.js';
export {
  type CallOptions,
  type GetOptions,
  type ListedObject,
  type ListOptions,
  type ListPage,
  type MultipartStore,
  type ObjectLock,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
  type StoreErrorFacts,
  type StoreErrorKind,
  type StoreWriteOptions,
  type UploadsPage,
} from './stores/object-store.js';
export { type ProbeCheck, type ProbeName, type ProbeOptions, type ProbeResult, probeStore } from './stores/probe.js';
export { type StoreRole, storePolicy } from './stores/store-policy.js';
export { parseStoreUrl, type StoreAddress } from './stores/store-url.js';
