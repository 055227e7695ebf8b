// npm run bench:kv: the same work on this package and on the other packages for RocksDB and LevelDB, in turns, each package in its own
// process.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ENGINES } from './kv/engines.js';
import { type KvResults, kvChart, kvMarkdown } from './kv/report.js';
import { ROWS } from './kv/rows.js';
import type { Job, JobResult } from './kv-child.js';
import { conditions } from './report.js';

const HELP = `npm run bench:kv -- [options]

  --entries N         how many entries the databases have             default 1000000
  --value-bytes LIST  sizes of values                                 default 100,1024
  --rounds N          how often each package has its turn             default 3
  --seconds S         how long a row is measured, at most             default 1
  --rows LIST         of ${ROWS.map((row) => row.name).join(',')}
                                                                      default all
  --engines LIST      of ${Object.keys(ENGINES).join(',')}
                                                                      default all
  --cache-mib N       the block cache, for those that can be told     default 64
  --dir PATH          where databases lie                             default build/bench/kv
  --write             writes docs/benchmarks/kv.md, kv.json and kv.svg`;

const root = join(__dirname, '..', '..');
const { values: options } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    'value-bytes': { type: 'string', default: '100,1024' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    rows: { type: 'string', default: String(ROWS.map((row) => row.name)) },
    engines: { type: 'string', default: String(Object.keys(ENGINES)) },
    'cache-mib': { type: 'string', default: '64' },
    dir: { type: 'string', default: join(root, 'build', 'bench', 'kv') },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new RangeError(`--${name} is a positive number, not ${text}`);
  return value;
}

function choice(name: string, list: string, all: string[]): string[] {
  const chosen = list.split(',');
  for (const each of chosen) {
    if (!all.includes(each)) throw new RangeError(`--${name} is a list of ${all}, not ${each}`);
  }
  return chosen;
}

const entries = positive('entries', options.entries);
const rounds = positive('rounds', options.rounds);
const milliseconds = positive('seconds', options.seconds) * 1000;
const cacheBytes = positive('cache-mib', options['cache-mib']) * 2 ** 20;
const valueSizes = options['value-bytes'].split(',').map((size) => positive('value-bytes', size));
const rows = choice(
  'rows',
  options.rows,
  ROWS.map((row) => row.name),
);
const engines = choice('engines', options.engines, Object.keys(ENGINES));
const directory = resolve(options.dir);

function run(job: Job): JobResult {
  mkdirSync(job.directory, { recursive: true });
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [join(__dirname, 'kv-child.js'), JSON.stringify(job)],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${job.engine} ended with ${signal ?? status}:\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

mkdirSync(directory, { recursive: true });
const results: KvResults = {
  conditions: conditions(directory, { pageCache: 'warm', threads: [0], mib: 0, runs: rounds }),
  entries,
  cacheBytes,
  milliseconds,
  engines,
  timings: {},
  gaps: {},
};
results.conditions.load.before = loadavg()[0] ?? 0;
for (const valueBytes of valueSizes) {
  const jobs = engines.map((engine): Job => {
    const own = join(directory, `${engine.replace(/[^a-z0-9]+/gi, '-')}-${entries}x${valueBytes}`);
    return { engine, directory: own, rows, entries, valueBytes, cacheBytes, seed: 1, milliseconds };
  });
  for (const job of jobs) {
    const full = join(job.directory, 'full');
    if (existsSync(join(job.directory, 'filled'))) continue;
    process.stderr.write(`${job.engine}: filling a database with ${entries} values of ${valueBytes} bytes\n`);
    rmSync(full, { recursive: true, force: true });
    run({ ...job, rows: [] });
    const marker = join(job.directory, 'filled.new');
    writeFileSync(marker, '');
    renameSync(marker, join(job.directory, 'filled'));
  }
  for (let round = 1; round <= rounds; round++) {
    // Row by row, so that results that are compared are measured within seconds. Each round begins with another package.
    for (const row of rows) {
      for (let i = 0; i < jobs.length; i++) {
        const job = jobs[(i + round) % jobs.length]!;
        process.stderr.write(`\r\x1b[K${valueBytes} bytes, round ${round} of ${rounds}: ${row}, ${job.engine}`);
        const timing = run({ ...job, rows: [row], seed: round * 7919 })[row];
        if (timing === undefined) continue;
        results.timings[valueBytes] ??= {};
        results.timings[valueBytes][row] ??= {};
        const each = results.timings[valueBytes][row];
        each[job.engine] ??= [];
        each[job.engine]!.push(timing.nanoseconds / timing.operations);
        if (timing.gap === undefined) continue;
        results.gaps[valueBytes] ??= {};
        results.gaps[valueBytes][row] ??= {};
        results.gaps[valueBytes][row][job.engine] ??= [];
        results.gaps[valueBytes][row][job.engine]!.push(timing.gap);
      }
    }
  }
}
process.stderr.write('\r\x1b[K');
results.conditions.load.after = loadavg()[0] ?? 0;

const text = kvMarkdown(results);
console.log(text);
if (options.write) {
  const folder = join(root, 'docs', 'benchmarks');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'kv.md'), `${text}\n![](kv.svg)\n`);
  writeFileSync(join(folder, 'kv.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(folder, 'kv.svg'), kvChart(results));
}
