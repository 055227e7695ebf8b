// The ways in which long operations are stopped: by AbortSignal, by stopBackup(), by callbacks that throw, by close().

import { getEventListeners } from 'node:events';
import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type BackupEngine, type LongOperation, type Progress, RateLimiter, stopBackup } from '../../lib/index.js';
import { begun, contentsAt, contentsOf, fill, openDatabase, openEngine, SLOW, settled } from '../fixtures/backups.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';

/** A slow engine with an intact backup, and a database with new data for the next one. */
async function slowScene(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 200 });
  const fast = await openEngine(t, dir('backups'));
  await fast.createBackup(db);
  await fill(db, 'b', { count: 200 });
  // A verify reads under the rate limit for backups.
  const engine = await openEngine(t, dir('backups'), {
    backupRateLimit: new RateLimiter({ bytesPerSecond: SLOW, mode: 'all' }),
    restoreRateLimit: SLOW,
  });
  return { dir, db, engine, fast };
}

const longOperations: Record<
  string,
  (scene: Awaited<ReturnType<typeof slowScene>>, options: LongOperation) => Promise<unknown>
> = {
  createBackup: ({ engine, db }, options) => engine.createBackup(db, options),
  verifyBackup: ({ engine }, options) => engine.verifyBackup(1, { ...options, checksum: true }),
  restoreBackup: ({ engine, dir }, options) => engine.restoreBackup(1, dir('restored'), options),
  restoreLatestBackup: ({ engine, dir }, options) => engine.restoreLatestBackup(dir('restored'), options),
};

/** Everything that a stopped operation must not change: all files except the lock file, which names the last writer. */
function world({ dir }: { dir: (...path: string[]) => string }): unknown {
  const backups = Object.entries(snapshotOf(dir('backups')))
    .filter(([path]) => path !== 'rocksdb-backup.lock')
    .map(([path, state]) => [path, state.startsWith('directory') ? 'directory' : state]);
  return { backups, restored: existsSync(dir('restored')) };
}

t.test('what failed for a reason of its own while it was being aborted is told with that reason', async (t) => {
  const scene = await slowScene(t);
  const { signal } = new AbortController();
  // The operation had already failed when the signal was aborted, and nobody had looked at the result yet.
  let aborted = false;
  Object.defineProperty(signal, 'aborted', { get: () => aborted });
  Object.defineProperty(signal, 'reason', { get: () => new Error('the reason of the signal') });
  for (const [operation, code] of [
    [() => scene.engine.verifyBackup(99, { signal }), 'BACKUP_NOT_FOUND'],
    [() => scene.engine.restoreBackup(99, scene.dir('restored'), { signal }), 'BACKUP_NOT_FOUND'],
    [() => scene.engine.restoreBackup(1, scene.dir('db'), { signal }), 'TARGET_EXISTS'],
    [() => scene.engine.createBackup(scene.db, { signal, metadata: 5 as never }), 'INVALID_OPTION'],
  ] as const) {
    aborted = false;
    const failing: Promise<unknown> = operation();
    aborted = true;
    t.match((await settled(failing)).error, { code });
  }
});

for (const [name, run] of Object.entries(longOperations)) {
  t.test(`${name} with a signal that was aborted rejects with its reason and begins nothing`, async (t) => {
    const scene = await slowScene(t);
    const before = snapshotOf(scene.dir());
    const events: Progress[] = [];
    for (const reason of [new Error('too late'), 'a string', { any: 'thing' }]) {
      const { error } = await settled(
        run(scene, { signal: AbortSignal.abort(reason), onProgress: (event) => events.push(event) }),
      );
      t.equal(error, reason);
    }
    const { error } = await settled(run(scene, { signal: AbortSignal.abort() }));
    t.match(error, { name: 'AbortError' });
    t.same(events, []);
    t.same(snapshotOf(scene.dir()), before);
  });

  t.test(`${name} aborted in the middle rejects with the reason, leaves nothing, and the engine goes on`, async (t) => {
    const scene = await slowScene(t);
    const before = world(scene);
    const abort = new AbortController();
    const reason = new Error('enough');
    const phase = name === 'createBackup' ? 'copy' : name === 'verifyBackup' ? 'verify' : 'restore';
    const { outcome } = await begun((options) => run(scene, options), phase, { signal: abort.signal });
    abort.abort(reason);
    t.equal((await outcome).error, reason);
    t.same(world(scene), before);
    t.same(getEventListeners(abort.signal, 'abort'), [], 'no listener stays on the signal');
    await scene.fast.createBackup(scene.db);
    await scene.engine.verifyBackup(2);
  });

  t.test(`${name} is not touched by an abort that comes after its end`, async (t) => {
    const scene = await slowScene(t);
    const abort = new AbortController();
    const fast = { ...scene, engine: scene.fast };
    await run(fast, { signal: abort.signal });
    t.same(getEventListeners(abort.signal, 'abort'), [], 'no listener stays on the signal');
    abort.abort();
    await scene.fast.verifyBackup(1, { checksum: true });
  });

  t.test(`${name} rejects with what onProgress throws, at the first event and at a later one`, async (t) => {
    const scene = await slowScene(t);
    const before = world(scene);
    for (const thrown of [new Error('mine'), undefined, 'a string']) {
      let events = 0;
      const { error } = await settled(
        run(scene, {
          onProgress: () => {
            if (++events >= (thrown instanceof Error ? 1 : 2)) throw thrown;
          },
        }).then(() => {
          throw new Error('it went through');
        }),
      );
      t.equal(error, thrown);
      t.same(world(scene), before, 'and nothing of it is left');
    }
  });
}

t.test('stopBackup() stops the running backup and those that wait, and nothing else', async (t) => {
  const scene = await slowScene(t);
  const { dir, db, engine } = scene;
  t.equal(engine.stopBackup(), false, 'nothing runs');
  t.equal(stopBackup(engine.token), false);
  t.equal(stopBackup('no such token'), false);
  const contents = await contentsAt(dir('db'), { mode: 'readOnly' });

  const limiter = new RateLimiter({ bytesPerSecond: 1000 });
  const restores = await openEngine(t, dir('backups'), { restoreRateLimit: limiter });
  const restore = await begun((options) => restores.restoreBackup(1, dir('restored'), options), 'restore');
  t.equal(restores.stopBackup(), false, 'a restore is no backup');
  const before = world({ dir });
  for (const stop of [() => engine.stopBackup(), () => stopBackup(engine.token)]) {
    const first = await begun((options) => engine.createBackup(db, options));
    const waiting = settled(engine.createBackup(db));
    t.same(
      (await engine.getBackupInfo()).map((info) => info.backupId),
      [1],
      'asked while a backup runs',
    );
    t.equal(stop(), true);
    for (const outcome of [first.outcome, waiting]) {
      t.match((await outcome).error, { name: 'RocksDBError', code: 'BACKUP_STOPPED' });
    }
    t.equal(stop(), false, 'it is over');
  }
  t.same(world({ dir }), before, 'nothing partial is left');
  limiter.bytesPerSecond = 2 ** 40;
  t.match((await restore.outcome).value, { backupId: 1 }, 'the restore went through');

  const { backupId } = await scene.fast.createBackup(db);
  t.equal(backupId, 2);
  await scene.fast.restoreBackup(2, dir('second'));
  t.same(await contentsAt(dir('second')), contents);
});

t.test(
  'a backup that was told to stop and one that succeeds are told apart by what stopBackup() returns',
  async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'));
    const engine = await openEngine(t, dir('backups'));
    await fill(db, 'a', { count: 100 });
    // Stop once at every event of a backup, including its last one.
    let ended = false;
    for (let at = 1; !ended; at++) {
      let events = 0;
      let said: boolean | undefined;
      const { value, error } = await settled(
        engine.createBackup(db, {
          onProgress: () => {
            if (++events === at) said = engine.stopBackup();
          },
        }),
      );
      ended = said === undefined;
      if (said) t.match(error, { code: 'BACKUP_STOPPED' }, `event ${at}`);
      else t.ok(value, `event ${at}: past its last step`);
    }
    for (const { backupId } of await engine.getBackupInfo()) await engine.verifyBackup(backupId, { checksum: true });
  },
);

t.test('closing the database stops its backup, and closing the engine stops what runs on it', async (t) => {
  const { dir, db, engine, fast } = await slowScene(t);
  const before = world({ dir });
  const create = await begun((options) => engine.createBackup(db, options));
  await db.close();
  t.match((await create.outcome).error, { code: 'BACKUP_STOPPED' });
  t.same(world({ dir }), before);

  const again = await openDatabase(t, dir('db'));
  const second = await begun((options) => engine.createBackup(again, options));
  await engine.close();
  t.match((await second.outcome).error, { code: 'BACKUP_STOPPED' });
  t.same(world({ dir }), before);
  t.same((await fast.createBackup(again)).backupId, 2);
  t.same(await contentsOf(await opened(t, fast, 2)), await contentsOf(again));
});

async function opened(t: Test, engine: BackupEngine, backupId: number) {
  const db = await engine.openBackup(backupId);
  t.teardown(() => db.close());
  return db;
}
