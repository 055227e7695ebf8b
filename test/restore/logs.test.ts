// Logs in a separate directory, and logs that are kept.

import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import { Database } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';
import { databaseInTheWay, scene } from '../fixtures/restores.js';

t.test('the log directory of an open database is no target, nor a walDir', async (t) => {
  const { dir, engine } = await scene(t);
  const db = await openDatabase(t, dir('db'), { walDir: dir('wal') });
  await fill(db, 'a', { flush: false });
  const before = snapshotOf(dir('wal'));
  t.ok(Object.keys(before).length > 1, 'there are logs in it');
  await t.rejects(engine.restoreBackup(1, dir('wal'), { overwrite: true }), { code: 'DATABASE_IN_USE' });
  await t.rejects(engine.restoreBackup(1, dir('other'), { walDir: dir('wal'), overwrite: true }), {
    code: 'DATABASE_IN_USE',
  });
  await t.rejects(engine.restoreBackup(1, dir('other'), { walDir: dir('db'), overwrite: true }), {
    code: 'DATABASE_IN_USE',
  });
  t.same(snapshotOf(dir('wal')), before);
  t.notOk(existsSync(dir('other')));
});

t.test('walDir takes the logs: apart, inside the target, or the target itself', async (t) => {
  const { dir, engine, contents } = await scene(t);
  const isLog = (name: string) => name.endsWith('.log');
  await engine.restoreBackup(1, dir('apart'), { walDir: dir('apart-wal') });
  t.ok(filesBelow(dir('apart-wal')).length > 0 && filesBelow(dir('apart-wal')).every(isLog));
  t.notOk(filesBelow(dir('apart')).some(isLog));
  t.same(await contentsAt(dir('apart'), { walDir: dir('apart-wal') }), contents, 'apart');

  await engine.restoreBackup(1, dir('inside'), { walDir: dir('inside', 'logs', 'wal') });
  t.notOk(readdirSync(dir('inside')).some(isLog));
  t.same(await contentsAt(dir('inside'), { walDir: dir('inside', 'logs', 'wal') }), contents, 'inside');

  await engine.restoreBackup(1, dir('same'), { walDir: dir('same') });
  t.same(await contentsAt(dir('same')), contents, 'the same');
});

t.test('the directory of another database is no walDir, open or closed', async (t) => {
  const { dir, engine } = await scene(t);
  await databaseInTheWay(dir('other'));
  await databaseInTheWay(dir('db'));
  await databaseInTheWay(dir('db', 'child'));
  const before = snapshotOf(dir());
  for (const walDir of ['other', 'db/child']) {
    for (const target of ['db', 'new']) {
      await t.rejects(engine.restoreBackup(1, dir(target), { walDir: dir(walDir), overwrite: true }), {
        code: 'INVALID_OPTION',
        message: dir(walDir),
      });
    }
  }
  t.same(snapshotOf(dir()), before);
});

t.test('keepLogFiles goes on with the logs that are in the target', async (t) => {
  const dir = tempDir(t);
  const engine = await openEngine(t, dir('backups'), { backupLogFiles: false });
  const db = await Database.open(dir('db'));
  await fill(db, 'flushed');
  await engine.createBackup(db);
  await fill(db, 'logged', { flush: false });
  const contents = await contentsOf(db);
  await db.close();

  const log = filesBelow(dir('db')).find((name) => name.endsWith('.log'))!;
  await engine.restoreBackup(1, dir('without'));
  t.equal(Object.keys(await contentsAt(dir('without'))).length, 20, 'the backup has no log');
  await engine.restoreBackup(1, dir('db'), { overwrite: true, keepLogFiles: true });
  t.ok(existsSync(dir('db', log)));
  t.same(await contentsAt(dir('db')), contents);
});

t.test('keepLogFiles goes on with archived logs too, and with those of a walDir', async (t) => {
  for (const walDir of [undefined, 'wal']) {
    const dir = tempDir(t);
    const options = { walDir: walDir && dir(walDir), rocksdb: { WAL_ttl_seconds: 3600 } };
    const engine = await openEngine(t, dir('backups'), { backupLogFiles: false });
    const db = await Database.open(dir('db'), options);
    await fill(db, 'flushed');
    await engine.createBackup(db);
    await fill(db, 'archived');
    await fill(db, 'logged', { flush: false });
    const contents = await contentsOf(db);
    await db.close();
    t.ok(filesBelow(dir()).some((file) => /archive\/\d+\.log$/.test(file)));
    await engine.restoreBackup(1, dir('db'), { walDir: options.walDir, overwrite: true, keepLogFiles: true });
    t.same(await contentsAt(dir('db'), options), contents, `logs in ${walDir ?? 'the same directory'}`);
  }
});
