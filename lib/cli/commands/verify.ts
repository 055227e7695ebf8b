import type { BackupEngine } from '../../backup/backup-engine.js';
import { RateLimiter } from '../../backup/rate-limiter.js';
import { RocksDBError } from '../../base/errors.js';
import { formatDuration, formatSize } from '../../base/units.js';
import { unreadableFor } from '../../manager/unreadable-backups.js';
import type { BackupInfo } from '../../native/backup-info.js';
import { defineCommand } from '../command.js';
import type { Context } from '../context.js';
import { notingDamage } from '../damage.js';
import { findBackup, noneUsable, withDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import { exitOf } from '../exit-codes.js';
import { warnOfNewerRocksDB } from '../newer-rocksdb.js';
import { errorAsJson } from '../output/output.js';
import { safe } from '../output/text.js';
import { array, count, flag, number, object, ref, text, time } from '../schema.js';

/** Verifies one backup and records the result. */
export function verifyOne(
  context: Context,
  engine: BackupEngine,
  info: BackupInfo,
  { checksum }: { checksum: boolean },
): Promise<void> {
  const { backupId, timestamp, size } = info;
  const verify = () =>
    context.long(`verify ${backupId}`, ({ signal, onProgress }) =>
      // A check of names and sizes reads no bytes, so it has no progress.
      engine.verifyBackup(backupId, checksum ? { signal, onProgress, checksum } : { signal, checksum }),
    );
  const bytes = checksum ? size : 0;
  const entry = { operation: 'verify', backupId, timestamp: timestamp.toISOString(), checksum, bytes } as const;
  return context.recorded(engine, entry, () =>
    notingDamage(context, engine, info, checksum ? 'every byte' : 'sizes', verify),
  );
}

interface Verified {
  backupId: number;
  timestamp?: string;
  ok: boolean;
  checksum: boolean;
  bytes: number;
  durationMs: number;
  error?: { code: string; message: string };
}

export const verify = defineCommand({
  name: 'verify',
  summary: 'check that backups are whole',
  description: [
    'Checks one backup, the latest if none is named, or all. Without --checksum this looks at the names and sizes of files only; with it, every byte is read and compared with the checksum that was written beside it.',
    'What was found damaged stays so, for every backup that has the file, until it is read and found whole: a look at names and sizes does not end that. On a full disk it cannot be remembered, which is told: make room, and verify again.',
    'Sizes are known of backups that rocksdb-backup made; of those of another program only where the name of a shared file holds its size. Every damaged file is named.',
    'A backup that can be read may still not be what you think it is: drill restores one and reads the database.',
  ],
  positionals: [
    { name: 'DIR', type: 'backups', summary: 'the directory of backups' },
    { name: 'ID', type: 'backup', optional: true, summary: "the number of a backup, or 'latest' (the default)" },
  ],
  options: {
    all: { type: 'flag', summary: 'check every backup' },
    checksum: { type: 'flag', summary: 'read every byte' },
    'rate-limit': { type: 'rate', summary: 'read no faster than this, such as 50MB/s' },
  },
  examples: [
    { line: 'rocksdb-backup verify /backups/users --checksum', does: 'read the latest backup' },
    { line: 'rocksdb-backup verify /backups/users --all', does: 'look at names and sizes of all' },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  recorded: true,
  schema: object({
    location: text('the directory of backups'),
    ok: flag('whether all that were looked at are whole'),
    backups: array(
      object({
        backupId: count(),
        'timestamp?': time('missing where the backup cannot be read'),
        ok: flag(),
        checksum: flag('whether every byte was read'),
        bytes: count('that were read'),
        durationMs: number(),
        'error?': ref('error'),
      }),
    ),
  }),
  async run(context, { DIR, ID }, options) {
    const { all, checksum } = options;
    if (all && ID !== undefined) {
      throw new UsageError(`--all and ${ID} contradict each other: name one backup, or all`);
    }
    const rate = options['rate-limit'];
    // A plain number would limit only writing, and a verify reads.
    const limits =
      rate === undefined ? {} : { backupRateLimit: new RateLimiter({ bytesPerSecond: rate, mode: 'reads' }) };
    const { location, results, failures } = await withDirectory(
      DIR,
      async (engine) => {
        const { backups, corrupt } = await engine.survey();
        const latest = ID === undefined || ID === 'latest';
        const infos = all ? backups : latest ? backups.slice(-1) : [await findBackup(context, engine, ID)];
        if (latest && !all && backups.length + corrupt.length === 0) {
          throw noneUsable(engine.location, []);
        }
        // If a backup was to be verified but cannot even be read, the command must not succeed.
        const newest = backups.at(-1)?.backupId ?? 0;
        const unreadable = all ? corrupt : latest ? corrupt.filter(({ backupId }) => backupId > newest) : [];
        const results: Verified[] = [];
        const failures = new Map<number, unknown>();
        warnOfNewerRocksDB(context, infos);
        for (const info of infos) {
          const begin = performance.now();
          const said = (end: Partial<Verified>) =>
            results.push({
              backupId: info.backupId,
              timestamp: info.timestamp.toISOString(),
              ok: true,
              checksum,
              bytes: checksum ? info.size : 0,
              durationMs: performance.now() - begin,
              ...end,
            });
          try {
            await verifyOne(context, engine, info, { checksum });
            said({});
          } catch (error) {
            // If several backups are verified, an unreadable one does not stop the others.
            if (exitOf(error) !== 'corrupt' && (!all || exitOf(error) === 'stopped')) {
              throw error;
            }
            failures.set(info.backupId, error);
            said({ ok: false, error: errorAsJson(error) });
          }
        }
        for (const { backupId, reason } of unreadable) {
          const message = `backup ${backupId} in ${engine.location} cannot be used: ${reason}`;
          const error = new RocksDBError(message, 'BACKUP_CORRUPT');
          failures.set(backupId, error);
          results.push({ backupId, ok: false, checksum, bytes: 0, durationMs: 0, error: errorAsJson(error) });
        }
        results.sort((a, b) => a.backupId - b.backupId);
        return { location: engine.location, results, failures };
      },
      limits,
    );
    const ok = results.every((result) => result.ok);
    for (const { backupId, error } of results) {
      if (error !== undefined) {
        context.out.failure(failures.get(backupId), { onlyForPeople: true });
      }
    }
    return {
      json: { location, ok, backups: results },
      text: () =>
        results.length === 0
          ? [`${safe(location)} has no backups`]
          : results.map((result) => line(result, context.out.style)),
      exit: ok ? 'ok' : results.some(({ ok, error }) => !ok && exitOf(error) === 'corrupt') ? 'corrupt' : 'failed',
    };
  },
});

function line({ backupId, ok, checksum, bytes, durationMs, error }: Verified, style: Context['out']['style']): string {
  if (!ok) {
    return `backup ${backupId}: ${style.bad(whatIsWrong(error))}`;
  }
  return checksum
    ? `backup ${backupId}: ${style.good('whole')}, ${formatSize(bytes)} read in ${formatDuration(durationMs)}`
    : `backup ${backupId}: ${style.good('names and sizes are right')}; --checksum reads every byte`;
}

function whatIsWrong(error: Verified['error']): string {
  if (exitOf(error) !== 'corrupt') {
    return 'could not be checked';
  }
  return unreadableFor(error?.message ?? '') === 'damage' ? 'damaged' : 'could not be read';
}
