import { formatDuration, formatSize } from '../../base/units.js';
import { checkDrillPlace, type DrillProgress, drillBackup } from '../../drill/drill.js';
import { defineCommand, dirArgument, idArgument } from '../command.js';
import { notingDamage } from '../damage.js';
import { findBackup, withRecordedDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import { backupAsJson } from '../json.js';
import type { Told } from '../output/progress.js';
import { count, flag, number, object, ref, text } from '../schema.js';

export const drill = defineCommand({
  name: 'drill',
  summary: 'prove that a backup can be restored: restore it elsewhere, read it, compare',
  description: [
    'Restores a backup (the latest if ID is not given) to a temporary directory, opens the database, reads it, and compares every key and value with the backup, which is opened in place. The temporary directory is always removed afterwards.',
    'It needs as much free space as a restore. If it finds a difference, the exit code is 5.',
  ],
  positionals: [
    dirArgument,
    { ...idArgument, optional: true, summary: "the number of a backup, or 'latest' (the default)" },
  ],
  options: {
    sample: {
      type: 'text',
      placeholder: 'SHARE',
      summary: 'how much to read: a share such as 10% or 0.1, or a number of keys',
      default: 'everything',
    },
    directory: {
      type: 'directory',
      summary: 'where to make the temporary directory; created if it does not exist',
      default: 'beside DIR; needed if DIR is in an object store',
    },
    'rate-limit': { type: 'rate', summary: 'restore no faster than this, such as 50MB/s' },
  },
  examples: [
    { line: 'rocksdb-backup drill /backups/users', does: 'restore and read all of the latest backup' },
    {
      line: 'rocksdb-backup drill /backups/users 7 --sample 5% --directory /scratch',
      does: 'restore backup 7, and read a part of it',
    },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  recorded: true,
  schema: object({
    location: text('the repository'),
    backup: ref('backup'),
    keys: count('that were read and compared'),
    bytes: count('of these keys and their values'),
    sampled: flag('whether that was only a part'),
    checksum: text('of everything that was read; the same for the backup and for the restored database'),
    durationMs: number(),
    restoreMs: number('of that, the restore'),
  }),
  run(context, { DIR, ID }, options) {
    const sample = options.sample === undefined ? undefined : parseSample(options.sample);
    return withRecordedDirectory(
      context,
      DIR,
      { operation: 'drill', detail: { asked: ID ?? 'latest' } },
      async (engine) => {
        checkDrillPlace(options, engine.storage); // before anything is recorded
        const info = await findBackup(context, engine, ID ?? 'latest');
        const { backupId, timestamp } = info;
        const entry = { operation: 'drill', backupId, timestamp: timestamp.toISOString() } as const;
        const result = await context.recorded(engine, entry, async ({ note }) => {
          const drilled = await notingDamage(context, engine, info, 'drill', () =>
            context.reporting(`drill ${backupId}`, (report) =>
              drillBackup(engine, backupId, {
                sample,
                directory: options.directory,
                signal: context.signal,
                onProgress: (progress) => report(toldOf(progress)),
              }),
            ),
          );
          const { bytes, keys, sampled, digest } = drilled;
          note({ bytes, detail: { keys, sampled, checksum: digest.checksum } });
          return drilled;
        });
        const { keys, bytes, sampled, digest, durationMs, restoreMs } = result;
        return {
          json: {
            location: engine.location,
            backup: backupAsJson(info),
            keys,
            bytes,
            sampled,
            checksum: digest.checksum,
            durationMs,
            restoreMs,
          },
          text: () => [
            `backup ${backupId}: ${context.out.style.good('restored and read')}, ${sampled ? 'a sample of ' : ''}${keys} keys, ` +
              `${formatSize(bytes)}, the same as in the backup; ${formatDuration(durationMs)}`,
          ],
        };
      },
      { restoreRateLimit: options['rate-limit'] },
    );
  },
});

function parseSample(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
  const isShare = value > 0 && value <= 1;
  if (!isShare && !(Number.isSafeInteger(value) && value > 1 && match?.[2] === '')) {
    throw new UsageError(`--sample must be a share such as 10% or 0.1, or a number of keys, not '${text}'`);
  }
  return value;
}

function toldOf({ phase, done, total }: DrillProgress): Told {
  const share = total === 0 ? 0 : Math.min(1, done / total);
  const words =
    phase === 'restore'
      ? `restoring ${formatSize(done)} of ${formatSize(total)}`
      : `reading ${phase === 'backup' ? 'the backup' : 'the restored database'}, ${done} of about ${total} keys`;
  return { words, share, begun: true };
}
