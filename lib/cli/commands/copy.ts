import type { BackupEngine } from '../../backup/backup-engine.js';
import { formatDuration, formatSize } from '../../base/units.js';
import { type CopyResult, copyWith } from '../../copy/copy-backups.js';
import type { CopiedBackup } from '../../native/backup-info.js';
import { locationName } from '../../storage/storage.js';
import { defineCommand } from '../command.js';
import type { Context } from '../context.js';
import { needDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import { exitOf } from '../exit-codes.js';
import { errorAsJson } from '../json.js';
import type { Result } from '../output/output.js';
import { table } from '../output/table.js';
import { counted, linesOf, safe } from '../output/text.js';
import { parseBackupId } from '../parse.js';
import { array, count, flag, number, object, oneOf, ref, text, time } from '../schema.js';

export const copy = defineCommand({
  name: 'copy',
  summary: 'copy backups to another repository',
  description: [
    'Copies the backups of the repository FROM to the repository TO, and creates TO if it is missing. Each of them is a directory or the URL of an object store. The backups keep their numbers, records and pins.',
    'Only files that TO does not have, by name and size, are copied. So a copy that was stopped or killed continues when it is run again. A backup exists in TO only when all its files are there. While backups are copied, nobody else can write to TO, and they cannot be deleted in FROM.',
    'Every file is read through its checksum. A backup with a damaged file is not copied: the command names the file, copies the other backups, and ends with the exit code 5. So it does if a backup, or a file of it, is known to be damaged in TO: delete the backup there, and copy it again.',
    'That it was done is recorded in the history of TO, with the numbers of the backups that were copied.',
    'If TO has another backup under one of the numbers, or only backups of other databases, nothing is copied.',
  ],
  positionals: [
    { name: 'FROM', type: 'backups', summary: 'the repository with the backups' },
    { name: 'TO', type: 'backups', summary: 'the repository that gets them' },
  ],
  options: {
    id: { type: 'text', placeholder: 'N,...', summary: 'only these backups: numbers with commas', default: 'all' },
    'allow-other-database': { type: 'flag', summary: 'allow TO to have backups of other databases only' },
    'rate-limit': { type: 'rate', summary: 'write no faster than this, such as 50MB/s' },
    'dry-run': { type: 'flag', summary: 'only say what would be copied' },
  },
  examples: [
    {
      line: 'rocksdb-backup copy /backups/users s3://backups/users',
      does: 'bring what is new to a bucket',
    },
    {
      line: 'rocksdb-backup copy s3://backups/users /backups/users --id 7,12',
      does: 'bring two backups from there',
    },
    { line: 'rocksdb-backup copy /backups/users /mnt/backups/users --dry-run', does: 'show what would be copied' },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  recorded: true,
  schema: object({
    from: text('the repository'),
    to: text('the repository that gets the backups'),
    dryRun: flag(),
    ok: flag('whether none failed'),
    backups: array(
      object({
        backupId: count(),
        'timestamp?': time('missing if the backup cannot be read'),
        state: oneOf('copied', 'present', 'failed'),
        files: count('that TO did not have'),
        bytes: count('of these files'),
        'error?': ref('error'),
      }),
    ),
    files: count(),
    bytes: count(),
    pinned: array(count(), 'the backups whose pins were copied'),
    durationMs: number(),
  }),
  async run(context, { FROM, TO }, options) {
    const backupIds = options.id === undefined ? undefined : idsOf(options.id);
    const { 'dry-run': dryRun, 'allow-other-database': allowOtherDatabase, 'rate-limit': rate } = options;
    await needDirectory(FROM);
    const begin = performance.now();
    const result = await context.long('copy', (long) =>
      copyWith(FROM, TO, { ...long, backupIds, dryRun, allowOtherDatabase, rateLimit: rate }, (target, copy) =>
        copyRecorded(context, FROM, target, copy),
      ),
    );
    for (const { error } of result.backups) {
      if (error !== undefined) context.out.failure(error, { onlyForPeople: true });
    }
    return asResult(context, { ...result, to: locationName(result.to) }, performance.now() - begin);
  },
});

/** Copies, and records it in the history of the target. If a backup could not be copied, that is recorded as a failure. */
async function copyRecorded(
  context: Context,
  from: string,
  target: BackupEngine,
  copy: () => Promise<CopyResult>,
): Promise<CopyResult> {
  let result: CopyResult | undefined;
  const entry = { operation: 'copy', detail: { from: locationName(from) } } as const;
  try {
    await context.recorded(target, entry, async ({ note }) => {
      result = await copy();
      const { backups, bytes, pinned } = result;
      const idsOf = (state: CopiedBackup['state']) =>
        backups.filter((backup) => backup.state === state).map(({ backupId }) => backupId);
      note({ bytes, detail: { ...entry.detail, copied: idsOf('copied'), failed: idsOf('failed'), pinned } });
      const failed = backups.find(({ error }) => error !== undefined);
      if (failed !== undefined) throw failed.error;
    });
  } catch (error) {
    if (result === undefined) throw error;
  }
  return result as CopyResult;
}

function idsOf(list: string): number[] {
  return list.split(',').map((text) => {
    const id = parseBackupId(text.trim(), '--id');
    if (id === 'latest') throw new UsageError('--id takes numbers of backups with commas, such as 7,12');
    return id;
  });
}

function asResult(context: Context, result: CopyResult, durationMs: number): Result {
  const { from, to, backups, files, bytes, pinned, dryRun } = result;
  const failed = backups.filter(({ state }) => state === 'failed');
  const copied = backups.filter(({ state }) => state === 'copied');
  const { style } = context.out;
  const words = {
    copied: dryRun ? 'would be copied' : style.good('copied'),
    present: 'is there',
    failed: style.bad('failed'),
  };
  return {
    json: {
      from,
      to,
      dryRun,
      ok: failed.length === 0,
      backups: backups.map(({ timestamp, error, ...rest }) => ({
        ...rest,
        timestamp: timestamp?.toISOString(),
        error: error && errorAsJson(error),
      })),
      files,
      bytes,
      pinned,
      durationMs,
    },
    text: () =>
      linesOf(
        ...(copied.length + failed.length === 0
          ? []
          : table(
              [
                { title: 'BACKUP', align: 'right' },
                { title: 'STATE' },
                { title: 'NEW FILES', align: 'right' },
                { title: 'BYTES', align: 'right' },
              ],
              [...copied, ...failed]
                .sort((a, b) => a.backupId - b.backupId)
                .map((backup) => [
                  String(backup.backupId),
                  words[backup.state],
                  String(backup.files),
                  formatSize(backup.bytes),
                ]),
            )),
        `${counted(copied.length, 'backup')} of ${safe(from)} ${dryRun ? 'would be copied' : 'copied'} to ${safe(to)}: ` +
          `${counted(files, 'file')}, ${formatSize(bytes)}${dryRun ? '' : ` in ${formatDuration(durationMs)}`}` +
          `${backups.length > copied.length + failed.length ? `; ${backups.length - copied.length - failed.length} were there` : ''}`,
        pinned.length > 0 && `pinned there, too: ${pinned.join(', ')}`,
      ),
    quiet: () => copied.map(({ backupId }) => String(backupId)),
    exit:
      failed.length === 0
        ? 'ok'
        : failed.some(({ error }) => exitOf(error) === 'corrupt')
          ? 'corrupt'
          : failed.some(({ error }) => exitOf(error) === 'locked')
            ? 'locked'
            : 'failed',
  };
}
