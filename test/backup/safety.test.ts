import { existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import {
  begun,
  contentsAt,
  contentsOf,
  fill,
  keyOf,
  openDatabase,
  openEngine,
  SLOW,
  settled,
} from '../fixtures/backups.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';

t.test('while one engine writes, a second one here is refused with BACKUP_LOCKED, and readers work', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const other = await openDatabase(t, dir('other'));
  const second = await openEngine(t, dir('backups'));
  await second.createBackup(db);
  await fill(db, 'a', { count: 100 });
  const first = await openEngine(t, dir('backups'), { backupRateLimit: 1000 });
  const { outcome } = await begun((options) => first.createBackup(db, options));
  const writes: (() => Promise<unknown>)[] = [
    () => second.createBackup(db),
    () => second.createBackup(other, { allowOtherDatabase: true }),
    () => second.deleteBackup(1),
    () => second.purgeOldBackups(0),
    () => second.garbageCollect(),
    () => second.deleteBackup(1, { force: true }),
    () => BackupEngine.open(dir('backups'), { destroyOldData: true }),
  ];
  for (const write of writes) {
    await t.rejects(write(), { code: 'BACKUP_LOCKED', message: new RegExp(`process ${process.pid}`) });
  }
  t.same(
    (await second.getBackupInfo()).map((info) => info.backupId),
    [1],
  );
  await second.verifyBackup(1, { checksum: true });
  await second.restoreBackup(1, dir('restored'));
  const opened = await second.openBackup(1);
  await opened.close();
  first.stopBackup();
  t.match((await outcome).error, { code: 'BACKUP_STOPPED' });
  t.equal((await second.createBackup(db)).backupId, 2, 'the lock is free again');
  t.equal((await first.getBackupInfo()).length, 2, 'and nobody works with an old list');
});

t.test('engines that take turns never give an id twice, nor destroy each other’s backups', async (t) => {
  const dir = tempDir(t);
  const engines = [await openEngine(t, dir('backups')), await openEngine(t, dir('backups'))];
  const dbs = [await openDatabase(t, dir('x')), await openDatabase(t, dir('y'))];
  const expected: Record<string, string>[] = [];
  for (let n = 0; n < 6; n++) {
    const db = dbs[n % 2]!;
    await fill(db, `n${n}-`);
    t.equal((await engines[n % 2]!.createBackup(db, { allowOtherDatabase: true })).backupId, n + 1);
    expected.push(await contentsOf(db));
  }
  await engines[0]!.deleteBackup(6);
  t.equal((await engines[1]!.createBackup(dbs[1]!)).backupId, 6, 'only the id of a deleted latest comes again');
  for (const [n, contents] of expected.entries()) {
    await engines[0]!.restoreBackup(n + 1, dir(`restored-${n}`));
    t.same(await contentsAt(dir(`restored-${n}`)), contents);
  }
});

t.test('a backup that is verified, restored or open is not deleted', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 100 });
  const writer = await openEngine(t, dir('backups'));
  await writer.createBackup(db);
  await writer.createBackup(db);
  const slow = await openEngine(t, dir('backups'), { restoreRateLimit: 1000 });
  const restore = await begun((options) => slow.restoreBackup(1, dir('restored'), options), 'restore');
  const before = snapshotOf(dir('backups', 'meta'));
  await t.rejects(writer.deleteBackup(1), { code: 'BACKUP_IN_USE', message: /backup 1 / });
  await t.rejects(writer.deleteBackup(1, { force: true }), { code: 'BACKUP_IN_USE' });
  await t.rejects(writer.purgeOldBackups(0), { code: 'BACKUP_IN_USE' });
  t.same(snapshotOf(dir('backups', 'meta')), before);
  await writer.deleteBackup(2);
  await slow.close();
  t.match((await restore.outcome).error, { code: 'RESTORE_STOPPED' });
  await writer.deleteBackup(1);
});

t.test('a repository among the files of the database is refused, and one below it is fine', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'), { walDir: dir('wal') });
  await fill(db, 'a');
  symlinkSync('db', dir('link'));
  for (const place of ['db', 'db/', 'link', 'wal', 'db/archive', 'db/archive/x', 'wal/archive', 'db/../db']) {
    const { value, error } = await settled(BackupEngine.open(dir(place)));
    if (error === undefined) {
      await t.rejects(
        value.createBackup(db),
        { code: 'INVALID_OPTION', message: /another disk|inside the backup/ },
        place,
      );
      await value.close();
    }
  }
  for (const place of ['db/backups', 'db/a/b', 'wal/backups', 'beside']) {
    const engine = await openEngine(t, dir(place));
    await engine.createBackup(db);
    await engine.restoreBackup(1, dir('restored'), { overwrite: true });
    t.same(await contentsAt(dir('restored')), await contentsOf(db), place);
  }
  await db.close();
  await Database.destroy(dir('db'), { walDir: dir('wal') });
  const engine = await openEngine(t, dir('db', 'backups'));
  await engine.verifyBackup(1, { checksum: true });
});

t.test('a database inside a repository is no source for it', async (t) => {
  const dir = tempDir(t);
  const engine = await openEngine(t, dir('backups'));
  for (const place of ['private/1', 'shared', 'meta/x', 'shared_checksum/db']) {
    const db = await Database.open(dir('backups', place));
    await t.rejects(engine.createBackup(db), { code: 'INVALID_OPTION', message: /inside the repository/ }, place);
    await db.close();
    await Database.destroy(dir('backups', place));
  }
  const db = await openDatabase(t, dir('backups', 'live'));
  await fill(db, 'a');
  await engine.createBackup(db);
  await engine.garbageCollect();
  t.ok(await db.get(keyOf('a', 1)));
});

t.test('while a backup cannot be read, what deletes refuses and says which, and creating harms nothing', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  const expected: Record<string, string>[] = [];
  for (const prefix of ['a', 'b', 'c']) {
    await fill(db, prefix);
    await db.compactRange(); // each backup has its own table
    await engine.createBackup(db);
    expected.push(await contentsOf(db));
  }
  for (const id of ['1', '2']) renameSync(dir('backups', 'meta', id), dir(`meta-${id}`));
  for (const id of ['1', '2']) writeFileSync(dir('backups', 'meta', id), 'not synced yet');
  const before = snapshotOf(dir('backups', 'shared_checksum'));
  const removes: (() => Promise<unknown>)[] = [
    () => engine.deleteBackup(3),
    () => engine.deleteBackup(1),
    () => engine.purgeOldBackups(0),
    () => engine.purgeOldBackups(5),
    () => engine.garbageCollect(),
  ];
  for (const remove of removes) {
    await t.rejects(remove(), { code: 'BACKUP_CORRUPT', message: /1 and 2/ });
  }
  t.same(snapshotOf(dir('backups', 'shared_checksum')), before);

  mkdirSync(dir('backups', 'private', '4')); // makes the engine collect its garbage in the next create
  await fill(db, 'd');
  await engine.createBackup(db);
  await fill(db, 'e', { count: 100 });
  const slow = await openEngine(t, dir('backups'), { backupRateLimit: SLOW });
  const { outcome } = await begun((options) => slow.createBackup(db, options));
  slow.stopBackup(); // makes the engine clean up the failed backup
  t.match((await outcome).error, { code: 'BACKUP_STOPPED' });

  for (const id of ['1', '2']) renameSync(dir(`meta-${id}`), dir('backups', 'meta', id));
  t.same(await engine.getCorruptedBackups(), []);
  for (const [n, contents] of expected.entries()) {
    await engine.verifyBackup(n + 1, { checksum: true });
    await engine.restoreBackup(n + 1, dir(`restored-${n}`));
    t.same(await contentsAt(dir(`restored-${n}`)), contents, `backup ${n + 1} came back`);
  }
});

t.test('force gives an unreadable backup up, and only that', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  for (const prefix of ['a', 'b', 'c']) {
    await fill(db, prefix);
    await engine.createBackup(db);
  }
  writeFileSync(dir('backups', 'meta', '2'), 'damaged');
  await engine.deleteBackup(2, { force: true });
  t.same(await engine.getCorruptedBackups(), []);
  t.notOk(existsSync(dir('backups', 'private', '2')));
  for (const id of [1, 3]) await engine.verifyBackup(id, { checksum: true });
  writeFileSync(dir('backups', 'meta', '1'), 'damaged');
  await engine.garbageCollect({ force: true });
  await engine.purgeOldBackups(1, { force: true });
  await engine.verifyBackup(3, { checksum: true });
  t.same(
    (await engine.getBackupInfo()).map((info) => info.backupId),
    [3],
  );
});

t.test('data written without a log is in the backup', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const users = await db.createColumnFamily('users');
  const engine = await openEngine(t, dir('backups'));
  await db.put('logged', 'yes');
  await db.put('unlogged', 'yes', { disableWAL: true });
  await users.put('unlogged', 'too', { disableWAL: true });
  await db.batch().put('batch', 'yes').write({ disableWAL: true });
  await engine.createBackup(db);
  await engine.restoreBackup(1, dir('restored'));
  const restored = await openDatabase(t, dir('restored'));
  for (const key of ['logged', 'unlogged', 'batch']) t.equal((await restored.get(key))?.toString(), 'yes', key);
  t.equal((await restored.columnFamily('users').get('unlogged'))?.toString(), 'too');

  await db.put('after', 'yes', { disableWAL: true });
  await engine.createBackup(db, { flushBeforeBackup: false });
  await engine.restoreBackup(2, dir('told-not-to'));
  t.equal(
    (await contentsAt(dir('told-not-to'))).after,
    Buffer.from('yes').toString('base64'),
    'also where no flush was asked for: it is nowhere else',
  );
});
