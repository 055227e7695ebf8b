import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { formatDuration, formatSize } from '../../base/units.js';
import { repositoryStatus } from '../../status/repository-status.js';
import { locationName } from '../../storage/storage.js';
import { defineCommand } from '../command.js';
import type { Context } from '../context.js';
import { needDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import type { Exit } from '../exit-codes.js';
import { errorAsJson } from '../json.js';
import type { Result } from '../output/output.js';
import { table } from '../output/table.js';
import { linesOf, safe, shortened } from '../output/text.js';
import { type Judged, judge, notesOn } from '../report/judged.js';
import { checkReplaceable, writePage } from '../report/page-file.js';
import { statusInPrometheus } from '../report/status-metrics.js';
import { renderStatus } from '../report/status-page.js';
import { array, count, flag, number, object, oneOf, ref, text, time } from '../schema.js';
import { timeZone } from '../time.js';

export const status = defineCommand({
  name: 'status',
  summary: 'say how repositories are, and which are late',
  description: [
    'Says of a repository how old its last good backup is, how many backups and bytes it has, which backups are damaged, cannot be read or are pinned, and who works in it now. PLACE is a directory or the URL of an object store. With --recursive it looks at all repositories below. A bucket is listed once, however many repositories it has.',
    'A backup is good if it can be read and is not known to be damaged. status reads lists of files, not the files: verify --checksum reads every byte.',
    'With --max-age the exit code is 1 if the last good backup of a repository is older, or if there is none. The exit code is also 1 if a repository cannot be looked at, and 5 if a backup is damaged or cannot be read. If there is no repository below PLACE, it is 3, and 1 with --max-age. Locks of a directory do not tell which process reads a backup.',
  ],
  positionals: [
    { name: 'PLACE', type: 'backups', summary: 'a repository; with --recursive, what repositories lie in' },
  ],
  options: {
    recursive: { type: 'flag', short: 'r', summary: 'look at all repositories below PLACE' },
    'max-age': { type: 'duration', placeholder: 'TIME', summary: 'fail if a last good backup is older, such as 26h' },
    html: { type: 'path', placeholder: 'FILE', summary: 'also write a page of HTML to this file' },
    prometheus: { type: 'flag', summary: 'print metrics in the text format of Prometheus' },
  },
  examples: [
    { line: 'rocksdb-backup status /backups/users --max-age 26h', does: 'fail if the nightly backup did not come' },
    { line: 'rocksdb-backup status s3://backups --recursive', does: 'all repositories in a bucket' },
    {
      line: 'rocksdb-backup status s3://backups -r --prometheus > backups.prom.new; mv backups.prom.new backups.prom',
      does: 'for the node exporter, which must not read half a file',
    },
  ],
  exits: ['notFound', 'corrupt', 'stopped'],
  schema: object({
    place: text(),
    ok: flag('whether the exit code is 0'),
    repositories: array(
      object({
        location: text(),
        state: oneOf('good', 'empty', 'late', 'damaged', 'failed'),
        'late?': flag('with --max-age: whether the last good backup is older, or missing'),
        backups: count('that can be read'),
        bytes: count('of their files, each counted once'),
        'lastGood?': object({ backupId: count(), timestamp: time(), ageMs: number() }),
        damaged: array(count(), 'ids of backups that are known to be damaged'),
        unreadable: array(count(), 'ids of backups that cannot be read'),
        pinned: array(count(), 'ids of backups that are kept until they are unpinned'),
        'leases?': array(
          object({
            what: oneOf('writing', 'reading', 'deleting', 'state'),
            'backupId?': count(),
            'holder?': text(),
            'renewed?': time('of a lease in an object store'),
            'stale?': flag('it was not renewed for long: its holder was killed, or hangs'),
          }),
          'who works in it now; missing if it cannot be looked at',
        ),
        'error?': ref('error'),
      }),
    ),
    'html?': text('the page'),
  }),
  async run(context, { PLACE }, options) {
    const { recursive, 'max-age': maxAge, html, prometheus } = options;
    if (prometheus && context.out.json) throw new UsageError('--prometheus and --json contradict each other');
    const file = html === undefined ? undefined : resolve(html);
    if (file !== undefined) await checkReplaceable(file);
    await needDirectory(PLACE);
    const now = context.now();
    const found = await repositoryStatus(PLACE, { recursive, signal: context.signal, now });
    if (!recursive && found[0]?.error !== undefined) throw found[0].error;
    const judged = found.map((each) => judge(each, maxAge));
    const place = locationName(PLACE);
    if (judged.length === 0 && (prometheus || context.out.quiet)) context.out.warn(noneIn(place));
    if (file !== undefined) {
      await writePage(file, renderStatus({ place, judged, now, timezone: timeZone(), host: hostname(), maxAge }));
    }
    const none = judged.length > 0 ? undefined : maxAge === undefined ? 'notFound' : 'failed';
    return asResult(context, { place, judged, file, prometheus, exit: none ?? exitFor(judged) });
  },
});

interface Told {
  place: string;
  judged: Judged[];
  file: string | undefined;
  prometheus: boolean;
  exit: Exit;
}

function exitFor(judged: readonly Judged[]): Exit {
  return judged.some(({ state, late }) => state === 'failed' || late)
    ? 'failed'
    : judged.some(({ state }) => state === 'damaged')
      ? 'corrupt'
      : 'ok';
}

function asResult(context: Context, { place, judged, file, prometheus, exit }: Told): Result {
  const bad = judged.filter(({ state }) => state !== 'good');
  return {
    json: { place, ok: exit === 'ok', repositories: judged.map(asJson), html: file },
    text: () =>
      prometheus
        ? statusInPrometheus(place, judged)
        : linesOf(
            ...(judged.length === 0 ? [] : [...tableOf(context, judged), '']),
            summary(place, judged),
            file && `${safe(file)} is written`,
          ),
    quiet: () => (prometheus ? statusInPrometheus(place, judged) : bad.map(({ location }) => safe(location))),
    exit,
  };
}

function asJson({ lastGood, leases, error, ...rest }: Judged) {
  return {
    ...rest,
    lastGood: lastGood && { ...lastGood, timestamp: lastGood.timestamp.toISOString() },
    leases: leases?.map((lease) => ({ ...lease, renewed: lease.renewed?.toISOString() })),
    error: error && errorAsJson(error),
  };
}

/** A long name is shortened where a person reads it. A file, a pipe and --json have all of it. */
function inTerminal({ out }: Context, location: string): string {
  return out.isTerminal ? shortened(location, Math.max(30, Math.floor((out.stdout.columns || 80) / 2))) : location;
}

function tableOf(context: Context, judged: readonly Judged[]): string[] {
  const { style } = context.out;
  const marks = { good: style.good, empty: style.warn, late: style.warn, damaged: style.bad, failed: style.bad };
  return table(
    [
      { title: 'REPOSITORY' },
      { title: 'STATE' },
      { title: 'LAST GOOD', align: 'right' },
      { title: 'BACKUPS', align: 'right' },
      { title: 'SIZE', align: 'right' },
      { title: 'PINNED', align: 'right' },
      { title: 'NOTES' },
    ],
    judged.map((each) => [
      inTerminal(context, safe(each.location)),
      marks[each.state](each.state),
      ...(each.error === undefined
        ? [
            each.lastGood === undefined ? 'none' : `${formatDuration(Math.max(1000, each.lastGood.ageMs))} ago`,
            String(each.backups),
            formatSize(each.bytes),
          ]
        : ['', '', '']),
      each.pinned.length === 0 ? '' : String(each.pinned.length),
      safe(notesOn(each).join('; ')),
    ]),
  );
}

const noneIn = (place: string) => `no repository was found in ${place}`;

function summary(place: string, judged: readonly Judged[]): string {
  if (judged.length === 0) return safe(noneIn(place));
  const of = (state: Judged['state']) => judged.filter((each) => each.state === state).length;
  const parts = linesOf(
    of('failed') > 0 && `${of('failed')} cannot be looked at`,
    of('damaged') > 0 && `${of('damaged')} with damage`,
    of('late') > 0 && `${of('late')} late`,
    of('empty') > 0 && `${of('empty')} without backups`,
  );
  return `${judged.length === 1 ? '1 repository' : `${judged.length} repositories`} in ${safe(place)}: ${parts.length === 0 ? 'all good' : parts.join(', ')}`;
}
