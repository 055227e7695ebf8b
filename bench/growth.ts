// npm run bench:growth: how long operations take in a repository with thousands of backups. Compares with a C++ program whose
// rocksdb::BackupEngine is opened once and stays open.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildBaseline, runForJson } from './baseline.js';
import { conditions, table } from './report.js';

const HELP = `npm run bench:growth -- [options]

  --backups N      of the directory                               default 2000
  --files N        of each backup                                 default 200
  --dir PATH       where databases and backups lie                default build/bench/growth
  --write          writes docs/benchmarks/growth.md and growth.json`;

const root = join(__dirname, '..', '..');
const { values: options } = parseArgs({
  options: {
    backups: { type: 'string', default: '2000' },
    files: { type: 'string', default: '200' },
    dir: { type: 'string', default: join(root, 'build', 'bench', 'growth') },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

type Times = Record<string, number>;

/** The rows, and how much each may take: in milliseconds, or relative to the C++ program's time. */
const ROWS: { name: string; row: string; most?: (native: number) => number; target?: string }[] = [
  { name: 'openFirst', row: 'open, the first in a process' },
  { name: 'open', row: 'open', most: (native) => 2 * native, target: '2 x' },
  { name: 'list', row: 'list', most: () => 50, target: '50 ms' },
  { name: 'listFiles', row: 'list with all files' },
  { name: 'latest', row: 'the latest', most: () => 50, target: '50 ms' },
  { name: 'details', row: 'one with its files', most: () => 50, target: '50 ms' },
  { name: 'verify', row: 'verify by size', most: () => 50, target: '50 ms' },
  { name: 'createFirst', row: 'create with nothing new, the first in a process' },
  { name: 'createNothingNew', row: 'create with nothing new', most: (native) => 2 * native, target: '2 x' },
  { name: 'create', row: 'create with one file', most: (native) => 2 * native, target: '2 x' },
  { name: 'delete', row: 'delete one', most: () => 50, target: '50 ms' },
  { name: 'purge', row: 'purge to 10', most: (native) => 2 * native, target: '2 x' },
];

const directory = resolve(options.dir);
const copyDb = join(directory, 'db-copy');
const copy = join(directory, 'backups-copy');
const remove = (path: string) => rmSync(path, { recursive: true, force: true });
const baselineProgram = buildBaseline();

/** Made once and kept for later runs. */
function grown(name: string, ...size: string[]): { db: string; backups: string } {
  const db = join(directory, `db-${name}`);
  const backups = join(directory, `backups-${name}`);
  if (!existsSync(join(directory, `${name}.complete`))) {
    process.stderr.write(`making ${backups}\n`);
    runForJson(baselineProgram, ['grow', db, backups, ...size]);
    writeFileSync(join(directory, `${name}.complete`), '');
  }
  return { db, backups };
}

/** Makes fresh copies and waits until they are so old that what was read of them may be remembered. */
async function fresh({ db, backups }: { db: string; backups: string }): Promise<void> {
  remove(copyDb);
  remove(copy);
  execFileSync('cp', ['-a', db, copyDb]);
  execFileSync('cp', ['-a', backups, copy]);
  execFileSync('sync');
  await sleep(5000);
}

function seconds(...words: string[]): number {
  const start = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'dist', 'lib', 'cli', 'main.js'), ...words], {
    maxBuffer: 1 << 28,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`rocksdb-backup ${words.join(' ')} ended with ${status}: ${stderr}`);
  return Number(process.hrtime.bigint() - start) / 1e9;
}

async function main() {
  mkdirSync(directory, { recursive: true });
  const { date, node, rocksdb, cpu, cores, memoryGiB, kernel, fileSystem } = conditions(directory, {
    pageCache: 'warm',
    threads: [1],
    mib: 0,
    runs: 9,
  });
  const before = loadavg()[0] ?? 0;
  const many = grown(`${options.backups}-${options.files}`, '--backups', options.backups, '--files', options.files);
  await fresh(many);
  const native = runForJson<Times>(baselineProgram, ['growth', copyDb, copy]);
  await fresh(many);
  const ours = runForJson<Times>(process.execPath, [join(__dirname, 'growth-child.js'), copyDb, copy]);
  await fresh(many);
  const commands: [string, number][] = [
    [`list, ${options.backups} backups of ${options.files} files`, seconds('list', copy)],
  ];
  const families = grown('families', '--backups', '250', '--files', '600', '--families', '60');
  await fresh(families);
  commands.push(
    ['verify --all, 250 backups of 60 families', seconds('verify', copy, '--all')],
    ['prune --keep-last 200, the same', seconds('prune', copy, '--keep-last', '200', '--yes')],
  );
  remove(copyDb);
  remove(copy);
  const load = `load ${before.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after`;

  const base = (name: string) => native[name] ?? native[name.replace('First', '')] ?? native.createNothingNew!;
  const text = [
    '# Thousands of backups',
    '',
    `${date}: node ${node}, RocksDB ${rocksdb}; ${cpu}, ${cores} cores, ${memoryGiB} GiB; ${kernel}, ${fileSystem}; ${load}.`,
    '',
    `\`npm run bench:growth\`: ${options.backups} backups of ${options.files} files, of which each has one that the one before has not. Milliseconds, medians of nine; purge once. The C++ program opens one \`rocksdb::BackupEngine\` and leaves it open: it reads the directory at "open", and knows nothing of what others do to it since. \`rocksdb-backup\` looks at the directory in each operation.`,
    '',
    table(
      ['', 'C++, an engine that stays open', 'rocksdb-backup', 'target', ''],
      ROWS.map(({ name, row, most, target = '' }) => [
        row,
        base(name).toFixed(1),
        ours[name]!.toFixed(1),
        target,
        most === undefined ? '' : ours[name]! <= most(base(name)) ? 'met' : '**missed**',
      ]),
    ),
    '',
    'The command line, a process each:',
    '',
    table(
      ['`rocksdb-backup`', 'seconds'],
      commands.map(([row, value]) => [row, value.toFixed(2)]),
    ),
    '',
  ].join('\n');
  console.log(text);
  if (options.write) {
    const folder = join(root, 'docs', 'benchmarks');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'growth.md'), text);
    writeFileSync(join(folder, 'growth.json'), `${JSON.stringify({ native, ours, commands }, null, 2)}\n`);
  }
}

void main();
