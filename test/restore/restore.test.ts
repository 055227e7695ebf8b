// A restore replaces its target only when it is complete, and changes nothing if it is refused or fails.

import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import t from 'tap';
import { Database, type RestoreBackupOptions } from '../../lib/index.js';
import { begun, contentsAt, contentsOf, fill, keyOf, openDatabase, openEngine, SLOW } from '../fixtures/backups.js';
import { damages, filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';
import { databaseInTheWay, scene } from '../fixtures/restores.js';

t.test('until a restore is complete its target does not exist', async (t) => {
  const { dir, engine } = await scene(t, { slow: true });
  const abort = new AbortController();
  const { outcome } = await begun((options) => engine.restoreBackup(1, dir('target'), options), 'restore', {
    signal: abort.signal,
  });
  t.notOk(existsSync(dir('target')));
  const staged = readdirSync(dir()).filter((name) => name !== 'backups' && name !== 'source');
  t.equal(staged.length, 1, `it is written beside it, to ${staged}`);
  abort.abort(new Error('changed my mind'));
  t.match((await outcome).error, { message: 'changed my mind' });
  t.notOk(existsSync(dir(staged[0]!)), 'what was written is removed');
  t.notOk(existsSync(dir('target')));
});

t.test('a restore leaves the database alone in its directory, and nothing beside it', async (t) => {
  const { dir, engine, contents } = await scene(t);
  for (const target of ['new', 'empty', 'deep/er/still']) {
    if (target === 'empty') mkdirSync(dir(target));
    const before = readdirSync(dir());
    const info = await engine.restoreBackup(1, dir(target));
    t.equal(filesBelow(dir(target)).length, info.numberFiles);
    t.same(readdirSync(dir()).sort(), [...new Set([...before, target.split('/')[0]])].sort());
    t.same(await contentsAt(dir(target)), contents, target);
  }
});

t.test('a target that is not empty is refused without overwrite, whatever is in it', async (t) => {
  const { dir, engine } = await scene(t);
  await databaseInTheWay(dir('database'));
  mkdirSync(dir('file-inside'));
  writeFileSync(dir('file-inside', 'notes.txt'), 'mine');
  mkdirSync(dir('directory-inside', 'sub'), { recursive: true });
  writeFileSync(dir('a-file'), 'not a directory');
  for (const target of ['database', 'file-inside', 'directory-inside', 'a-file']) {
    const before = snapshotOf(dir());
    await t.rejects(engine.restoreBackup(1, dir(target)), { code: 'TARGET_EXISTS', message: dir(target) }, target);
    await t.rejects(engine.restoreLatestBackup(dir(target)), { code: 'TARGET_EXISTS' }, target);
    t.same(snapshotOf(dir()), before, target);
  }
  const before = snapshotOf(dir());
  await t.rejects(engine.restoreBackup(1, dir('a-file'), { overwrite: true, allowOtherDatabase: true }), {
    code: 'TARGET_EXISTS',
  });
  await t.rejects(engine.restoreBackup(1, dir('a-file', 'below')), Error, 'a file where a directory has to be');
  t.same(snapshotOf(dir()), before, 'overwrite replaces no plain file');
});

// If the directory contains other folders, it is replaced file by file, otherwise as a whole.
for (const folders of [false, true]) {
  t.test(
    `overwrite replaces the database, its log too, and keeps others’ files${folders ? ' and folders' : ''}`,
    async (t) => {
      const { dir, engine, contents } = await scene(t);
      await databaseInTheWay(dir('db'));
      const foreign: Record<string, string> = {
        'notes.txt': 'mine',
        'app.log': 'not a write-ahead log',
        '12.sst.bak': 'a copy by hand',
        'CURRENT.mine': 'a prefix is not a name',
        ...(folders && {
          'folder/000009.log': 'looks like one, but lies in a folder of somebody',
          'folder/CURRENT': 'this too',
        }),
      };
      if (folders) mkdirSync(dir('db', 'folder'));
      for (const [name, text] of Object.entries(foreign)) writeFileSync(dir('db', name), text);
      symlinkSync('notes.txt', dir('db', 'link'));
      chmodSync(dir('db'), 0o750);
      await engine.restoreBackup(1, dir('db'), { overwrite: true, allowOtherDatabase: true });
      for (const [name, text] of Object.entries(foreign)) t.equal(readFileSync(dir('db', name), 'utf8'), text, name);
      t.ok(lstatSync(dir('db', 'link')).isSymbolicLink());
      t.equal(statSync(dir('db')).mode & 0o7777, 0o750, 'the directory keeps its mode');
      t.same(readdirSync(dir()).sort(), ['backups', 'db'].concat(existsSync(dir('source')) ? ['source'] : []));
      t.same(await contentsAt(dir('db')), contents, 'nothing of the old log is replayed');
    },
  );
}

t.test('a restore that fails or is stopped leaves the database in the target as it was', async (t) => {
  const { dir, engine } = await scene(t, { slow: true });
  const old = await databaseInTheWay(dir('db'));
  writeFileSync(dir('db', 'notes.txt'), 'mine');
  const before = snapshotOf(dir('db'));

  const abort = new AbortController();
  const stopped = await begun(
    (o) => engine.restoreBackup(1, dir('db'), { ...o, overwrite: true, allowOtherDatabase: true }),
    'restore',
    {
      signal: abort.signal,
    },
  );
  t.same(snapshotOf(dir('db')), before, 'while it runs');
  abort.abort();
  t.match((await stopped.outcome).error, { name: 'AbortError' });
  t.same(snapshotOf(dir('db')), before, 'stopped');

  const closing = await openEngine(t, dir('backups'), { restoreRateLimit: SLOW });
  const closed = await begun(
    (o) => closing.restoreBackup(1, dir('db'), { ...o, overwrite: true, allowOtherDatabase: true }),
    'restore',
  );
  await closing.close();
  t.match((await closed.outcome).error, { code: 'RESTORE_STOPPED' });
  t.same(snapshotOf(dir('db')), before, 'its engine was closed');

  const fast = await openEngine(t, dir('backups'));
  const shared = readdirSync(dir('backups', 'shared_checksum'))[0]!;
  damages.changed(dir('backups', 'shared_checksum', shared));
  await t.rejects(fast.restoreBackup(1, dir('db'), { overwrite: true, allowOtherDatabase: true }), {
    code: 'BACKUP_CORRUPT',
  });
  t.same(snapshotOf(dir('db')), before, 'the backup was damaged');
  t.same(
    readdirSync(dir())
      .sort()
      .filter((name) => name !== 'source'),
    ['backups', 'db'],
    'and nothing beside it',
  );
  t.same(await contentsAt(dir('db')), old);
});

t.test('a database that is open here is refused, however it was opened', async (t) => {
  const { dir, engine, contents } = await scene(t);
  await databaseInTheWay(dir('db'));
  symlinkSync('db', dir('link'));
  const opened: Record<string, () => Promise<Database>> = {
    readWrite: () => Database.open(dir('db')),
    readOnly: () => Database.open(dir('db'), { mode: 'readOnly' }),
    secondary: () => Database.open(dir('db'), { mode: { secondary: dir('secondary') } }),
  };
  for (const [mode, open] of Object.entries(opened)) {
    const db = await open();
    const before = snapshotOf(dir('db'));
    for (const target of ['db', 'link']) {
      await t.rejects(
        engine.restoreBackup(1, dir(target), { overwrite: true, allowOtherDatabase: true }),
        { code: 'DATABASE_IN_USE' },
        mode,
      );
    }
    t.same(snapshotOf(dir('db')), before, mode);
    t.ok(await db.get(keyOf('old', 1)), `${mode}: the open one goes on`);
    await db.close();
  }
  await engine.restoreBackup(1, dir('db'), { overwrite: true, allowOtherDatabase: true });
  t.same(await contentsAt(dir('db')), contents, 'closed, it is replaced');
});

t.test(
  'a walDir that is not empty is refused without overwrite; with it old logs go and other files stay',
  async (t) => {
    const { dir, engine, contents } = await scene(t);
    for (const walDir of ['wal', 'db/wal']) {
      const options = { walDir: dir(walDir) };
      const old = await Database.open(dir('db'), options);
      await fill(old, 'old', { flush: false });
      await old.close();
      writeFileSync(dir(walDir, 'notes.txt'), 'mine');
      const before = snapshotOf(dir());
      await t.rejects(engine.restoreBackup(1, dir('db'), options), { code: 'TARGET_EXISTS' });
      if (walDir === 'wal') {
        await t.rejects(engine.restoreBackup(1, dir('new'), options), { code: 'TARGET_EXISTS', message: dir('wal') });
      }
      t.same(snapshotOf(dir()), before, 'refused');
      await engine.restoreBackup(1, dir('db'), { ...options, overwrite: true, allowOtherDatabase: true });
      t.equal(readFileSync(dir(walDir, 'notes.txt'), 'utf8'), 'mine');
      t.same(await contentsAt(dir('db'), options), contents, walDir);
      await Database.destroy(dir('db'));
    }
  },
);

t.test('a target that is a symbolic link stays one, and what it points to is restored', async (t) => {
  const { dir, engine, contents } = await scene(t);
  await databaseInTheWay(dir('real'));
  symlinkSync('real', dir('link'));
  await t.rejects(engine.restoreBackup(1, dir('link')), { code: 'TARGET_EXISTS' });
  await engine.restoreBackup(1, dir('link'), { overwrite: true, allowOtherDatabase: true });
  t.ok(lstatSync(dir('link')).isSymbolicLink());
  t.same(await contentsAt(dir('real')), contents);

  symlinkSync('not-there', dir('dangling'));
  const before = snapshotOf(dir());
  await t.rejects(engine.restoreBackup(1, dir('dangling')), { code: 'TARGET_EXISTS', message: /leads nowhere/ });
  await t.rejects(engine.restoreBackup(1, dir('dangling'), { overwrite: true, allowOtherDatabase: true }), {
    code: 'TARGET_EXISTS',
  });
  t.same(snapshotOf(dir()), before, 'a link that leads nowhere is refused');
});

t.test('the repository and its parts are no targets', async (t) => {
  const { dir, engine } = await scene(t);
  const before = snapshotOf(dir('backups'));
  for (const part of ['', 'meta', 'private', 'private/1', 'private/2', 'shared', 'shared_checksum']) {
    for (const options of [{ overwrite: true, allowOtherDatabase: true }, {}] satisfies RestoreBackupOptions[]) {
      await t.rejects(engine.restoreBackup(1, dir('backups', part), options), Error, `target ${part}`);
    }
    await t.rejects(
      engine.restoreBackup(1, dir('db'), { walDir: dir('backups', part), overwrite: true, allowOtherDatabase: true }),
      { code: 'INVALID_OPTION' },
      `walDir ${part}`,
    );
  }
  t.same(snapshotOf(dir('backups')), before);
  t.notOk(existsSync(dir('db')));
});

t.test('a database whose backups lie below it is restored in its place, with all of its backups', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'));
  await fill(db, 'a');
  const contents = await contentsOf(db);
  const engine = await openEngine(t, dir('db', 'backups'));
  await engine.createBackup(db);
  await fill(db, 'b');
  await engine.createBackup(db);
  await db.close();
  const before = filesBelow(dir('db', 'backups'));
  await engine.restoreBackup(1, dir('db'), { overwrite: true, allowOtherDatabase: true });
  t.same(filesBelow(dir('db', 'backups')), before);
  for (const id of [1, 2]) await engine.verifyBackup(id, { checksum: true });
  t.same(readdirSync(dir()), ['db']);
  const restored = await openDatabase(t, dir('db'));
  t.same(await contentsOf(restored), contents);
  await engine.createBackup(restored);
});

t.test('restoreLatestBackup takes the latest that can be read, and says which', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  for (const metadata of ['one', 'two', 'three']) {
    await fill(db, metadata);
    await engine.createBackup(db, { metadata });
  }
  t.match(await engine.restoreLatestBackup(dir('third')), { backupId: 3, appMetadata: 'three' });
  writeFileSync(dir('backups', 'meta', '3'), 'damaged');
  t.match(await engine.restoreLatestBackup(dir('second')), { backupId: 2, appMetadata: 'two' });
  t.equal(Object.keys(await contentsAt(dir('second'))).length, 40);
  t.same(await engine.getCorruptedBackups(), [3]);
});

t.test('two restores of one backup to two targets run at a time', async (t) => {
  const { dir, engine, contents } = await scene(t);
  appendFileSync(dir('marker'), '');
  await Promise.all(['x', 'y', 'z'].map((name) => engine.restoreBackup(1, dir(name))));
  for (const name of ['x', 'y', 'z']) t.same(await contentsAt(dir(name)), contents, name);
});

t.test('of two restores to one target, one is refused and the other is whole', async (t) => {
  const { dir, engine, contents } = await scene(t);
  for (const overwrite of [false, true]) {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 4 }, () => engine.restoreBackup(1, dir('db'), { overwrite })),
    );
    t.ok(outcomes.some((outcome) => outcome.status === 'fulfilled'));
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') t.match(outcome.reason.code, /^(TARGET_EXISTS|DATABASE_IN_USE)$/);
    }
    t.same(await contentsAt(dir('db')), contents);
    t.same(
      readdirSync(dir())
        .filter((name) => name !== 'source')
        .sort(),
      ['backups', 'db'],
    );
  }
});
