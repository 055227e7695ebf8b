// Backups without new data: which are skipped, and which changes must always be noticed.

import { truncateSync } from 'node:fs';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import {
  BackupManager,
  type BackupManagerOptions,
  type BackupOutcome,
  Database,
  type DatabaseOpener,
} from '../../lib/index.js';
import { readState } from '../../lib/manager/state.js';
import { fill, openEngine } from '../fixtures/backups.js';
import { filesBelow, tempDir } from '../fixtures/files.js';
import { MINUTE, managerScene, start, Told } from '../fixtures/managers.js';
import { placeOf, storageOf } from '../fixtures/place.js';

const skipUnchanged = true;

const scene = (t: Test, options: Partial<BackupManagerOptions> = {}) =>
  managerScene(t, { skipUnchanged, schedule: '10m', ...options });

t.test('a scheduled backup of an unchanged database is left out, told, and counts as a good run', async (t) => {
  const register = new Registry();
  const { manager, told, advance, db, dir, clock } = await scene(t, {
    metrics: { register },
  });
  await start(manager);
  await advance(35 * MINUTE);
  t.equal(told.count('backup'), 1);
  t.same(
    told.of('skipped').map(({ operation, trigger, reason, backupId }) => [operation, trigger, reason, backupId]),
    [1, 2, 3].map(() => ['backup', 'schedule', 'unchanged', 1]),
  );
  t.match(told.of('skipped')[0]!.message, /nothing was written since backup 1/);
  const { lastGoodBackup, lastCurrent, consecutiveFailures } = manager.status();
  t.ok(lastCurrent!.getTime() - lastGoodBackup!.getTime() > 20 * MINUTE);
  t.equal(consecutiveFailures, 0);
  const stats = await manager.stats();
  t.match(stats, {
    created: 1,
    leftOut: 3,
    msSinceLastGoodBackup: 5 * MINUTE,
    lastCurrent: new Date(+lastCurrent!),
  });
  const { history, last } = await readState(storageOf(dir('backups')));
  t.match(
    history.filter(({ operation }) => operation === 'skip'),
    [
      {
        ok: true,
        backupId: 1,
        trigger: 'schedule',
        detail: { reason: 'unchanged', times: 3 },
      },
    ],
    'one record, however often',
  );
  t.equal(history.filter(({ operation }) => operation === 'skip').length, 1);
  t.equal(Date.parse(last.skip!.at), clock.now() - 5 * MINUTE);
  const metrics = await register.metrics();
  t.match(metrics, /rocksdb_backup_left_out_total\{directory="[^"]+"\} 3\n/);
  t.match(metrics, /rocksdb_backup_last_good_backup_age_seconds\{directory="[^"]+"\} 300\n/);
  await db.put('new', '1');
  await advance(10 * MINUTE);
  t.equal(told.count('backup'), 2);
  t.equal((await manager.stats()).leftOut, 3);
});

t.test('whatever changes what a database holds is seen', async (t) => {
  const changes: [string, (db: Database) => unknown][] = [
    ['a write', (db) => db.put('k', '1')],
    ['a write that is in no log', (db) => db.put('k', '2', { disableWAL: true })],
    ['a delete', (db) => db.delete('k')],
    ['a range that is deleted', (db) => db.deleteRange('a', 'b')],
    ['a family that is made', (db) => db.createColumnFamily('more')],
    ['a write to a family', (db) => db.columnFamily('more').put('k', '1')],
    ['a family that is dropped', (db) => db.dropColumnFamily('more')],
    ['a family that is made again', (db) => db.createColumnFamily('more')],
  ];
  const { manager, told, advance, db } = await scene(t);
  await start(manager);
  await advance(25 * MINUTE);
  for (const [what, change] of changes) {
    await advance(20 * MINUTE);
    const before = told.count('backup');
    const skipped = told.count('skipped');
    await change(db);
    await advance(10 * MINUTE);
    t.equal(told.count('backup'), before + 1, what);
    await advance(20 * MINUTE);
    t.ok(told.count('skipped') > skipped, `${what}, and then nothing more`);
  }
});

t.test('what is written while a backup is made is in the next one', async (t) => {
  const { manager, told, advance, db } = await scene(t);
  manager.once('start', () => db.putSync('meanwhile', '1'));
  await start(manager);
  await advance(5 * MINUTE);
  t.equal(told.count('backup'), 1);
  await advance(20 * MINUTE);
  t.equal(told.count('backup'), 2, 'it is not known whether the first has it');
  t.equal(told.count('skipped'), 1);
});

t.test('what the before-hook writes is seen, and the after-hook hears of what was left out', async (t) => {
  const outcomes: BackupOutcome[] = [];
  let write = true;
  const made = await scene(t, {
    before: () => (write ? made.db.put('hook', String(made.clock.now())) : undefined),
    after: (_context, outcome) => outcomes.push(outcome),
  });
  await start(made.manager);
  await made.advance(15 * MINUTE);
  t.equal(made.told.count('backup'), 2);
  write = false;
  await made.advance(10 * MINUTE);
  t.match(outcomes.at(-1), {
    ok: true,
    result: undefined,
    unchanged: { newest: { backupId: 2 }, trigger: 'schedule' },
  });
});

t.test('over restarts of manager and database too; a final backup is left out as well', async (t) => {
  const { manager, told, db, dir } = await scene(t);
  await db.put('in the log', '1');
  await manager.backupNow();
  await manager.stop({ finalBackup: true });
  t.equal(told.count('backup'), 1);
  t.match(told.of('skipped'), [{ trigger: 'final', reason: 'unchanged', backupId: 1 }]);
  await db.close();
  const restarted = async (change?: (db: Database) => Promise<unknown>) => {
    const again = await Database.open(dir('db'));
    const next = new BackupManager({ db: again, location: placeOf(dir('backups')) });
    const heard = new Told(next);
    await change?.(again);
    await next.stop({ finalBackup: true });
    await again.close();
    return heard.names.filter((name) => name === 'backup' || name === 'skipped');
  };
  t.same(await restarted(), ['backup'], 'what was in the log is in a file now');
  t.same(await restarted(), ['skipped']);
  t.same(await restarted(), ['skipped']);
  t.same(await restarted((again) => again.put('new', '1')), ['backup']);
  t.same(
    await restarted(async (again) => {
      await again.put('new', '2', { disableWAL: true });
    }),
    ['backup'],
  );
});

t.test('a database that was put back and written to again is not taken for what it was before', async (t) => {
  // After a restore, the numbers of writes and files are used again, for other writes in other files.
  const dir = tempDir(t);
  const write = async (value: string) => {
    const db = await Database.open(dir('db'));
    await db.put('k', value);
    await db.flush();
    const sequence = db.latestSequenceNumber;
    const files = db.columnFamily('default').property('rocksdb.sstables');
    const manager = new BackupManager({ db, location: placeOf(dir('backups')) });
    const told = new Told(manager);
    await manager.stop({ finalBackup: true });
    await db.close();
    return { names: told.names, sequence, files };
  };
  await write('first');
  const second = await write('second');
  t.ok(second.names.includes('backup'));
  const engine = await openEngine(t, dir('backups'));
  await engine.restoreBackup(1, dir('db'), { overwrite: true });
  const third = await write('third!');
  t.equal(third.sequence, second.sequence);
  t.ok(third.names.includes('backup'), 'backup 2 has another value');
});

t.test('a newest backup that is gone, damaged, or somebody else’s is none that is current', async (t) => {
  const { manager, told, advance, db, dir } = await scene(t, {
    verify: 'size',
  });
  await start(manager);
  await advance(15 * MINUTE);
  t.equal(told.count('backup'), 1);
  const engine = await openEngine(t, dir('backups'));
  await engine.deleteBackup(1);
  await advance(10 * MINUTE);
  t.equal(told.count('backup'), 2, 'it was deleted');
  await engine.createBackup(db);
  await advance(10 * MINUTE);
  t.equal(told.count('backup'), 3, 'the newest was made by somebody else');
  await db.put('in memory', '1');
  await advance(10 * MINUTE);
  t.equal(told.count('backup'), 4);
  await db.flush();
  await advance(10 * MINUTE);
  t.equal(told.count('backup'), 4, 'it was flushed for the backup already');
  const before = told.count('failure');
  const [table] = filesBelow(dir('backups', 'shared_checksum')).slice(-1);
  truncateSync(dir('backups', 'shared_checksum', table!), 10);
  await advance(10 * MINUTE);
  t.equal(told.count('failure'), before + 1, 'damage is told');
  t.match(told.of('backup').at(-1), { kind: 'full', info: { backupId: 5 } });
});

t.test('backupNow makes one unless told otherwise; skipUnchanged: false makes all', async (t) => {
  const { manager, told, another, advance } = await scene(t);
  t.equal((await manager.backupNow()).backupId, 1);
  t.equal((await manager.backupNow()).backupId, 2);
  t.equal((await manager.backupNow({ skipUnchanged: true })).backupId, 2);
  const [left, made] = [manager.backupNow({ skipUnchanged: true }), manager.backupNow()];
  t.equal((await made).backupId, 3, 'who wants one gets one, whoever waits with him');
  t.equal((await left).backupId, 3);
  t.equal(told.count('backup'), 3);
  const always = another({ skipUnchanged: false });
  await start(always.manager);
  await advance(25 * MINUTE);
  t.equal(always.told.count('backup'), 3);
  t.equal(always.told.count('skipped'), 0);
});

t.test('a database that the manager opens itself is open only while it is backed up', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'));
  await fill(db, 'a');
  await db.close();
  let opens = 0;
  const opener: DatabaseOpener = {
    path: dir('db'),
    open: () => {
      opens++;
      return Database.open(dir('db'), { createIfMissing: false });
    },
  };
  const manager = new BackupManager({
    db: opener,
    location: placeOf(dir('backups')),
    retry: { attempts: 0 },
  });
  const told = new Told(manager);
  t.equal(opens, 0);
  await Promise.all([manager.backupNow(), manager.snapshot()]);
  const mine = await Database.open(dir('db'));
  t.equal((await manager.listSnapshots()).length, 1);
  await t.rejects(manager.backupNow(), { code: 'DATABASE_IN_USE' });
  t.match(told.of('failure'), [{ operation: 'open' }]);
  await mine.close();
  const made = told.count('backup');
  await manager.backupNow({ skipUnchanged: true });
  await manager.backupNow({ skipUnchanged: true });
  t.ok(told.count('skipped') >= 1);
  t.ok(told.count('backup') <= made + 1);
  await manager.stop();
  await (await Database.open(dir('db'))).close();
});
