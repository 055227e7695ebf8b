// Databases and engines in several Workers: tokens, attaching, closing in any order, and what remains after a Worker died.

import t, { type Test } from 'tap';
import { BackupEngine, type BackupInfo, Database, stopBackup } from '../../lib/index.js';
import { Agent, ref } from '../fixtures/agent.js';
import { openDatabase, openEngine } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { fillFiles, verifyAll } from '../fixtures/running.js';

const text = (value: unknown) => Buffer.from(value as Uint8Array).toString();

/** All orders of some values. */
function orders<T>(values: T[]): T[][] {
  return values.length < 2
    ? [values]
    : values.flatMap((value, i) => orders(values.filter((_, j) => j !== i)).map((rest) => [value, ...rest]));
}

t.test('the addon loads in 8 Workers at once, and each works on its own and on what is shared', async (t) => {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  const workers = Array.from({ length: 8 }, () => Agent.worker(t));
  await Promise.all(
    workers.map(async (worker, i) => {
      await worker.call('Database.open', [path(`db ${i}`)], 'own');
      await worker.call('Database.attach', [db.token], 'shared');
      await worker.call('own.put', ['key', `own ${i}`]);
      await worker.call('shared.put', [`key ${i}`, `shared ${i}`]);
      await worker.call('BackupEngine.open', [path(`backups ${i}`)], 'engine');
      const { backupId } = await worker.call<BackupInfo>('engine.createBackup', [ref('own')]);
      await worker.call('engine.verifyBackup', [backupId, { checksum: true }]);
    }),
  );
  for (const i of workers.keys()) {
    t.equal(text(await db.get(`key ${i}`)), `shared ${i}`);
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  for (const i of workers.keys()) {
    const own = await openDatabase(t, path(`db ${i}`), { createIfMissing: false });
    t.equal(text(await own.get('key')), `own ${i}`, 'what the Worker wrote is there, and the database is free');
  }
});

/** Somebody with a handle on a database and a handle on an engine. */
interface User {
  use(): Promise<unknown>;
  list(): Promise<unknown[]>;
  close(): Promise<unknown>;
}

const userHere = (db: Database, engine: BackupEngine): User => ({
  use: () => db.put('key', 'x'),
  list: () => engine.getBackupInfo(),
  close: () => Promise.all([db.close(), engine.close()]),
});

const userThere = (worker: Agent): User => ({
  use: () => worker.call('db.put', ['key', 'x']),
  list: () => worker.call('engine.getBackupInfo'),
  close: () => Promise.all([worker.call('db.close'), worker.call('engine.close')]),
});

t.test('the handles of a database and of an engine close in any order; the last one closes the thing', async (t) => {
  const path = tempDir(t);
  const [one, two] = [Agent.worker(t), Agent.worker(t)];
  let round = 0;
  for (const order of orders(['here', 'one', 'two'])) {
    const db = await openDatabase(t, path('db'));
    const engine = await openEngine(t, path('backups'));
    const { token } = db;
    const { token: engineToken } = engine;
    const users: Record<string, User> = { here: userHere(db, engine), one: userThere(one), two: userThere(two) };
    for (const worker of [one, two]) {
      await worker.call('Database.attach', [token], 'db');
      await worker.call('BackupEngine.attach', [engineToken], 'engine');
    }
    await engine.createBackup(db);
    round++;
    const open = new Set(order);
    for (const name of order) {
      for (const user of open) {
        await users[user]!.use();
        t.equal((await users[user]!.list()).length, round, `${user} works while ${[...open]} are open`);
      }
      await users[name]!.close();
      open.delete(name);
      await t.rejects(users[name]!.use(), { code: 'DATABASE_CLOSED' });
      await t.rejects(users[name]!.list(), { code: 'ENGINE_CLOSED' });
    }
    t.throws(() => Database.attach(token), { code: 'DATABASE_CLOSED' }, 'its token names nothing any more');
    t.throws(() => BackupEngine.attach(engineToken), { code: 'ENGINE_CLOSED' });
    t.equal(stopBackup(engineToken), false);
    // If it were not closed, this open would be refused.
    await (await Database.open(path('db'))).close();
  }
});

t.test('what a Worker opened lives on in those who attached, after the Worker has ended', async (t) => {
  const path = tempDir(t);
  const worker = Agent.worker(t);
  await worker.call('Database.open', [path('db')], 'db');
  await worker.call('BackupEngine.open', [path('backups')], 'engine');
  await worker.call('db.put', ['key', 'of the Worker']);
  const db = Database.attach(await worker.call<string>('db.token'));
  const engine = BackupEngine.attach(await worker.call<string>('engine.token'));
  await worker.terminate();
  t.equal(text(await db.get('key')), 'of the Worker');
  t.equal((await engine.createBackup(db)).backupId, 1);
  t.same(await verifyAll(engine), [1]);
  await Promise.all([db.close(), engine.close()]);
  await (await Database.open(path('db'))).close();
});

t.test('the handles of a Worker are gone when terminate() has resolved, and when it ended by itself', async (t) => {
  const path = tempDir(t);
  const ends: Record<string, (worker: Agent) => Promise<unknown>> = {
    terminate: (worker) => worker.terminate(),
    exit: (worker) => Promise.allSettled([worker.call('agent.end', ['exit', 0]), worker.ended]),
    throw: (worker) => Promise.allSettled([worker.call('agent.end', ['throw', 0]), worker.ended]),
  };
  for (const [name, end] of Object.entries(ends)) {
    const worker = Agent.worker(t);
    await worker.call('Database.open', [path('db')], 'db');
    await worker.call('BackupEngine.open', [path('backups')], 'engine');
    await worker.call('db.put', ['key', name]);
    const token = await worker.call<string>('db.token');
    const engineToken = await worker.call<string>('engine.token');
    await t.rejects(Database.open(path('db')), { code: 'DATABASE_IN_USE' }, 'the Worker has it');
    await end(worker);
    t.throws(() => Database.attach(token), { code: 'DATABASE_CLOSED' });
    t.throws(() => BackupEngine.attach(engineToken), { code: 'ENGINE_CLOSED' });
    const db = await Database.open(path('db'));
    t.equal(text(await db.get('key')), name);
    await db.close();
  }
});

t.test('a token of nothing, and of the wrong thing, attaches to nothing', async (t) => {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  const engine = await openEngine(t, path('backups'));
  t.throws(() => Database.attach(engine.token), { code: 'DATABASE_CLOSED' });
  t.throws(() => BackupEngine.attach(db.token), { code: 'ENGINE_CLOSED' });
  t.equal(stopBackup(db.token), false);
  for (const token of ['', 'database-1', 'engine-0-1', 'x'.repeat(100_000)]) {
    t.throws(() => Database.attach(token), { code: 'DATABASE_CLOSED' });
    t.throws(() => BackupEngine.attach(token), { code: 'ENGINE_CLOSED' });
  }
  const other = Agent.process(t);
  await t.rejects(
    other.call('Database.attach', [db.token], 'db'),
    { code: 'DATABASE_CLOSED' },
    'nor in another process',
  );
});

t.test('four Workers back up one database through one engine, each in its turn', async (t) => {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  await fillFiles(db, 'key', { files: 5, keys: 100, valueSize: 1000 });
  const engine = await openEngine(t, path('backups'));
  const workers = Array.from({ length: 4 }, () => Agent.worker(t));
  const results = await Promise.all(
    workers.map(async (worker) => {
      await worker.call('Database.attach', [db.token], 'db');
      await worker.call('BackupEngine.attach', [engine.token], 'engine');
      const ids: number[] = [];
      for (let n = 0; n < 5; n++) {
        ids.push((await worker.call<BackupInfo>('engine.createBackup', [ref('db')])).backupId);
      }
      return ids;
    }),
  );
  t.same(
    results.flat().sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i + 1),
    'none was refused, and no id was given twice',
  );
  t.same(
    await verifyAll(engine),
    results.flat().sort((a, b) => a - b),
  );
});

t.test('opening a repository in many Workers at once, while one writes, disturbs nobody', async (t) => {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  const engine = await openEngine(t, path('backups'));
  await engine.createBackup(db);
  const workers = Array.from({ length: 4 }, () => Agent.worker(t));
  let writing = true;
  const readers = workers.map(async (worker) => {
    let seen = 1;
    for (let last = false; !last; ) {
      last = !writing;
      await worker.call('BackupEngine.open', [path('backups'), { readOnly: true }], 'engine');
      const ids = (await worker.call<BackupInfo[]>('engine.getBackupInfo')).map(({ backupId }) => backupId);
      assertGrowing(t, ids, seen);
      seen = ids.length;
      await worker.call('engine.close');
    }
    return seen;
  });
  for (let n = 0; n < 30; n++) {
    await db.put(`key ${n}`, 'x');
    await engine.createBackup(db);
  }
  writing = false;
  t.same(await Promise.all(readers), [31, 31, 31, 31], 'they saw it grow to what it is');
});

function assertGrowing(t: Test, ids: number[], atLeast: number): void {
  if (ids.length < atLeast || ids.some((id, i) => id !== i + 1)) {
    t.fail(`a reader saw the backups ${ids} after it had seen ${atLeast}`);
  }
}
