// npm run bench:archive: what the archive of the log costs a database, and how fast a recovery replays it. Two databases, one of them archived to
// a directory, take turns; each number is the ratio of two neighbouring runs. Prints Markdown.

import { mkdirSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { Database, PointInTimeRecovery } from '../lib/index.js';
import { median } from './measurements.js';

const HELP = `npm run bench:archive -- [options]

  --rounds N    how often each of the two runs      default 9
  --seconds S   how long each run of the lag takes  default 20
  --rate MB     that are written in each second of it   default 10
  --dir PATH    where the databases lie             default build/bench/archive`;

const root = join(__dirname, '..', '..');
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '10' },
    dir: { type: 'string', default: join(root, 'build', 'bench', 'archive') },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

const directory = resolve(options.dir);
const MAX_DELAY = 1000;
const VALUE = Buffer.alloc(100, 'abcdefghijklmnopqrstuvwxyz');
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
const percentile = (values: number[], part: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] as number;

async function open(name: string, archived: boolean): Promise<Database> {
  const db = await Database.open(join(directory, name), {
    ...(archived && { archive: { to: join(directory, `${name}-repository`), maxDelay: MAX_DELAY } }),
  });
  while (db.archive !== undefined && (db.archive.status().timeline === undefined || db.archive.status().needsBase)) {
    await pause(50);
  }
  return db;
}

/** Each returns operations a second. */
const workloads = {
  'batches of 1,000 puts': async (db: Database) => {
    const begun = performance.now();
    for (let i = 0; i < 200; i++) {
      const batch = db.batch();
      for (let k = 0; k < 1000; k++) batch.put(`key${(i * 1000 + k) % 100_000}`, VALUE);
      await batch.write();
    }
    return 200_000 / (performance.now() - begun);
  },
  'single awaited puts': async (db: Database) => {
    const begun = performance.now();
    for (let i = 0; i < 100_000; i++) await db.put(`key${i}`, VALUE);
    return 100_000 / (performance.now() - begun);
  },
};

async function foreground(plain: Database, archived: Database): Promise<void> {
  console.log('| foreground, with the archive / without | median | least | most |\n| --- | ---: | ---: | ---: |');
  for (const [name, run] of Object.entries(workloads)) {
    const ratios: number[] = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      const speed = new Map<Database, number>();
      for (const db of round % 2 === 0 ? [plain, archived] : [archived, plain]) speed.set(db, await run(db));
      ratios.push((speed.get(archived) as number) / (speed.get(plain) as number));
    }
    const [middle, least, most] = [median(ratios), Math.min(...ratios), Math.max(...ratios)];
    console.log(`| ${name} | **${middle.toFixed(2)}** | ${least.toFixed(2)} | ${most.toFixed(2)} |`);
  }
}

/** Writes at a steady rate, and looks how far the archive is behind. */
async function lag(plain: Database, archived: Database): Promise<void> {
  const bytesPerTick = (Number(options.rate) * 1e6) / 100;
  const write = async (db: Database, seen?: () => void) => {
    const cpu = process.cpuUsage();
    const begun = performance.now();
    for (let tick = 0; tick < Number(options.seconds) * 100; tick++) {
      const batch = db.batch();
      for (let bytes = 0; bytes < bytesPerTick; bytes += 110) batch.put(`key${tick}-${bytes}`, VALUE);
      await batch.write();
      seen?.();
      await pause(Math.max(0, begun + 10 * (tick + 1) - performance.now()));
    }
    const { user, system } = process.cpuUsage(cpu);
    return (user + system) / 1000 / (performance.now() - begun);
  };
  const without = await write(plain);
  const before = process.memoryUsage().rss;
  let most = before;
  const delays: number[] = [];
  const begun = Date.now();
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const withArchive = await write(archived, () => {
    const { archivedTime } = archived.archive!.status();
    // Before this run, nothing was written for a while.
    if (archivedTime !== undefined && archivedTime.getTime() > begun) delays.push(Date.now() - archivedTime.getTime());
    most = Math.max(most, process.memoryUsage().rss);
  });
  loop.disable();
  console.log(`\n| at ${options.rate} MB a second, maxDelay ${MAX_DELAY} ms | |\n| --- | ---: |`);
  console.log(`| behind, p50 | ${percentile(delays, 0.5)} ms |`);
  console.log(`| behind, p99 | ${percentile(delays, 0.99)} ms |`);
  console.log(`| processor time more than without, of one core | ${(100 * (withArchive - without)).toFixed(1)} % |`);
  console.log(`| memory more than before | ${((most - before) / 2 ** 20).toFixed(0)} MiB |`);
  console.log(`| event loop, p99 | ${(loop.percentile(99) / 1e6).toFixed(1)} ms |`);
}

async function replay(): Promise<void> {
  const recovery = await PointInTimeRecovery.open(join(directory, 'archived-repository'));
  const { writesReplayed, bytesReplayed, duration } = await recovery.recoverToLatest({
    into: join(directory, 'recovered'),
  });
  await recovery.close();
  console.log('\n| recovery | |\n| --- | ---: |');
  console.log(`| writes replayed | ${writesReplayed} |`);
  console.log(`| writes a second | ${Math.round((1000 * writesReplayed) / duration)} |`);
  console.log(`| MB a second | ${(bytesReplayed / 1000 / duration).toFixed(0)} |`);
}

async function main() {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const before = loadavg()[0]!;
  const plain = await open('plain', false);
  const archived = await open('archived', true);
  await foreground(plain, archived);
  await lag(plain, archived);
  await archived.close();
  await plain.close();
  await replay();
  console.log(`\nLoad ${before.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after.`);
  rmSync(directory, { recursive: true, force: true });
}

main().catch((error: Error) => {
  console.error(error);
  process.exitCode = 1;
});
