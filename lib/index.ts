export {
  BackupEngine,
  type BackupEngineOptions,
  type BackupInfoOptions,
  type CreateBackupOptions,
  type DeleteOptions,
  type LogLine,
  type RestoreBackupOptions,
  stopBackup,
  type VerifyBackupOptions,
} from './backup-engine.js';
export type { BackupFileDetails, BackupInfo, LongOperation, Progress } from './backup-info.js';
export { ColumnFamily } from './column-family.js';
export { Database, type DatabaseSource } from './database.js';
export type { ColumnFamilyOptions, Compression, OpenOptions } from './database-options.js';
export { type EngineInfo, engineInfo } from './engine-info.js';
export { type ErrorSeverity, RocksDBError } from './errors.js';
export { DatabaseIterator, type Entry } from './iterator.js';
export { KeySpace } from './key-space.js';
export type {
  CompactRangeOptions,
  Data,
  Encoding,
  Key,
  KeyRange,
  RangeOptions,
  ReadOptions,
  WriteOptions,
} from './options.js';
export { RateLimiter, type RateLimiterOptions } from './rate-limiter.js';
export type { Snapshot } from './snapshot.js';
export { type BatchOperationOptions, WriteBatch } from './write-batch.js';
