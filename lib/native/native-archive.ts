// The interface between binding/napi/backup/archive.cc and lib. Types only; nothing here is public.

import type { RocksDBError } from '../base/errors.js';
import type { RestoreResult } from './backup-info.js';
import type { NativeBackupEngine, NativeOperation } from './native-backup-engine.js';

/** Times are in microseconds since 1970. Undefined: not known. */
export interface NativeArchiveStatus {
  timeline?: number;
  timelineReason?: string;
  archivedSequence?: number;
  needsBase: boolean;
  latestSequence: number;
  archivedTime: number | undefined;
  segments: number;
  bytes: number;
  logsGivenUp: number;
  error?: RocksDBError;
}

export interface NativePoint {
  name: string;
  sequence: number;
  time: number | undefined;
}

export interface NativeTimeline {
  timeline: number;
  parent?: number;
  reason: string;
  begun: number;
  firstSequence: number;
  lastSequence: number;
  bytes: number;
  segments: {
    firstSequence: number;
    lastSequence: number;
    era: string;
    from: number | undefined;
    to: number | undefined;
  }[];
  bases: { backupId: number; timestamp: number; sequence: number }[];
  points: NativePoint[];
}

/** With `kind: 'time'`, `time` is the target; with 'sequence', `sequence` is. */
export interface NativeRecoveryTarget {
  kind: 'latest' | 'sequence' | 'time';
  time?: number | undefined;
  sequence?: number | undefined;
  timeline?: number | undefined;
  era?: string | undefined;
}

export interface NativeRecoveryPlan {
  timeline: number;
  era: string;
  sequence: number;
  backupId: number;
  segments: number;
  writesToReplay: number;
}

export interface NativeRecovered extends Omit<NativeRecoveryPlan, 'writesToReplay'> {
  time: number | undefined;
  writesReplayed: number;
  batchesReplayed: number;
  bytesReplayed: number;
  restored: RestoreResult;
}

export interface NativeArchiveModule<Db> {
  startArchiver(db: Db, engine: NativeBackupEngine<Db>, options: object): void;
  archiverStatus(db: Db): NativeArchiveStatus;
  flushArchive(db: Db, operation: NativeOperation): Promise<void>;
  addRecoveryPoint(db: Db, name: string, operation: NativeOperation): Promise<NativePoint>;
  listArchive(engine: NativeBackupEngine<Db>): Promise<NativeTimeline[]>;
  pruneArchive(engine: NativeBackupEngine<Db>): Promise<number>;
  planRecovery(engine: NativeBackupEngine<Db>, target: NativeRecoveryTarget): Promise<NativeRecoveryPlan>;
  recover(
    engine: NativeBackupEngine<Db>,
    target: NativeRecoveryTarget,
    into: string,
    operation: NativeOperation,
    options: object,
    databaseOptions: object,
  ): Promise<NativeRecovered>;
}
