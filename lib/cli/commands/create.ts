import { resolve } from 'node:path';
import { BackupEngine } from '../../backup/backup-engine.js';
import { planBackup } from '../../backup/backup-plan.js';
import { formatDuration, formatSize } from '../../base/units.js';
import type { OpenOptions } from '../../database/database-options.js';
import type { BackupInfo } from '../../native/backup-info.js';
import { logShare } from '../backup-text.js';
import { defineCommand } from '../command.js';
import type { Context } from '../context.js';
import { damagedToShare } from '../damage.js';
import { mergeOperators, openToBackUp } from '../database.js';
import { closing, withDirectory } from '../directory.js';
import { backupAsJson } from '../json.js';
import type { Result } from '../output/output.js';
import { table } from '../output/table.js';
import { safe } from '../output/text.js';
import { anyOf, array, count, flag, number, object, oneOf, ref, text } from '../schema.js';
import { verifyOne } from './verify.js';

export const create = defineCommand({
  name: 'create',
  summary: 'back up a database',
  description: [
    'Backs up the database DB to the directory of backups DIR, which is made if it is missing. Copies what no earlier backup there has.',
    'The first backup of a database copies all of it and is full, as is one with --full. The others are incremental: they take over the files that earlier ones have copied. The write-ahead log is copied anew by each.',
    'A directory that has backups of other databases only is refused, for a restore could then put one in the place of the other: give each database a directory of its own, or pass --allow-other-database. A restored database, and an opened checkpoint, are the same database as the one that they come from.',
    'All column families are backed up, whatever their names. Opening the database compacts nothing and leaves its OPTIONS file as it is; RocksDB writes out its log.',
    'A database that another process has open cannot be backed up from here: only the process that has it open can, with BackupManager or BackupEngine.',
    'With --dry-run nothing is written: the database is opened for reading only, and what is in its log counts as log, which a backup has RocksDB write into a table first. Ends with 1 where there is no room for it.',
    'Ctrl-C stops it cleanly: nothing of the unfinished backup is left.',
  ],
  positionals: [
    { name: 'DB', type: 'database', summary: 'the directory of the database' },
    { name: 'DIR', type: 'backups', summary: 'the directory of backups' },
  ],
  options: {
    metadata: { type: 'text', summary: 'keep this text with the backup' },
    flush: { type: 'flag', summary: 'write out what the database has in memory and in its log first' },
    full: { type: 'flag', summary: 'copy every file again, and share none with the backups that are there' },
    'allow-other-database': {
      type: 'flag',
      summary: 'also where DIR has backups of other databases only; needed once for each database',
    },
    'rate-limit': { type: 'rate', summary: 'write no faster than this, such as 50MB/s' },
    verify: {
      type: 'choice',
      choices: ['size', 'checksum'],
      summary: 'check it afterwards: names and sizes, or every byte',
    },
    'wal-dir': { type: 'directory', summary: "where the database's write-ahead log is", default: 'DB' },
    'merge-operator': {
      type: 'choice',
      choices: mergeOperators,
      placeholder: 'NAME',
      summary: 'for a database that was written with a merge operator of its own, one that does the same',
    },
    'max-open-files': {
      type: 'integer',
      placeholder: 'N',
      summary: "keep at most so many of the database's files open",
      default: 'all, or what the limit of open files allows',
    },
    'dry-run': { type: 'flag', summary: 'only say what would be copied, and whether there is room for it' },
    'no-space-check': { type: 'flag', summary: 'do not look first whether it will fit' },
  },
  examples: [
    { line: 'rocksdb-backup create /data/users /backups/users', does: 'back up, copying what is new' },
    {
      line: 'rocksdb-backup create /data/users /backups/users --rate-limit 50MB/s --verify checksum',
      does: 'slowly, and read it all back',
    },
    {
      line: 'rocksdb-backup create /data/users /backups/users --dry-run',
      does: 'what that would copy',
    },
    {
      line: 'rocksdb-backup create /data/users /backups/users --full --metadata "before the upgrade"',
      does: 'a backup that takes over no file of earlier ones, with a note',
    },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  recorded: true,
  schema: anyOf(
    object({
      database: text('its path'),
      location: text('the directory of backups'),
      backup: ref('backup'),
      bytesCopied: count('what was new'),
      durationMs: number(),
      'verified?': object({ checksum: flag('whether every byte was read') }),
    }),
    object(
      {
        database: text('its path'),
        location: text('the directory of backups'),
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
        'bytesFree?': count('where the directory is, or would be made'),
        fits: flag('whether there is room for it'),
        'databaseId?': text("the database's own id"),
      },
      'of --dry-run',
    ),
  ),
  async run(context, { DB, DIR }, options) {
    if (options['dry-run']) {
      return dryRun(context, DB, DIR, options);
    }
    const begin = performance.now();
    const made = await closing(
      await openToBackUp(DB, {
        walDir: options['wal-dir'],
        mergeOperator: options['merge-operator'],
        maxOpenFiles: options['max-open-files'],
      }),
      async (db) => {
        context.signal.throwIfAborted();
        const full = options.full || (await wouldShareDamage(context, DIR));
        const engine = await BackupEngine.open(DIR, {
          backupRateLimit: options['rate-limit'],
        });
        return closing(engine, async () => {
          let bytesCopied = 0;
          const back = (): Promise<BackupInfo> =>
            context.long('backup', ({ signal, onProgress }) =>
              engine.createBackup(db, {
                signal,
                onProgress: (progress) => {
                  bytesCopied = progress.bytesTotal;
                  onProgress(progress);
                },
                full,
                allowOtherDatabase: options['allow-other-database'],
                metadata: options.metadata,
                flushBeforeBackup: options.flush || undefined,
                checkDiskSpace: !options['no-space-check'],
              }),
            );
          const info = await context.recorded(engine, { operation: 'create' }, async ({ note }) => {
            const made = await back();
            const { backupId, timestamp, kind, databaseId } = made;
            note({
              backupId,
              timestamp: timestamp.toISOString(),
              kind,
              ...(databaseId === undefined ? {} : { databaseId }),
              bytes: bytesCopied,
            });
            return made;
          });
          return { info, bytesCopied, database: db.path, location: engine.location };
        });
      },
    );
    const durationMs = performance.now() - begin;
    const { verify } = options;
    const checksum = verify === 'checksum';
    if (verify !== undefined) {
      await withDirectory(DIR, (engine) => verifyOne(context, engine, made.info, verify));
    }
    return {
      json: {
        database: made.database,
        location: made.location,
        backup: backupAsJson(made.info),
        bytesCopied: made.bytesCopied,
        durationMs,
        ...(options.verify === undefined ? {} : { verified: { checksum } }),
      },
      text: () => [
        `backup ${made.info.backupId} of ${safe(made.database)}: ${formatSize(made.info.size)} (${made.info.kind}), ` +
          `${formatSize(made.bytesCopied)} copied in ${formatDuration(durationMs)}` +
          `${options.verify === undefined ? '' : checksum ? ', every byte read back' : ', names and sizes checked'}`,
        ...(logShare(made.info) === ''
          ? []
          : [
              `${logShare(made.info)} of it is write-ahead log, which every backup copies anew: with --flush it is written into tables, which backups share`,
            ]),
      ],
      quiet: () => [String(made.info.backupId)],
    };
  },
});

/** Whether a new backup could reuse a damaged file. If so, prints a warning. */
async function wouldShareDamage(context: Context, dir: string): Promise<boolean> {
  const damaged = await damagedToShare(context, dir);
  if (damaged.length === 0) {
    return false;
  }
  context.out.warn(
    `${damaged.length === 1 ? `backup ${damaged[0]} is damaged` : `backups ${damaged.join(', ')} are damaged, or share a file with one that is`}: ` +
      'this backup is a full one, which shares no file with others',
  );
  return true;
}

interface DryRunOptions {
  full: boolean;
  'allow-other-database': boolean;
  'wal-dir': string | undefined;
  'merge-operator': OpenOptions['mergeOperator'];
  'no-space-check': boolean;
}

async function dryRun(context: Context, db: string, dir: string, options: DryRunOptions): Promise<Result> {
  const place = { walDir: options['wal-dir'], mergeOperator: options['merge-operator'], mode: 'readOnly' as const };
  return closing(await openToBackUp(db, place), async (opened) => {
    const plan = await planBackup(opened, dir, {
      full: options.full || (await wouldShareDamage(context, dir)),
      allowOtherDatabase: options['allow-other-database'],
    });
    const { files, kind, bytesToCopy, bytesShared, logBytes, bytesFree, fits } = plan;
    const { style } = context.out;
    const location = resolve(dir);
    return {
      json: { database: opened.path, location, dryRun: true, ...plan },
      exit: fits || options['no-space-check'] ? 'ok' : 'failed',
      text: () => [
        ...table(
          [{ title: 'FILE' }, { title: 'SIZE', align: 'right' }, { title: 'PLAN' }],
          files.map(({ name, size, copied }) => [safe(name), formatSize(size), copied ? 'copy' : 'share']),
        ),
        '',
        `This would make ${kind === 'full' ? 'a full' : 'an incremental'} backup of ${safe(opened.path)} in ${safe(location)}: ` +
          `${formatSize(bytesToCopy)} to copy${logBytes === 0 ? '' : `, ${formatSize(logBytes)} of it log`}, ${formatSize(bytesShared)} shared with earlier backups.`,
        ...(bytesFree === undefined
          ? []
          : [
              fits
                ? `There is room for it: ${formatSize(bytesFree)} are free.`
                : style.bad(`There is no room for it: ${formatSize(bytesFree)} are free.`),
            ]),
      ],
      quiet: () => [String(bytesToCopy)],
    };
  });
}
