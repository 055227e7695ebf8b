import {
  BackupEngine,
  type BackupEngineOptions,
  type CreateBackupOptions,
  checkCreateOptions,
  checkEngineOptions,
} from '../backup/backup-engine.js';
import { describe, invalidOption } from '../base/errors.js';
import { realPathOf } from '../base/real-path.js';
import { parseDuration } from '../base/units.js';
import { unknownOption } from '../base/unknown-option.js';
import { Database, type DatabaseSource, databaseOf } from '../database/database.js';
import { checkDrillOptions, type DrillOptions } from '../drill/drill.js';
import { checkRetentionPolicy, type RetentionPolicy } from '../retention/retention.js';
import { DatabaseAccess, type DatabaseOpener, isOpener, type ManagedDatabase } from './database-access.js';
import type { AfterHook, BeforeHook, OnFailure } from './manager-events.js';
import type { MetricsOptions } from './metrics.js';
import { parseSchedule, type ScheduleEntry, type ScheduleSpec } from './schedule.js';

/** How a {@link BackupManager} tries again what failed for a reason that may pass. */
export interface RetryOptions {
  /** How often at most, after the first time. 0: never. @default 5 */
  attempts?: number | undefined;
  /** The wait before the second attempt; it doubles each time. @default '1s' */
  delay?: string | number | undefined;
  /** The longest wait. @default '1m' */
  maxDelay?: string | number | undefined;
}

/** When a {@link BackupManager} proves that a backup can be restored, and how: see {@link drillBackup}. */
export interface ManagerDrillOptions extends Omit<DrillOptions, 'signal' | 'onProgress'> {
  /** When. Without it only drill() does. @default none */
  schedule?: ScheduleSpec | ScheduleSpec[] | undefined;
}

/** Checkpoints beside the database: see {@link BackupManager.snapshot}. */
export interface ManagerSnapshotOptions {
  /** When. Without it only snapshot() does. @default none */
  schedule?: ScheduleSpec | ScheduleSpec[] | undefined;
  /** Which to keep, whenever one was made. @default all */
  retention?: RetentionPolicy | undefined;
  /** Where they are; on the database's file system, or they are copies. @default the database's path and `.snapshots` */
  directory?: string | undefined;
}

/** Options of {@link BackupManager}. */
export interface BackupManagerOptions {
  /**
   * The database to back up. One that is open, which the manager does not close; or how to open it, for a program that has no other
   * use for it: then it is open only while the manager backs it up or makes a snapshot.
   */
  db: Database | DatabaseSource | DatabaseOpener;
  /** The directory of the backups, or an engine on it, which the manager does not close. */
  location: string | BackupEngine;
  /** Options of the engines that the manager opens. @default {} */
  engine?: Omit<BackupEngineOptions, 'readOnly' | 'destroyOldData'> | undefined;
  /** Options of each backup. The database is flushed first unless `flushBeforeBackup` is false. @default {} */
  create?: Omit<CreateBackupOptions, 'signal' | 'onProgress' | 'metadata' | 'full'> | undefined;
  /** When to back up: `'5m'`, `'0 3 * * *'`, `{ cron: '0 3 * * *', timezone: 'Europe/Berlin' }`, or several. @default none */
  schedule?: ScheduleSpec | ScheduleSpec[] | undefined;
  /** Each scheduled backup is late by up to so much, at random: many services then do not begin at once. @default 0 */
  jitter?: string | number | undefined;
  /** From the end of a backup to the next that notifyChange() brings about, at least. @default '5s' */
  minInterval?: string | number | undefined;
  /**
   * Leaves out scheduled and final backups of a database to which nothing was written since the newest backup, if that is there and
   * its files have their names and sizes. Old backups are then not replaced by copies of the same. It counts as a good run. Where it
   * cannot be told that nothing changed, the backup is made. backupNow() and notifyChange() always make one.
   * @default true
   */
  skipUnchanged?: boolean | undefined;
  /** Makes every so many-th backup a full one, which copies every file again; the first always is. 0: no other. @default 0 */
  fullEvery?: number | undefined;
  /** Which backups to keep; the others are deleted after each backup that verified. @default all */
  retention?: RetentionPolicy | undefined;
  /** How each backup is verified after it was made: its files' names and sizes, every byte, or not at all. @default 'size' */
  verify?: 'size' | 'checksum' | false | undefined;
  /** Tries again what may pass: a locked directory, I/O errors, no space, a backup that does not verify. */
  retry?: RetryOptions | undefined;
  /** Restore drills. @default none */
  drill?: ManagerDrillOptions | undefined;
  /** Checkpoints beside the database. @default none */
  snapshots?: ManagerSnapshotOptions | undefined;
  /** Kept with each backup, as JSON. @default none */
  metadata?: (() => Record<string, unknown> | PromiseLike<Record<string, unknown>>) | undefined;
  /**
   * Called before each backup, once for all its attempts. If it throws or rejects, the backup is not made, and counts as failed.
   * It is part of the backup: it must not wait for another one, nor for stop(). @default none
   */
  before?: BeforeHook | undefined;
  /**
   * Called after each backup, also a failed one. What it throws is reported as a failure and changes nothing. It must not wait
   * for another backup, nor for stop(). @default none
   */
  after?: AfterHook | undefined;
  /** Called for each failure, with the number of those in a row. @default none */
  onFailure?: OnFailure | undefined;
  /** A file to which every operation, failed or not, is appended as a line of JSON. @default none */
  auditLog?: string | undefined;
  /** Prometheus metrics by prom-client, which is to be installed for it. @default false */
  metrics?: boolean | MetricsOptions | undefined;
}

/** The options of a manager as it works with them. */
export interface Settings {
  db: ManagedDatabase;
  location: string | BackupEngine;
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

/** Checks options, all of them: an unknown one is an error, as it may be a known one misspelt. */
export function checkManagerOptions(options: BackupManagerOptions): Settings {
  checkNames('options', options, Object.keys(NAMES));
  const { db, location, verify = 'size', fullEvery = 0 } = options;
  if (!(db instanceof Database) && (typeof db !== 'object' || db === null || !(databaseOf in db)) && !isOpener(db)) {
    throw invalidOption(TypeError, 'db', 'a Database, or { path, open }', describe(db));
  }
  if ((typeof location !== 'string' || location === '') && !(location instanceof BackupEngine)) {
    throw invalidOption(TypeError, 'location', 'a directory or a BackupEngine', describe(location));
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

function checkNames(name: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidOption(TypeError, name, 'an object', describe(value));
  }
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw unknownOption(unknown, known, name === 'options' ? '' : name);
  }
}

function objectOf<T extends object>(value: T | undefined, name: string): Partial<T> {
  if (value === undefined) {
    return {};
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidOption(TypeError, name, 'an object', describe(value));
  }
  return value;
}

function namedObject<T extends object>(value: T | undefined, name: string, known: (keyof T & string)[]): Partial<T> {
  const object = objectOf(value, name);
  checkNames(name, object, known);
  return object;
}

function engineOptions(value: BackupManagerOptions['engine']): BackupEngineOptions {
  const options: BackupEngineOptions = objectOf(value, 'engine');
  for (const name of ['readOnly', 'destroyOldData'] as const) {
    if (options[name] !== undefined) {
      throw invalidOption(TypeError, `engine.${name}`, 'left out: a manager writes and keeps', describe(options[name]));
    }
  }
  within('engine', () => checkEngineOptions(options));
  return options;
}

function createOptions(value: BackupManagerOptions['create']): CreateBackupOptions {
  const options: CreateBackupOptions = objectOf(value, 'create');
  for (const name of ['signal', 'onProgress', 'metadata', 'full'] as const) {
    if (options[name] !== undefined) {
      throw invalidOption(
        TypeError,
        `create.${name}`,
        'left out: it is the manager that sets it',
        describe(options[name]),
      );
    }
  }
  within('create', () => checkCreateOptions(options));
  return options;
}

/** Has errors about an option that is a part of another tell so. */
function within(name: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    const { message } = error as Error;
    (error as Error).message = /^\w+ must /.test(message) ? `${name}.${message}` : `${name}: ${message}`;
    throw error;
  }
}

/** Backups among the files of the database would be lost with it. What a closed database's directory is, the first backup tells. */
function checkPlace(location: string | BackupEngine, db: ManagedDatabase): void {
  const place = realPathOf(typeof location === 'string' ? location : location.location);
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
  // As Prometheus has names of metrics and of labels.
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
