import type { BackupEngine } from '../../backup/backup-engine.js';
import type { BackupEngineOptions } from '../../backup/backup-options.js';
import { RateLimiter } from '../../backup/rate-limiter.js';
import { adviceOn } from '../../base/advice.js';
import { RocksDBError } from '../../base/errors.js';
import { formatDuration, formatSize } from '../../base/units.js';
import { detailOf } from '../../manager/verify-backup.js';
import type { BackupInfo, UnreadableBackup, VerifyResult } from '../../native/backup-info.js';
import { defineCommand, dirArgument, idArgument, type OptionSpecs, type OptionValues } from '../command.js';
import type { Context } from '../context.js';
import { notingDamage } from '../damage.js';
import { findBackup, noneUsable, withRecordedDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import { exitOf } from '../exit-codes.js';
import { errorAsJson } from '../json.js';
import { warnOfNewerRocksDB } from '../newer-rocksdb.js';
import type { Result } from '../output/output.js';
import type { Style } from '../output/style.js';
import { safe } from '../output/text.js';
import { array, count, flag, number, object, ref, text, time } from '../schema.js';

/** Verifies one backup and records the result. */
export function verifyOne(
  context: Context,
  engine: BackupEngine,
  info: BackupInfo,
  how: 'size' | 'checksum',
): Promise<VerifyResult> {
  const { backupId, timestamp, size } = info;
  const checksum = how === 'checksum';
  const verify = () =>
    context.long(`verify ${backupId}`, ({ signal, onProgress }) =>
      // A check of names and sizes reads no bytes, so it has no progress.
      engine.verifyBackup(backupId, checksum ? { signal, onProgress, checksum } : { signal, checksum }),
    );
  const bytes = checksum ? size : 0;
  const entry = { operation: 'verify', backupId, timestamp: timestamp.toISOString(), checksum, bytes } as const;
  return context.recorded(engine, entry, async ({ note }) => {
    const result = await notingDamage(context, engine, info, checksum ? 'every byte' : 'sizes', verify);
    note(detailOf(result, checksum));
    return result;
  });
}

const optionSpecs = {
  all: { type: 'flag', summary: 'check every backup' },
  checksum: { type: 'flag', summary: 'read every byte' },
  'rate-limit': { type: 'rate', summary: 'read no faster than this, such as 50MB/s' },
} as const satisfies OptionSpecs;

export const verify = defineCommand({
  name: 'verify',
  summary: 'check that backups are whole',
  description: [
    'Checks one backup (the latest if ID is not given), or all. Without --checksum it checks only names and sizes of files. With --checksum it reads every byte and compares the result with the stored checksum.',
    'If a file is damaged, every backup that uses it counts as damaged until a verify with --checksum reads the file and finds it whole. A check of names and sizes does not change that. On a full disk the result cannot be saved, and a warning says so: free some space, and verify again.',
    'Backups made by rocksdb-backup have a record with the size of every file. Backups of other programs have none; they contain the sizes of only those shared files whose names contain it. Then the command says that sizes are not known, and such a check does not make the backup count as verified. A record that is damaged is damage of the backup. The command names every damaged file.',
    'A backup that can be read may still not contain what you expect: drill restores a backup and reads the database.',
  ],
  positionals: [
    dirArgument,
    { ...idArgument, optional: true, summary: "the number of a backup, or 'latest' (the default)" },
  ],
  options: optionSpecs,
  examples: [
    { line: 'rocksdb-backup verify /backups/users --checksum', does: 'read the latest backup' },
    { line: 'rocksdb-backup verify /backups/users --all', does: 'check names and sizes of all' },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  recorded: true,
  schema: object({
    location: text('the repository'),
    ok: flag('whether all checked backups are whole'),
    backups: array(
      object({
        backupId: count(),
        'timestamp?': time('missing if the backup cannot be read'),
        ok: flag(),
        checksum: flag('whether every byte was read'),
        'sizesKnown?': flag(
          'whether there is a record of the sizes, so that they were compared; missing if the check failed',
        ),
        bytes: count('that were read'),
        durationMs: number(),
        'error?': ref('error'),
      }),
    ),
  }),
  async run(context, { DIR, ID }, options) {
    const order = orderOf(ID, options);
    const { location, checks } = await withRecordedDirectory(
      context,
      DIR,
      { operation: 'verify', checksum: order.how === 'checksum', detail: { asked: ID ?? order.which } },
      async (engine) => ({
        location: engine.location,
        checks: await verifyAll(context, engine, order, await toVerify(context, engine, order)),
      }),
      order.limits,
    );
    for (const { error } of checks) {
      if (error !== undefined) {
        context.out.failure(error, { onlyForPeople: true });
      }
    }
    return resultOf(context, location, checks);
  },
});

/** What the command line asks for. */
interface Order {
  /** Which backups: all, the latest, or the one that is named. */
  which: 'all' | 'latest' | { id: string };
  how: 'size' | 'checksum';
  limits: BackupEngineOptions;
}

function orderOf(id: string | undefined, options: OptionValues<typeof optionSpecs>): Order {
  const { all, checksum, 'rate-limit': rate } = options;
  if (all && id !== undefined) {
    throw new UsageError(`--all and ${id} contradict each other: name one backup, or all`);
  }
  return {
    which: all ? 'all' : id === undefined || id === 'latest' ? 'latest' : { id },
    how: checksum ? 'checksum' : 'size',
    // A plain number would limit only writing, and a verify reads.
    limits: rate === undefined ? {} : { backupRateLimit: new RateLimiter({ bytesPerSecond: rate, mode: 'reads' }) },
  };
}

/** The backups to verify. If one of them cannot even be read, the command must not succeed. */
interface ToVerify {
  infos: BackupInfo[];
  unreadable: UnreadableBackup[];
}

async function toVerify(context: Context, engine: BackupEngine, { which }: Order): Promise<ToVerify> {
  const { backups, corrupt } = await engine.survey();
  if (which === 'all') {
    return { infos: backups, unreadable: corrupt };
  }
  if (which !== 'latest') {
    return { infos: [await findBackup(context, engine, which.id)], unreadable: [] };
  }
  if (backups.length + corrupt.length === 0) {
    throw noneUsable(engine.location, []);
  }
  const newest = backups.at(-1)?.backupId ?? 0;
  return { infos: backups.slice(-1), unreadable: corrupt.filter(({ backupId }) => backupId > newest) };
}

/** One backup that was looked at. If it is not whole, `error` says why. */
interface Check {
  backupId: number;
  timestamp?: string;
  checksum: boolean;
  sizesKnown?: boolean;
  bytes: number;
  durationMs: number;
  error?: unknown;
}

async function verifyAll(
  context: Context,
  engine: BackupEngine,
  order: Order,
  { infos, unreadable }: ToVerify,
): Promise<Check[]> {
  const checks: Check[] = [];
  warnOfNewerRocksDB(context, infos);
  for (const info of infos) {
    checks.push(await check(context, engine, order, info));
  }
  for (const { backupId, reason, why } of unreadable) {
    const message = `backup ${backupId} in ${engine.location} cannot be used: ${reason}`;
    const error = new RocksDBError(message, 'BACKUP_CORRUPT', {
      path: engine.location,
      backupId,
      why,
      advice: adviceOn(why, 'useAnotherBackup'),
    });
    checks.push({ backupId, checksum: order.how === 'checksum', bytes: 0, durationMs: 0, error });
  }
  return checks.sort((a, b) => a.backupId - b.backupId);
}

async function check(context: Context, engine: BackupEngine, { which, how }: Order, info: BackupInfo): Promise<Check> {
  const { backupId, timestamp, size } = info;
  const checksum = how === 'checksum';
  const begin = performance.now();
  let error: unknown;
  let result: Partial<VerifyResult> = {};
  try {
    result = await verifyOne(context, engine, info, how);
  } catch (thrown) {
    // If several backups are verified, an unreadable one does not stop the others.
    if (exitOf(thrown) !== 'corrupt' && (which !== 'all' || exitOf(thrown) === 'stopped')) {
      throw thrown;
    }
    error = thrown;
  }
  const durationMs = performance.now() - begin;
  const bytes = checksum ? size : 0;
  return { backupId, timestamp: timestamp.toISOString(), checksum, ...result, bytes, durationMs, error };
}

function resultOf(context: Context, location: string, checks: readonly Check[]): Result {
  const failed = checks.filter(({ error }) => error !== undefined);
  return {
    json: { location, ok: failed.length === 0, backups: checks.map(asJson) },
    text: () =>
      checks.length === 0
        ? [`${safe(location)} has no backups`]
        : checks.map((check) => line(check, context.out.style)),
    exit: failed.length === 0 ? 'ok' : failed.some(({ error }) => exitOf(error) === 'corrupt') ? 'corrupt' : 'failed',
  };
}

function asJson({ backupId, timestamp, error, ...rest }: Check) {
  return {
    backupId,
    timestamp,
    ok: error === undefined,
    ...rest,
    error: error === undefined ? undefined : errorAsJson(error),
  };
}

function line({ backupId, checksum, sizesKnown, bytes, durationMs, error }: Check, style: Style): string {
  if (error !== undefined) {
    return `backup ${backupId}: ${style.bad(whatIsWrong(error))}`;
  }
  if (checksum) {
    return `backup ${backupId}: ${style.good('whole')}, ${formatSize(bytes)} read in ${formatDuration(durationMs)}`;
  }
  const found = sizesKnown
    ? style.good('names and sizes are right')
    : `names are right, ${style.warn('sizes are not known')}: there is no record of them`;
  return `backup ${backupId}: ${found}; --checksum reads every byte`;
}

function whatIsWrong(error: unknown): string {
  if (exitOf(error) !== 'corrupt') {
    return 'could not be checked';
  }
  const why = error instanceof RocksDBError ? error.why : undefined;
  return why === 'denied' || why === 'io' ? 'could not be read' : 'damaged';
}
