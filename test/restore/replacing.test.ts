// What a restore replaces, keeps and reuses, and what killed restores leave behind: from JS and from the command line.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Database, removeRestoreLeftovers } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openEngine } from '../fixtures/backups.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { type CliScene, cliScenes, refused } from '../fixtures/cli-scene.js';
import { damages, snapshotOf, tempDir } from '../fixtures/files.js';
import { databaseInTheWay, scene } from '../fixtures/restores.js';

let scenes: (t: Test) => CliScene;
t.before(async () => {
  scenes = await cliScenes(t);
});

/** Makes files that look like those of a database, in a folder that contains no database. */
function noDatabase(path: string): void {
  mkdirSync(join(path, 'archive'), { recursive: true });
  for (const name of ['000123.log', 'LOG', 'LOG.old.123', 'IDENTITY', '000001.sst', 'archive/2024.log']) {
    writeFileSync(join(path, name), 'mine');
  }
}

t.test('what is no database is not overwritten, and is listed', async (t) => {
  const { dir, engine } = await scene(t);
  noDatabase(dir('target'));
  const before = snapshotOf(dir());
  for (const overwrite of [false, true]) {
    const error = {
      code: 'TARGET_EXISTS',
      message: /holds no database .*000001\.sst, 000123\.log, IDENTITY, LOG, LOG\.old\.123 and archive\. .*move these/,
    };
    await t.rejects(engine.restoreBackup(1, dir('target'), { overwrite }), error);
    await t.rejects(engine.planRestore(1, dir('target'), { overwrite }), error);
    t.same(snapshotOf(dir()), before);
  }
});

t.test('a plan says what a restore would do, and changes nothing', async (t) => {
  const { dir, engine } = await scene(t);
  await databaseInTheWay(dir('db'));
  const before = snapshotOf(dir());
  const fresh = await engine.planRestore(1, dir('new'));
  t.match(fresh, { target: dir('new'), targetHolds: 'nothing', bytesToReuse: 0, filesToReuse: 0 });
  t.match(fresh, { backup: { backupId: 1, size: fresh.bytesToCopy }, bytesFree: Number });
  t.match(await engine.planRestore(1, dir('db'), { overwrite: true, allowOtherDatabase: true }), {
    targetHolds: 'database',
  });
  await t.rejects(engine.planRestore(1, dir('db')), { code: 'TARGET_EXISTS', message: /it holds a database/ });
  await t.rejects(engine.planRestore(2, dir('new')), { code: 'BACKUP_NOT_FOUND' });
  t.same(snapshotOf(dir()), before);
});

t.test('keepOld leaves the database that is replaced beside, under a name that is told', async (t) => {
  const { dir, engine, contents } = await scene(t);
  const old = await databaseInTheWay(dir('db'));
  writeFileSync(dir('db', 'notes.txt'), 'mine');
  const { keptOld, keptOldLogs } = await engine.restoreBackup(1, dir('db'), {
    overwrite: true,
    allowOtherDatabase: true,
    keepOld: true,
  });
  t.match(keptOld, /\/db\.replaced-\d{8}-\d{6}$/);
  t.equal(keptOldLogs, undefined);
  t.same(await contentsAt(keptOld!), old);
  t.same(await contentsAt(dir('db')), contents);
  t.notOk(existsSync(join(keptOld!, 'notes.txt')));

  const again = await engine.restoreBackup(1, dir('db'), { overwrite: true, allowOtherDatabase: true, keepOld: true });
  t.not(again.keptOld, keptOld, 'each has a name of its own');
  t.same(await contentsAt(keptOld!), old);
  t.notMatch(await engine.restoreBackup(1, dir('new'), { overwrite: true, allowOtherDatabase: true, keepOld: true }), {
    keptOld: String,
  });
});

t.test('keepOld keeps the logs too where they lie apart', async (t) => {
  const { dir, engine, contents } = await scene(t);
  const options = { walDir: dir('wal') };
  const db = await Database.open(dir('db'), options);
  await fill(db, 'old', { flush: false });
  const old = await contentsOf(db);
  await db.close();
  const { keptOld, keptOldLogs } = await engine.restoreBackup(1, dir('db'), {
    ...options,
    overwrite: true,
    allowOtherDatabase: true,
    keepOld: true,
  });
  t.same(await contentsAt(dir('db'), options), contents);
  t.same(await contentsAt(keptOld!, { walDir: keptOldLogs }), old);
});

/** The tables of a database, by name and inode. */
const tables = (path: string) =>
  Object.fromEntries(
    readdirSync(path)
      .filter((name) => name.endsWith('.sst'))
      .map((name) => [name, statSync(join(path, name)).ino]),
  );

t.test('modes take over the tables that the replaced database has already', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'), { rocksdb: { disable_auto_compactions: true } });
  await fill(db, 'a', { count: 200 });
  const contents = await contentsOf(db);
  const engine = await openEngine(t, dir('backups'));
  const { size } = await engine.createBackup(db);
  await fill(db, 'b');
  await db.close();
  const [table] = Object.keys(tables(dir('db')));
  const inode = tables(dir('db'))[table!];
  const bytes = statSync(dir('db', table!)).size;
  for (const mode of ['keepLatestDbSessionIdFiles', 'verifyChecksum'] as const) {
    const options = { overwrite: true, allowOtherDatabase: true, mode };
    t.match(await engine.planRestore(1, dir('db'), options), {
      bytesToReuse: bytes,
      filesToReuse: 1,
      bytesToCopy: size - bytes,
    });
    t.match(await engine.restoreBackup(1, dir('db'), options), {
      bytesReused: bytes,
      filesReused: 1,
      bytesCopied: size - bytes,
    });
    t.same(tables(dir('db')), { [table!]: inode });
    t.same(await contentsAt(dir('db')), contents);
  }
  damages.changed(dir('db', table!));
  t.match(
    await engine.restoreBackup(1, dir('db'), { overwrite: true, allowOtherDatabase: true, mode: 'verifyChecksum' }),
    { bytesReused: 0 },
  );
  t.same(await contentsAt(dir('db')), contents);
  t.match(await engine.restoreBackup(1, dir('db'), { overwrite: true, allowOtherDatabase: true }), {
    bytesReused: 0,
    bytesCopied: size,
  });
});

/** Makes what a restore leaves behind if it is killed while it copies. */
function killed(path: string): void {
  mkdirSync(join(path, '.rocksdb-backup-staged'), { recursive: true });
  writeFileSync(join(path, '000008.sst'), 'half');
}

t.test('what killed restores left is removed by the next restore to the same directory, and on demand', async (t) => {
  const { dir, engine } = await scene(t);
  killed(dir('.users.restoring-1-1'));
  mkdirSync(dir('.users.restoring-2-1'));
  writeFileSync(dir('.users.restoring-2-1', 'CURRENT'), 'all that there is');
  const unfinished = { path: dir('.users.restoring-1-1'), bytes: 4, unfinished: true, removed: false };
  const placing = { path: dir('.users.restoring-2-1'), bytes: 17, unfinished: false, removed: false };
  const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
  t.same((await removeRestoreLeftovers(dir(), { dryRun: true })).sort(byPath), [unfinished, placing]);
  t.ok(existsSync(unfinished.path));
  t.same((await removeRestoreLeftovers(dir())).sort(byPath), [{ ...unfinished, removed: true }, placing]);
  t.notOk(existsSync(unfinished.path));
  killed(unfinished.path);
  await engine.restoreBackup(1, dir('another'));
  t.notOk(existsSync(unfinished.path));
  t.equal(readFileSync(join(placing.path, 'CURRENT'), 'utf8'), 'all that there is');
  await t.rejects(removeRestoreLeftovers(dir('none')), { code: 'ROCKSDB_IO_ERROR', message: /none/ });
});

t.test('restore --overwrite says what it would replace, or that there is no database', async (t) => {
  const { dir, backups, db } = scenes(t);
  noDatabase(dir('target'));
  await refused(t, ['restore', backups, dir('target'), '--overwrite', '--yes'], 1, /holds no database .*000123\.log/);
  await refused(t, ['restore', backups, db], 1, /holds a database\. .* pass --overwrite, which/);
  await refused(t, ['restore', backups, db, '--overwrite'], 2, /This replaces the database in .* is lost/);
  await refused(t, ['restore', backups, db, '--overwrite', '--keep-old'], 2, /This replaces .* stays beside/);
  mkdirSync(dir('logs'));
  writeFileSync(dir('logs', '000123.log'), 'mine');
  const apart = ['restore', backups, dir('new'), '--overwrite', '--yes', '--wal-dir', dir('logs')];
  await refused(t, apart, 1, /no database in .*\/new .* 000123\.log\. .* with --wal-dir/);
  t.equal((await cli(t, ['restore', backups, dir('new'), '--overwrite'])).code, 0, 'nothing is there to ask about');
});

t.test('restore --dry-run tells, and does nothing', async (t) => {
  const { dir, backups, db } = scenes(t);
  const before = snapshotOf(dir());
  const fresh = await cli(t, ['restore', backups, dir('new'), '--dry-run']);
  t.match(fresh, {
    code: 0,
    stdout: /^This restores backup 3 .*where there is nothing yet\.\nIt copies .* are free\.\nNothing was done/,
  });
  const over = ['restore', backups, db, '--id', '1', '--overwrite', '--dry-run'];
  t.match(await cli(t, over), { code: 0, stdout: /^This replaces the database in .* with backup 1 of/ });
  const { json } = await cliAnswer(t, [...over, '--reuse', 'identity']);
  t.match(json, { dryRun: true, targetHolds: 'database', filesReused: 1, backup: { backupId: 1 } });
  await refused(t, ['restore', backups, db, '--dry-run'], 1, /holds a database/);
  t.same(snapshotOf(dir()), before);
});

t.test('restore --reuse and --keep-old tell what was reused and where the old database is', async (t) => {
  const { backups, db, contents } = scenes(t);
  const run = ['restore', backups, db, '--id', '1', '--overwrite', '--yes', '--keep-old', '--reuse', 'checksum'];
  const { stdout } = await cli(t, run);
  const [, kept] = /\nthe database that was there is now (.*)\n$/.exec(stdout)!;
  t.match(stdout, /^restored backup 1, .*\n.* copied; .* in 1 file reused\n/);
  t.same(await contentsAt(kept!), contents[2]);
  t.same(await contentsAt(db), contents[0]);
  const { json } = await cliAnswer<{ keptOld: string }>(t, run);
  t.match(json, { dryRun: false, bytesReused: Number, filesReused: 1, keptOld: /\.replaced-/ });
  t.same(await contentsAt(json.keptOld), contents[0]);
});

t.test('gc --restores deletes what killed restores left in a directory', async (t) => {
  const { dir, backups } = scenes(t);
  killed(dir('.users.restoring-1-1'));
  mkdirSync(dir('.users.restoring-2-1'));
  const args = ['gc', backups, '--restores', dir()];
  const dry = await cliAnswer(t, [...args, '--dry-run']);
  t.match(dry.json, { files: [], bytesFreed: 4, restores: { length: 2 } });
  await refused(t, args, 2, /This deletes what 1 killed restore left in .*, and frees 4 B/);
  t.match(await cli(t, [...args, '--yes']), {
    code: 0,
    stdout: /^deleted what 1 killed restore left in .*; 4 B freed\n.*restoring-2-1 stays: .* same target again\.\n$/,
  });
  t.same(readdirSync(dir()).sort(), ['.users.restoring-2-1', 'backups', 'db']);
  t.match((await cli(t, ['gc', backups, '--yes'])).stdout, /^nothing was left over\n$/);
});
