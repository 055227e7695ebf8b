// Backups of databases of every kind: while they are written to, several at a time, and after interrupted ones.

import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import {
  contentsAt,
  contentsOf,
  fill,
  isBackupData,
  keyOf,
  openDatabase,
  openEngine,
  settled,
} from '../fixtures/backups.js';
import { bytesBelow, filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';

t.test('a backup of a database that is written, flushed and compacted meanwhile holds one moment of it', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'), { backupRateLimit: 2_000_000 });
  await fill(db, 'base', { count: 300 });
  let written = 0;
  let writing = true;
  const writer = (async () => {
    while (writing) {
      await db.put(keyOf('n', written), Buffer.alloc(500, written));
      written++;
      if (written % 200 === 0) await db.flush();
      if (written % 500 === 0) await db.compactRange();
    }
  })();
  const bounds: [number, number][] = [];
  for (let round = 0; round < 4; round++) {
    const before = written;
    await engine.createBackup(db, { flushBeforeBackup: round % 2 === 1 });
    bounds.push([before, written]);
  }
  writing = false;
  await writer;
  for (const [n, [before, after]] of bounds.entries()) {
    const id = n + 1;
    await engine.verifyBackup(id, { checksum: true });
    await engine.restoreBackup(id, dir(`restored-${id}`));
    const keys = Object.keys(await contentsAt(dir(`restored-${id}`)));
    const numbered = keys.filter((key) => key.startsWith('n'));
    t.equal(keys.length - numbered.length, 300);
    t.ok(numbered.length >= before && numbered.length <= after + 1, `${before} <= ${numbered.length} <= ${after}`);
    t.equal(numbered.at(-1) ?? '', numbered.length ? keyOf('n', numbered.length - 1) : '', 'without a gap');
  }
});

t.test('two appenders and three readers work on one directory at a time', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'first', { count: 50 });
  const first = await contentsOf(db);
  await engine.createBackup(db);

  const second = BackupEngine.attach(engine.token);
  let appending = 2;
  let deleted = 0;
  const append = async (handle: BackupEngine, name: string) => {
    for (let round = 0; round < 5; round++) {
      await fill(db, `${name}${round}-`, { count: 20 });
      await handle.createBackup(db, { metadata: name });
      if (round !== 3) continue;
      const { error } = await settled(handle.deleteBackup((await handle.getBackupInfo())[1]!.backupId));
      if (error) t.equal(error.code, 'BACKUP_NOT_FOUND', 'the other was quicker');
      else deleted++;
    }
    appending--;
  };
  const read = async (name: string) => {
    for (let round = 0; appending > 0; round++) {
      const reader = await BackupEngine.open(dir('backups'), { readOnly: round % 2 === 0 });
      t.ok((await reader.getBackupInfo()).some((info) => info.backupId === 1));
      t.same(await reader.getCorruptedBackups(), [], 'half a backup is never seen');
      await reader.verifyBackup(1, { checksum: true });
      await reader.restoreBackup(1, dir(name), { overwrite: true });
      const opened = await reader.openBackup(1);
      t.same(await contentsOf(opened), first);
      await opened.close();
      await reader.close();
    }
  };
  await Promise.all([append(engine, 'a'), append(second, 'b'), read('x'), read('y'), read('z')]);
  await second.close();

  const all = await engine.getBackupInfo();
  t.equal(all.length, 1 + 10 - deleted);
  t.same(
    all.map((info) => info.backupId),
    [...new Set(all.map((info) => info.backupId))],
    'every id is its own',
  );
  for (const { backupId } of all) await engine.verifyBackup(backupId, { checksum: true });
  await engine.restoreLatestBackup(dir('latest'));
  t.same(await contentsAt(dir('latest')), await contentsOf(db));
});

t.test('calls on one engine that write wait for each other', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a');
  const made = await Promise.all(Array.from({ length: 5 }, () => engine.createBackup(db)));
  t.same(made.map((info) => info.backupId).sort(), [1, 2, 3, 4, 5]);
  await Promise.all([engine.deleteBackup(1), engine.createBackup(db), engine.garbageCollect(), engine.deleteBackup(3)]);
  t.same(
    (await engine.getBackupInfo()).map((info) => info.backupId),
    [2, 4, 5, 6],
  );
});

t.test('two databases are backed up to two directories at a time', async (t) => {
  const dir = tempDir(t);
  await Promise.all(
    ['one', 'two', 'three'].map(async (name) => {
      const db = await openDatabase(t, dir(name));
      await fill(db, name, { count: 200 });
      const engine = await openEngine(t, dir(`${name}-backups`));
      await engine.createBackup(db);
      await engine.restoreBackup(1, dir(`${name}-restored`));
      t.same(await contentsAt(dir(`${name}-restored`)), await contentsOf(db));
    }),
  );
});

t.test('excluded files are kept elsewhere: the backup is smaller, and restores with alternates only', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const alternate = await openEngine(t, dir('alternate'), { schemaVersion: 2 });
  const other = await openEngine(t, dir('other'), { schemaVersion: 2 });
  const engine = await openEngine(t, dir('backups'), { schemaVersion: 2 });
  await fill(db, 'a');
  await alternate.createBackup(db);
  await fill(db, 'b');
  await other.createBackup(db);
  const contents = await contentsOf(db);

  let given: string[] = [];
  const info = await engine.createBackup(db, {
    excludeFiles: (files) => {
      given = files;
      return files;
    },
  });
  t.equal(given.length, 2, 'both tables were offered');
  t.ok(given.every((file) => file.startsWith('shared_checksum/')));
  t.same(
    filesBelow(dir('backups')).filter((file) => file.endsWith('.sst')),
    [],
  );
  const detailed = await engine.getBackupInfo(1, { fileDetails: true });
  t.same(detailed.excludedFiles!.sort(), [...given].sort());
  t.equal(detailed.fileDetails!.length, info.numberFiles);
  t.equal(
    info.size,
    bytesBelow(dir('backups'), (file) => file.startsWith('private/') && isBackupData(file)),
  );
  await engine.verifyBackup(1, { checksum: true });

  for (const alternates of [undefined, [], [alternate]]) {
    await t.rejects(engine.restoreBackup(1, dir('restored'), { alternates }), Error, 'not all files are there');
    t.notOk(existsSync(dir('restored')));
  }
  await engine.restoreBackup(1, dir('restored'), { alternates: [other] });
  t.same(await contentsAt(dir('restored')), contents);
  const reader = await openEngine(t, dir('other'), { readOnly: true });
  await engine.restoreBackup(1, dir('again'), { alternates: [alternate, reader] });
  t.same(await contentsAt(dir('again')), contents);

  await fill(db, 'c');
  await engine.createBackup(db, { excludeFiles: () => [] });
  await engine.restoreBackup(2, dir('whole'));
  t.same(await contentsAt(dir('whole')), await contentsOf(db), 'nothing excluded, nothing needed');
});

t.test('excludeFiles that throws or answers nonsense stops the backup, and nothing of it is left', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'), { schemaVersion: 2 });
  await fill(db, 'a');
  await engine.createBackup(db);
  await fill(db, 'b');
  const before = filesBelow(dir('backups'));
  for (const thrown of [new Error('mine'), 'a string', undefined]) {
    const { error } = await settled(
      engine
        .createBackup(db, {
          excludeFiles: () => {
            throw thrown;
          },
        })
        .then(() => Promise.reject(new Error('it went through'))),
    );
    t.equal(error, thrown);
    t.same(filesBelow(dir('backups')), before);
  }
  const nonsense: unknown[] = [
    undefined,
    null,
    true,
    'all',
    {},
    [1],
    [null],
    [undefined],
    [Symbol('x')],
    [{}],
    ['no such file'],
    Promise.resolve([]),
    new Set(),
  ];
  for (const answer of nonsense) {
    const { error } = await settled(engine.createBackup(db, { excludeFiles: () => answer as string[] }));
    t.match(error, { code: 'INVALID_OPTION', message: /excludeFiles/ }, String(JSON.stringify(answer)));
    t.same(filesBelow(dir('backups')), before);
  }
  t.equal((await engine.createBackup(db, { excludeFiles: (files) => [...files, ...files] })).backupId, 2);
});

t.test('what an interrupted backup left does not hinder the next one, and is removed', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a');
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(db);
  const clean = filesBelow(dir('backups'));
  const leave = () => {
    mkdirSync(dir('backups', 'private', '2'), { recursive: true });
    writeFileSync(dir('backups', 'private', '2', 'MANIFEST-000005'), 'half a manifest');
    mkdirSync(dir('backups', 'private', '7'), { recursive: true });
    writeFileSync(dir('backups', 'private', '7', 'CURRENT'), 'of a long time ago');
    writeFileSync(dir('backups', 'shared_checksum', '.000099_sX_5.sst.tmp'), 'half a table');
    writeFileSync(dir('backups', 'shared_checksum', '000098_sX_5.sst'), 'whole, but of no backup');
    writeFileSync(dir('backups', 'meta', '.2.tmp'), 'half a meta file');
  };
  leave();
  t.same(
    (await engine.getBackupInfo()).map((info) => info.backupId),
    [1],
  );
  t.same(await engine.getCorruptedBackups(), []);
  await engine.garbageCollect();
  t.same(filesBelow(dir('backups')), clean, 'by garbageCollect');
  leave();
  await engine.createBackup(db);
  await engine.deleteBackup(2);
  t.same(filesBelow(dir('backups')), clean, 'by creating and deleting');
  leave();
  const again = await openEngine(t, dir('backups'));
  t.equal((await again.createBackup(db)).backupId, 2);
  for (const id of [1, 2]) await again.verifyBackup(id, { checksum: true });
  t.notOk(readdirSync(dir('backups', 'meta')).includes('.2.tmp'));
});

t.test('a database opened for reading only is no source, nor is a backup opened in place', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(db);
  const opened = await engine.openBackup(1);
  await db.close();
  const reader = await openDatabase(t, dir('db'), { mode: 'readOnly' });
  const before = snapshotOf(dir('backups', 'meta'));
  for (const source of [opened, reader]) {
    await t.rejects(engine.createBackup(source), { code: 'ROCKSDB_NOT_SUPPORTED' });
  }
  await t.rejects(engine.createBackup(db), { code: 'DATABASE_CLOSED' });
  t.same(snapshotOf(dir('backups', 'meta')), before);
  await opened.close();
});

t.test('a closed engine answers every call with ENGINE_CLOSED', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await BackupEngine.open(dir('backups'));
  await engine.close();
  await engine.close();
  const calls: (() => Promise<unknown>)[] = [
    () => engine.createBackup(db),
    () => engine.verifyBackup(1),
    () => engine.restoreBackup(1, dir('restored')),
    () => engine.getBackupInfo(),
    () => engine.getCorruptedBackups(),
    () => engine.openBackup(1),
    () => engine.deleteBackup(1),
    () => engine.purgeOldBackups(1),
    () => engine.garbageCollect(),
  ];
  for (const call of calls) {
    await t.rejects(call(), { code: 'ENGINE_CLOSED' });
  }
  t.throws(() => engine.stopBackup(), { code: 'ENGINE_CLOSED' });
});

t.test('a backup of a database that misses a table file fails, names it, and leaves nothing', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a');
  await engine.createBackup(db);
  await fill(db, 'b');
  const before = filesBelow(dir('backups'));
  const table = filesBelow(dir('db'))
    .filter((file) => file.endsWith('.sst'))
    .at(-1)!;
  renameSync(dir('db', table), dir('aside'));
  await t.rejects(engine.createBackup(db), { name: 'RocksDBError', message: table });
  t.same(filesBelow(dir('backups')), before);
  t.same(await engine.getCorruptedBackups(), []);
  renameSync(dir('aside'), dir('db', table));
  t.equal((await engine.createBackup(db)).backupId, 2);
});

t.test(
  'a repository that disappears, or is replaced, below an open engine is a typed error or begun anew',
  async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'));
    const engine = await openEngine(t, dir('backups'));
    await fill(db, 'a');
    await engine.createBackup(db);
    renameSync(dir('backups'), dir('aside'));
    for (const call of [
      () => engine.getBackupInfo(),
      () => engine.verifyBackup(1),
      () => engine.restoreBackup(1, dir('restored')),
      () => engine.openBackup(1),
      () => engine.deleteBackup(1),
      () => engine.createBackup(db),
    ] as (() => Promise<unknown>)[]) {
      await t.rejects(call(), { name: 'RocksDBError', message: dir('backups') });
    }
    t.notOk(existsSync(dir('restored')));
    renameSync(dir('aside'), dir('backups'));
    await engine.verifyBackup(1, { checksum: true });
    t.equal((await engine.createBackup(db)).backupId, 2, 'back again, it goes on');
  },
);
