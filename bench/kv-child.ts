// The part of bench:kv for one package, in its own process. Its JSON argument is a Job. It prints what it measured.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { ENGINES, type KvEngine } from './kv/engines.js';
import { keyOf, ROWS, type Timing } from './kv/rows.js';

export interface Job {
  engine: string;
  /** The directory of its databases. `full` is made if it does not exist. */
  directory: string;
  rows: string[];
  entries: number;
  valueBytes: number;
  cacheBytes: number;
  seed: number;
  milliseconds: number;
}

export type JobResult = Record<string, Timing>;

/** Half of the value compresses well, the other half not at all, like real data. */
function makeValue(bytes: number, random: (limit: number) => number): Buffer {
  const value = Buffer.alloc(bytes, 'value ');
  for (let i = 0; i < bytes / 2; i++) value[i] = random(256);
  return value;
}

/** Marsaglia's xorshift, so that every package gets the same keys. */
function generator(seed: number): (limit: number) => number {
  let x = seed | 1;
  return (limit) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % limit;
  };
}

async function fill(db: KvEngine, job: Job): Promise<void> {
  const random = generator(1);
  // Visits each key once, not in the order of the keys: the multiplier and the count have no common divisor.
  for (let done = 0; done < job.entries; ) {
    const entries: [string, Buffer][] = [];
    for (; entries.length < 1000 && done < job.entries; done++) {
      entries.push([keyOf((done * 7919) % job.entries), makeValue(job.valueBytes, random)]);
    }
    await db.batch(entries);
  }
}

/** One busy process for each processor, so that every thread must share its processor. */
function busyProcesses(): Promise<ChildProcess[]> {
  return Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      const script = "require('node:fs').writeSync(1, 'busy'); for (;;);";
      const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
      await once(child.stdout, 'data');
      return child;
    }),
  );
}

async function main(job: Job): Promise<JobResult> {
  const make = ENGINES[job.engine]!;
  const random = generator(job.seed);
  const value = makeValue(job.valueBytes, random);
  const results: JobResult = {};
  let db: KvEngine | undefined;
  const open = async (path: string) => {
    const engine = make();
    await engine.open(path, job.cacheBytes);
    return engine;
  };
  for (const row of ROWS.filter((row) => job.rows.includes(row.name))) {
    const budget = { operations: job.entries, milliseconds: job.milliseconds };
    if (row.on === 'empty') {
      const path = `${job.directory}/empty`;
      rmSync(path, { recursive: true, force: true });
      const empty = await open(path);
      results[row.name] = (await row.run({ db: empty, entries: job.entries, value, random, budget }))!;
      await empty.close();
      rmSync(path, { recursive: true, force: true });
      continue;
    }
    if (db === undefined || row.cold) {
      await db?.close();
      db = await open(`${job.directory}/full`);
    }
    const others = row.gap === 'busy' ? await busyProcesses() : [];
    const timing = await row.run({ db, entries: job.entries, value, random, budget });
    for (const other of others) other.kill();
    if (timing !== undefined) results[row.name] = timing;
  }
  if (job.rows.length === 0) {
    db = await open(`${job.directory}/full`);
    await fill(db, job);
  }
  await db?.close();
  return results;
}

main(JSON.parse(process.argv[2]!)).then(
  (results) => console.log(JSON.stringify(results)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
