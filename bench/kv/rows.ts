// The measurements of bench:kv, row by row.

import type { KvEngine } from './engines.js';

/** What a row gets. */
export interface Task {
  db: KvEngine;
  entries: number;
  value: Buffer;
  /** A random whole number below `limit`. */
  random(limit: number): number;
  /** The maximum number of operations, and the maximum time. */
  budget: { operations: number; milliseconds: number };
}

export interface Row {
  name: string;
  title: string;
  /** 'empty': starts with a new database. 'full': reads the database that has all entries. */
  on: 'empty' | 'full';
  /** Whether the database is opened again for the row, so that nothing is in its cache. */
  cold?: boolean;
  /** Set if the row measures the longest gap of the event loop, and not time. 'busy': while another process is busy. */
  gap?: 'idle' | 'busy';
  /** Undefined if the package has no such call. Otherwise, how many operations were done in how many nanoseconds. */
  run(task: Task): Promise<Timing | undefined>;
}

export interface Timing {
  operations: number;
  nanoseconds: number;
  /** The longest time between two turns of the event loop, in milliseconds, if the row measures that. */
  gap?: number;
}

export const keyOf = (n: number): string => `key:${String(n).padStart(12, '0')}`;

const HOT_KEYS = 1000;

/** Repeats a step of `size` operations until the budget is used up. */
async function repeat(task: Task, size: number, step: (done: number) => unknown): Promise<Timing> {
  const begin = process.hrtime.bigint();
  const end = begin + BigInt(task.budget.milliseconds) * 1_000_000n;
  let done = 0;
  let now = begin;
  while (done < task.budget.operations && now < end) {
    // The clock is read only from time to time.
    for (let i = 0; i < 32 && done < task.budget.operations; i++) {
      await step(done);
      done += size;
    }
    now = process.hrtime.bigint();
  }
  return { operations: done, nanoseconds: Number(now - begin) };
}

function repeatNow(task: Task, step: (done: number) => void): Timing {
  const begin = process.hrtime.bigint();
  const end = begin + BigInt(task.budget.milliseconds) * 1_000_000n;
  let done = 0;
  let now = begin;
  while (done < task.budget.operations && now < end) {
    for (let i = 0; i < 256; i++) step(done++);
    now = process.hrtime.bigint();
  }
  return { operations: done, nanoseconds: Number(now - begin) };
}

const sequential = (task: Task, done: number) => keyOf(done % task.entries);
const anywhere = (task: Task) => keyOf(task.random(task.entries));
const hot = (task: Task) => keyOf(task.random(Math.min(HOT_KEYS, task.entries)));
type Choice = (task: Task, done: number) => string;

function put(name: string, title: string, key: Choice): Row {
  return {
    name,
    title,
    on: 'empty',
    run: (task) => repeat(task, 1, (done) => task.db.put(key(task, done), task.value)),
  };
}

function put64(name: string, title: string, key: Choice): Row {
  return {
    name,
    title,
    on: 'empty',
    run: (task) =>
      repeat(task, 64, (done) => {
        const puts: Promise<unknown>[] = [];
        for (let i = 0; i < 64; i++) puts.push(task.db.put(key(task, done + i), task.value));
        return Promise.all(puts);
      }),
  };
}

function batch(name: string, title: string, key: Choice): Row {
  return {
    name,
    title,
    on: 'empty',
    run: (task) =>
      repeat(task, 1000, (done) => {
        const entries: [string, Buffer][] = [];
        for (let i = 0; i < 1000; i++) entries.push([key(task, done + i), task.value]);
        return task.db.batch(entries);
      }),
  };
}

const warmUp = async (task: Task) => {
  for (let n = 0; n < Math.min(HOT_KEYS, task.entries); n++) await task.db.get(keyOf(n));
};

function expectFound(value: unknown): void {
  if (value === undefined || value === null) throw new Error('a key that was written is not there');
}

/** Reads keys of a database that was just opened, or hot keys. `run` returns undefined if the package has no such call. */
function read(
  name: string,
  title: string,
  cold: boolean,
  run: (task: Task) => (() => Timing | Promise<Timing>) | undefined,
): Row {
  return {
    name,
    title,
    on: 'full',
    cold,
    async run(task) {
      const measure = run(task);
      if (measure === undefined) return undefined;
      if (!cold) await warmUp(task);
      return measure();
    },
  };
}

function get(name: string, title: string, key: Choice, cold: boolean): Row {
  return read(name, title, cold, (task) => () => {
    return repeat(task, 1, async (done) => expectFound(await task.db.get(key(task, done))));
  });
}

function getMany(name: string, title: string, key: Choice, cold: boolean): Row {
  return read(name, title, cold, (task) => {
    if (task.db.getMany === undefined) return undefined;
    return () =>
      repeat(task, 100, async (done) => {
        const keys = Array.from({ length: 100 }, (_, i) => key(task, done + i));
        (await task.db.getMany!(keys)).forEach(expectFound);
      });
  });
}

function getSync(name: string, title: string, key: Choice, cold: boolean): Row {
  return read(name, title, cold, (task) => {
    if (task.db.getSync === undefined) return undefined;
    return () => repeatNow(task, (done) => expectFound(task.db.getSync!(key(task, done))));
  });
}

/** A scan of everything, which counts the entries. It is done completely, at least once. */
function fullScan(name: string, title: string, reverse: boolean): Row {
  return {
    name,
    title,
    on: 'full',
    cold: true,
    async run(task) {
      const begin = process.hrtime.bigint();
      const count = await task.db.scan({ reverse });
      const nanoseconds = Number(process.hrtime.bigint() - begin);
      if (count !== task.entries) throw new Error(`${count} entries instead of ${task.entries}`);
      return { operations: count, nanoseconds };
    },
  };
}

/** This many entries are read in a row, to see what that does to the event loop. */
const GAP_ENTRIES = 300_000;
const GAP_SEEKS = 10_000;

/** Does some work completely, and watches the event loop meanwhile. */
async function watched(work: () => Promise<number>): Promise<Timing> {
  const begin = performance.now();
  let last = begin;
  let gap = 0;
  let working = true;
  const turn = () => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
    if (working) setImmediate(turn);
  };
  setImmediate(turn);
  const operations = await work();
  working = false;
  const end = performance.now();
  return { operations, nanoseconds: (end - begin) * 1e6, gap: Math.max(gap, end - last) };
}

function gapRows(name: string, title: string, work: (task: Task) => (() => Promise<number>) | undefined): Row[] {
  return (['idle', 'busy'] as const).map((gap) => ({
    name: `${name}-${gap}`,
    title: gap === 'busy' ? `${title}, beside busy processes` : title,
    on: 'full',
    gap,
    async run(task) {
      const measure = work(task);
      return measure && watched(measure);
    },
  }));
}

export const ROWS: Row[] = [
  put('put-sequential', 'put, sequential keys, awaited one by one', sequential),
  put('put-random', 'put, random keys, awaited one by one', anywhere),
  put64('put64-sequential', 'put, sequential keys, 64 at a time', sequential),
  put64('put64-random', 'put, random keys, 64 at a time', anywhere),
  batch('batch-sequential', 'batch of 1000, sequential keys', sequential),
  batch('batch-random', 'batch of 1000, random keys', anywhere),
  get('get-cold', 'get, random keys, database just opened', anywhere, true),
  get('get-hot', 'get, 1000 hot keys', hot, false),
  getMany('getmany-cold', 'getMany of 100, random keys, database just opened', anywhere, true),
  getMany('getmany-hot', 'getMany of 100, 1000 hot keys', hot, false),
  getSync('getsync-cold', 'getSync, random keys, database just opened', anywhere, true),
  getSync('getsync-hot', 'getSync, 1000 hot keys', hot, false),
  fullScan('scan', 'full scan', false),
  fullScan('scan-reverse', 'full scan, reverse', true),
  {
    name: 'range100',
    title: 'range of 100 entries at a random key',
    on: 'full',
    run: (task) =>
      repeat(task, 1, async () => {
        const from = task.random(Math.max(1, task.entries - 100));
        const count = await task.db.scan({ gte: keyOf(from), limit: 100 });
        if (count !== Math.min(100, task.entries)) throw new Error(`${count} entries instead of 100`);
      }),
  },
  {
    name: 'seek',
    title: 'seek to a random key and read it, one iterator',
    on: 'full',
    async run(task) {
      const seeker = task.db.seeker?.();
      if (seeker === undefined) return undefined;
      const timing = await repeat(task, 1, async () => expectFound(await seeker.seek(anywhere(task))));
      await seeker.close();
      return timing;
    },
  },
  ...gapRows(
    'gap-scan',
    `scan of ${GAP_ENTRIES} entries, one by one`,
    ({ db }) =>
      () =>
        db.scan({ limit: GAP_ENTRIES }),
  ),
  ...gapRows(
    'gap-all',
    `${GAP_ENTRIES} entries from one call`,
    ({ db }) => db.all && (() => db.all!({ limit: GAP_ENTRIES })),
  ),
  ...gapRows('gap-seek', `${GAP_SEEKS} seeks, each with its entry`, (task) => {
    const seeker = task.db.seeker?.();
    return (
      seeker &&
      (async () => {
        for (let n = 0; n < GAP_SEEKS; n++) expectFound(await seeker.seek(anywhere(task)));
        await seeker.close();
        return GAP_SEEKS;
      })
    );
  }),
];
