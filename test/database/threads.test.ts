// Databases in several Workers, and Workers and processes that end while they are busy.

import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { Database } from '../../lib/index.js';
import { Agent } from '../fixtures/agent.js';
import { collect, openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { Random } from '../fixtures/random.js';

const load = join(__dirname, '..', 'fixtures', 'database-load.js');
const library = JSON.stringify(join(__dirname, '..', '..', 'lib', 'index.js'));

/** Runs code with `lib` and `data` in a Worker and returns its result. */
async function inWorker(code: string, data?: unknown): Promise<unknown> {
  const worker = new Worker(
    `const { parentPort, workerData: data } = require('node:worker_threads');
     const lib = require(${library});
     (async () => { ${code} })().then((value) => parentPort.postMessage(value));`,
    { eval: true, execArgv: [], workerData: data },
  );
  const [[value]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  return value;
}

t.test('the addon loads in 8 Workers at once, which share a database by its token', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const done = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      inWorker(
        `const db = lib.Database.attach(data.token);
         const wrong = await db.get(1).catch((error) => error);
         const closed = db.close().then(() => db.get('k')).catch((error) => error);
         const again = lib.Database.attach(data.token);
         for (let n = 0; n < 100; n++) await again.put(data.i + ' ' + n, 'x');
         await again.close();
         return [wrong instanceof TypeError, (await closed) instanceof lib.RocksDBError, (await closed).code];`,
        { token: db.token, i },
      ),
    ),
  );
  for (const result of done) {
    t.same(result, [true, true, 'DATABASE_CLOSED']);
  }
  t.equal((await collect(db.keys())).length, 800);
});

t.test('a Worker keeps a database open that the thread that opened it has closed', async (t) => {
  const path = tempDir(t)('db');
  const db = await Database.open(path);
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const db = require(${library}).Database.attach(workerData);
     parentPort.postMessage('attached');
     parentPort.once('message', async () => { await db.put('k', 'v'); await db.close(); parentPort.postMessage('closed'); });`,
    { eval: true, execArgv: [], workerData: db.token },
  );
  await once(worker, 'message');
  await db.close();
  await t.rejects(Database.open(path), { code: 'DATABASE_IN_USE' });
  worker.postMessage('go on');
  const exited = once(worker, 'exit');
  await once(worker, 'message');
  const again = await openDb(t, path);
  t.equal(await again.get('k', { encoding: 'utf8' }), 'v');
  await exited;
});

t.test('an open database keeps no Worker and no process from ending', async (t) => {
  const path = tempDir(t)('db');
  await inWorker(`globalThis.db = await lib.Database.open(data); globalThis.it = db.keys();`, path);
  const db = await openDb(t, path);
  t.ok(db, 'and its lock is free then');
  await db.close();
  const child = spawn(process.execPath, [
    '-e',
    `require(${library}).Database.open(${JSON.stringify(path)}).then((db) => { globalThis.db = db; })`,
  ]);
  t.same(await once(child, 'exit'), [0, null]);
});

t.test('a Worker terminated at any moment, 60 times, frees the lock and loses nothing', async (t) => {
  const path = tempDir(t)('db');
  const random = Random.of(t);
  const shared = await openDb(t, tempDir(t)('shared'), { writeBufferSize: 1 << 20 });
  for (let round = 0; round < 60; round++) {
    const own = random.below(2) === 0;
    const worker = new Worker(load, { execArgv: [], workerData: [own ? path : shared.token] });
    if (random.below(4) > 0) {
      await once(worker, 'message');
      for (let ticks = random.below(50); ticks > 0; ticks--) {
        await shared.get('a');
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await worker.terminate();
    if (own) {
      const db = await Database.open(path);
      await db.put(`round ${round}`, 'x');
      await db.close();
    }
  }
  await shared.put('still', 'here');
  t.equal(await shared.get('still', { encoding: 'utf8' }), 'here');
  await collect((await openDb(t, path)).iterator());
});

t.test('a process that exits with everything in flight exits with its code, and without a signal', async (t) => {
  const path = tempDir(t)('db');
  for (let round = 0; round < 25; round++) {
    const child = fork(load, [path, '7'], { execArgv: [] });
    t.same(await once(child, 'exit'), [7, null], `round ${round}`);
    const db = await Database.open(path);
    await db.close();
  }
});

t.test('a database that another process has open is in use there, and can be read here', async (t) => {
  const path = tempDir(t)('db');
  // A process that does nothing else: a compaction would delete files while the reader opens them.
  const other = Agent.process(t);
  await other.call('Database.open', [path], 'db');
  await other.call('db.put', ['k', 'v']);
  await t.rejects(Database.open(path), { code: 'DATABASE_IN_USE', message: new RegExp(`process ${other.pid}`) });
  await t.rejects(Database.destroy(path), { code: 'DATABASE_IN_USE' });
  await t.rejects(Database.repair(path), { code: 'DATABASE_IN_USE' });
  const reader = await Database.open(path, { mode: 'readOnly' });
  t.equal(await reader.get('k', { encoding: 'utf8' }), 'v');
  await reader.close();
  await other.terminate();
  await (await openDb(t, path)).put('free', 'again');
});
