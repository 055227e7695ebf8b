import { BackupEngine } from '../../backup-engine.js';
import type { BackupInfo } from '../../backup-info.js';
import { formatDuration, formatSize } from '../../units.js';
import { defineCommand } from '../command.js';
import { damagedToShare } from '../damage.js';
import { mergeOperators, openToBackUp } from '../database.js';
import { closing, kindOf, withDirectory } from '../directory.js';
import { backupAsJson } from '../json.js';
import { safe } from '../output/text.js';
import { count, flag, number, object, oneOf, ref, text } from '../schema.js';
import { verifyOne } from './verify.js';

export const create = defineCommand({
  name: 'create',
  summary: 'back up a database',
  description: [
    'Backs up the database DB to the directory of backups DIR, which is made if it is missing. Copies what no earlier backup there has.',
    'All column families are backed up, whatever their names. Opening the database compacts nothing and leaves its OPTIONS file as it is; RocksDB writes out its log.',
    'A database that another process has open cannot be backed up from here: only the process that has it open can, with BackupManager or BackupEngine.',
    'Ctrl-C stops it cleanly: nothing of the unfinished backup is left.',
  ],
  positionals: [
    { name: 'DB', type: 'database', summary: 'the directory of the database' },
    { name: 'DIR', type: 'backups', summary: 'the directory of backups' },
  ],
  options: {
    metadata: { type: 'text', summary: 'keep this text with the backup' },
    flush: { type: 'flag', summary: 'write out what the database has in memory and in its log first' },
    full: { type: 'flag', summary: 'share no file with other backups: it stands alone' },
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
    'no-space-check': { type: 'flag', summary: 'do not look first whether it will fit' },
  },
  examples: [
    { line: 'rocksdb-backup create /data/users /backups/users', does: 'back up, copying what is new' },
    {
      line: 'rocksdb-backup create /data/users /backups/users --rate-limit 50MB/s --verify checksum',
      does: 'slowly, and read it all back',
    },
    {
      line: 'rocksdb-backup create /data/users /backups/users --full --metadata "before the upgrade"',
      does: 'a backup that shares nothing, with a note',
    },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  recorded: true,
  schema: object({
    database: text('its path'),
    location: text('the directory of backups'),
    backup: ref('backup'),
    kind: oneOf('full', 'incremental'),
    bytesCopied: count('what was new'),
    durationMs: number(),
    'verified?': object({ checksum: flag('whether every byte was read') }),
  }),
  async run(context, { DB, DIR }, options) {
    const begin = performance.now();
    const made = await closing(
      await openToBackUp(DB, {
        walDir: options['wal-dir'],
        mergeOperator: options['merge-operator'],
        maxOpenFiles: options['max-open-files'],
      }),
      async (db) => {
        context.signal.throwIfAborted();
        const damaged = options.full ? [] : await damagedToShare(DIR);
        if (damaged.length > 0) {
          context.out.warn(
            `${damaged.length === 1 ? `backup ${damaged[0]} is damaged` : `backups ${damaged.join(', ')} are damaged, or share a file with one that is`}: ` +
              'this backup is a full one, which shares no file with others',
          );
        }
        const engine = await BackupEngine.open(DIR, {
          backupRateLimit: options['rate-limit'],
          shareTableFiles: !options.full && damaged.length === 0,
        });
        return closing(engine, async () => {
          let bytesCopied = 0;
          let kind: 'full' | 'incremental' = 'incremental';
          const back = async (): Promise<BackupInfo> => {
            const info = await context.long('backup', ({ signal, onProgress }) =>
              engine.createBackup(db, {
                signal,
                onProgress: (progress) => {
                  bytesCopied = progress.bytesTotal;
                  onProgress(progress);
                },
                metadata: options.metadata,
                flushBeforeBackup: options.flush || undefined,
                checkDiskSpace: !options['no-space-check'],
              }),
            );
            kind = await kindOf(engine, info.backupId);
            return info;
          };
          const info = await context.recorded(
            'create',
            engine.location,
            options['audit-log'],
            {},
            back,
            ({ backupId, timestamp }) => ({ backupId, timestamp: timestamp.toISOString(), kind, bytes: bytesCopied }),
          );
          return { info, kind, bytesCopied, database: db.path, location: engine.location };
        });
      },
    );
    const durationMs = performance.now() - begin;
    const checksum = options.verify === 'checksum';
    if (options.verify !== undefined) {
      await withDirectory(DIR, (engine) =>
        verifyOne(context, engine, made.info, { checksum, auditLog: options['audit-log'] }),
      );
    }
    return {
      json: {
        database: made.database,
        location: made.location,
        backup: backupAsJson(made.info),
        kind: made.kind,
        bytesCopied: made.bytesCopied,
        durationMs,
        ...(options.verify === undefined ? {} : { verified: { checksum } }),
      },
      text: () => [
        `backup ${made.info.backupId} of ${safe(made.database)}: ${formatSize(made.info.size)} (${made.kind}), ` +
          `${formatSize(made.bytesCopied)} copied in ${formatDuration(durationMs)}` +
          `${options.verify === undefined ? '' : checksum ? ', every byte read back' : ', names and sizes checked'}`,
      ],
      quiet: () => [String(made.info.backupId)],
    };
  },
});
