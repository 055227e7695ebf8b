// To which database a backup belongs, and the consequences: which database may be backed up to a repository that already has backups, and
// that the backups of several databases in one repository are counted separately.

import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import { BackupManager, Database, type OpenOptions } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';

/** RocksDB before 9.7 writes no id into its MANIFEST. */
const OLD: OpenOptions = { rocksdb: { write_dbid_to_manifest: false } };

const recordOf = (directory: string, id: number) => `${directory}/private/${id}/rocksdb-backup.files`;

/** Two databases, and a repository with two backups of the first. */
async function scene(t: Test) {
  const dir = tempDir(t);
  const [one, other] = [await openDatabase(t, dir('one')), await openDatabase(t, dir('other'))];
  const engine = await openEngine(t, dir('backups'));
  for (const prefix of ['a', 'b']) {
    await fill(one, prefix);
    await engine.createBackup(one);
  }
  await fill(other, 'a');
  return { dir, one, other, engine };
}

t.test('a backup says which database it is of, and one without a record by its files', async (t) => {
  const { dir, one, engine } = await scene(t);
  const infos = await engine.getBackupInfo();
  t.same(
    infos.map(({ databaseId }) => databaseId),
    [one.identity, one.identity],
  );
  rmSync(recordOf(dir('backups'), 1));
  t.equal((await engine.getBackupInfo(1)).databaseId, one.identity, 'by its MANIFEST');
});

t.test('without an id in the MANIFEST the newest table tells, and nothing where there is no table', async (t) => {
  const dir = tempDir(t);
  const old = await openDatabase(t, dir('old'), OLD);
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(old);
  await fill(old, 'a');
  await engine.createBackup(old);
  t.equal((await engine.getBackupInfo(2)).databaseId, old.identity);
  for (const id of [1, 2]) rmSync(recordOf(dir('backups'), id));
  t.same(
    (await engine.getBackupInfo()).map(({ databaseId }) => databaseId),
    [undefined, old.identity],
  );
});

t.test('the first backup of another database needs leave, and is refused without a trace', async (t) => {
  const { dir, one, other, engine } = await scene(t);
  const look = () => {
    const { 'rocksdb-backup.lock': lock, ...rest } = snapshotOf(dir('backups'));
    return rest; // every writer, also a refused one, writes its name into the lock file
  };
  const before = look();
  await t.rejects(engine.createBackup(other), {
    name: 'RocksDBError',
    code: 'DATABASE_DIFFERS',
    message: new RegExp(`${other.identity}.*${one.identity} \\(backups 1 and 2\\).*allowOtherDatabase: true`),
  });
  t.same(look(), before);
  await engine.createBackup(other, { allowOtherDatabase: true });
  await engine.createBackup(other);
  await engine.createBackup(one);
  t.same(
    (await engine.getBackupInfo()).map(({ databaseId }) => databaseId),
    [one, one, other, other, one].map(({ identity }) => identity),
  );
  for (let id = 1; id <= 5; id++) await engine.verifyBackup(id, { checksum: true });
});

t.test('a database that was destroyed and made anew is another one', async (t) => {
  const dir = tempDir(t);
  const engine = await openEngine(t, dir('backups'));
  for (const code of [undefined, 'DATABASE_DIFFERS']) {
    const db = await Database.open(dir('db'));
    await fill(db, 'a');
    const made = engine.createBackup(db);
    await (code === undefined ? made : t.rejects(made, { code }));
    await db.close();
    await Database.destroy(dir('db'));
  }
});

t.test('a restored database and an opened checkpoint are the one that they come from', async (t) => {
  const { dir, one, engine } = await scene(t);
  await engine.restoreBackup(1, dir('restored'));
  await one.checkpoint(dir('checkpoint'));
  for (const name of ['restored', 'checkpoint']) {
    const copy = await openDatabase(t, dir(name));
    t.equal(copy.identity, one.identity);
    await fill(copy, name);
    const { backupId, databaseId } = await engine.createBackup(copy);
    t.equal(databaseId, one.identity);
    await engine.restoreBackup(backupId, dir(`${name}-again`));
    t.same(await contentsAt(dir(`${name}-again`)), await contentsOf(copy));
  }
});

t.test('a database that was restored without its id is known by the tables that it goes on with', async (t) => {
  const dir = tempDir(t);
  const old = await openDatabase(t, dir('old'), OLD);
  await fill(old, 'a');
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(old);
  await engine.restoreBackup(1, dir('restored'));
  const restored = await openDatabase(t, dir('restored'));
  t.not(restored.identity, old.identity, 'the id was nowhere');
  await fill(restored, 'b');
  await engine.createBackup(restored);
  t.equal((await engine.getBackupInfo(2)).databaseId, restored.identity);
});

t.test('a restore replaces no other database without leave', async (t) => {
  const { dir, one, other, engine } = await scene(t);
  const contents = await contentsOf(one);
  await one.close();
  await other.close();
  await t.rejects(engine.restoreBackup(2, dir('other')), { code: 'TARGET_EXISTS' });
  const before = snapshotOf(dir('other'));
  const refused = { code: 'DATABASE_DIFFERS', message: /it holds another database.*allowOtherDatabase: true/ };
  await t.rejects(engine.restoreBackup(2, dir('other'), { overwrite: true }), refused);
  await t.rejects(engine.planRestore(2, dir('other'), { overwrite: true }), refused);
  const line = ['restore', dir('backups'), dir('other'), '--overwrite', '--yes'];
  const said = await cli(t, line);
  t.match(said, { code: 1, stderr: /another database.*pass --allow-other-database, which/ });
  const dry = await cli(t, [...line, '--allow-other-database', '--dry-run']);
  t.match(dry, {
    code: 0,
    stdout: /This replaces a database in .*other that is not the one in the backup with/,
  });
  t.same(snapshotOf(dir('other')), before);
  await engine.restoreBackup(2, dir('one'), { overwrite: true });
  t.same(await contentsAt(dir('one')), contents, 'over its own there needs no leave');
  t.equal((await cli(t, [...line, '--allow-other-database'])).code, 0);
  t.same(await contentsAt(dir('other')), contents);
});

t.test('a database that was restored without its id is replaced by its own backups', async (t) => {
  const dir = tempDir(t);
  const old = await openDatabase(t, dir('old'), OLD);
  await fill(old, 'a');
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(old);
  await engine.restoreBackup(1, dir('restored'));
  await (await Database.open(dir('restored'))).close();
  await engine.restoreBackup(1, dir('restored'), { overwrite: true });
  t.same(await contentsAt(dir('restored')), await contentsOf(old));
});

t.test('purging keeps so many of each database', async (t) => {
  const { dir, one, other, engine } = await scene(t);
  const ids = async () => (await engine.getBackupInfo()).map(({ backupId }) => backupId);
  for (let n = 0; n < 3; n++) await engine.createBackup(other, { allowOtherDatabase: true });
  await engine.purgeOldBackups(2);
  t.same(await ids(), [1, 2, 4, 5]);
  t.match((await cliAnswer(t, ['purge', dir('backups'), '--keep', '1', '--dry-run'])).json, {
    deleted: [1, 4],
    kept: [2, 5],
  });
  t.equal((await cli(t, ['purge', dir('backups'), '--keep', '1', '--yes'])).code, 0);
  t.same(await ids(), [2, 5]);
  await engine.restoreBackup(2, dir('restored'));
  t.same(await contentsAt(dir('restored')), await contentsOf(one));
});

t.test('prune counts each database for itself, and verifies the newest of each', async (t) => {
  const { dir, other, engine } = await scene(t);
  for (let n = 0; n < 2; n++) await engine.createBackup(other, { allowOtherDatabase: true });
  const plan = await cli(t, ['prune', dir('backups'), '--keep-last', '1', '--dry-run']);
  t.match(plan.stdout, /Backup 2, the newest, would be verified first\.\nBackup 4, the newest, would be/);
  const { json, code } = await cliAnswer(t, ['prune', dir('backups'), '--keep-last', '1', '--yes']);
  t.match({ code, json }, { code: 0, json: { deleted: [1, 3] } });
});

t.test('a manager deletes no backup of another database, and has its own for the latest', async (t) => {
  const { one, other, engine } = await scene(t);
  const retention = { last: 1 };
  const create = { allowOtherDatabase: true };
  const ofOther = new BackupManager({ db: other, location: engine, retention, create });
  t.teardown(() => ofOther.stop());
  for (let n = 0; n < 3; n++) await ofOther.backupNow();
  t.same(
    (await engine.getBackupInfo()).map(({ backupId }) => backupId),
    [1, 2, 5],
  );
  const ofOne = new BackupManager({ db: one, location: engine, retention });
  t.teardown(() => ofOne.stop());
  await ofOne.verify();
  t.same(
    (await engine.getBackupInfo()).map(({ backupId }) => backupId),
    [1, 2, 5],
  );
  await ofOne.prune();
  t.same(
    (await engine.getBackupInfo()).map(({ backupId }) => backupId),
    [2, 5],
  );
  const drilled = await ofOne.drill();
  t.equal(drilled.backupId, 2, 'the latest of its own');
});

t.test('the command line shows databases, refuses another one, and takes it when told to', async (t) => {
  const { dir, one, other } = await scene(t);
  await one.close();
  await other.close();
  const refused = await cli(t, ['create', dir('other'), dir('backups')]);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /has backups of another database.*pass --allow-other-database once/);
  const { json } = await cliAnswer(t, ['create', dir('other'), dir('backups'), '--allow-other-database']);
  t.match(json, { backup: { backupId: 3, kind: 'full', databaseId: String } });
  const listed = await cli(t, ['list', dir('backups')]);
  t.match(listed.stdout, /DATABASE/);
  const stats = await cliAnswer(t, ['stats', dir('backups')]);
  t.match(stats.json, { full: 2, incremental: 1, databases: [{ backups: 2 }, { backups: 1 }] });
  const latest = await cli(t, ['show', dir('backups'), 'latest']);
  t.match(latest.stderr, /has backups of 2 databases; the latest, 3, is of [0-9a-f-]{36}\n/);
  t.match((await cli(t, ['show', dir('backups'), '3'])).stdout, /Database +[0-9a-f-]{36}/);
  t.equal((await cli(t, ['create', dir('one'), dir('backups')])).code, 0, 'the first one is still at home');
});

t.test('full is what copied every file, and the first full backup is shared with the next', async (t) => {
  const { dir, db, engine, kinds, copied } = await kindScene(t);
  await engine.createBackup(db, { full: true });
  const first = await copied();
  await fill(db, 'b');
  await engine.createBackup(db);
  t.ok((await copied()) < first, 'it took over the tables of the first');
  await engine.createBackup(db, { full: true });
  await engine.createBackup(db);
  t.same(await kinds(), ['full', 'incremental', 'full', 'incremental']);
  await engine.deleteBackup(1);
  t.same(await kinds(), ['incremental', 'full', 'incremental'], 'what it is does not change when others go');
  const { fileDetails } = await engine.getBackupInfo(3, { fileDetails: true });
  t.ok(
    fileDetails?.every(({ backups }) => backups === 1),
    'a later full one stands alone',
  );
  rmSync(recordOf(dir('backups'), 2));
  rmSync(recordOf(dir('backups'), 3));
  t.same(await kinds(), ['incremental', 'full', 'incremental'], 'as far as files tell');
  await engine.restoreBackup(4, dir('restored'));
  t.same(await contentsAt(dir('restored')), await contentsOf(db));
});

t.test('what was found before is taken over by no full backup, also where no backup can be read', async (t) => {
  const { dir, db, engine } = await kindScene(t);
  await engine.createBackup(db);
  rmSync(`${dir('backups')}/private/1`, { recursive: true });
  t.same(await engine.getCorruptedBackups(), [1]);
  const { backupId } = await engine.createBackup(db, { full: true });
  const { fileDetails } = await engine.getBackupInfo(backupId, { fileDetails: true });
  t.ok(fileDetails?.every(({ shared }) => !shared));
});

t.test('a backup says how much of it is write-ahead log', async (t) => {
  const { dir, db, engine } = await kindScene(t);
  await db.put('logged', randomBytes(3_000_000));
  const logged = await engine.createBackup(db);
  t.ok(logged.logBytes > 3_000_000 && logged.logBytes < logged.size);
  t.match((await cli(t, ['show', dir('backups'), '1'])).stdout, /Log +3(\.\d)? MB of that/);
  t.match((await cli(t, ['list', dir('backups')])).stdout, / LOG /);
  const flushed = await engine.createBackup(db, { flushBeforeBackup: true });
  t.ok(flushed.logBytes < 1000);
  const manager = new BackupManager({ db, location: engine });
  t.teardown(() => manager.stop());
  await db.put('logged', randomBytes(3_000_000));
  t.ok((await manager.backupNow()).logBytes < 1000, 'a manager flushes');
});

async function kindScene(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 200 });
  const engine = await openEngine(t, dir('backups'));
  const kinds = async () => (await engine.getBackupInfo()).map(({ kind }) => kind);
  let before = 0;
  /** How many bytes were added to the repository since the last call. */
  const copied = async () => {
    const infos = await engine.getBackupInfo({ fileDetails: true });
    const sizes = new Map(infos.flatMap(({ fileDetails = [] }) => fileDetails.map(({ name, size }) => [name, size])));
    const now = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    const bytes = now - before;
    before = now;
    return bytes;
  };
  return { dir, db, engine, kinds, copied };
}
