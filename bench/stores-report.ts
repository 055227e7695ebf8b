import { median } from './measurements.js';
import { type Conditions, table } from './report.js';
import { KINDS } from './request-formulas.js';
import type { StoreMeasured } from './stores-child.js';
import type { Requests } from './stores-requests.js';

export const TARGETS = { throughput: 0.9, loopDelayP99: 10 };

/** The bare loop of the SDK, and the package. */
export type StoreRound = Record<'baseline' | 'ours', StoreMeasured>;

interface Delay {
  seconds: number;
  p50: number;
  p99: number;
  max: number;
}

export interface LoopRun {
  busy: Delay;
  idle: Delay;
}

export interface StoreResults {
  conditions: Conditions;
  tables: number;
  backups: number;
  large: Record<string, StoreRound[]>;
  small: Record<string, StoreRound[]>;
  loop: LoopRun[];
  lists: { objects: number; cold: StoreMeasured; warm: StoreMeasured }[];
  requests: Requests[];
}

const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
const range = (values: number[], digits = 2) =>
  `**${median(values).toFixed(digits)}** (${Math.min(...values).toFixed(digits)} – ${Math.max(...values).toFixed(digits)})`;

function transfers(of: Record<string, StoreRound[]>): string {
  const rows = Object.entries(of).flatMap(([name, rounds]) =>
    (['baseline', 'ours'] as const).map((side) => {
      const all = rounds.map((round) => round[side]);
      const throughput = rounds.map((round) => round.baseline.seconds / round.ours.seconds);
      return [
        name,
        side === 'ours' ? '`rocksdb-backup`' : 'loop of the SDK',
        median(all.map(({ seconds }) => seconds)).toFixed(2),
        mebibytes(median(all.map(({ bytes, seconds }) => bytes / seconds))),
        side === 'ours' ? range(throughput) : '1',
        median(all.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2),
        mebibytes(Math.max(...all.map(({ rssAdded }) => rssAdded))),
        side === 'ours'
          ? `${TARGETS.throughput}: ${median(throughput) >= TARGETS.throughput ? 'met' : '**missed**'}`
          : '',
      ];
    }),
  );
  return table(['', 'program', 'seconds', 'MiB/s', 'throughput', 'CPU seconds', 'RSS added, MiB', 'at least'], rows);
}

export function markdown(results: StoreResults): string {
  const { conditions: c } = results;
  const parts = [
    '# Repositories in object storage',
    `${c.date}: node ${c.node}, RocksDB ${c.rocksdb}; ${c.cpu}, ${c.cores} cores, ${c.memoryGiB} GiB; ${c.kernel}; ` +
      `load ${c.load.before.toFixed(1)} before, ${c.load.after.toFixed(1)} after.`,
    `\`npm run bench:stores\`: one Ceph gateway on the same machine, whose disk is in memory. It shares the ${c.cores} cores with the ` +
      `programs. Counted runs of each program: ${c.runs}, in turns, each in a process of its own. The loop of the SDK sends and ` +
      'receives the same tables in the same parts of 8 MiB, 4 parts of a file at a time; it makes no lists, takes no lease, and ' +
      'keeps no checksums. Files at a time are `maxBackgroundOperations`. Throughput is the time of the loop divided by ours, run by run: median (lowest – highest).',
  ];
  if (Object.keys(results.large).length > 0) {
    parts.push(`## ${c.mib} MiB in tables of 64 MiB`, transfers(results.large));
  }
  if (Object.keys(results.small).length > 0) {
    parts.push(`## ${results.tables} tables of about 1 KB`, transfers(results.small));
  }
  if (results.loop.length > 0) {
    const row = (name: string, of: 'busy' | 'idle') => [
      name,
      range(results.loop.map((run) => run[of].p50)),
      range(results.loop.map((run) => run[of].p99)),
      Math.max(...results.loop.map((run) => run[of].max)).toFixed(1),
    ];
    parts.push(
      '## Event loop',
      `Delay of the service's own event loop in ms while ${c.mib} MiB are uploaded, with a resolution of 1 ms, which is part of each value.`,
      table(['', 'p50', 'p99', 'max'], [row('during an upload', 'busy'), row('idle, as long', 'idle')]),
    );
  }
  if (results.lists.length > 0) {
    const times = (of: 'cold' | 'warm') =>
      range(
        results.lists.map((run) => run[of].seconds * 1000),
        0,
      );
    parts.push(
      `## A list of ${results.backups} backups`,
      `${results.lists[0]!.objects} objects. Milliseconds.`,
      table(
        ['', 'ms'],
        [
          ['for the first time in a process', times('cold')],
          ['again', times('warm')],
        ],
      ),
    );
  }
  if (results.requests.length > 0) {
    parts.push(
      '## Requests',
      'As the store gets them. `create`, `part` and `complete` are those of uploads in parts.',
      table(
        ['', ...KINDS],
        results.requests.map(({ operation, counts }) => [
          operation,
          ...KINDS.map((kind) => String(counts[kind] || '')),
        ]),
      ),
      ...results.requests.flatMap(({ operation, unexpected }) =>
        unexpected.length === 0 ? [] : [`**Not as expected**: ${operation}: ${unexpected.join('; ')}.`],
      ),
    );
  }
  return `${parts.join('\n\n')}\n`;
}
