import { formatDuration, formatSize, percentile } from '../../base/units.js';
import { type Inventory, readInventory } from '../../manager/inventory.js';
import { isRecordOf, type OperationName, type OperationRecord } from '../../manager/operation-record.js';
import { byDatabase } from '../../retention/databases.js';
import { defineCommand, dirArgument } from '../command.js';
import { withDirectory } from '../directory.js';
import { recordedInOwnWords } from '../errors.js';
import type { Style } from '../output/style.js';
import { pairs, table } from '../output/table.js';
import { counted, safe } from '../output/text.js';
import { array, count, number, object, ref, text, time } from '../schema.js';
import { age, localTime } from '../time.js';

interface OperationCount {
  operation: OperationName;
  ok: number;
  failed: number;
  last?: OperationRecord;
  lastFailed?: OperationRecord;
  durationP50Ms?: number;
  durationP95Ms?: number;
}

export const stats = defineCommand({
  name: 'stats',
  summary: 'summarize a repository: space, ages, successes and failures',
  description: [
    'Shows the number of backups, their space on the disk and the sum of their sizes, the age of the newest, and the results of create, verify, drill and prune. The history has the last few hundred operations of this command line and of BackupManager.',
  ],
  positionals: [dirArgument],
  options: {},
  examples: [
    { line: 'rocksdb-backup stats /backups/users', does: 'show all of it' },
    { line: 'rocksdb-backup stats /backups/users --json | jq .secondsSinceNewest', does: 'for a check' },
  ],
  exits: ['notFound'],
  schema: object({
    location: text('the repository'),
    backups: count('that can be read'),
    full: count(),
    incremental: count(),
    databases: array(
      object({
        'databaseId?': text("the database's own id; missing if it is not known"),
        backups: count(),
        newest: time(),
      }),
      'of the backups, in the order of their first backups',
    ),
    pinned: count(),
    corrupt: array(count(), 'ids of backups that cannot be read'),
    damaged: array(count(), 'ids of readable backups that are known to be damaged'),
    bytesOnDisk: count('of all files; shared files count once'),
    logicalBytes: count('the sum of the sizes'),
    'oldest?': time(),
    'newest?': time(),
    'secondsSinceNewest?': number(),
    operations: array(
      object({
        operation: text(),
        ok: count('the number of entries in the history'),
        failed: count(),
        'last?': ref('record'),
        'lastFailed?': ref('record'),
        'durationP50Ms?': number(),
        'durationP95Ms?': number(),
      }),
    ),
    'nothingNewAsOf?': time('when a backup was skipped because nothing had been written since the newest one'),
    'pinsLost?': text('set while it is not known which backups are pinned'),
  }),
  run(context, { DIR }) {
    return withDirectory(DIR, async (engine) => {
      const summary = summaryOf(await readInventory(engine));
      const now = context.now();
      return { json: asJson(summary, now), text: () => linesAbout(summary, now, context.out.style) };
    });
  },
});

/** What is known about a repository, in numbers. */
type Summary = ReturnType<typeof summaryOf>;

function summaryOf({ location, backups, corrupt, bytesOnDisk, logicalBytes, state }: Inventory) {
  const newest = backups.at(-1);
  const full = backups.filter(({ kind }) => kind === 'full').length;
  const { skip } = state.last;
  return {
    location,
    backups: backups.length,
    full,
    incremental: backups.length - full,
    databases: byDatabase(backups).map(([databaseId, own]) => ({
      databaseId,
      backups: own.length,
      newest: own.at(-1)!.timestamp,
    })),
    pinned: backups.filter(({ pinned }) => pinned).length,
    corrupt: corrupt.map(({ backupId }) => backupId),
    damaged: backups.filter((backup) => backup.state === 'corrupt').map(({ backupId }) => backupId),
    bytesOnDisk,
    logicalBytes,
    oldest: backups[0]?.timestamp,
    newest: newest?.timestamp,
    operations: countOperations(state),
    nothingNewAsOf:
      skip !== undefined && newest !== undefined && isRecordOf(skip, newest) ? new Date(skip.at) : undefined,
    pinsLost: state.pinsLost,
  };
}

function asJson({ newest, operations, nothingNewAsOf, pinsLost, ...rest }: Summary, now: Date) {
  return {
    ...rest,
    newest,
    secondsSinceNewest: newest === undefined ? undefined : Math.max(0, (now.getTime() - newest.getTime()) / 1000),
    operations,
    nothingNewAsOf,
    pinsLost,
  };
}

function linesAbout(summary: Summary, now: Date, style: Style): string[] {
  const { location, backups, full, incremental, databases, newest, oldest, nothingNewAsOf, operations } = summary;
  const { bytesOnDisk, logicalBytes, corrupt, damaged, pinsLost } = summary;
  const ago = (time: Date) => `${age(time, now)} ago`;
  const when = (time: Date | undefined) => time && `${localTime(time)}, ${ago(time)}`;
  const bad = (ids: readonly number[]) => style.bad(ids.join(', '));
  const among = (own: Summary['databases'][number]) =>
    databases.length === 1 ? '' : `: ${counted(own.backups, 'backup')}, the newest ${ago(own.newest)}`;
  return [
    ...pairs([
      ['Repository', safe(location)],
      ['Backups', `${backups} (${full} full, ${incremental} incremental)`],
      ...databases.map((own) => ['Database', `${safe(own.databaseId ?? 'not known')}${among(own)}`] as const),
      ['Newest', when(newest)],
      ['Nothing new', nothingNewAsOf && `as of ${ago(nothingNewAsOf)}`],
      ['Oldest', when(oldest)],
      ['On disk', formatSize(bytesOnDisk)],
      ['As databases', formatSize(logicalBytes)],
      ['Unreadable', bad(corrupt)],
      ['Damaged', bad(damaged)],
      ['Pins', pinsLost && style.bad(safe(pinsLost))],
    ]),
    ...(operations.length === 0 ? [] : ['', ...operationTable(operations, now)]),
  ];
}

/**
 * Counts the operations in the history by their kind. For each kind, it also takes the last operation, which is remembered longer than the
 * history.
 */
function countOperations({ history, last }: Inventory['state']): OperationCount[] {
  const counts = new Map<OperationName, OperationCount & { durations: number[] }>();
  const of = (operation: OperationName) => {
    const known = counts.get(operation) ?? { operation, ok: 0, failed: 0, durations: [] };
    counts.set(operation, known);
    return known;
  };
  for (const record of Object.values(last)) {
    of(record.operation)[record.ok ? 'last' : 'lastFailed'] = record;
  }
  for (const { operation, ok, durationMs, detail } of history) {
    const known = of(operation);
    // Several backups in a row that were skipped share one history entry.
    known[ok ? 'ok' : 'failed'] += operation === 'skip' && typeof detail?.times === 'number' ? detail.times : 1;
    if (ok && operation !== 'skip') known.durations.push(durationMs);
  }
  return [...counts.values()].map(({ durations, ...known }) => ({
    ...known,
    ...(durations.length === 0
      ? {}
      : { durationP50Ms: percentile(durations, 0.5), durationP95Ms: percentile(durations, 0.95) }),
  }));
}

function operationTable(operations: readonly OperationCount[], now: Date): string[] {
  const ago = (record: OperationRecord | undefined) =>
    record === undefined ? '' : `${age(new Date(record.at), now)} ago`;
  return table(
    [
      { title: 'OPERATION' },
      { title: 'OK', align: 'right' },
      { title: 'FAILED', align: 'right' },
      { title: 'LAST' },
      { title: 'P50', align: 'right' },
      { title: 'P95', align: 'right' },
      { title: 'LAST FAILURE' },
    ],
    operations.map(({ operation, ok, failed, last, lastFailed, durationP50Ms, durationP95Ms }) => [
      operation,
      String(ok),
      String(failed),
      ago(last),
      durationP50Ms === undefined ? '' : formatDuration(durationP50Ms),
      durationP95Ms === undefined ? '' : formatDuration(durationP95Ms),
      lastFailed === undefined ? '' : `${ago(lastFailed)}: ${safe(recordedInOwnWords(lastFailed.error))}`,
    ]),
  );
}
