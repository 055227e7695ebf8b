// npm run bench:backup: compares createBackup (of everything, and of what changed), verifyBackup and restoreBackup with a C++ program that
// calls rocksdb::BackupEngine directly, with the same library, options and data. Also measures the event loop's delay and the memory that a
// backup adds.

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBaseline, runForJson } from './baseline.js';
import type { LoopDelay, Measured, MemoryAdded, Round } from './measurements.js';
import { conditions, markdown, type Results } from './report.js';

const MEASUREMENTS = ['create', 'incremental', 'verify', 'restore', 'loop', 'memory'];

const HELP = `npm run bench:backup -- [options]

  --mib N          size of the database                           default 1024
  --runs N         counted runs of each program                   default 9
  --threads LIST   values of maxBackgroundOperations              default 1,2
  --only LIST      of ${MEASUREMENTS}           default all
  --dir PATH       where databases and backups lie (3 x size)     default build/bench/data
  --cold           sources are out of the page cache when a run begins, instead of in it
  --core           also the C++ program through binding/core, without node
  --write          writes docs/benchmarks/backup.md and backup.json, or on a tmpfs backup-tmpfs`;

const root = join(__dirname, '..', '..');

const { values: options } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    runs: { type: 'string', default: '9' },
    threads: { type: 'string', default: '1,2' },
    only: { type: 'string', default: String(MEASUREMENTS) },
    dir: { type: 'string', default: join(root, 'build', 'bench', 'data') },
    cold: { type: 'boolean', default: false },
    core: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

const positive = (name: 'mib' | 'runs' | 'threads', text = options[name]) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`--${name} is a positive integer`);
  return value;
};
const mib = positive('mib');
const runs = positive('runs');
const threadCounts = options.threads.split(',').map((text) => positive('threads', text));
const wanted = new Set(options.only.split(','));
for (const name of wanted) {
  if (!MEASUREMENTS.includes(name)) throw new RangeError(`--only is a list of ${MEASUREMENTS}, not ${name}`);
}
const directory = resolve(options.dir);
const pageCache = options.cold ? 'cold' : 'warm';

const backups = join(directory, 'backups'); // every run makes and removes it
const reference = join(directory, 'reference'); // verify and restore read this one
const restored = join(directory, 'restored');
const changed = join(directory, 'changed'); // the database with one of a hundred values changed
const remove = (path: string) => rmSync(path, { recursive: true, force: true });

const baselineProgram = buildBaseline();
const baseline = <T = Measured>(...args: string[]) => runForJson<T>(baselineProgram, args);
const ours = <T = Measured>(threads: number, ...args: string[]) =>
  runForJson<T>(process.execPath, ['--expose-gc', join(__dirname, 'backup-child.js'), ...args, String(threads)]);
/** For what is measured with only one number of threads: the event loop, and memory. */
const mostThreads = Math.max(...threadCounts);

/** The database is written once and kept for later runs. */
function database(size: number): string {
  const path = join(directory, `db-${size}`);
  if (!existsSync(path)) {
    process.stderr.write(`writing a database of ${size} MiB\n`);
    const unfinished = `${path}.unfinished`;
    baseline<undefined>('generate', unfinished, '--mib', String(size));
    renameSync(unfinished, path);
  }
  return path;
}

/** Makes sure that everything is on the disk, and that what will be read is in the page cache, or is not. */
const settle = (...sources: string[]) => baseline<undefined>('settle', pageCache, ...sources);

function compare(name: string, prepare: () => void, ...args: string[]): void {
  for (const threads of threadCounts) {
    const row = `${name}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    results.operations[row] = rounds(row, threads, prepare, args);
  }
}

function rounds(name: string, threads: number, prepare: () => void, args: string[]): Round[] {
  const rounds: Round[] = [];
  const checked = (run: () => Measured): Measured => {
    prepare();
    const measured = run();
    if (measured.bytes < mib * 2 ** 20) throw new Error(`${name} moved ${measured.bytes} bytes only`);
    return measured;
  };
  const native = [...args, '--threads', String(threads)];
  for (let i = 0; i <= runs; i++) {
    process.stderr.write(i === 0 ? `${name}: warm-up\n` : `${name}: ${i} of ${runs}\n`);
    // The first one in a round has an advantage or a disadvantage, because the file system still works for the last one of the round
    // before. So the order changes.
    const turns: [keyof Round, () => Measured][] = [
      ['baseline', () => baseline(...native)],
      ...(options.core ? [['core', () => baseline(...native, '--core')] as [keyof Round, () => Measured]] : []),
      ['ours', () => ours(threads, ...args)],
    ];
    const round = {} as Round;
    for (const [program, run] of i % 2 === 0 ? turns : turns.reverse()) round[program] = checked(run);
    if (i > 0) rounds.push(round);
  }
  return rounds;
}

function measureLoop(db: string): LoopDelay[] {
  return Array.from({ length: runs }, (_, i) => {
    process.stderr.write(`event loop: ${i + 1} of ${runs}\n`);
    remove(backups);
    settle(db);
    return ours<LoopDelay>(mostThreads, 'loop', db, backups);
  });
}

/** The one of several runs that added the most memory. */
function measureMemory(size: number): MemoryAdded {
  const db = database(size);
  const each = Array.from({ length: runs }, (_, i) => {
    process.stderr.write(`memory, ${size} MiB: ${i + 1} of ${runs}\n`);
    remove(backups);
    settle(db);
    return ours<MemoryAdded>(mostThreads, 'memory', db, backups);
  });
  return each.reduce((most, run) => (run.rssAdded > most.rssAdded ? run : most));
}

mkdirSync(directory, { recursive: true });
const db = database(mib);
const results: Results = {
  conditions: conditions(directory, { pageCache, threads: threadCounts, mib, runs }),
  operations: {},
  loop: [],
  memory: [],
};
const load = () => loadavg()[0] ?? 0;
results.conditions.load.before = load();
try {
  if (wanted.has('create')) {
    const prepare = () => {
      remove(backups);
      settle(db);
    };
    compare('create', prepare, 'create', db, backups);
  }
  remove(backups);
  if (wanted.has('verify') || wanted.has('restore') || wanted.has('incremental')) {
    remove(reference);
    baseline('create', db, reference);
  }
  if (wanted.has('verify')) compare('verify', () => settle(reference), 'verify', reference);
  if (wanted.has('restore')) {
    const prepare = () => {
      remove(restored);
      settle(reference);
    };
    compare('restore', prepare, 'restore', reference, restored);
  }
  remove(restored);
  if (wanted.has('incremental')) {
    baseline('change', db, changed, '--mib', String(mib));
    baseline('create', changed, reference); // this backup is forgotten before the first run
    const prepare = () => {
      baseline('forget', reference);
      settle(changed, reference);
    };
    compare('incremental', prepare, 'create', changed, reference);
  }
  remove(reference);
  if (wanted.has('loop')) results.loop = measureLoop(db);
  if (wanted.has('memory')) {
    if (process.platform === 'linux') {
      results.memory = [...new Set([Math.max(1, mib >> 3), mib])].map(measureMemory);
    } else {
      process.stderr.write('memory: needs /proc, not measured\n');
    }
  }
} finally {
  for (const path of [backups, reference, restored, changed]) remove(path);
}
results.conditions.load.after = load();

const text = markdown(results);
console.log(text);
if (options.write) {
  const folder = join(root, 'docs', 'benchmarks');
  mkdirSync(folder, { recursive: true });
  const name = results.conditions.fileSystem === 'tmpfs' ? 'backup-tmpfs' : 'backup';
  writeFileSync(join(folder, `${name}.md`), text);
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(results, null, 2)}\n`);
}
