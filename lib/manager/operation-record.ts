import { hostname } from 'node:os';
import { type Advice, LIBRARY_ADVICE } from '../base/advice.js';
import { errorCode, type RocksDBError } from '../base/errors.js';

/** The operations on a repository. */
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
  /** Backups were copied from another repository to this one. */
  | 'copy'
  | 'snapshot'
  /** A backup that was skipped because the newest one contains everything in the database. */
  | 'skip';

/** Identifies a backup over time. An id alone does not: after the latest backup was deleted, its id is given again. */
export interface BackupRef {
  backupId: number;
  timestamp: Date | string;
}

/** One operation on a repository, successful or not. It is a line of the audit log and an entry of the history. */
export interface OperationRecord {
  operation: OperationName;
  /** When it began, as ISO 8601 in UTC. */
  at: string;
  ok: boolean;
  durationMs: number;
  backupId?: number;
  /** The timestamp of the backup, not of the operation. */
  timestamp?: string;
  /** For a create: the id of the backup's database. */
  databaseId?: string;
  kind?: 'full' | 'incremental' | 'snapshot';
  /** How many bytes were copied, read or freed. */
  bytes?: number;
  /** For a verify: whether every byte was read. */
  checksum?: boolean;
  /** What started it: 'schedule', 'change', 'demand', 'final', 'retry', 'cli' ... */
  trigger?: string;
  /** Details that only this kind of operation has. */
  detail?: Record<string, unknown>;
  error?: RecordedError;
  pid: number;
  host: string;
}

/** A history entry without the process and host, which are added later. */
export type NewRecord = Omit<OperationRecord, 'pid' | 'host'>;

const host = hostname();

/** Completes an entry about something that this process did. */
export function ownRecord(record: NewRecord): OperationRecord {
  return { ...record, pid: process.pid, host };
}

/** The parts of an error that a history entry keeps: what happened, and a word for what can be done about it. */
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

/** Whether two references mean the same backup. */
export function isSameBackup(a: BackupRef, b: BackupRef): boolean {
  return a.backupId === b.backupId && new Date(a.timestamp).getTime() === new Date(b.timestamp).getTime();
}

/** Whether a history entry is about this backup. */
export function isRecordOf({ backupId, timestamp }: OperationRecord, backup: BackupRef): boolean {
  return backupId !== undefined && timestamp !== undefined && isSameBackup({ backupId, timestamp }, backup);
}
