import { resolve } from 'node:path';
import type { BackupEngine, RestoreBackupOptions } from '../../backup/backup-engine.js';
import { damageInWords, damageLookup, readKnownDamage } from '../../backup/known-damage.js';
import { formatDuration, formatSize } from '../../base/units.js';
import type { Entry } from '../../manager/recorder.js';
import type { BackupInfo, RestorePlan, RestoreResult } from '../../native/backup-info.js';
import { defineCommand, dirArgument, type OptionSpecs, type OptionValues } from '../command.js';
import type { Context } from '../context.js';
import { notingDamage } from '../damage.js';
import { findBackup, withRecordedDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import { findBefore } from '../find-before.js';
import { backupAsJson } from '../json.js';
import { warnOfNewerRocksDB } from '../newer-rocksdb.js';
import type { Result } from '../output/output.js';
import { counted, linesOf, safe } from '../output/text.js';
import { count, flag, number, object, oneOf, ref, text } from '../schema.js';
import { localTime } from '../time.js';

/** RocksDB's names for the values of --reuse. */
const modes = {
  nothing: 'purgeAllFiles',
  identity: 'keepLatestDbSessionIdFiles',
  checksum: 'verifyChecksum',
} as const;

const optionSpecs = {
  id: {
    type: 'backup',
    summary: "the number of the backup, or 'latest'",
    default: 'latest',
  },
  before: {
    type: 'time',
    summary:
      "the latest backup begun before this time: '2026-01-31 03:00' (local time), 2026-01-31T03:00Z, or how long ago, such as 2h",
  },
  'include-damaged': {
    type: 'flag',
    summary: 'use the latest readable backup even if it is known to be damaged; the restore fails if it still is',
  },
  overwrite: {
    type: 'flag',
    summary: 'replace the database that is in TARGET',
  },
  'allow-other-database': {
    type: 'flag',
    summary: 'with --overwrite: also replace a database that is not the one in the backup',
  },
  'keep-old': {
    type: 'flag',
    summary: 'keep the replaced database beside TARGET',
  },
  'dry-run': {
    type: 'flag',
    summary: 'only check, and show what would be done',
  },
  reuse: {
    type: 'choice',
    choices: ['identity', 'checksum'],
    summary:
      'with --overwrite: do not copy table files that the replaced database has; identity compares the ids inside the tables, checksum reads every byte and also reuses blob files',
    default: 'copy everything',
  },
  'wal-dir': {
    type: 'directory',
    summary: 'where the write-ahead log goes',
    default: 'TARGET',
  },
  'rate-limit': {
    type: 'rate',
    summary: 'write no faster than this, such as 50MB/s',
  },
  'no-space-check': {
    type: 'flag',
    summary: 'do not check the free space first',
  },
} as const satisfies OptionSpecs;

export const restore = defineCommand({
  name: 'restore',
  summary: 'bring a database back from a backup',
  description: [
    'Restores the latest backup of DIR, or the one that --id or --before selects, to the directory TARGET. TARGET must be empty or not exist. The database is restored beside TARGET, and moves to TARGET only when it is complete. After any failure, TARGET is unchanged.',
    'The command skips backups that verify, drill or a service found damaged, unless --id names one or --include-damaged is given.',
    'With --overwrite the command replaces the database in TARGET and keeps other files there. The database must not be open: stop the service first. A directory with other files and without a database (no CURRENT that names a MANIFEST) is never overwritten. A different database, even a new one in the place of the lost one, is replaced only with --allow-other-database.',
    'With --keep-old the replaced database stays beside TARGET, as TARGET.replaced-TIME, until you remove it.',
  ],
  positionals: [
    dirArgument,
    {
      name: 'TARGET',
      type: 'directory',
      summary: 'the directory for the restored database',
    },
  ],
  options: optionSpecs,
  examples: [
    {
      line: 'rocksdb-backup restore /backups/users /data/users-restored',
      does: 'the latest backup, to a new directory',
    },
    {
      line: "rocksdb-backup restore /backups/users /data/users --overwrite --before '2026-01-31 03:00'",
      does: 'the state before three at night, in place of the current database',
    },
    {
      line: 'rocksdb-backup restore /backups/users /tmp/yesterday --before 1d',
      does: 'the state of a day ago',
    },
    {
      line: 'rocksdb-backup restore /backups/users /data/users --overwrite --keep-old',
      does: 'the current database stays, as /data/users.replaced-TIME',
    },
    {
      line: 'rocksdb-backup restore /backups/users /data/users --overwrite --reuse checksum',
      does: 'copies only missing and damaged files',
    },
    {
      line: 'rocksdb-backup restore /backups/users /data/users --overwrite --dry-run',
      does: 'show what it would replace, and how much it would copy',
    },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  recorded: true,
  schema: object({
    location: text('the repository'),
    target: text('the restored database'),
    backup: ref('backup'),
    dryRun: flag('nothing was done: the values say what would be done'),
    bytesCopied: count('that were written'),
    bytesReused: count('that the replaced database had already, with --reuse'),
    filesReused: count(),
    'keptOld?': text('where the database that was replaced is now, with --keep-old'),
    'keptOldLogs?': text('where its logs are, if they were in a directory outside of it'),
    'targetHolds?': {
      ...oneOf('nothing', 'database', 'interruptedRestore'),
      description: 'with --dry-run: what is in the target',
    },
    'targetDatabaseId?': text('with --dry-run: which database is in the target, if that is known'),
    'bytesFree?': count('with --dry-run: where the target is to be'),
    durationMs: number(),
  }),
  async run(context, { DIR, TARGET }, options) {
    const order = orderOf(TARGET, options);
    const { id, before, target, dryRun } = order;
    const entry = { operation: 'restore', detail: { target, asked: before?.toISOString() ?? id } } as const;
    return withRecordedDirectory(
      context,
      DIR,
      dryRun ? undefined : entry,
      async (engine) => {
        const info = await chooseBackup(context, engine, order);
        const begin = performance.now();
        const { target, dryRun, how } = order;
        if (how.overwrite || dryRun) {
          const plan = await engine.planRestore(info.backupId, target, { ...how, signal: context.signal });
          if (dryRun) {
            return planAsResult(engine.location, plan, how, performance.now() - begin);
          }
          if (plan.targetHolds !== 'nothing') {
            await context.confirm([replaces(engine.location, plan, how)], 'Replace it?', options);
          }
        }
        const restored = await restoreRecorded(context, engine, info, order);
        return asResult(engine.location, restored, order, performance.now() - begin);
      },
      { restoreRateLimit: options['rate-limit'] },
    );
  },
});

/** What the command line asks for. */
interface Order {
  /** Which backup: one by its id, or the latest, perhaps from before a time. */
  id: string;
  before: Date | undefined;
  /** Passes over backups that are known to be damaged. */
  wholeOnly: boolean;
  target: string;
  dryRun: boolean;
  reuse: 'identity' | 'checksum' | undefined;
  how: RestoreBackupOptions;
}

function orderOf(target: string, options: OptionValues<typeof optionSpecs>): Order {
  const { id, before, overwrite, reuse } = options;
  if (id !== undefined && before !== undefined) {
    throw new UsageError('--id and --before contradict each other: give one of them');
  }
  return {
    id: id ?? 'latest',
    before,
    wholeOnly: !options['include-damaged'],
    target: resolve(target),
    dryRun: options['dry-run'],
    reuse,
    how: {
      overwrite,
      allowOtherDatabase: options['allow-other-database'],
      keepOld: options['keep-old'],
      mode: modes[reuse ?? 'nothing'],
      walDir: options['wal-dir'],
      checkDiskSpace: !options['no-space-check'],
    },
  };
}

/** Finds the backup that is asked for, and warns if something is wrong with it. */
async function chooseBackup(
  context: Context,
  engine: BackupEngine,
  { id, before, wholeOnly }: Order,
): Promise<BackupInfo> {
  const info =
    before === undefined
      ? await findBackup(context, engine, id, '--id', { wholeOnly })
      : await findBefore(context, engine, before, wholeOnly);
  await warnOfDamage(context, engine, info);
  warnOfNewerRocksDB(context, [info]);
  return info;
}

/** A backup that is known to be damaged is restored if the user names it. The restore fails if it is still damaged. */
async function warnOfDamage(context: Context, engine: BackupEngine, { backupId }: BackupInfo): Promise<void> {
  const damage = await readKnownDamage(engine.storage);
  if (damage.length > 0) {
    const known = damageLookup(damage)(await engine.getBackupInfo(backupId, { fileDetails: true }));
    if (known.length > 0) {
      context.out.warn(`backup ${backupId} is known to be damaged: ${damageInWords(known)}`);
    }
  }
}

function restoreRecorded(
  context: Context,
  engine: BackupEngine,
  info: BackupInfo,
  { target, reuse, how }: Order,
): Promise<RestoreResult> {
  const { backupId, timestamp, size } = info;
  const entry: Entry = {
    operation: 'restore',
    backupId,
    timestamp: timestamp.toISOString(),
    bytes: size,
    detail: { target },
  };
  return context.recorded(engine, entry, async ({ note }) => {
    const restored = await notingDamage(context, engine, info, reuse === undefined ? 'every byte' : 'sizes', () =>
      context.long(`restore ${backupId}`, (task) => engine.restoreBackup(backupId, target, { ...task, ...how })),
    );
    if (restored.keptOld !== undefined) {
      note({ detail: { target, keptOld: restored.keptOld } });
    }
    return restored;
  });
}

function asResult(
  location: string,
  restored: RestoreResult,
  { target, reuse, how: { walDir } }: Order,
  durationMs: number,
): Result {
  const { bytesCopied, bytesReused, filesReused, keptOld, keptOldLogs } = restored;
  return {
    json: {
      location,
      target,
      backup: backupAsJson(restored),
      dryRun: false,
      bytesCopied,
      bytesReused,
      filesReused,
      keptOld,
      keptOldLogs,
      durationMs,
    },
    text: () =>
      linesOf(
        `restored backup ${restored.backupId}, begun ${localTime(restored.timestamp)}, to ${safe(target)}: ` +
          `${formatSize(restored.size)} in ${formatDuration(durationMs)}`,
        walDir !== undefined &&
          `its write-ahead log is in ${safe(walDir)}: a database that is opened without it lacks its newest data`,
        reuse !== undefined &&
          `${formatSize(bytesCopied)} copied; ${formatSize(bytesReused)} in ${counted(filesReused, 'file')} reused`,
        keptOld !== undefined && `the database that was there is now ${safe(keptOld)}`,
        keptOldLogs !== undefined && `its logs are now ${safe(keptOldLogs)}`,
      ),
  };
}

const backupOf = (location: string, { backup }: RestorePlan) =>
  `backup ${backup.backupId} of ${safe(location)}, begun ${localTime(backup.timestamp)}, ${formatSize(backup.size)}`;

const isAnother = ({ backup, targetDatabaseId }: RestorePlan) =>
  targetDatabaseId !== undefined && backup.databaseId !== undefined && targetDatabaseId !== backup.databaseId;

/** Says what at the target will be replaced, and what will happen to it. */
function replaces(location: string, plan: RestorePlan, { keepOld }: RestoreBackupOptions): string {
  const target = safe(plan.target);
  const what =
    plan.targetHolds !== 'database'
      ? `the files of an interrupted restore in ${target}, which are no complete database,`
      : isAnother(plan)
        ? `a database in ${target} that is not the one in the backup`
        : `the database in ${target}`;
  const then = keepOld ? 'The old database stays beside it, under another name.' : 'Newer data in it is lost.';
  return `This replaces ${what} with ${backupOf(location, plan)}. ${then}`;
}

function planAsResult(location: string, plan: RestorePlan, how: RestoreBackupOptions, durationMs: number): Result {
  const { target, targetHolds, targetDatabaseId, bytesToCopy, bytesToReuse, filesToReuse, bytesFree } = plan;
  const reuses =
    bytesToReuse === 0 ? '' : ` and reuses ${formatSize(bytesToReuse)} in ${counted(filesToReuse, 'file')}`;
  const free = bytesFree === undefined ? '' : `; ${formatSize(bytesFree)} are free`;
  return {
    json: {
      location,
      target,
      backup: backupAsJson(plan.backup),
      dryRun: true,
      bytesCopied: bytesToCopy,
      bytesReused: bytesToReuse,
      filesReused: filesToReuse,
      targetHolds,
      targetDatabaseId,
      bytesFree,
      durationMs,
    },
    text: () => [
      targetHolds === 'nothing'
        ? `This restores ${backupOf(location, plan)}, to ${safe(target)}, where there is nothing yet.`
        : replaces(location, plan, how),
      `It copies ${formatSize(bytesToCopy)}${reuses}${free}.`,
      'Nothing was done: this was a dry run.',
    ],
  };
}
