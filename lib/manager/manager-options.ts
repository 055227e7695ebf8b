import { BackupEngine } from '../backup/backup-engine.js';
import {
  type BackupEngineOptions,
  type CreateBackupOptions,
  checkCreateOptions,
  checkEngineOptions,
} from '../backup/backup-options.js';
import { checkObject, checkOptions } from '../base/check-object.js';
import { describe, invalidOption } from '../base/errors.js';
import { realPathOf } from '../base/real-path.js';
import { parseDuration } from '../base/units.js';
import { Database, type DatabaseSource, databaseOf } from '../database/database.js';
import { checkDrillOptions, type DrillOptions } from '../drill/drill.js';
import { checkRetentionPolicy, type RetentionPolicy } from '../retention/retention.js';
import { isObjectStore, openStorage, type RepositoryLocation } from '../storage/storage.js';
import { DatabaseAccess, type DatabaseOpener, isOpener, type ManagedDatabase } from './database-access.js';
import type { AfterHook, BeforeHook, OnFailure } from './manager-events.js';
import type { MetricsOptions } from './metrics.js';
import { parseSchedule, type ScheduleEntry, type ScheduleSpec } from './schedule.js';

/** How a {@link BackupManager} tries again after failures that may go away. */
export interface RetryOptions {
  /** The maximum number of further attempts after the first one. 0 means none. @default 5 */
  attempts?: number | undefined;
  /** The wait before the second attempt. It doubles with each attempt. @default '1s' */
  delay?: string | number | undefined;
  /** The longest wait. @default '1m' */
  maxDelay?: string | number | undefined;
}

/** When and how a {@link BackupManager} proves that a backup can be restored: see {@link drillBackup}. */
export interface ManagerDrillOptions extends Omit<DrillOptions, 'signal' | 'onProgress'> {
  /** When to run drills. Without a schedule, only drill() runs them. @default none */
  schedule?: ScheduleSpec | ScheduleSpec[] | undefined;
}

/** Options for checkpoints beside the database: see {@link BackupManager.snapshot}. */
export interface ManagerSnapshotOptions {
  /** When to make checkpoints. Without a schedule, only snapshot() makes them. @default none */
  schedule?: ScheduleSpec | ScheduleSpec[] | undefined;
  /** Which checkpoints to keep. It is applied after each new checkpoint. @default all */
  retention?: RetentionPolicy | undefined;
  /**
   * The directory for checkpoints. If it is not on the database's file system, checkpoints are copies. @default the database's path plus
   * `.snapshots`
   */
  directory?: string | undefined;
}

/** Options of {@link BackupManager}. */
export interface BackupManagerOptions {
  /**
   * The database to back up. Either an open database, which the manager does not close. Or an object that can open it, for a program that
   * does not use the database itself: the database is then open only while the manager makes a backup or a checkpoint.
   */
  db: Database | DatabaseSource | DatabaseOpener;
  /**
   * The repository: its directory, the URL of a place in an object store (`s3://bucket/prefix`), a store, or an engine on it. The manager
   * does not close that engine.
   */
  location: RepositoryLocation | BackupEngine;
  /** Options of the engines that the manager opens. @default {} */
  engine?: Omit<BackupEngineOptions, 'readOnly' | 'destroyOldData'> | undefined;
  /** Options of each backup. The database is flushed first unless `flushBeforeBackup` is false. @default {} */
  create?: Omit<CreateBackupOptions, 'signal' | 'onProgress' | 'metadata' | 'full'> | undefined;
  /** When to make backups: `'5m'`, `'0 3 * * *'`, `{ cron: '0 3 * * *', timezone: 'Europe/Berlin' }`, or several of these. @default none */
  schedule?: ScheduleSpec | ScheduleSpec[] | undefined;
  /**
   * Delays each scheduled backup by a random time of up to this length, so that many services do not start their backups at once. @default
   * 0
   */
  jitter?: string | number | undefined;
  /** The shortest time from the end of a backup to the start of the next one that notifyChange() causes. @default '5s' */
  minInterval?: string | number | undefined;
  /**
   * Skips a scheduled or final backup if nothing was written to the database since the newest backup, and if the files of that backup exist
   * with the right sizes. Otherwise old backups would be replaced by copies of the same data. A skipped backup counts as a success. If it
   * is not certain that nothing changed, the backup is made. notifyChange() always leads to a backup, and so does backupNow() without its
   * own `skipUnchanged`.
   *
   * @default true
   */
  skipUnchanged?: boolean | undefined;
  /**
   * Makes every Nth backup a full one, which copies every file again. The first backup always is full. 0 means that no others are. @default
   * 0
   */
  fullEvery?: number | undefined;
  /** Which backups to keep. The others are deleted after each backup that was verified. @default all */
  retention?: RetentionPolicy | undefined;
  /** How to verify each new backup: the names and sizes of its files, every byte, or not at all. @default 'size' */
  verify?: 'size' | 'checksum' | false | undefined;
  /** How to try again after failures that may go away: a locked repository, I/O errors, no space, a backup that fails its verify. */
  retry?: RetryOptions | undefined;
  /** Restore drills. @default none */
  drill?: ManagerDrillOptions | undefined;
  /** Checkpoints beside the database. @default none */
  snapshots?: ManagerSnapshotOptions | undefined;
  /** Returns data that is stored with each backup, as JSON. @default none */
  metadata?: (() => Record<string, unknown> | PromiseLike<Record<string, unknown>>) | undefined;
  /**
   * Called before each backup, once for all its attempts. If it throws or rejects, the backup is not made and counts as failed. It is a
   * part of the backup, so it must not wait for another backup or for stop(). @default none
   */
  before?: BeforeHook | undefined;
  /**
   * Called after each backup, also after a failed one. If it throws, that is reported as a failure and changes nothing else. It must not
   * wait for another backup or for stop(). @default none
   */
  after?: AfterHook | undefined;
  /** Called for each failure, with the number of failures in a row. @default none */
  onFailure?: OnFailure | undefined;
  /** A file to which every operation, successful or not, is appended as a line of JSON. @default none */
  auditLog?: string | undefined;
  /** Prometheus metrics. They need the package prom-client, which you must install. @default false */
  metrics?: boolean | MetricsOptions | undefined;
}

/** The options of a manager after they have been checked and converted. */
export interface Settings {
  db: ManagedDatabase;
  location: RepositoryLocation | BackupEngine;
  engine: BackupEngineOptions;
  create: CreateBackupOptions;
  schedule: ScheduleEntry[];
  jitter: number;
  minInterval: number;
  skipUnchanged: boolean;
  fullEvery: number;
  retention: RetentionPolicy | undefined;
  verify: 'size' | 'checksum' | false;
  retry: { attempts: number; delay: number; maxDelay: number };
  drill: Omit<DrillOptions, 'signal' | 'onProgress'>;
  drillSchedule: ScheduleEntry[];
  snapshotSchedule: ScheduleEntry[];
  snapshotRetention: RetentionPolicy | undefined;
  snapshotDirectory: string | undefined;
  metadata: BackupManagerOptions['metadata'];
  before: BeforeHook | undefined;
  after: AfterHook | undefined;
  onFailure: OnFailure | undefined;
  auditLog: string | undefined;
  metrics: MetricsOptions | undefined;
}

const NAMES: Record<keyof BackupManagerOptions, true> = {
  db: true,
  location: true,
  engine: true,
  create: true,
  schedule: true,
  jitter: true,
  minInterval: true,
  skipUnchanged: true,
  fullEvery: true,
  retention: true,
  verify: true,
  retry: true,
  drill: true,
  snapshots: true,
  metadata: true,
  before: true,
  after: true,
  onFailure: true,
  auditLog: true,
  metrics: true,
};

/** Checks all options. An unknown option is an error, because it may be a known one that is misspelt. */
export function checkManagerOptions(options: BackupManagerOptions): Settings {
  checkOptions('options', options, Object.keys(NAMES));
  const { db, location, verify = 'size', fullEvery = 0 } = options;
  if (!(db instanceof Database) && (typeof db !== 'object' || db === null || !(databaseOf in db)) && !isOpener(db)) {
    throw invalidOption(TypeError, 'db', 'a Database, or { path, open }', describe(db));
  }
  if (
    (typeof location !== 'string' || location === '') &&
    !(location instanceof BackupEngine) &&
    !isObjectStore(location)
  ) {
    throw invalidOption(
      TypeError,
      'location',
      'a directory, the URL of a store, a store, or a BackupEngine',
      describe(location),
    );
  }
  if (location instanceof BackupEngine && location.readOnly) {
    throw invalidOption(TypeError, 'location', 'an engine that can write', 'one opened with readOnly');
  }
  if (verify !== 'size' && verify !== 'checksum' && verify !== false) {
    throw invalidOption(TypeError, 'verify', "'size', 'checksum' or false", describe(verify));
  }
  if (verify === false && options.retention !== undefined) {
    throw invalidOption(
      TypeError,
      'verify',
      "'size' or 'checksum' where retention is set, as old backups are deleted only after a new one has verified",
      'false',
    );
  }
  checkPlace(location, db);
  const { schedule: drillSchedule, ...drill } = namedObject(options.drill, 'drill', [
    'schedule',
    'sample',
    'directory',
    'alternates',
  ]);
  within('drill', () => checkDrillOptions(drill));
  const snapshots = namedObject(options.snapshots, 'snapshots', ['schedule', 'retention', 'directory']);
  const {
    attempts = 5,
    delay = '1s',
    maxDelay = '1m',
  } = namedObject(options.retry, 'retry', ['attempts', 'delay', 'maxDelay']);
  return {
    db,
    location,
    engine: engineOptions(options.engine),
    create: createOptions(options.create),
    schedule: parseSchedule(options.schedule, 'schedule'),
    jitter: options.jitter === undefined ? 0 : parseDuration(options.jitter, 'jitter'),
    minInterval: parseDuration(options.minInterval ?? '5s', 'minInterval'),
    skipUnchanged: booleanOf(options.skipUnchanged, 'skipUnchanged', true),
    fullEvery: wholeNumber(fullEvery, 'fullEvery'),
    retention: retentionOf(options.retention),
    verify,
    retry: {
      attempts: wholeNumber(attempts, 'retry.attempts'),
      delay: parseDuration(delay, 'retry.delay'),
      maxDelay: parseDuration(maxDelay, 'retry.maxDelay'),
    },
    drill,
    drillSchedule: parseSchedule(drillSchedule, 'drill.schedule'),
    snapshotSchedule: parseSchedule(snapshots.schedule, 'snapshots.schedule'),
    snapshotRetention: retentionOf(snapshots.retention),
    snapshotDirectory: stringOf(snapshots.directory, 'snapshots.directory'),
    metadata: functionOf(options.metadata, 'metadata'),
    before: functionOf(options.before, 'before'),
    after: functionOf(options.after, 'after'),
    onFailure: functionOf(options.onFailure, 'onFailure'),
    auditLog: stringOf(options.auditLog, 'auditLog'),
    metrics: metricsOf(options.metrics),
  };
}

function objectOf<T extends object>(value: T | undefined, name: string): Partial<T> {
  return value === undefined ? {} : checkObject(name, value);
}

function namedObject<T extends object>(value: T | undefined, name: string, known: (keyof T & string)[]): Partial<T> {
  return value === undefined ? {} : checkOptions(name, value, known);
}

function engineOptions(value: BackupManagerOptions['engine']): BackupEngineOptions {
  const options: BackupEngineOptions = objectOf(value, 'engine');
  refuse('engine', options, ['readOnly', 'destroyOldData'], 'left out, because a manager writes and keeps backups');
  within('engine', () => checkEngineOptions(options));
  return options;
}

function createOptions(value: BackupManagerOptions['create']): CreateBackupOptions {
  const options: CreateBackupOptions = objectOf(value, 'create');
  refuse('create', options, ['signal', 'onProgress', 'metadata', 'full'], 'left out, because the manager sets it');
  within('create', () => checkCreateOptions(options));
  return options;
}

function refuse<T extends object>(outer: string, options: T, names: (keyof T & string)[], expected: string): void {
  for (const name of names.filter((each) => options[each] !== undefined)) {
    throw invalidOption(TypeError, `${outer}.${name}`, expected, describe(options[name]));
  }
}

/** Adds the name of the outer option to errors about a part of it. */
function within(name: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    const { message } = error as Error;
    (error as Error).message = /^\w+ must /.test(message) ? `${name}.${message}` : `${name}: ${message}`;
    throw error;
  }
}

/**
 * Refuses a repository that is the database's own directory: backups among the files of the database would be lost with it. If a source has
 * no open database, its directory is not known yet. The first backup will then check this.
 */
function checkPlace(location: RepositoryLocation | BackupEngine, db: ManagedDatabase): void {
  const { localDirectory } = location instanceof BackupEngine ? location.storage : openStorage(location);
  if (localDirectory === undefined) {
    return;
  }
  const place = realPathOf(localDirectory);
  let path: string;
  try {
    path = new DatabaseAccess(db).path;
  } catch {
    return;
  }
  if (place === path) {
    throw invalidOption(
      TypeError,
      'location',
      'a directory of its own, best on another disk',
      `${path}, which is the database`,
    );
  }
}

function wholeNumber(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw invalidOption(TypeError, name, 'a whole number, at least 0', describe(value));
  }
  return value;
}

function booleanOf(value: unknown, name: string, byDefault: boolean): boolean {
  if (value !== undefined && typeof value !== 'boolean') {
    throw invalidOption(TypeError, name, 'true or false', describe(value));
  }
  return value ?? byDefault;
}

function functionOf<T>(value: T, name: string): T {
  if (value !== undefined && typeof value !== 'function') {
    throw invalidOption(TypeError, name, 'a function', describe(value));
  }
  return value;
}

function stringOf(value: string | undefined, name: string): string | undefined {
  if (value !== undefined && (typeof value !== 'string' || value === '')) {
    throw invalidOption(TypeError, name, 'a path', describe(value));
  }
  return value;
}

function retentionOf(value: RetentionPolicy | undefined): RetentionPolicy | undefined {
  if (value !== undefined) {
    checkRetentionPolicy(value);
  }
  return value;
}

function metricsOf(value: BackupManagerOptions['metrics']): MetricsOptions | undefined {
  if (value === undefined || value === false) {
    return undefined;
  }
  if (value === true) {
    return {};
  }
  const { register, prefix, labels } = namedObject(value, 'metrics', ['register', 'prefix', 'labels']);
  if (register !== undefined && typeof objectOf(register, 'metrics.register').getSingleMetric !== 'function') {
    throw invalidOption(TypeError, 'metrics.register', 'a Registry of prom-client', describe(register));
  }
  // The rules of Prometheus for names of metrics and labels.
  if (prefix !== undefined && (typeof prefix !== 'string' || !/^([a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(prefix))) {
    throw invalidOption(TypeError, 'metrics.prefix', 'letters, digits, _ and :', describe(prefix));
  }
  for (const [name, label] of Object.entries(objectOf(labels, 'metrics.labels'))) {
    if (typeof label !== 'string' || !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
      throw invalidOption(
        TypeError,
        `metrics.labels.${name}`,
        'a string under a name of letters, digits and _',
        describe(label),
      );
    }
  }
  return { register, prefix, labels };
}
