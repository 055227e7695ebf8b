// What a backup is, how backups share files, and how they are deleted: create, list, open in place, delete, purge.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import t from 'tap';
import { BackupEngine, Database, RocksDBError } from '../../lib/index.js';
import {
  contentsAt,
  contentsOf,
  fill,
  isBackupData,
  isPartOfBackup,
  keyOf,
  openDatabase,
  openEngine,
} from '../fixtures/backups.js';
import { bytesBelow, filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';
import { MemoryStore } from '../stores/memory-store.js';

t.test('every backup of a database that goes on being written restores what was there when it was made', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  const expected: Record<string, string>[] = [];
  for (let round = 1; round <= 5; round++) {
    await fill(db, `round${round}-`, { flush: round % 2 === 1 });
    await db.delete(keyOf(`round${round}-`, 3));
    expected.push(await contentsOf(db));
    const { backupId } = await engine.createBackup(db, { flushBeforeBackup: round === 4 });
    t.equal(backupId, round);
  }
  await db.put('after', 'the last backup');
  for (const [n, contents] of expected.entries()) {
    const restored = await engine.restoreBackup(n + 1, dir(`restored-${n + 1}`));
    t.equal(restored.backupId, n + 1);
    t.same(await contentsAt(dir(`restored-${n + 1}`)), contents, `backup ${n + 1}`);
  }
});

t.test('backups of a database that is closed and destroyed in between bring each of its states back', async (t) => {
  const dir = tempDir(t);
  const expected: Record<string, string>[] = [];
  for (let round = 1; round <= 3; round++) {
    if (round === 3) await Database.destroy(dir('db'));
    const db = await Database.open(dir('db'));
    await fill(db, `round${round}-`, { flush: false });
    const engine = await BackupEngine.open(dir('backups'));
    await engine.createBackup(db, { allowOtherDatabase: round === 3 });
    expected.push(await contentsOf(db));
    await engine.close();
    await db.close();
  }
  t.equal(Object.keys(expected[2]!).length, 20, 'the third database began empty');
  const engine = await openEngine(t, dir('backups'));
  for (const [n, contents] of expected.entries()) {
    await engine.restoreBackup(n + 1, dir(`restored-${n + 1}`));
    t.same(await contentsAt(dir(`restored-${n + 1}`)), contents, `backup ${n + 1}`);
  }
});

t.test(
  'a restored database goes on where the backup left off, and can be backed up to the same directory',
  async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'));
    const engine = await openEngine(t, dir('backups'));
    await fill(db, 'a');
    await engine.createBackup(db);
    await fill(db, 'lost');
    await engine.createBackup(db);
    await engine.restoreBackup(1, dir('restored'));
    const restored = await openDatabase(t, dir('restored'));
    await fill(restored, 'b');
    const contents = await contentsOf(restored);
    const { backupId } = await engine.createBackup(restored);
    for (const id of [1, 2, backupId]) await engine.verifyBackup(id, { checksum: true });
    await engine.restoreBackup(backupId, dir('again'));
    t.same(await contentsAt(dir('again')), contents);
  },
);

t.test('an empty database can be backed up and restored', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(db);
  await engine.restoreLatestBackup(dir('restored'));
  t.same(await contentsAt(dir('restored')), {});
});

t.test('an incremental backup copies no table file a second time', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a', { count: 200 });
  await engine.createBackup(db);
  const first = snapshotOf(dir('backups', 'shared_checksum'));
  await fill(db, 'b', { count: 2 });
  const second = await engine.createBackup(db);
  const added = filesBelow(dir('backups', 'shared_checksum')).filter((path) => !(path in first));
  t.equal(added.length, 1, 'one table file was flushed, one came');
  t.match(snapshotOf(dir('backups', 'shared_checksum')), Object.fromEntries(Object.entries(first).slice(1)));
  t.ok(second.uniqueSize < 20_000 && second.size > 200_000, `${second.uniqueSize} of ${second.size} bytes are new`);
});

t.test(
  'a fresh database in a directory of older backups, with the same file numbers, harms none of them',
  async (t) => {
    const dir = tempDir(t);
    const engine = await openEngine(t, dir('backups'));
    const expected: Record<string, string>[] = [];
    for (const name of ['first', 'second']) {
      const db = await openDatabase(t, dir(name));
      await fill(db, name);
      await engine.createBackup(db, { allowOtherDatabase: true });
      expected.push(await contentsOf(db));
    }
    const numbers = readdirSync(dir('backups', 'shared_checksum')).map((name) => name.split('_')[0]);
    t.equal(numbers.length, 2);
    t.equal(numbers[0], numbers[1], 'both have a table file of the same number');
    for (const [n, contents] of expected.entries()) {
      await engine.verifyBackup(n + 1, { checksum: true });
      await engine.restoreBackup(n + 1, dir(`restored-${n}`));
      t.same(await contentsAt(dir(`restored-${n}`)), contents);
    }
  },
);

t.test('what is told of a backup is what is on the disk', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  t.same(await engine.getBackupInfo(), []);
  t.equal(await engine.getLatestBackupInfo(), undefined);
  await fill(db, 'a', { count: 100 });
  // Timestamps are whole seconds, from a clock that may be some milliseconds behind ours.
  const before = Math.floor(Date.now() / 1000) * 1000 - 1000;
  const created = await engine.createBackup(db, { metadata: 'first' });
  const after = Date.now();
  t.ok(created.timestamp.getTime() >= before && created.timestamp.getTime() <= after, 'the timestamp is of the create');
  await fill(db, 'b', { count: 50 });
  await engine.createBackup(db);

  const [first, second, ...others] = await engine.getBackupInfo({ fileDetails: true });
  t.same(others, []);
  t.same(await engine.getBackupInfo(1, { fileDetails: true }), first);
  t.same(await engine.getLatestBackupInfo({ fileDetails: true }), second);
  t.match(await engine.getBackupInfo(1), { ...created, uniqueSize: Number });
  t.notOk('fileDetails' in (await engine.getBackupInfo())[0]!);
  for (const info of [first!, second!]) {
    const details = info.fileDetails!;
    t.equal(details.length, info.numberFiles);
    t.equal(
      details.reduce((sum, file) => sum + file.size, 0),
      info.size,
    );
    t.equal(
      details.filter((file) => file.backups === 1).reduce((sum, file) => sum + file.size, 0),
      info.uniqueSize - info.metaSize,
    );
    t.equal(
      info.metaSize,
      bytesBelow(dir('backups'), (path) =>
        [`meta/${info.backupId}`, `private/${info.backupId}/rocksdb-backup.files`].includes(path),
      ),
    );
    for (const file of details) {
      t.equal(
        file.size,
        bytesBelow(dir('backups'), (path) => path === file.name),
        file.name,
      );
      t.equal(file.shared, file.name.startsWith('shared_checksum/'), file.name);
    }
    t.same(info.excludedFiles, []);
    await engine.restoreBackup(info.backupId, dir(`restored-${info.backupId}`));
    t.equal(bytesBelow(dir(`restored-${info.backupId}`)), info.size, 'size is what a restore writes');
  }
  const used = new Set([...first!.fileDetails!, ...second!.fileDetails!].map((file) => file.name));
  t.same([...used].sort(), filesBelow(dir('backups')).filter(isBackupData), 'every file belongs to a backup');
  t.same(
    second!
      .fileDetails!.filter((file) => file.shared)
      .map((file) => file.backups)
      .sort(),
    [1, 2],
  );
});

t.test('uniqueSize is what deleting a backup frees', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  for (const prefix of ['a', 'b', 'c']) {
    await fill(db, prefix, { count: 100 });
    await engine.createBackup(db);
  }
  await db.compactRange(); // the fourth backup shares nothing with those before it
  await engine.createBackup(db);
  const data = () => bytesBelow(dir('backups'), isPartOfBackup);
  for (const id of [4, 2, 1, 3]) {
    const { uniqueSize } = await engine.getBackupInfo(id);
    const before = data();
    await engine.deleteBackup(id);
    t.equal(before - data(), uniqueSize, `backup ${id}`);
  }
  t.equal(data(), 0);
});

t.test('deleting and purging keep every file that a remaining backup uses', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  const expected: Record<string, string>[] = [];
  for (let round = 1; round <= 6; round++) {
    await fill(db, `round${round}-`);
    if (round === 3) await db.compactRange();
    await engine.createBackup(db);
    expected.push(await contentsOf(db));
  }
  const ids = async () => (await engine.getBackupInfo()).map((info) => info.backupId);
  await engine.deleteBackup(2);
  t.same(await ids(), [1, 3, 4, 5, 6]);
  await engine.purgeOldBackups(9);
  t.same(await ids(), [1, 3, 4, 5, 6]);
  await engine.purgeOldBackups(3);
  t.same(await ids(), [4, 5, 6]);
  await engine.deleteBackup(6);
  t.same(await ids(), [4, 5]);
  const details = await engine.getBackupInfo({ fileDetails: true });
  const used = new Set(details.flatMap((info) => info.fileDetails!.map((file) => file.name)));
  t.same(filesBelow(dir('backups')).filter(isBackupData), [...used].sort(), 'nothing else is left');
  for (const id of await ids()) {
    await engine.verifyBackup(id, { checksum: true });
    await engine.restoreBackup(id, dir(`restored-${id}`));
    t.same(await contentsAt(dir(`restored-${id}`)), expected[id - 1]);
  }
  await engine.purgeOldBackups(0);
  t.same(await ids(), []);
  t.same(filesBelow(dir('backups')).filter(isBackupData), []);
});

t.test('an id that no backup has is BACKUP_NOT_FOUND everywhere, and the message names those there are', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  const calls: Record<string, () => Promise<unknown>> = {
    getBackupInfo: () => engine.getBackupInfo(7),
    verifyBackup: () => engine.verifyBackup(7),
    restoreBackup: () => engine.restoreBackup(7, dir('restored')),
    openBackup: () => engine.openBackup(7),
    deleteBackup: () => engine.deleteBackup(7),
  };
  for (const message of [/backups: it has none/, /It has 1 and 2\./]) {
    for (const [name, call] of Object.entries(calls)) {
      await t.rejects(call(), { name: 'RocksDBError', code: 'BACKUP_NOT_FOUND', message }, name);
    }
    await engine.createBackup(db);
    await engine.createBackup(db);
  }
  t.notOk(existsSync(dir('restored')));
  const empty = await openEngine(t, dir('empty'));
  await t.rejects(empty.restoreLatestBackup(dir('restored')), { code: 'BACKUP_NOT_FOUND' });
});

t.test('a backup opens as a database, in place and for reading only, while its own database is open', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const users = await db.createColumnFamily('users');
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a', { flush: false }); // only in the log
  await users.put('ada', '1');
  const contents = await contentsOf(db);
  await engine.createBackup(db);
  await fill(db, 'b');
  await users.put('ada', '2');
  await engine.createBackup(db);
  const before = snapshotOf(dir('backups', 'private'));

  const [past, present] = await Promise.all([engine.openBackup(1), engine.openBackup(2)]);
  t.same(await contentsOf(past!), contents);
  t.same(await contentsOf(present!), await contentsOf(db));
  t.equal((await past!.columnFamily('users').get('ada'))?.toString(), '1');
  t.equal((await present!.columnFamily('users').get('ada'))?.toString(), '2');
  await t.rejects(past!.put('x', 'y'), RocksDBError);
  await t.rejects(engine.deleteBackup(1), { code: 'BACKUP_IN_USE' });
  await t.rejects(engine.purgeOldBackups(0), { code: 'BACKUP_IN_USE' });
  t.equal((await engine.getBackupInfo()).length, 2, 'a refused purge deleted nothing');
  t.same(snapshotOf(dir('backups', 'private')), before, 'nothing was written');
  await engine.close();
  t.ok(await past!.get(keyOf('a', 1)), 'an opened backup outlives its engine');
  await past!.close();
  await present!.close();
  const again = await openEngine(t, dir('backups'));
  await again.deleteBackup(1);
});

t.test('metadata comes back as it was given: text, bytes, empty, and a whole MiB', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  const binary = Buffer.from(Array.from({ length: 512 }, (_, n) => n & 0xff));
  const given: (string | Uint8Array | undefined)[] = [
    undefined,
    '',
    'größer als 🗻\nmit "Zeilen"\0',
    binary,
    new Uint8Array(binary.buffer, binary.byteOffset + 3, 100),
    Buffer.alloc(2 ** 20, 7),
    'x'.repeat(2 ** 20),
  ];
  for (const metadata of given) {
    const created = await engine.createBackup(db, { metadata });
    const expected = Buffer.from(metadata ?? '');
    const again = await engine.getBackupInfo(created.backupId);
    for (const info of [created, again]) {
      t.ok(info.appMetadataBytes.equals(expected), `${expected.length} bytes`);
      t.equal(info.appMetadata, expected.toString());
    }
  }
  for (const { backupId } of await engine.getBackupInfo()) await engine.verifyBackup(backupId, { checksum: true });
});

t.test('an engine for reading only reads, verifies, restores and opens, and writes nothing', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  mkdirSync(dir('something-else'));
  for (const place of [dir('backups'), dir('something-else'), new MemoryStore()]) {
    for (const options of [{ readOnly: true }, { createIfMissing: false }]) {
      await t.rejects(BackupEngine.open(place, options), { code: 'DIRECTORY_NOT_FOUND' });
    }
    if (typeof place !== 'string') t.equal(place.objects.size, 0);
  }
  t.same(readdirSync(dir()).sort(), ['db', 'something-else'], 'it made nothing');
  t.same(readdirSync(dir('something-else')), []);

  const writer = await openEngine(t, dir('backups'));
  t.equal(writer.readOnly, false);
  await fill(db, 'a');
  await writer.createBackup(db);
  await writer.createBackup(db);
  mkdirSync(dir('backups', 'private', '9'));
  writeFileSync(dir('backups', 'shared_checksum', '.000042_x_1.sst.tmp'), 'of an interrupted backup');
  const before = snapshotOf(dir('backups'));

  const reader = await openEngine(t, dir('backups'), { readOnly: true });
  t.equal(reader.readOnly, true);
  t.equal((await reader.getBackupInfo()).length, 2);
  t.same(await reader.getCorruptedBackups(), []);
  await reader.verifyBackup(1, { checksum: true });
  await reader.restoreBackup(2, dir('restored'));
  const opened = await reader.openBackup(1);
  t.same(await contentsOf(opened), await contentsAt(dir('restored')));
  await opened.close();
  const writes: (() => Promise<unknown>)[] = [
    () => reader.createBackup(db),
    () => reader.deleteBackup(1),
    () => reader.purgeOldBackups(1),
    () => reader.garbageCollect(),
  ];
  for (const write of writes) {
    await t.rejects(write(), { code: 'READ_ONLY' });
  }
  t.same(snapshotOf(dir('backups')), before);
  await writer.createBackup(db);
  t.equal((await reader.getBackupInfo()).length, 3, 'it sees what others write meanwhile');
});

t.test('missing parent directories are made, and a relative location is one of this directory', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const deep = await openEngine(t, dir('a', 'b', 'c', 'backups'));
  await deep.createBackup(db);
  const location = relative(process.cwd(), dir('a', 'b', 'c', 'backups'));
  const engine = await openEngine(t, `${location}//`, { readOnly: true });
  t.equal(engine.location, dir('a', 'b', 'c', 'backups'));
  t.equal((await engine.getBackupInfo()).length, 1);
  const opened = await engine.openBackup(1); // RocksDB needs an absolute path here
  await opened.close();
});

t.test('a backup engine is made by open() and attach() only', async (t) => {
  const dir = tempDir(t);
  const Constructor = BackupEngine as unknown as new (...args: unknown[]) => BackupEngine;
  t.throws(() => new Constructor(Symbol('BackupEngine'), {}, 1), TypeError);
  const engine = await openEngine(t, dir('backups'));
  const other = BackupEngine.attach(engine.token);
  t.equal(other.token, engine.token);
  t.equal(other.location, engine.location);
  await engine.close();
  t.same(await other.getBackupInfo(), [], 'the engine closes with its last handle');
  await other.close();
  t.throws(() => BackupEngine.attach(engine.token), { code: 'ENGINE_CLOSED' });
});
