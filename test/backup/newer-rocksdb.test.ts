// Databases that a newer RocksDB wrote: errors say so, and do not call them damaged.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Database, engineInfo } from '../../lib/index.js';
import { contentsOf, fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { failureOf, openDb } from '../fixtures/databases.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';
import { makeNewerTables, newerFormat, newerVersion, noteNewerVersion } from '../fixtures/newer-rocksdb.js';

/** The directory of a closed database with a table and a log. */
async function closedDatabase(t: Test) {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  await fill(db, 'a');
  await fill(db, 'b', { flush: false });
  const contents = await contentsOf(db);
  await db.close();
  return { path, db: path('db'), contents };
}

/** A backup with correct checksums, of a database of a newer RocksDB. */
async function backedUp(t: Test) {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  await fill(db, 'a');
  // Change the files while the database is open: the backup copies them as they are.
  makeNewerTables(path('db'));
  noteNewerVersion(path('db'));
  // With this naming, the engine does not read the session id in the tables.
  const engine = await openEngine(t, path('backups'), { shareFilesWithChecksumNaming: 'legacyCrc32cAndFileSize' });
  await engine.createBackup(db);
  return { path, engine, backups: path('backups') };
}

const told = {
  code: 'NEWER_ROCKSDB',
  message: new RegExp(
    `RocksDB ${newerVersion} wrote this database, and RocksDB ${engineInfo().rocksdb}, .* cannot read it: .*Open it with RocksDB ${newerVersion} or newer`,
  ),
};

t.test(
  'a database with tables of a newer format is refused, in every mode, and nothing of it is touched',
  async (t) => {
    const { path, db } = await closedDatabase(t);
    noteNewerVersion(db);
    makeNewerTables(db);
    const before = snapshotOf(db);
    const attempts = {
      'to write': () => Database.open(db),
      'with few files': () => Database.open(db, { maxOpenFiles: 20 }),
      'as another would leave it': () => Database.open(db, { keepOptionsFile: true }),
      'to read': () => Database.open(db, { mode: 'readOnly' }),
      'as a secondary': () => Database.open(db, { mode: { secondary: path('secondary') } }),
      'to be repaired': () => Database.repair(db),
    };
    for (const [how, attempt] of Object.entries(attempts)) {
      const failure = await failureOf(attempt);
      t.match(failure, told, how);
      t.match(failure.message, new RegExp(`\\d+\\.sst is a table of format ${newerFormat}, `));
      t.notMatch(failure.message, /orrupt/);
    }
    t.same(snapshotOf(db), before);
  },
);

t.test('a database of a newer RocksDB that can be read is opened', async (t) => {
  const { db, contents } = await closedDatabase(t);
  noteNewerVersion(db);
  t.same(await contentsOf(await openDb(t, db)), contents);
});

t.test('a table that names a format which nobody has written is damaged', async (t) => {
  const { db } = await closedDatabase(t);
  makeNewerTables(db);
  t.match(await failureOf(() => Database.open(db)), { code: 'ROCKSDB_CORRUPTION' });
});

t.test('a manifest, or options, of a newer RocksDB that cannot be read are told so', async (t) => {
  const unreadable: Record<string, (bytes: Buffer) => Buffer> = {
    'MANIFEST-': (bytes) => bytes.fill(0x55, 20, 40),
    'OPTIONS-': (bytes) => Buffer.from(bytes.toString('latin1').replace('[CFOptions', '[Unheard'), 'latin1'),
  };
  for (const [prefix, change] of Object.entries(unreadable)) {
    const { db } = await closedDatabase(t);
    const name = join(
      db,
      readdirSync(db)
        .filter((file) => file.startsWith(prefix))
        .sort()
        .at(-1) as string,
    );
    writeFileSync(name, change(readFileSync(name)));
    t.match((await failureOf(() => Database.open(db))).code, /^ROCKSDB_/, `${prefix} of this RocksDB`);
    noteNewerVersion(db);
    t.match(await failureOf(() => Database.open(db)), told, `${prefix} of a newer one`);
  }
});

t.test('its backups are whole, say what they need, and are restored for whoever has that', async (t) => {
  const { path, engine } = await backedUp(t);
  t.match(await engine.getBackupInfo(), [{ newerRocksDB: newerVersion }]);
  t.match(await engine.getBackupInfo(1), { newerRocksDB: newerVersion });
  await engine.verifyBackup(1, { checksum: true });
  t.match(await engine.restoreBackup(1, path('restored')), { newerRocksDB: newerVersion });
  t.match(await failureOf(() => Database.open(path('restored'))), told);
  t.match(await failureOf(() => engine.openBackup(1)), told);
});

t.test('backups of this RocksDB, and of newer ones that this one reads, say nothing of it', async (t) => {
  const { path, db } = await closedDatabase(t);
  const opened = await openDatabase(t, db);
  const engine = await openEngine(t, path('backups'));
  await engine.createBackup(opened);
  noteNewerVersion(db);
  await engine.createBackup(opened);
  for (const info of await engine.getBackupInfo()) t.notOk('newerRocksDB' in info, `backup ${info.backupId}`);
});

t.test('an id that is given again is looked at again', async (t) => {
  const { path, engine } = await backedUp(t);
  t.match(await engine.getBackupInfo(1), { newerRocksDB: newerVersion });
  await engine.deleteBackup(1);
  t.same(await engine.getBackupInfo(), []);
  const db = await openDatabase(t, path('other'));
  await fill(db, 'a');
  await engine.createBackup(db);
  t.notOk('newerRocksDB' in (await engine.getBackupInfo(1)));
});

t.test('list, verify, restore and show tell it before somebody relies on such a backup', async (t) => {
  const { path, backups } = await backedUp(t);
  const warning = new RegExp(`warning: backup 1 is of a database that RocksDB ${newerVersion} wrote, `);
  t.match(await cli(t, ['list', backups]), { code: 0, stderr: warning });
  t.match((await cliAnswer(t, ['list', backups])).json, { backups: [{ newerRocksDB: newerVersion }] });
  t.match(await cli(t, ['verify', backups]), { code: 0, stderr: warning });
  t.match(await cli(t, ['restore', backups, path('restored')]), { code: 0, stderr: warning });
  t.match((await cli(t, ['show', backups, '1'])).stdout, new RegExp(`Needs +RocksDB ${newerVersion} or newer`));
  t.match(await cli(t, ['drill', backups]), { code: 1, stderr: /cannot read it/ });
  t.match(await cli(t, ['scan', backups, '1']), { code: 1, stderr: /cannot read it/ });
});
