// BackupManager: when it makes backups, and that each contains what it must contain.

import t from 'tap';
import { BackupEngine, BackupManager, type BackupManagerOptions } from '../../lib/index.js';
import { RocksLevel } from '../../lib/level/index.js';
import { contentsAt, contentsOf, fill, openEngine, settled } from '../fixtures/backups.js';
import { until } from '../fixtures/fake-clock.js';
import { tempDir } from '../fixtures/files.js';
import { DAY, HOUR, MINUTE, managerScene, next, SECOND, start } from '../fixtures/managers.js';
import { placeOf } from '../fixtures/place.js';

t.test('backups are made by schedule, verified, and told', async (t) => {
  const { manager, told, advance, dir, db } = await managerScene(t, { schedule: '10m' });
  await start(manager);
  await advance(25 * MINUTE);
  t.same(told.names, ['start', 'verified', 'backup', 'start', 'verified', 'backup', 'start', 'verified', 'backup']);
  t.same(
    told
      .of('backup')
      .map(({ info, trigger, kind, verified, attempt }) => [info.backupId, trigger, kind, verified, attempt]),
    [1, 2, 3].map((id) => [id, 'schedule', id === 1 ? 'full' : 'incremental', 'size', 1]),
  );
  t.ok(told.of('backup')[0]!.bytesCopied > 20_000);
  const engine = await openEngine(t, dir('backups'));
  await engine.restoreLatestBackup(dir('restored'));
  t.same(await contentsAt(dir('restored')), await contentsOf(db));
});

t.test('several schedules hold at once, and what falls due during a backup is told as skipped', async (t) => {
  const scene = await managerScene(t, { schedule: ['10m', { cron: '0 * * * *', timezone: 'UTC' }] });
  scene.clock.jump(Date.parse('2030-01-01T00:59:30Z') - scene.clock.now());
  const { manager, told, clock } = scene;
  await start(manager);
  await scene.advance(0);
  t.equal(told.count('backup'), 1);
  await scene.advance(30 * SECOND);
  t.equal(told.count('backup'), 2, 'one at the full hour');
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = scene.another({ before: () => held });
  await start(slow.manager);
  await clock.advance(10 * MINUTE);
  await until(() => slow.manager.status().phase === 'before');
  await clock.advance(10 * MINUTE);
  t.same(
    slow.told.of('skipped').map(({ operation, reason, trigger }) => [operation, reason, trigger]),
    [['backup', 'running', 'schedule']],
  );
  release();
  await until(() => slow.told.count('backup') === 1);
});

t.test('backupNow has what was written before the call, and callers that wait share one backup', async (t) => {
  const { manager, told, db, dir } = await managerScene(t);
  await db.put('before', '1');
  const first = manager.backupNow();
  await new Promise((resolve) => manager.once('start', resolve));
  await db.put('while', '2');
  const [second, third] = await Promise.all([manager.backupNow(), manager.backupNow()]);
  t.equal((await first).backupId, 1);
  t.equal(second.backupId, 2);
  t.equal(third.backupId, 2);
  t.equal(told.count('backup'), 2);
  const engine = await openEngine(t, dir('backups'));
  const backup = await engine.openBackup(2);
  t.equal(String(await backup.get('while')), '2');
  await backup.close();
});

t.test('a backup that was asked for joins only one that is what it asks for', async (t) => {
  const { manager, told } = await managerScene(t);
  const running = manager.backupNow();
  await new Promise((resolve) => manager.once('start', resolve));
  const waiting = [manager.backupNow(), manager.backupFull(), manager.backupIncremental(), manager.backupNow()];
  const ids = (await Promise.all(waiting)).map(({ backupId }) => backupId);
  t.same(ids, [2, 2, 3, 2]);
  await running;
  t.same(
    told.of('backup').map(({ kind }) => kind),
    ['full', 'full', 'incremental'],
  );
});

t.test('changes make one backup, not sooner than minInterval after the last, and none is lost', async (t) => {
  const { manager, told, db, advance, clock, dir } = await managerScene(t, { minInterval: '30s' });
  manager.notifyChange();
  await advance(MINUTE);
  t.equal(told.count('backup'), 0, 'not before start');
  await start(manager);
  await advance(0);
  t.equal(told.of('backup')[0]!.trigger, 'change');
  for (let n = 0; n < 1000; n++) manager.notifyChange();
  t.ok(manager.status().changePending);
  t.equal(manager.status().nextRunAt?.getTime(), clock.now() + 30 * SECOND);
  await advance(30 * SECOND - 1, 30 * SECOND);
  t.equal(told.count('backup'), 1);
  await advance(1);
  t.equal(told.count('backup'), 2);
  await advance(HOUR);
  t.equal(told.count('backup'), 2, 'and no other without a change');

  // A change that is made after the backup has taken its view of the database.
  manager.once('progress', () => {
    db.putSync('late', 'but not lost');
    manager.notifyChange();
  });
  manager.notifyChange();
  await advance(MINUTE);
  await advance(MINUTE);
  t.equal(told.count('backup'), 4);
  const engine = await openEngine(t, dir('backups'));
  const backup = await engine.openBackup(4);
  t.equal(String(await backup.get('late')), 'but not lost');
  await backup.close();
});

t.test('a backup for another reason sees to the changes as well', async (t) => {
  const { manager, told, advance } = await managerScene(t, { minInterval: '1m' });
  await start(manager);
  await manager.backupNow();
  manager.notifyChange();
  await manager.backupNow();
  t.notOk(manager.status().changePending);
  await advance(HOUR);
  t.equal(told.count('backup'), 2);
});

t.test('every so many-th backup is full and shares no file; the count outlives manager and state', async (t) => {
  const { manager, another, dir, db } = await managerScene(t, { fullEvery: 3 });
  for (let n = 0; n < 4; n++) {
    await fill(db, `n${n}`);
    await manager.backupNow();
  }
  t.equal(manager.incrementalsSinceFull, 0);
  await manager.stop();
  const second = another();
  await second.manager.backupNow();
  t.equal(second.manager.incrementalsSinceFull, 1);
  await second.manager.stop();
  const { rmSync } = await import('node:fs');
  for (const file of ['rocksdb-backup.state.json', 'rocksdb-backup.state.previous.json']) rmSync(dir('backups', file));
  const third = another();
  await third.manager.backupNow();
  t.equal(third.manager.incrementalsSinceFull, 2, 'told by the backups themselves');
  const list = await third.manager.list();
  t.same(
    list.map(({ kind }) => kind),
    ['full', 'incremental', 'incremental', 'full', 'incremental', 'incremental'],
  );
  t.same(
    list.map(({ files }) => files.some(({ backups }) => backups > 1)),
    [true, true, true, false, true, true],
    'the first is shared with the next; of a later full one no other backup has a file',
  );
  await third.manager.backupFull();
  await third.manager.backupIncremental();
  t.same(
    (await third.manager.list()).slice(-2).map(({ kind }) => kind),
    ['full', 'incremental'],
  );
});

t.test('two managers of one directory make their backups one after the other', async (t) => {
  const { manager, another } = await managerScene(t);
  const second = another();
  const made = await Promise.all([manager, second.manager, manager, second.manager].map((each) => each.backupNow()));
  t.same(new Set(made.map(({ backupId }) => backupId)), new Set([1, 2]));
  t.equal(second.told.count('retry'), 0, 'they wait for each other');
  await second.manager.backupNow();
  t.equal((await manager.stats()).created, 3, 'and count together');
});

t.test('a wall clock that jumps makes no burst, no pause, and deletes nothing', async (t) => {
  const { manager, told, clock, advance } = await managerScene(t, {
    schedule: '10m',
    retention: { within: '1h' },
  });
  await start(manager);
  await advance(10 * MINUTE);
  t.equal(told.count('backup'), 2);
  for (const jump of [HOUR, -HOUR, 3650 * DAY]) {
    const before = told.count('backup');
    clock.jump(jump);
    await advance(10 * MINUTE - SECOND);
    t.equal(told.count('backup'), before, `no burst after ${jump}`);
    await advance(SECOND);
    t.equal(told.count('backup'), before + 1, `no pause after ${jump}`);
  }
  t.same((await manager.list()).length, told.count('backup'), 'nothing is deleted');
  t.equal(manager.status().clockOffset, 3650 * DAY);
  t.ok((await manager.stats()).msSinceLastGoodBackup! < HOUR);
});

t.test('after a restart an interval goes on where it was, and a failed run is due again', async (t) => {
  const { manager, told, another, advance, clock } = await managerScene(t, { schedule: '1h' });
  await start(manager);
  await advance(10 * MINUTE);
  t.equal(told.count('backup'), 1);
  await manager.stop();
  const second = another();
  await start(second.manager);
  t.equal(second.manager.status().nextRunAt?.getTime(), clock.now() + 50 * MINUTE);
  await advance(50 * MINUTE);
  t.equal(second.told.count('backup'), 1);
  await second.manager.stop();
  await clock.advance(HOUR);
  const third = another({ before: () => Promise.reject(new Error('not today')) });
  await start(third.manager);
  await clock.advance(0);
  await until(() => third.told.count('failure') === 1);
  await third.manager.stop();
  const fourth = another();
  await start(fourth.manager);
  await advance(0);
  t.equal(fourth.told.count('backup'), 1, 'the run that failed before');
});

t.test('stop waits for the backup that runs and those that wait; then everything is refused', async (t) => {
  const { manager, told } = await managerScene(t, { schedule: '10m' });
  await start(manager);
  const [running] = [manager.backupNow()];
  await new Promise((resolve) => manager.once('start', resolve));
  const waiting = manager.backupNow();
  await manager.stop();
  t.equal((await running).backupId, 1);
  t.equal((await waiting).backupId, 2);
  t.equal(told.names.at(-1), 'stopped');
  t.ok(manager.status().stopped);
  await manager.stop();
  t.equal(told.count('stopped'), 1);
  for (const call of [
    () => manager.start(),
    () => manager.backupNow(),
    () => manager.backupFull(),
    () => manager.snapshot(),
    () => manager.verify(),
    () => manager.drill(),
    () => manager.prune(),
    () => manager.list(),
    () => manager.stats(),
    () => manager.pin(1),
    () => manager.unpin(1),
  ]) {
    await t.rejects(async () => call(), { code: 'MANAGER_STOPPED' }, String(call));
  }
  manager.notifyChange();
});

t.test('stop with abort ends the running backup, which leaves nothing, and is no failure', async (t) => {
  const { manager, told, dir } = await managerScene(t, { engine: { backupRateLimit: 2000 } });
  const running = settled(manager.backupNow());
  await next(manager, 'progress');
  const waiting = settled(manager.backupNow());
  await t.rejects(manager.stop({ abort: true, finalBackup: true }), { code: 'INVALID_OPTION' });
  await manager.stop({ abort: true });
  t.equal((await running).error?.code, 'BACKUP_STOPPED');
  t.equal((await waiting).error?.code, 'BACKUP_STOPPED');
  t.equal(told.count('failure'), 0);
  t.equal(manager.consecutiveFailures, 0);
  const engine = await openEngine(t, dir('backups'));
  t.same(await engine.getBackupInfo(), []);
});

t.test('a final backup is made if anything was written since the last one', async (t) => {
  const { manager, told, db, another } = await managerScene(t, {
    skipUnchanged: true,
  });
  await manager.backupNow();
  await manager.stop({ finalBackup: true });
  t.equal(told.count('backup'), 1);
  t.same(
    told.of('skipped').map(({ reason, trigger }) => [reason, trigger]),
    [['unchanged', 'final']],
  );
  for (const change of [() => db.put('one', 'more'), () => db.createColumnFamily('another')]) {
    const later = another();
    await later.manager.backupNow();
    await change();
    await later.manager.stop({ finalBackup: true });
    t.same(
      later.told.of('backup').map(({ trigger }) => trigger),
      ['demand', 'final'],
    );
  }
  const fresh = another();
  await fresh.manager.stop({ finalBackup: true });
  t.equal(fresh.told.count('backup'), 0, 'what an earlier manager has seen, it knows too');
});

t.test('a final backup that fails rejects stop, after all has been closed', async (t) => {
  const { manager, told } = await managerScene(t, { before: () => Promise.reject(new Error('no')) });
  await t.rejects(manager.stop({ finalBackup: true }), { message: 'no' });
  t.equal(told.names.at(-1), 'stopped');
  t.equal(told.count('failure'), 1);
});

t.test('an engine that is given is used, and not closed', async (t) => {
  const { db, dir } = await managerScene(t);
  const engine = await openEngine(t, dir('given'));
  {
    await using manager = new BackupManager({ db, location: engine });
    t.equal(manager.location, dir('given'));
    await manager.backupNow();
    await manager.backupFull();
  }
  t.equal((await engine.getBackupInfo()).length, 2);
});

t.test('what is built over a database is backed up as the database is', async (t) => {
  const dir = tempDir(t);
  const level = new RocksLevel<string, string>(dir('level'));
  await level.open();
  await level.put('a', '1');
  const manager = new BackupManager({ db: level, location: placeOf(dir('backups')) });
  await manager.backupNow();
  await manager.stop({ finalBackup: true });
  await level.close();
  const again = new BackupManager({ db: level, location: placeOf(dir('backups')) });
  t.ok((await settled(again.backupNow())).error, 'not while it is closed');
  t.equal((await again.list()).length, 1);
  await level.open();
  await again.backupNow();
  t.equal((await again.list()).length, 2);
  await again.stop();
  await level.close();
});

t.test('options of the engine and of each backup, and metadata, are passed on', async (t) => {
  let n = 0;
  const { manager } = await managerScene(t, {
    engine: { schemaVersion: 2 },
    create: { flushBeforeBackup: true, excludeFiles: () => [] },
    metadata: async () => ({ n: ++n }),
  });
  t.equal((await manager.backupNow()).appMetadata, '{"n":1}');
  t.equal((await manager.backupFull()).appMetadata, '{"n":2}');
});

t.test('options that cannot be are refused, by their names', async (t) => {
  const { db, dir } = await managerScene(t);
  const readOnly = await openEngine(t, dir('backups'), { readOnly: true }).catch(() => undefined);
  await BackupEngine.open(placeOf(dir('there'))).then((engine) => engine.close());
  const reader = readOnly ?? (await openEngine(t, dir('there'), { readOnly: true }));
  for (const [options, message] of [
    [{ location: 5 }, /^location must be/],
    [{ location: '' }, /^location must be/],
    [{ location: reader }, /readOnly/],
    [{ db: undefined }, /^db must be/],
    [{ db: {} }, /^db must be/],
    [{ db: '/data' }, /^db must be/],
    [{ db: { path: '/data', open: 1 } }, /^db must be/],
    [{ location: db.path }, /^location must be a directory of its own/],
    [{ location: `${dir('db')}/../db/` }, /^location must be a directory of its own/],
    [{ db: { path: dir('x'), open: () => undefined } }, /^location must be a directory of its own/],
    [{ shedule: '5m' }, /^there is no option "shedule"; did you mean "schedule"\?$/],
    [{ skipUnchanged: 'yes' }, /^skipUnchanged must be true or false/],
    [{ engine: { backupRateLimits: 5 } }, /^engine: .* no option "backupRateLimits"; did you mean "backupRateLimit"\?/],
    [{ engine: { backupRateLimit: 5 } }, /^engine.backupRateLimit must be/],
    [{ engine: { sync: 'yes' } }, /^engine.sync must be/],
    [{ create: { flush: true } }, /^create: .* no option "flush"; did you mean "flushBeforeBackup"\?/],
    [{ create: { flushBeforeBackup: 1 } }, /^create.flushBeforeBackup must be/],
    [{ drill: { sample: '10%' } }, /^drill.sample must be/],
    [{ drill: { directory: 5 } }, /^drill.directory must be/],
    [{ drill: { alternates: ['/x'] } }, /^drill.alternates must be/],
    [{ schedule: 'now and then' }, /^schedule must be/],
    [{ jitter: 'some' }, /^jitter must be/],
    [{ minInterval: -1 }, /^minInterval must be/],
    [{ fullEvery: 1.5 }, /^fullEvery must be/],
    [{ retention: { weakly: 2 } }, /weakly/],
    [{ verify: 'yes' }, /^verify must be/],
    [{ verify: true }, /^verify must be/],
    [{ verify: false, retention: { last: 3 } }, /^verify must be.*retention/],
    [{ retry: { tries: 2 } }, /^there is no option "retry.tries"$/],
    [{ retry: { attempts: -1 } }, /^retry.attempts must be/],
    [{ retry: { delay: 'soon' } }, /^retry.delay must be/],
    [{ engine: { readOnly: true } }, /^engine.readOnly must be/],
    [{ engine: { destroyOldData: true } }, /^engine.destroyOldData must be/],
    [{ create: { signal: new AbortController().signal } }, /^create.signal must be/],
    [{ drill: { schedule: 'x' } }, /^drill.schedule must be/],
    [{ drill: { often: true } }, /^there is no option "drill.often"$/],
    [{ snapshots: { retention: { x: 1 } } }, /x/],
    [{ metadata: {} }, /^metadata must be/],
    [{ before: 'x' }, /^before must be/],
    [{ after: 'x' }, /^after must be/],
    [{ onFailure: 'x' }, /^onFailure must be/],
    [{ auditLog: '' }, /^auditLog must be/],
    [{ metrics: { registry: 1 } }, /^there is no option "metrics.registry"; did you mean "metrics.register"/],
    [{ metrics: { register: 'default' } }, /^metrics.register must be/],
    [{ metrics: { register: {} } }, /^metrics.register must be/],
    [{ metrics: { prefix: 'my app' } }, /^metrics.prefix must be/],
    [{ metrics: { prefix: Symbol('x') } }, /^metrics.prefix must be/],
    [{ metrics: { labels: { 'a b': 'x' } } }, /^metrics.labels.a b must be/],
    [{ metrics: { labels: { a: 1 } } }, /^metrics.labels.a must be/],
  ] as [Record<string, unknown>, RegExp][]) {
    const make = () => new BackupManager({ db, location: dir('x'), ...options } as unknown as BackupManagerOptions);
    t.throws(make, { code: 'INVALID_OPTION', message }, JSON.stringify(options));
  }
  t.throws(() => new BackupManager(undefined as unknown as BackupManagerOptions), { code: 'INVALID_OPTION' });
});

t.test('notifyChange costs next to nothing', async (t) => {
  const { manager } = await managerScene(t);
  await start(manager);
  manager.notifyChange();
  const count = 2_000_000;
  const begun = performance.now();
  for (let n = 0; n < count; n++) manager.notifyChange();
  const nanoseconds = ((performance.now() - begun) * 1e6) / count;
  t.comment(`${nanoseconds.toFixed(1)} ns each`);
  t.ok(nanoseconds < 1000);
});
