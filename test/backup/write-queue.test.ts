// Writes to a repository run one after the other, in the order of the calls, and block nothing else.

import t from 'tap';
import { Agent, ref } from '../fixtures/agent.js';
import { runningBackup, UNLIMITED, verifyAll } from '../fixtures/running.js';
import { assertUsable, stopScene } from '../fixtures/stop-scene.js';

/** More than the number of threads for long operations (binding/core/base/background.h). */
const MANY = 40;

t.test('creates, deletes and purges of one engine run in the order of their calls', async (t) => {
  const { db, engine } = await stopScene(t, 'three keys');
  const ended: string[] = [];
  const note = (what: string, done: Promise<unknown>) => done.then(() => ended.push(what));
  const calls: Promise<unknown>[] = [];
  const order: string[] = [];
  const call = (what: string, begin: () => Promise<unknown>) => {
    order.push(what);
    calls.push(note(what, begin()));
  };
  for (let n = 2; n <= MANY; n++) {
    call(`create ${n}`, () => engine.createBackup(db, { metadata: `${n}` }));
    if (n % 10 === 0) {
      call(`purge ${n}`, () => engine.purgeOldBackups(2));
      call(`delete ${n - 1}`, () => engine.deleteBackup(n - 1));
      call(`gc ${n}`, () => engine.garbageCollect());
    }
    if (n % 10 === 5) call(`purge ${n}`, () => engine.purgeOldBackups(3));
  }
  await Promise.all(calls);
  t.same(ended, order);
  t.same(await verifyAll(engine), [MANY]);
});

t.test('backups that wait for another hold up nothing else, however many they are', async (t) => {
  const set = await stopScene(t, '50 files');
  const { path, db, engine, limiter } = set;
  limiter.bytesPerSecond = 1000; // the first would take an hour for the rest
  const first = runningBackup(engine, db);
  await first.begun;
  const waiting = Array.from({ length: MANY }, () => runningBackup(engine, db));
  await db.put('key', 'value');
  await db.flush();
  t.same(await verifyAll(engine), [1], 'lists and verifies');
  await engine.restoreBackup(1, path('restored'));
  t.notOk(
    [first, ...waiting].some(({ ended }) => ended()),
    'all the while they ran or waited',
  );
  t.equal(engine.stopBackup(), true);
  for (const { done } of [first, ...waiting]) {
    await t.rejects(done, { code: 'BACKUP_STOPPED' });
  }
  await assertUsable(t, set);
});

t.test('signals end backups that wait, in any order, and the others keep their turn', async (t) => {
  const { db, engine, limiter } = await stopScene(t, '50 files');
  limiter.bytesPerSecond = 1000;
  const first = runningBackup(engine, db);
  await first.begun;
  const aborts = Array.from({ length: MANY }, () => new AbortController());
  const waiting = aborts.map(({ signal }, n) => engine.createBackup(db, { signal, metadata: `${n}` }));
  for (const promise of waiting) promise.catch(() => undefined);
  const stays = (n: number) => n % 8 === 3;
  for (let n = MANY - 1; n >= 0; n--) {
    if (stays(n)) continue;
    aborts[n]!.abort(new Error(`never mind ${n}`));
    await t.rejects(waiting[n]!, { message: `never mind ${n}` });
  }
  t.notOk(first.ended());
  limiter.bytesPerSecond = UNLIMITED;
  await first.done;
  const stayed = waiting.filter((_, n) => stays(n));
  await Promise.all(stayed);
  t.same(
    (await engine.getBackupInfo()).slice(2).map(({ appMetadata }) => String(appMetadata)),
    waiting.map((_, n) => `${n}`).filter((_, n) => stays(n)),
  );
  t.same(await verifyAll(engine), [1, 2, ...stayed.map((_, n) => n + 3)]);
});

t.test('a Worker ends while its deletes and backups wait for the backup of another thread', async (t) => {
  const { path, db, engine, limiter } = await stopScene(t, '50 files');
  limiter.bytesPerSecond = 1000;
  const first = runningBackup(engine, db);
  await first.begun;
  const worker = Agent.worker(t);
  await worker.call('Database.attach', [db.token], 'db');
  await worker.call('BackupEngine.attach', [engine.token], 'engine');
  const calls = [
    worker.call('engine.createBackup', [ref('db')]),
    worker.call('engine.deleteBackup', [1]),
    worker.call('engine.purgeOldBackups', [1]),
    worker.call('engine.garbageCollect'),
  ];
  await worker.call('fs.writeFile', [path('file'), 'all have been called']);
  await worker.terminate();
  for (const call of calls) await t.rejects(call, { code: 'ENDED' });
  t.notOk(first.ended(), 'the other thread goes on');
  limiter.bytesPerSecond = UNLIMITED;
  await first.done;
  t.same(await verifyAll(engine), [1, 2], 'nothing of what waited was done');
});
