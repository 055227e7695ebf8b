import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { BackupEngine } from '../../backup-engine.js';
import type { BackupInfo } from '../../backup-info.js';
import { formatDuration, formatSize } from '../../units.js';
import { defineCommand } from '../command.js';
import type { Context } from '../context.js';
import { notingDamage } from '../damage.js';
import { findBackup, withDirectory } from '../directory.js';
import { notFound, UsageError } from '../errors.js';
import { backupAsJson } from '../json.js';
import { safe } from '../output/text.js';
import { number, object, ref, text } from '../schema.js';
import { localTime } from '../time.js';

export const restore = defineCommand({
  name: 'restore',
  summary: 'bring a database back from a backup',
  description: [
    'Restores the latest backup of DIR, or the one that --id or --before names, to the directory TARGET, which must not exist or be empty. The backup is restored beside TARGET and takes its place only when it is complete: whatever fails, TARGET is as it was.',
    'With --overwrite a database in TARGET is replaced; other files there stay. It must not be open: stop the service first.',
  ],
  positionals: [
    { name: 'DIR', type: 'backups', summary: 'the directory of backups' },
    { name: 'TARGET', type: 'directory', summary: 'where the database is to be' },
  ],
  options: {
    id: { type: 'backup', summary: "the number of the backup, or 'latest'", default: 'latest' },
    before: {
      type: 'time',
      summary:
        "the latest backup begun before this time: '2026-01-31 03:00' (local time), 2026-01-31T03:00Z, or how long ago, such as 2h",
    },
    overwrite: { type: 'flag', summary: 'replace the database that is in TARGET' },
    'wal-dir': { type: 'directory', summary: 'where the write-ahead log goes', default: 'TARGET' },
    'rate-limit': { type: 'rate', summary: 'write no faster than this, such as 50MB/s' },
    'no-space-check': { type: 'flag', summary: 'do not look first whether it will fit' },
  },
  examples: [
    {
      line: 'rocksdb-backup restore /backups/users /data/users-restored',
      does: 'the latest backup, to a new directory',
    },
    {
      line: "rocksdb-backup restore /backups/users /data/users --overwrite --before '2026-01-31 03:00'",
      does: 'as it was before three at night, in place of what is there',
    },
    { line: 'rocksdb-backup restore /backups/users /tmp/yesterday --before 1d', does: 'the state of a day ago' },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  recorded: true,
  schema: object({
    location: text('the directory of backups'),
    target: text('the restored database'),
    backup: ref('backup'),
    durationMs: number(),
  }),
  async run(context, { DIR, TARGET }, options) {
    const { id, before, overwrite } = options;
    if (id !== undefined && before !== undefined) {
      throw new UsageError('--id and --before contradict each other: give one of them');
    }
    const target = resolve(TARGET);
    return withDirectory(
      DIR,
      async (engine) => {
        const info =
          before === undefined
            ? await findBackup(context, engine, id ?? 'latest', '--id')
            : await latestBefore(context, engine, before);
        if (overwrite && (await holdsSomething(target))) {
          await context.confirm(
            [
              `This replaces the database in ${safe(target)} with backup ${info.backupId} of ${safe(engine.location)}, ` +
                `begun ${localTime(info.timestamp)}, ${formatSize(info.size)}. What was written to it since is lost.`,
            ],
            'Replace it?',
            options,
          );
        }
        const begin = performance.now();
        const restored = await context.recorded(
          'restore',
          engine.location,
          options['audit-log'],
          {
            backupId: info.backupId,
            timestamp: info.timestamp.toISOString(),
            bytes: info.size,
            detail: { target },
          },
          () =>
            notingDamage(engine, info, () =>
              context.long(`restore ${info.backupId}`, (operation) =>
                engine.restoreBackup(info.backupId, target, {
                  ...operation,
                  overwrite,
                  walDir: options['wal-dir'],
                  checkDiskSpace: !options['no-space-check'],
                }),
              ),
            ),
        );
        const durationMs = performance.now() - begin;
        return {
          json: { location: engine.location, target, backup: backupAsJson(restored), durationMs },
          text: () => [
            `restored backup ${restored.backupId}, begun ${localTime(restored.timestamp)}, to ${safe(target)}: ` +
              `${formatSize(restored.size)} in ${formatDuration(durationMs)}`,
          ],
        };
      },
      { restoreRateLimit: options['rate-limit'] },
    );
  },
});

/** The latest backup that was begun before a time. */
async function latestBefore(context: Context, engine: BackupEngine, before: Date): Promise<BackupInfo> {
  const infos = await engine.getBackupInfo();
  const found = infos.filter(({ timestamp }) => timestamp.getTime() < before.getTime()).pop();
  const corrupt = await engine.getCorruptedBackups();
  if (found === undefined) {
    const oldest = infos[0];
    throw notFound(
      'BACKUP_NOT_FOUND',
      `${engine.location} has no backup from before ${localTime(before)}` +
        (oldest === undefined
          ? ': it has none that can be used'
          : `; the oldest is ${oldest.backupId}, begun ${localTime(oldest.timestamp)}`),
    );
  }
  const next = infos[infos.indexOf(found) + 1]?.backupId ?? Number.POSITIVE_INFINITY;
  const passed = corrupt.filter((id) => id > found.backupId && id < next);
  if (passed.length > 0) {
    context.out.warn(
      `${passed.length === 1 ? 'backup' : 'backups'} ${passed.join(', ')} may have been nearer to ${localTime(before)}, and cannot be read`,
    );
  }
  return found;
}

async function holdsSomething(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return false;
    }
    throw error;
  }
}
