export {
  BackupEngine,
  type BackupEngineOptions,
  type BackupInfoOptions,
  type CreateBackupOptions,
  type DeleteOptions,
  type LogLine,
  type RestoreBackupOptions,
  type RestoreLatestOptions,
  type RestorePlan,
  type RestoreResult,
  stopBackup,
  type VerifyBackupOptions,
} from './backup-engine.js';
export type {
  BackupFileDetails,
  BackupInfo,
  BackupKind,
  BackupSurvey,
  LongOperation,
  Progress,
  UnreadableBackup,
} from './backup-info.js';
export { type BackupPlan, type PlanBackupOptions, type PlannedFile, planBackup } from './backup-plan.js';
export { BorrowedEntry } from './borrowed-entry.js';
export { ColumnFamily } from './column-family.js';
export { Database, type DatabaseEvents, type DatabaseSource } from './database.js';
export type { ColumnFamilyOptions, Compression, OpenOptions } from './database-options.js';
export { type EngineInfo, engineInfo } from './engine-info.js';
export { type ErrorSeverity, RocksDBError } from './errors.js';
export { DatabaseIterator, type Entry } from './iterator.js';
export { KeySpace } from './key-space.js';
export type { KnownDamage } from './known-damage.js';
export { BackupManager, type StopOptions } from './manager/backup-manager.js';
export type { Phase } from './manager/backup-runner.js';
export {
  type DatabaseChange,
  type DatabaseDiff,
  type DatabaseDigest,
  type DiffOptions,
  diffDatabases,
  digestDatabase,
  type FamilyDigest,
  type ReadAllOptions,
  type ReadProgress,
} from './manager/compare.js';
export type { DatabaseOpener } from './manager/database-access.js';
export { DrillError, type DrillOptions, type DrillProgress, type DrillResult, drillBackup } from './manager/drill.js';
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
export type { ManagerStatus } from './manager/manager-status.js';
export type { MetricsOptions, MetricsRegistry } from './manager/metrics.js';
export type { OperationName, OperationRecord } from './manager/operation-record.js';
export {
  planRetention,
  type RetentionBackup,
  type RetentionDecision,
  type RetentionOptions,
  type RetentionPlan,
  type RetentionPolicy,
} from './manager/retention.js';
export type { ScheduleSpec } from './manager/schedule.js';
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
} from './manager/snapshots.js';
export type { ManagerStats } from './manager/statistics.js';
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
} from './options.js';
export { RateLimiter, type RateLimiterOptions } from './rate-limiter.js';
export { type RestoreLeftover, removeRestoreLeftovers } from './restore-leftovers.js';
export type { Snapshot } from './snapshot.js';
export { type BatchOperationOptions, WriteBatch } from './write-batch.js';
