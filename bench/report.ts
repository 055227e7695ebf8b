import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { engineInfo } from '../lib/index.js';
import { type LoopDelay, type MemoryAdded, median, type Ratio, type Round, ratio, type Side } from './measurements.js';

export const TARGETS = { throughput: 0.97, incremental: 0.9, loopDelayP99: 10, memory: 64 << 20 };

export interface Conditions {
  date: string;
  node: string;
  rocksdb: string;
  cpu: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  fileSystem: string;
  pageCache: 'warm' | 'cold';
  threads: number[];
  mib: number;
  runs: number;
  /** The average load of the last minute, at the start and at the end. */
  load: { before: number; after: number };
}

export interface Results {
  conditions: Conditions;
  operations: Partial<Record<string, Round[]>>;
  loop: LoopDelay[];
  memory: MemoryAdded[];
}

export function conditions(
  directory: string,
  rest: Pick<Conditions, 'pageCache' | 'threads' | 'mib' | 'runs'>,
): Conditions {
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    rocksdb: engineInfo().rocksdb,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    fileSystem: fileSystemOf(directory),
    load: { before: 0, after: 0 },
    ...rest,
  };
}

function fileSystemOf(directory: string): string {
  try {
    return execFileSync('df', ['--output=fstype', directory], { encoding: 'utf8' }).trim().split(/\s+/).at(-1)!;
  } catch {
    return 'unknown';
  }
}

const SIDES: Record<Side, string> = {
  baseline: 'C++, `rocksdb::BackupEngine`',
  core: 'C++, `binding/core`',
  ours: 'node, `rocksdb-backup`',
};

const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
const milliseconds = (value: number) => value.toFixed(2);
const times = ({ median, min, max }: Ratio) => `**${median.toFixed(3)}** (${min.toFixed(3)} – ${max.toFixed(3)})`;

export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

const verdict = (met: boolean) => (met ? 'met' : '**missed**');

function throughput(operations: Results['operations']): string {
  const rows: string[][] = [];
  for (const [name, rounds] of Object.entries(operations)) {
    const target = name.startsWith('incremental') ? TARGETS.incremental : TARGETS.throughput;
    for (const side of ['baseline', 'core', 'ours'] as const) {
      if (!rounds?.[0]?.[side]) continue;
      const seconds = median(rounds.map((round) => round[side].seconds));
      const of = ratio(rounds, side);
      rows.push([
        name,
        SIDES[side],
        seconds.toFixed(3),
        (median(rounds.map((round) => round[side].bytes / round[side].seconds)) / 2 ** 20).toFixed(0),
        ...(side === 'baseline'
          ? ['1', '1', '1', '']
          : [
              times(of),
              of.fastest.toFixed(3),
              times(ratio(rounds, side, 'cpuSeconds')),
              side === 'ours' ? `${target}: ${verdict(of.median >= target)}` : '',
            ]),
      ]);
    }
  }
  return table(['', 'program', 'seconds', 'MiB/s', 'throughput', 'fastest runs', 'CPU', 'at least'], rows);
}

function loopDelay(runs: LoopDelay[]): string {
  const row = (name: string, of: 'busy' | 'idle', check: boolean) => {
    const p99 = median(runs.map((run) => run[of].p99));
    const most = Math.max(...runs.map((run) => run[of].p99));
    return [
      name,
      milliseconds(median(runs.map((run) => run[of].p50))),
      `**${milliseconds(p99)}** (${milliseconds(Math.min(...runs.map((run) => run[of].p99)))} – ${milliseconds(most)})`,
      milliseconds(Math.max(...runs.map((run) => run[of].max))),
      median(runs.map((run) => run[of].waitedForCpu)).toFixed(0),
      String(runs.reduce((sum, run) => sum + run[of].samples, 0)),
      check ? verdict(p99 <= TARGETS.loopDelayP99) : '',
    ];
  };
  return table(
    ['event-loop delay in ms', 'p50', 'p99', 'max', 'no CPU, of 1000', 'samples', `p99 ≤ ${TARGETS.loopDelayP99}`],
    [row('during a backup', 'busy', true), row('idle, as long', 'idle', false)],
  );
}

function memoryAdded(runs: MemoryAdded[]): string {
  return table(
    ['database in MiB', 'RSS before', 'RSS added', 'of it anonymous', `≤ ${TARGETS.memory / 2 ** 20}`],
    runs.map((run) => [
      mebibytes(run.bytes),
      mebibytes(run.rssBefore),
      `**${mebibytes(run.rssAdded)}**`,
      mebibytes(run.anonymousAdded),
      verdict(run.rssAdded <= TARGETS.memory),
    ]),
  );
}

export function markdown({ conditions: c, operations, loop, memory }: Results): string {
  const parts = [
    '# Backups, beside a C++ program',
    `${c.date}: node ${c.node}, RocksDB ${c.rocksdb}; ${c.cpu}, ${c.cores} cores, ${c.memoryGiB} GiB; ${c.kernel}, ` +
      `${c.fileSystem}; load ${c.load.before.toFixed(1)} before, ${c.load.after.toFixed(1)} after.`,
    `\`npm run bench:backup\`: ${c.mib} MiB of 1 KiB values in files of 64 MiB, not compressible; ${c.threads.join(' or ')} copying ` +
      `threads; an incremental copies one value of a hundred; sync on, page cache ${c.pageCache}; runs of each program: ${c.runs}, in turns, each in a process of its own. ` +
      'The operation is timed inside the process, on an engine that is open. Throughput is ours divided by that of ' +
      'the C++ program, run by run: median (lowest – highest); CPU is the same by processor time of all threads.',
  ];
  if (Object.keys(operations).length > 0) parts.push('## Throughput', throughput(operations));
  if (loop.length > 0) {
    parts.push(
      '## Event loop',
      'As `perf_hooks.monitorEventLoopDelay` has it with a resolution of 1 ms, which is part of each value; with a listener ' +
        'for progress. "No CPU": how long in each 1000 ms the thread was ready to run while other threads, of this or any ' +
        'process, had the processors.',
      loopDelay(loop),
    );
  }
  if (memory.length > 0) {
    parts.push(
      '## Memory',
      'Resident memory (in MiB) right before a backup, and the most that the backup added to it: the highest of ' +
        '`/proc/self/status` (VmHWM, reset before), and of RssAnon in samples of 2 ms. The highest of the runs.',
      memoryAdded(memory),
    );
  }
  return `${parts.join('\n\n')}\n`;
}
