// A service is killed again and again while it archives. Nothing that it had acknowledged is missing from the archive, and each of its states
// can be recovered: by the number of the write, and by the time.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { Database, PointInTimeRecovery } from '../../lib/index.js';
import { tempDir } from '../fixtures/files.js';
import { onLines } from '../fixtures/lines.js';
import { Random } from '../fixtures/random.js';

interface Write {
  n: number;
  before: number;
  after: number;
}

const KILLS = 12;

/** Runs the child. @returns what it acknowledged, and the other lines that it printed */
async function run(args: string[], killAfter?: number): Promise<{ writes: Write[]; lines: string[] }> {
  const child = fork(join(__dirname, 'archive-child.js'), args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const writes: Write[] = [];
  const lines: string[] = [];
  onLines(child.stdout, (line) => {
    const [what, n, before, after] = line.split(' ');
    if (what === 'wrote') writes.push({ n: Number(n), before: Number(before), after: Number(after) });
    else lines.push(line);
    if (what === 'begin' && killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter);
  });
  await Promise.all([once(child, 'exit'), once(child.stdout as NodeJS.ReadableStream, 'end')]);
  return { writes, lines };
}

async function contentsOf(path: string): Promise<Record<string, string>> {
  const db = await Database.open(path);
  try {
    const contents: Record<string, string> = {};
    for await (const [key, value] of db.iterator({ encoding: 'utf8' })) contents[key] = value;
    return contents;
  } finally {
    await db.close();
  }
}

/** The state after write `n`. */
function stateAfter(n: number): Record<string, string> {
  const state: Record<string, string> = n > 0 ? { last: `${n}` } : {};
  for (let m = Math.max(1, n - 49); m <= n; m++) state[`key${m % 50}`] = `${m}`.padEnd(200, '.');
  return state;
}

t.test('a service that is killed while it archives', async (t) => {
  const dir = tempDir(t);
  const random = new Random(20261128);
  const [db, repository] = [dir('db'), dir('repository')];
  const acknowledged: Write[] = [];
  const told: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const { writes, lines } = await run([db, repository], 30 + random.below(500));
    acknowledged.push(...writes);
    told.push(...lines);
  }
  const { writes, lines } = await run([db, repository, '200']);
  acknowledged.push(...writes);
  told.push(...lines);
  t.equal(told.at(-1), 'closed');
  t.same(
    told.filter((line) => line.startsWith('error')),
    [],
  );
  const last = acknowledged.at(-1) as Write;
  t.ok(last.n > 300, `${last.n} writes`);

  const recovery = await PointInTimeRecovery.open(repository);
  t.teardown(() => recovery.close());
  const windows = await recovery.listRecoveryPoints();
  t.equal(windows.length, 1, 'it is one timeline');
  t.same(
    told.filter((line) => line.startsWith('timeline')).filter((line) => line !== 'timeline 1 first'),
    [],
  );
  const { firstSequence, lastSequence } = windows[0]!;
  t.equal(lastSequence, 2 * last.n, 'everything is in the archive');

  const into = dir('recovered');
  const options = { into, overwrite: true, allowOtherDatabase: true };
  await recovery.recoverToLatest({ into });
  t.same(await contentsOf(into), stateAfter(last.n));
  const first = Math.ceil(firstSequence / 2);
  for (let round = 0; round < 25; round++) {
    const n = first + random.below(last.n - first);
    await recovery.recoverToSequence(2 * n, options);
    t.same(await contentsOf(into), stateAfter(n), `the state after write ${n}`);
  }
  for (let round = 0; round < 25; round++) {
    const write = acknowledged[random.below(acknowledged.length)] as Write;
    if (write.n <= first) continue;
    const time = new Date(write.after);
    await recovery.recoverToTimestamp(time, options);
    const state = await contentsOf(into);
    const n = Number(state.last);
    t.same(state, stateAfter(n), `the state at ${time.toISOString()}`);
    t.ok(n >= write.n, 'it has what was acknowledged by then');
    const next = acknowledged.find(({ before }) => before > write.after);
    t.ok(next === undefined || n < next.n, 'it has nothing that began later');
  }
});
