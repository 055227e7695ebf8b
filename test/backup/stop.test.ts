// Stopping a backup, from the thread that runs it and from another one. And what a stop leaves untouched.

import { randomBytes } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { RateLimiter, stopBackup } from '../../lib/index.js';
import { Agent, ref } from '../fixtures/agent.js';
import { openDatabase, openEngine } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { Random } from '../fixtures/random.js';
import { codeOrValue, fillFiles, listing, running, runningBackup, UNLIMITED, verifyAll } from '../fixtures/running.js';
import { assertUsable, MIB, stopScene } from '../fixtures/stop-scene.js';

t.test('a backup is stopped by its token, from a Worker that has nothing else', async (t) => {
  const set = await stopScene(t, '50 files');
  const worker = Agent.worker(t);
  t.equal(await worker.call('lib.stopBackup', [set.engine.token]), false, 'none is running');
  set.limiter.bytesPerSecond = 1000;
  const backup = runningBackup(set.engine, set.db);
  await backup.begun;
  t.equal(await worker.call('lib.stopBackup', [set.engine.token]), true);
  await t.rejects(backup.done, { name: 'RocksDBError', code: 'BACKUP_STOPPED' });
  t.equal(await worker.call('lib.stopBackup', [set.engine.token]), false, 'it is not running any more');
  t.equal(await worker.call('lib.stopBackup', ['engine-0-1']), false, 'no such engine');
  await assertUsable(t, set);
});

t.test('a backup that runs in a Worker is stopped from here, by handle and by token', async (t) => {
  const set = await stopScene(t, '50 files');
  const worker = Agent.worker(t);
  await worker.call('Database.attach', [set.db.token], 'db');
  await worker.call('BackupEngine.attach', [set.engine.token], 'engine');
  set.limiter.bytesPerSecond = 1000;
  for (const stop of [() => set.engine.stopBackup(), () => stopBackup(set.engine.token)]) {
    const backup = worker.begin('engine.createBackup', [ref('db')]);
    await backup.begun;
    t.equal(stop(), true);
    await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  }
  await assertUsable(t, set);
});

t.test('a stop also ends the backups that wait for their turn', async (t) => {
  const set = await stopScene(t, '50 files');
  set.limiter.bytesPerSecond = 1000;
  const first = runningBackup(set.engine, set.db);
  const waiting = [1, 2, 3].map(() => runningBackup(set.engine, set.db));
  await first.begun;
  t.equal(set.engine.stopBackup(), true);
  for (const { done } of [first, ...waiting]) {
    await t.rejects(done, { code: 'BACKUP_STOPPED' });
  }
  t.equal(set.engine.stopBackup(), false);
  await assertUsable(t, set);
});

t.test('a signal ends the waiting backup that it was given to, and no other', async (t) => {
  const set = await stopScene(t, '50 files');
  set.limiter.bytesPerSecond = 1000;
  const first = runningBackup(set.engine, set.db);
  const abort = new AbortController();
  const waiting = set.engine.createBackup(set.db, { signal: abort.signal });
  await first.begun;
  abort.abort(new Error('never mind'));
  await t.rejects(waiting, { message: 'never mind' });
  t.notOk(first.ended());
  t.equal(set.engine.stopBackup(), true);
  await t.rejects(first.done, { code: 'BACKUP_STOPPED' });
  await assertUsable(t, set);
});

t.test('a stop does not touch restores and verifies, nor the backups of another engine', async (t) => {
  const set = await stopScene(t, '50 files');
  const { path, db, limiter } = set;
  const restores = new RateLimiter({ bytesPerSecond: 100_000, mode: 'all' });
  const engine = await openEngine(t, path('backups'), { backupRateLimit: limiter, restoreRateLimit: restores });
  const other = await openEngine(t, path('other'), { backupRateLimit: 500_000 });
  await engine.createBackup(db);
  await fillFiles(db, 'more', { files: 10, keys: 10, valueSize: 1000 });
  limiter.bytesPerSecond = 1000;
  const before = listing(path('backups'));

  const restore = running((operation) => engine.restoreBackup(2, path('restored'), operation));
  const elsewhere = runningBackup(other, db);
  const backup = runningBackup(engine, db);
  await Promise.all([restore.begun, elsewhere.begun, backup.begun]);
  const verify = engine.verifyBackup(2, { checksum: true });
  t.equal(engine.stopBackup(), true);
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  t.notOk(restore.ended(), 'the restore was running all the while');
  restores.bytesPerSecond = UNLIMITED;
  await restore.done;
  await verify;
  await elsewhere.done;
  t.same(listing(path('backups')), before);
  const restored = await openDatabase(t, path('restored'));
  t.ok(await restored.get('new:49:19'));
  t.same(await verifyAll(other), [1]);
});

t.test('backups are listed, verified, restored and opened while one runs', async (t) => {
  const { path, db, engine, limiter } = await stopScene(t, '50 files');
  limiter.bytesPerSecond = 1000;
  const backup = runningBackup(engine, db);
  await backup.begun;
  t.same(
    (await engine.getBackupInfo()).map(({ backupId }) => backupId),
    [1],
  );
  t.same(await engine.getCorruptedBackups(), []);
  await engine.verifyBackup(1, { checksum: true });
  await engine.restoreBackup(1, path('restored'));
  const inPlace = await engine.openBackup(1);
  t.equal(String(await inPlace.get('old')), 'value');
  await inPlace.close();
  t.notOk(backup.ended(), 'it was running all the while');
  t.equal(engine.stopBackup(), true);
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
});

t.test('a stop does not wait until the database has written out its memory, which goes on', async (t) => {
  const path = tempDir(t);
  // With this compression, the flush takes seconds on any disk.
  const db = await openDatabase(t, path('db'), {
    compression: 'zstd',
    rocksdb: { write_buffer_size: 512 * MIB, compression_opts: '-14:22:0:0' },
  });
  const engine = await openEngine(t, path('backups'));
  for (let n = 0; n < 8; n++) {
    await db.put(`key ${n}`, randomBytes(MIB / 2).toString('hex'), { disableWAL: true });
  }
  let flushing = () => {};
  const begun = new Promise<void>((resolve) => {
    flushing = resolve;
  });
  const done = engine.createBackup(db, { onProgress: ({ phase }) => phase === 'flush' && flushing() });
  done.catch(() => undefined);
  await begun;
  t.equal(engine.stopBackup(), true);
  await t.rejects(done, { code: 'BACKUP_STOPPED' });
  t.equal(db.property('rocksdb.num-immutable-mem-table'), '1', 'the database is still at it');
  const { backupId } = await engine.createBackup(db);
  await engine.verifyBackup(backupId, { checksum: true });
  const inPlace = await engine.openBackup(backupId);
  t.equal((await inPlace.get('key 7'))?.length, MIB, 'the next backup has what was in no log');
  await inPlace.close();
});

t.test('what a stop answers is what happens, in 200 races', async (t) => {
  const random = Random.of(t);
  const { path, db, engine, before } = await stopScene(t, 'three keys');
  const worker = Agent.worker(t);
  await worker.call('lib.stopBackup', [engine.token]); // now the Worker has started
  const counts = { stopped: 0, finished: 0 };
  const first = performance.now();
  await engine.createBackup(db);
  let took = performance.now() - first;
  await engine.deleteBackup(2);
  for (let round = 0; round < 200; round++) {
    const begin = performance.now();
    const backup = engine.createBackup(db);
    const delay = random.next() * 1.2 * took;
    const stopHere = () => engine.stopBackup();
    const stopThere = () => worker.call<boolean>('lib.stopBackup', [engine.token]);
    // Two of the stops depend on no clock: one at the call, one after the end.
    const answer =
      round === 0
        ? Promise.resolve(stopHere())
        : round === 1
          ? codeOrValue(backup).then(stopThere)
          : round % 2 === 0
            ? after(delay).then(stopHere)
            : worker.call('agent.spin', [delay]).then(stopThere);
    const result = await codeOrValue(backup);
    const end = performance.now();
    if (typeof result === 'object') {
      took = 0.9 * took + 0.1 * (end - begin);
      counts.finished++;
      t.equal(await answer, false, 'it finished, and the stop said so');
      await engine.deleteBackup(result.backupId);
    } else {
      counts.stopped++;
      t.equal(result, 'BACKUP_STOPPED');
      t.equal(await answer, true, 'it was stopped, and the stop said so');
    }
    if (JSON.stringify(listing(path('backups'))) !== JSON.stringify(before)) {
      t.same(listing(path('backups')), before, `round ${round} leaves the directory as it was`);
    }
  }
  t.comment(`${counts.stopped} stopped, ${counts.finished} finished first`);
  t.ok(counts.stopped > 0 && counts.finished > 0, 'both happened');
  t.same(await verifyAll(engine), [1]);
});
