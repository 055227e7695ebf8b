// What others do to the target while a restore runs, and names that are hard to handle.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Database, RateLimiter } from '../../lib/index.js';
import { begun, contentsAt, contentsOf, fill, keyOf, openDatabase, openEngine, settled } from '../fixtures/backups.js';
import { filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';

/** A backup, and an engine whose restores of it take a minute, so that a test can act in between, until the limit is removed. */
async function scene(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('source'));
  await fill(db, 'a', { count: 50 });
  const writer = await openEngine(t, dir('backups'));
  await writer.createBackup(db);
  const limiter = new RateLimiter({ bytesPerSecond: 1000 });
  const engine = await openEngine(t, dir('backups'), { restoreRateLimit: limiter });
  const letGo = () => {
    limiter.bytesPerSecond = 2 ** 40;
  };
  const hold = () => {
    limiter.bytesPerSecond = 1000;
  };
  return { dir, engine, letGo, hold, contents: await contentsOf(db) };
}

t.test('no database opens in the target while it is restored, be it new or replaced', async (t) => {
  const { dir, engine, letGo, hold, contents } = await scene(t);
  for (const overwrite of [false, true]) {
    hold();
    const { outcome } = await begun((o) => engine.restoreBackup(1, dir('db'), { ...o, overwrite }), 'restore');
    for (const mode of ['readWrite', 'readOnly'] as const) {
      await t.rejects(Database.open(dir('db'), { mode }), { code: 'DATABASE_IN_USE' }, mode);
    }
    await t.rejects(Database.destroy(dir('db')), { code: 'DATABASE_IN_USE' });
    await t.rejects(engine.restoreBackup(1, dir('db'), { overwrite: true, allowOtherDatabase: true }), {
      code: 'DATABASE_IN_USE',
    });
    letGo();
    t.match((await outcome).value, { backupId: 1 });
    t.same(await contentsAt(dir('db')), contents);
    const db = await Database.open(dir('db'));
    await db.put('more', 'than the backup has');
    await db.close();
  }
});

t.test('a target that comes into being meanwhile is not replaced without overwrite', async (t) => {
  const { dir, engine, letGo } = await scene(t);
  const { outcome } = await begun((options) => engine.restoreBackup(1, dir('db'), options), 'restore');
  mkdirSync(dir('db'));
  writeFileSync(dir('db', 'notes.txt'), 'mine');
  const before = snapshotOf(dir('db'));
  letGo();
  t.match((await outcome).error, { code: 'TARGET_EXISTS' });
  t.same(snapshotOf(dir('db')), before);
  t.same(readdirSync(dir()).sort(), ['backups', 'db', 'source'], 'and nothing is left beside it');
});

t.test('a file of somebody else that comes into the target meanwhile is kept', async (t) => {
  const { dir, engine, letGo, contents } = await scene(t);
  const old = await Database.open(dir('db'));
  await fill(old, 'old');
  await old.close();
  const { outcome } = await begun(
    (o) => engine.restoreBackup(1, dir('db'), { ...o, overwrite: true, allowOtherDatabase: true }),
    'restore',
  );
  writeFileSync(dir('db', 'notes.txt'), 'mine');
  mkdirSync(dir('db', 'folder'));
  writeFileSync(dir('db', 'folder', 'notes.txt'), 'mine too');
  letGo();
  t.match((await outcome).value, { backupId: 1 });
  t.equal(readFileSync(dir('db', 'notes.txt'), 'utf8'), 'mine');
  t.equal(readFileSync(dir('db', 'folder', 'notes.txt'), 'utf8'), 'mine too');
  t.same(await contentsAt(dir('db')), contents);
});

t.test('a target that disappears meanwhile is made anew', async (t) => {
  const { dir, engine, letGo, contents } = await scene(t);
  const old = await Database.open(dir('db'));
  await old.close();
  const { outcome } = await begun(
    (o) => engine.restoreBackup(1, dir('db'), { ...o, overwrite: true, allowOtherDatabase: true }),
    'restore',
  );
  await Database.destroy(dir('db')).catch((error) => t.equal(error.code, 'DATABASE_IN_USE'));
  letGo();
  t.match((await outcome).value, { backupId: 1 });
  t.same(await contentsAt(dir('db')), contents);
});

t.test('a database that is open in a folder of the target goes on as if nothing had happened', async (t) => {
  const { dir, engine, letGo, contents } = await scene(t);
  letGo();
  const parent = await Database.open(dir('db'));
  await parent.close();
  const child = await openDatabase(t, dir('db', 'child'), { rocksdb: { write_buffer_size: 65_536 } });
  await fill(child, 'first');
  let restoring = true;
  const restores = settled(
    (async () => {
      for (let n = 0; n < 5; n++)
        await engine.restoreBackup(1, dir('db'), { overwrite: true, allowOtherDatabase: true });
    })(),
  ).finally(() => {
    restoring = false;
  });
  let written = 0;
  while (restoring) {
    await child.put(keyOf('k', written), Buffer.alloc(2000, written));
    written++;
    if (written % 20 === 0) await child.flush();
    if (written > 2000) await after(10); // that is enough: each of its files needs a descriptor
  }
  t.equal((await restores).error, undefined);
  const expected = await contentsOf(child);
  t.equal(Object.keys(expected).length, 20 + written);
  await child.close();
  t.same(await contentsAt(dir('db', 'child')), expected);
  t.same(await contentsAt(dir('db')), contents);
});

t.test('names of every kind are taken for databases, logs and backups', async (t) => {
  const dir = tempDir(t);
  const names = [
    'with space',
    'größer 🗻',
    '-rf',
    '.hidden',
    'quote\'s "and" more',
    'new\nline',
    '%41$HOME*?[x]',
    'x'.repeat(255),
    'ü'.repeat(127),
  ];
  for (const [n, name] of names.entries()) {
    const db = await openDatabase(t, dir(`db${n}`, name));
    await fill(db, 'a', { count: 5 });
    await fill(db, 'b', { count: 5, flush: false });
    const engine = await openEngine(t, dir(`backups${n}`, name), { infoLog: dir(`log${n}`) });
    t.equal(engine.location, dir(`backups${n}`, name));
    await engine.createBackup(db);
    await engine.verifyBackup(1, { checksum: true });
    for (const overwrite of [false, true]) {
      const walDir = dir(`wal${n}`, name);
      await engine.restoreBackup(1, dir(`restored${n}`, name), { overwrite, walDir });
      t.same(await contentsAt(dir(`restored${n}`, name), { walDir }), await contentsOf(db), name.slice(0, 20));
      t.same(readdirSync(dir(`restored${n}`)), [name]);
    }
    const opened = await engine.openBackup(1);
    t.same(await contentsOf(opened), await contentsOf(db));
    await opened.close();
  }
});

t.test('a relative target, with dots and slashes, is where it says', async (t) => {
  const { dir, engine, letGo, contents } = await scene(t);
  letGo();
  mkdirSync(dir('sub'));
  for (const [target, real] of [
    [relative(process.cwd(), dir('one')), 'one'],
    [`${dir('sub')}/../two`, 'two'],
    [`${dir('three')}///`, 'three'],
    [`${dir()}/./four/.`, 'four'],
    [`${dir('not-there')}/../five`, 'five'],
  ] as const) {
    await engine.restoreBackup(1, target);
    t.same(await contentsAt(dir(real)), contents, real);
  }
  t.notOk(existsSync(dir('not-there')));
  t.same(filesBelow(dir('sub')), []);
});
