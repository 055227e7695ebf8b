import { resolve } from 'node:path';
import { BackupEngine } from '../../backup/backup-engine.js';
import type { CreateBackupOptions } from '../../backup/backup-options.js';
import { type BackupPlan, planBackup } from '../../backup/backup-plan.js';
import { formatDuration, formatSize } from '../../base/units.js';
import type { Database } from '../../database/database.js';
import type { BackupInfo } from '../../native/backup-info.js';
import { locationName } from '../../storage/storage.js';
import { backupsNamed, logShare } from '../backup-text.js';
import { defineCommand, dirArgument, type OptionSpecs, type OptionValues } from '../command.js';
import type { Context } from '../context.js';
import { damagedToShare } from '../damage.js';
import { mergeOperators, type OpeningOptions, openToBackUp } from '../database.js';
import { closing, withDirectory } from '../directory.js';
import { backupAsJson } from '../json.js';
import type { Result } from '../output/output.js';
import type { Style } from '../output/style.js';
import { table } from '../output/table.js';
import { linesOf, safe } from '../output/text.js';
import { anyOf, array, count, flag, number, object, oneOf, ref, text } from '../schema.js';
import { verifyOne } from './verify.js';

const optionSpecs = {
  metadata: { type: 'text', summary: 'keep this text with the backup' },
  flush: { type: 'flag', summary: 'first write the data in memory and in the log into table files' },
  full: { type: 'flag', summary: 'copy every file again, and share no file with earlier backups' },
  'allow-other-database': {
    type: 'flag',
    summary: 'allow DIR to have backups of other databases only; needed once for each database',
  },
  'rate-limit': { type: 'rate', summary: 'write no faster than this, such as 50MB/s' },
  verify: {
    type: 'choice',
    choices: ['size', 'checksum'],
    summary: 'check the backup afterwards: names and sizes, or every byte',
  },
  'wal-dir': { type: 'directory', summary: "where the database's write-ahead log is", default: 'DB' },
  'merge-operator': {
    type: 'choice',
    choices: mergeOperators,
    placeholder: 'NAME',
    summary: 'the merge operator to use, for a database that was written with a custom one; it must do the same',
  },
  'max-open-files': {
    type: 'integer',
    placeholder: 'N',
    summary: "keep at most N of the database's files open",
    default: 'all, or as many as the limit of open files allows',
  },
  'dry-run': { type: 'flag', summary: 'only say what would be copied, and whether there is room for it' },
  'no-space-check': { type: 'flag', summary: 'do not check the free space first' },
} as const satisfies OptionSpecs;

export const create = defineCommand({
  name: 'create',
  summary: 'back up a database',
  description: [
    'Backs up the database DB to the repository DIR, and creates DIR if it is missing. Copies only files that no earlier backup in DIR has.',
    'The first backup of a database is full: it copies every file. So is each backup with --full. All others are incremental: they share files with earlier backups. Every backup copies the write-ahead log again.',
    'If DIR has backups of other databases only, the command refuses, because a restore could then replace one database with another. Give each database its own repository, or pass --allow-other-database. A restored database and an opened checkpoint count as the same database as the original.',
    'A backup contains all column families. Opening the database compacts nothing and does not change its OPTIONS file. RocksDB writes the data of its log into table files.',
    'This command cannot back up a database that another process has open. Only that process can do it, with BackupManager or BackupEngine.',
    'With --dry-run nothing is written: the database is opened for reading only. Data in its log counts as log; a real backup writes that data into a table first. The exit code is 1 if there is no room for the backup.',
    'Ctrl-C stops it cleanly and removes the unfinished backup.',
  ],
  positionals: [{ name: 'DB', type: 'database', summary: 'the directory of the database' }, dirArgument],
  options: optionSpecs,
  examples: [
    { line: 'rocksdb-backup create /data/users /backups/users', does: 'back up; copies only new files' },
    {
      line: 'rocksdb-backup create /data/users /backups/users --rate-limit 50MB/s --verify checksum',
      does: 'copy slowly, then read every byte back',
    },
    {
      line: 'rocksdb-backup create /data/users /backups/users --dry-run',
      does: 'show what a backup would copy',
    },
    {
      line: 'rocksdb-backup create /data/users /backups/users --full --metadata "before the upgrade"',
      does: 'a backup that shares no file with earlier ones, with a note',
    },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  recorded: true,
  schema: anyOf(
    object({
      database: text('its path'),
      location: text('the repository'),
      backup: ref('backup'),
      bytesCopied: count('what was new'),
      durationMs: number(),
      'verified?': object({ checksum: flag('whether every byte was read') }),
    }),
    object(
      {
        database: text('its path'),
        location: text('the repository'),
        dryRun: flag(),
        kind: oneOf('full', 'incremental'),
        files: array(
          object({
            name: text('as the database names it'),
            size: count(),
            copied: flag('else an earlier backup has it'),
            log: flag('of the write-ahead log'),
          }),
        ),
        bytesToCopy: count(),
        bytesShared: count('that earlier backups have'),
        logBytes: count('of bytesToCopy, what is write-ahead log'),
        'bytesFree?': count('where the repository is, or would be made'),
        fits: flag('whether there is room for it'),
        'databaseId?': text("the database's own id"),
      },
      'of --dry-run',
    ),
  ),
  async run(context, args, options) {
    const order = orderOf(args, options);
    if (options['dry-run']) {
      return planAsResult(context, order, await plan(context, order));
    }
    return asResult(await make(context, order), order.verify);
  },
});

/** What the command line asks for. */
interface Order {
  database: string;
  directory: string;
  opening: OpeningOptions;
  backup: {
    full: boolean;
    allowOtherDatabase: boolean;
    metadata: string | undefined;
    flushBeforeBackup: true | undefined;
    checkDiskSpace: boolean;
  };
  rateLimit: number | undefined;
  verify: 'size' | 'checksum' | undefined;
}

function orderOf({ DB, DIR }: { DB: string; DIR: string }, options: OptionValues<typeof optionSpecs>): Order {
  return {
    database: DB,
    directory: DIR,
    opening: {
      walDir: options['wal-dir'],
      mergeOperator: options['merge-operator'],
      maxOpenFiles: options['max-open-files'],
    },
    backup: {
      full: options.full,
      allowOtherDatabase: options['allow-other-database'],
      metadata: options.metadata,
      flushBeforeBackup: options.flush || undefined,
      checkDiskSpace: !options['no-space-check'],
    },
    rateLimit: options['rate-limit'],
    verify: options.verify,
  };
}

/** Whether all files are to be copied: if that was asked for, or if the backup could share a damaged file. */
async function isFull(context: Context, { backup, directory }: Order): Promise<boolean> {
  if (backup.full) {
    return true;
  }
  const damaged = await damagedToShare(context, directory);
  if (damaged.length > 0) {
    const are = damaged.length === 1 ? 'is damaged' : 'are damaged, or share a damaged file';
    context.out.warn(`${backupsNamed(damaged)} ${are}: this backup is full and shares no file with them`);
  }
  return damaged.length > 0;
}

interface Planned extends BackupPlan {
  /** The path of the database. */
  database: string;
}

async function plan(context: Context, order: Order): Promise<Planned> {
  const { database, directory, opening, backup } = order;
  return closing(await openToBackUp(database, { ...opening, mode: 'readOnly' }), async (db) => {
    const { allowOtherDatabase } = backup;
    const full = await isFull(context, order);
    return { database: db.path, ...(await planBackup(db, directory, { full, allowOtherDatabase })) };
  });
}

function planAsResult(context: Context, { directory, backup }: Order, { database, ...plan }: Planned): Result {
  const { files, kind, bytesToCopy, bytesShared, logBytes, fits } = plan;
  const location = locationName(directory);
  const log = logBytes === 0 ? '' : `, ${formatSize(logBytes)} of it log`;
  return {
    json: { database, location, dryRun: true, ...plan },
    exit: fits || !backup.checkDiskSpace ? 'ok' : 'failed',
    text: () =>
      linesOf(
        ...table(
          [{ title: 'FILE' }, { title: 'SIZE', align: 'right' }, { title: 'PLAN' }],
          files.map(({ name, size, copied }) => [safe(name), formatSize(size), copied ? 'copy' : 'share']),
        ),
        '',
        `This would make ${kind === 'full' ? 'a full' : 'an incremental'} backup of ${safe(database)} in ${safe(location)}: ` +
          `${formatSize(bytesToCopy)} to copy${log}, ${formatSize(bytesShared)} shared with earlier backups.`,
        roomLine(plan, context.out.style),
      ),
    quiet: () => [String(bytesToCopy)],
  };
}

function roomLine({ bytesFree, fits }: BackupPlan, style: Style): string | undefined {
  if (bytesFree === undefined) {
    return undefined;
  }
  const free = `${formatSize(bytesFree)} are free.`;
  return fits ? `There is room for it: ${free}` : style.bad(`There is no room for it: ${free}`);
}

interface Made {
  /** The path of the database. */
  database: string;
  location: string;
  info: BackupInfo;
  bytesCopied: number;
  durationMs: number;
}

/** Makes the backup, closes the database, and verifies the backup if that is asked for. */
async function make(context: Context, order: Order): Promise<Made> {
  let engine = undefined as BackupEngine | undefined;
  const begin = performance.now();
  try {
    const made = await closing(await openDatabase(context, order), async (db) => {
      context.signal.throwIfAborted();
      const full = await isFull(context, order);
      engine = await BackupEngine.open(order.directory, { backupRateLimit: order.rateLimit });
      const created = await createRecorded(context, engine, db, { ...order.backup, full });
      return { database: db.path, location: engine.location, ...created };
    });
    const durationMs = performance.now() - begin;
    if (engine !== undefined && order.verify !== undefined) {
      await verifyOne(context, engine, made.info, order.verify);
    }
    return { ...made, durationMs };
  } finally {
    await engine?.close();
  }
}

/** If the database cannot be opened, that is recorded, too, where the repository exists. */
async function openDatabase(context: Context, { database, directory, opening }: Order): Promise<Database> {
  try {
    return await openToBackUp(database, opening);
  } catch (error) {
    const entry = { operation: 'create', detail: { database: resolve(database) } } as const;
    await withDirectory(directory, (engine) => context.recordFailure(engine, entry, error)).catch(() => undefined);
    throw error;
  }
}

function createRecorded(
  context: Context,
  engine: BackupEngine,
  db: Database,
  options: CreateBackupOptions,
): Promise<Pick<Made, 'info' | 'bytesCopied'>> {
  return context.recorded(engine, { operation: 'create' }, async ({ note }) => {
    let bytesCopied = 0;
    const info = await context.long('backup', ({ signal, onProgress }) =>
      engine.createBackup(db, {
        ...options,
        signal,
        onProgress: (progress) => {
          bytesCopied = progress.bytesTotal;
          onProgress(progress);
        },
      }),
    );
    const { backupId, timestamp, kind, databaseId } = info;
    note({
      backupId,
      timestamp: timestamp.toISOString(),
      kind,
      ...(databaseId === undefined ? {} : { databaseId }),
      bytes: bytesCopied,
    });
    return { info, bytesCopied };
  });
}

function asResult(made: Made, verified: Order['verify']): Result {
  const { database, location, info, bytesCopied, durationMs } = made;
  const checked = { checksum: ', every byte read back', size: ', names and sizes checked' };
  const log = logShare(info);
  return {
    json: {
      database,
      location,
      backup: backupAsJson(info),
      bytesCopied,
      durationMs,
      verified: verified === undefined ? undefined : { checksum: verified === 'checksum' },
    },
    text: () =>
      linesOf(
        `backup ${info.backupId} of ${safe(database)}: ${formatSize(info.size)} (${info.kind}), ` +
          `${formatSize(bytesCopied)} copied in ${formatDuration(durationMs)}${verified === undefined ? '' : checked[verified]}`,
        log !== '' &&
          `${log} of it is write-ahead log, which every backup copies anew: with --flush it is written into tables, which backups share`,
      ),
    quiet: () => [String(info.backupId)],
  };
}
