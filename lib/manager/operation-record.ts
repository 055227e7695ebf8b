import { hostname } from 'node:os';
import { type Advice, LIBRARY_ADVICE } from '../base/advice.js';
import { errorCode, type RocksDBError } from '../base/errors.js';

/** What can be done to a directory of backups. */
export type OperationName =
  | 'create'
  | 'verify'
  | 'restore'
  | 'drill'
  | 'delete'
  | 'prune'
  | 'pin'
  | 'unpin'
  | 'gc'
  | 'snapshot'
  /** A backup that was left out: the newest one has all that the database holds. */
  | 'skip';

/** A backup's name over time: ids are given again after the latest backup was deleted, the pair is not. */
export interface BackupRef {
  backupId: number;
  timestamp: Date | string;
}

/** One thing that was done to a directory of backups, or failed to be: a line of the audit log, an entry of the history. */
export interface OperationRecord {
  operation: OperationName;
  /** When it began, ISO 8601 in UTC. */
  at: string;
  ok: boolean;
  durationMs: number;
  backupId?: number;
  /** The backup's own, not the operation's. */
  timestamp?: string;
  /** Of a create: which database the backup is of. */
  databaseId?: string;
  kind?: 'full' | 'incremental' | 'snapshot';
  /** Bytes that were copied, read or freed. */
  bytes?: number;
  /** Of a verify: whether every byte was read. */
  checksum?: boolean;
  /** What started it: 'schedule', 'change', 'demand', 'final', 'retry', 'cli' ... */
  trigger?: string;
  /** What only this operation has to tell. */
  detail?: Record<string, unknown>;
  error?: RecordedError;
  pid: number;
  host: string;
}

/** A record as those who did it write it; who they are is added. */
export type NewRecord = Omit<OperationRecord, 'pid' | 'host'>;

const host = hostname();

/** The record of something this process did. */
export function ownRecord(record: NewRecord): OperationRecord {
  return { ...record, pid: process.pid, host };
}

/** What a record keeps of an error: what happened, and a word for what can be done about it. */
export interface RecordedError {
  code?: string;
  message: string;
  advice?: Advice;
}

export function recordedError(error: unknown): RecordedError {
  const { message, whatHappened = message, advice } = (error ?? {}) as Partial<Record<keyof RocksDBError, unknown>>;
  const code = errorCode(error);
  return {
    ...(code === undefined ? {} : { code }),
    message: typeof whatHappened === 'string' ? whatHappened : String(error),
    ...(typeof advice === 'string' && advice in LIBRARY_ADVICE ? { advice: advice as Advice } : {}),
  };
}

/** Whether two names are of the same backup. */
export function isSameBackup(a: BackupRef, b: BackupRef): boolean {
  return a.backupId === b.backupId && new Date(a.timestamp).getTime() === new Date(b.timestamp).getTime();
}

/** Whether a record is of this backup. */
export function isRecordOf({ backupId, timestamp }: OperationRecord, backup: BackupRef): boolean {
  return backupId !== undefined && timestamp !== undefined && isSameBackup({ backupId, timestamp }, backup);
}
