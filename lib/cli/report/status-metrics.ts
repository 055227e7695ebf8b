import type { Judged } from './judged.js';

/** Name, what it is, and its value of a repository. Undefined: the repository has no such sample. */
const METRICS: readonly [name: string, help: string, value: (of: Judged) => number | undefined][] = [
  ['up', 'Whether the repository can be looked at.', ({ error }) => (error === undefined ? 1 : 0)],
  ['backups', 'Backups that can be read.', known(({ backups }) => backups)],
  ['bytes', 'Bytes of the files of these backups, each counted once.', known(({ bytes }) => bytes)],
  [
    'last_good_timestamp_seconds',
    'When the last backup was begun that can be read and is not known to be damaged. Missing if there is none.',
    ({ lastGood }) => lastGood && lastGood.timestamp.getTime() / 1000,
  ],
  ['damaged_backups', 'Backups that are known to be damaged.', known(({ damaged }) => damaged.length)],
  ['unreadable_backups', 'Backups that cannot be read.', known(({ unreadable }) => unreadable.length)],
  ['pinned_backups', 'Backups that are kept until they are unpinned.', known(({ pinned }) => pinned.length)],
  ['leases', 'Who works in the repository now.', ({ leases }) => leases?.filter(({ stale }) => !stale).length],
  [
    'stale_leases',
    'Leases that were not renewed for long: their holders were killed, or hang.',
    ({ leases }) => leases?.filter(({ stale }) => stale).length,
  ],
  ['late', 'Whether the last good backup is older than --max-age.', ({ late }) => (late === undefined ? late : +late)],
];

const PREFIX = 'rocksdb_backup_repository_';

const FOUND = 'rocksdb_backup_repositories';

/** The names of all metrics. */
export const STATUS_METRIC_NAMES: readonly string[] = [FOUND, ...METRICS.map(([name]) => PREFIX + name)];

function known(value: (of: Judged) => number): (of: Judged) => number | undefined {
  return (of) => (of.error === undefined ? value(of) : undefined);
}

/** The lines of the text format of Prometheus. */
export function statusInPrometheus(place: string, judged: readonly Judged[]): string[] {
  const found = [
    `# HELP ${FOUND} Repositories that were found in a place.`,
    `# TYPE ${FOUND} gauge`,
    `${FOUND}{place="${escaped(place)}"} ${judged.length}`,
  ];
  const each = METRICS.flatMap(([name, help, value]) => {
    const metric = PREFIX + name;
    const samples = judged.flatMap((each) => {
      const sample = value(each);
      return sample === undefined ? [] : [`${metric}{location="${escaped(each.location)}"} ${sample}`];
    });
    return samples.length === 0 ? [] : [`# HELP ${metric} ${help}`, `# TYPE ${metric} gauge`, ...samples];
  });
  return [...found, ...each];
}

const escaped = (label: string) => label.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
