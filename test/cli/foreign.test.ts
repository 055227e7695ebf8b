// Databases and repositories that others use too: open in other processes, written by other programs, of any kind.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import { Agent } from '../fixtures/agent.js';
import { contentsAt, contentsOf, fill, openEngine } from '../fixtures/backups.js';
import { cli, cliAnswer, program, start } from '../fixtures/cli.js';
import { refused } from '../fixtures/cli-scene.js';
import { filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';
import { baseline, noForeign } from '../fixtures/foreign.js';

t.test('a database that another process has open is refused, with what to do', async (t) => {
  const dir = tempDir(t);
  const other = Agent.process(t);
  await other.call('Database.open', [dir('db')], 'db');
  await other.call('db.put', ['key', 'value']);
  const { stderr } = await refused(t, ['create', dir('db'), dir('backups')], 4, /is open in process \d+/);
  t.match(stderr, /Back it up from inside that process with BackupManager, or stop the service first/);
  t.notOk(existsSync(dir('backups')));
  const { json, code } = await cliAnswer(t, ['create', dir('db'), dir('backups')]);
  t.match({ code, json }, { code: 4, json: { error: { code: 'DATABASE_IN_USE', exitCode: 4 } } });
  const db = await Database.open(dir('db2'));
  await fill(db, 'a');
  await db.close();
  t.equal((await cli(t, ['create', dir('db2'), dir('backups'), '-q'])).code, 0);
  await refused(
    t,
    ['restore', dir('backups'), dir('db'), '--overwrite', '--yes'],
    4,
    /Close it first; nothing was changed/,
  );
  t.equal(String(await other.call('db.get', ['key', { encoding: 'utf8' }])), 'value');
  await other.terminate();
  const free = await cli(t, ['create', dir('db'), dir('backups'), '--allow-other-database', '-q']);
  t.equal(free.code, 0, 'it is free when the process has ended');
});

t.test('a directory that another process writes to is refused, and can be read', async (t) => {
  const dir = tempDir(t);
  for (const name of ['db', 'large']) {
    const db = await Database.open(dir(name));
    await fill(db, 'a', { count: name === 'db' ? 10 : 5000 });
    await db.close();
  }
  t.equal((await cli(t, ['create', dir('db'), dir('backups'), '-q'])).code, 0);
  const slow = start(t, ['create', dir('large'), dir('backups'), '--allow-other-database', '--rate-limit', '10kB/s']);
  await slow.printed(/copying \d/);
  for (const args of [
    ['create', dir('db'), dir('backups')],
    ['delete', dir('backups'), '1', '--yes'],
    ['gc', dir('backups'), '--yes'],
  ]) {
    t.match(await cli(t, args), { code: 4, stderr: /is being changed by process \d+/ }, args[0]);
  }
  t.equal((await cli(t, ['list', dir('backups'), '-q'])).stdout, '1\n');
  t.equal((await cli(t, ['verify', dir('backups'), '--checksum', '-q'])).code, 0);
  slow.child.kill('SIGTERM');
  t.equal((await slow.ended).code, 6);
});

t.test('column families that nobody names, and data in the log alone, are backed up', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'), { comparator: 'reverseBytewise', mergeOperator: 'stringappend' });
  const family = await db.createColumnFamily('événements', { compression: 'zstd' });
  for (const key of ['a', 'b', 'c']) {
    await db.put(key, `of ${key}`);
    await family.put(key, 'x');
    await family.merge(key, 'y');
  }
  const contents = [await contentsOf(db), await contentsOf(family)];
  await db.close();
  const created = await cliAnswer(t, ['create', dir('db'), dir('backups'), '--verify', 'checksum']);
  t.equal(created.code, 0);
  t.equal((await cli(t, ['restore', dir('backups'), dir('restored')])).code, 0);
  const restored = await Database.open(dir('restored'), { createIfMissing: false });
  t.same([await contentsOf(restored), await contentsOf(restored.columnFamily('événements'))], contents);
  await restored.close();
  const scanned = await cli(t, ['scan', dir('backups'), '1', '--column-family', 'événements']);
  t.equal(scanned.stdout, 'c\tx,y\nb\tx,y\na\tx,y\n', 'in the order of its comparator');
  t.equal((await cli(t, ['scan', dir('backups'), '1', '--prefix', 'b', '--keys-only'])).stdout, 'b\n');
  t.equal((await cli(t, ['scan', dir('backups'), '1', '--from', 'b', '--keys-only'])).stdout, 'b\na\n');
});

t.test(
  'a database of more levels than usual, and one of another way to compact, are backed up as they are',
  async (t) => {
    const dir = tempDir(t);
    for (const [name, options] of Object.entries({
      deep: { numLevels: 12 },
      universal: { compactionStyle: 'universal', numLevels: 20 },
      fifo: { compactionStyle: 'fifo', numLevels: 1 },
    } as const)) {
      const db = await Database.open(dir(name), options);
      await fill(db, 'a');
      if (name === 'deep') await db.compactRange({ changeLevel: true, targetLevel: 11 });
      const contents = await contentsOf(db);
      await db.close();
      t.equal((await cli(t, ['create', dir(name), dir(`${name}-backups`), '-q'])).code, 0, name);
      t.equal((await cli(t, ['restore', dir(`${name}-backups`), dir(`${name}-restored`), '-q'])).code, 0, name);
      t.same(await contentsAt(dir(name), options), contents, 'its owner opens it as before');
      t.same(await contentsAt(dir(`${name}-restored`), options), contents);
    }
  },
);

t.test('a database with its log elsewhere is not backed up without it', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'), { walDir: dir('log') });
  await db.put('key', 'in the log');
  await db.close();
  await refused(t, ['create', dir('db'), dir('backups')], 2, /log in .*log; .* Pass --wal-dir/);
  t.notOk(existsSync(dir('backups')));
  t.equal((await cli(t, ['create', dir('db'), dir('backups'), '--wal-dir', dir('log')])).code, 0);
  t.equal((await cli(t, ['restore', dir('backups'), dir('restored')])).code, 0);
  t.match(await contentsAt(dir('restored')), { key: Buffer.from('in the log').toString('base64') });
  renameSync(dir('log'), dir('moved'));
  await refused(t, ['create', dir('db'), dir('backups')], 2, /log, which does not exist; .* Pass --wal-dir/);
  t.equal((await cli(t, ['create', dir('db'), dir('backups'), '--wal-dir', dir('moved')])).code, 0);
  const nowhere = ['create', dir('db'), dir('other'), '--wal-dir', dir('typo')];
  await refused(t, nowhere, 2, /there is no directory .*typo, .* Without its log, its newest data/);
  t.notOk(existsSync(dir('typo')), 'and none is made');
  t.notOk(existsSync(dir('other')));
});

t.test('a restore with its log elsewhere is not backed up without it either', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'));
  await db.put('key', 'in the log');
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(db);
  await db.close();
  t.equal((await cli(t, ['restore', dir('backups'), dir('restored'), '--wal-dir', dir('log')])).code, 0);
  const again = ['create', dir('restored'), dir('again')];
  await refused(t, again, 2, /write-ahead log in .*log; .* Pass --wal-dir/);
  mkdirSync(dir('empty'));
  await refused(
    t,
    [...again, '--wal-dir', dir('empty')],
    2,
    /no write-ahead log in .*empty, but there is one in .*log;/,
  );
  t.equal((await cli(t, [...again, '--wal-dir', dir('log')])).code, 0);
  // After a restore with the log in the database's own directory, no option is needed, wherever the log was at the backup.
  t.equal((await cli(t, ['restore', dir('again'), dir('joined')])).code, 0);
  t.equal((await cli(t, ['create', dir('joined'), dir('last')])).code, 0);
  t.equal((await cli(t, ['restore', dir('last'), dir('end')])).code, 0);
  t.match(await contentsAt(dir('end')), { key: Buffer.from('in the log').toString('base64') });
});

t.test(
  'a directory that another program wrote is listed, checked, read, restored and continued',
  { skip: noForeign },
  async (t) => {
    const dir = tempDir(t);
    if (baseline) {
      const db = await Database.open(dir('db'));
      await fill(db, 'a');
      await db.close();
      t.equal(spawnSync(baseline, ['create', dir('db'), dir('backups')]).status, 0);
    } else {
      const put = ['--create_if_missing', 'batchput', 'x', 'one', 'y', 'two'];
      t.equal(spawnSync('ldb', [`--db=${dir('db')}`, ...put]).status, 0);
      t.equal(spawnSync('ldb', ['backup', `--db=${dir('db')}`, `--backup_dir=${dir('backups')}`]).status, 0);
    }
    const contents = await contentsAt(dir('db'));
    t.match((await cliAnswer(t, ['list', dir('backups')])).json, { backups: [{ backupId: 1, state: 'unverified' }] });
    t.equal((await cli(t, ['verify', dir('backups'), '--checksum'])).code, 0);
    t.equal((await cli(t, ['drill', dir('backups'), '-q'])).code, 0);
    t.equal((await cli(t, ['restore', dir('backups'), dir('restored')])).code, 0);
    t.same(await contentsAt(dir('restored')), contents);
    t.match(await cli(t, ['create', dir('restored'), dir('backups'), '-q']), { code: 0, stdout: '2\n' });
    t.match(await cli(t, ['delete', dir('backups'), '1', '--yes']), { code: 0 });
  },
);

// Root may write everywhere, so as root the commands run as another user.
const uid = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
const mayRun = spawnSync(process.execPath, [program, '--version'], uid).status === 0;

t.test(
  'a directory that cannot be written to is listed, verified and restored from, and stays as it is',
  { skip: mayRun ? false : 'needs a user who is not root and may run the program' },
  async (t) => {
    const dir = tempDir(t);
    const db = await Database.open(dir('db'));
    await fill(db, 'a');
    const engine = await BackupEngine.open(dir('backups'));
    await engine.createBackup(db);
    await db.close();
    await engine.close();
    chmodSync(dir(), 0o777);
    const folders = ['', 'meta', 'private', 'shared_checksum'].map((name) => dir('backups', name));
    for (const folder of folders) chmodSync(folder, 0o555);
    t.teardown(() => {
      for (const folder of folders) chmodSync(folder, 0o755);
    });
    const before = snapshotOf(dir('backups'));
    t.match(await cli(t, ['list', dir('backups'), '-q'], uid), { code: 0, stdout: '1\n' });
    const verified = await cli(t, ['verify', dir('backups'), '--checksum'], uid);
    t.match(verified, { code: 0, stderr: /warning: the history of .* could not be written/ });
    t.equal((await cli(t, ['restore', dir('backups'), dir('restored')], uid)).code, 0);
    t.equal((await cli(t, ['get', dir('backups'), '1', 'a000000'], uid)).code, 0);
    t.match(await cli(t, ['delete', dir('backups'), '1', '--yes'], uid), { code: 1, stderr: /backups/ });
    t.same(snapshotOf(dir('backups')), before);
  },
);

t.test('a backup among the files of its own database is refused', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'));
  await fill(db, 'a');
  await db.close();
  mkdirSync(dir('other'));
  const before = filesBelow(dir('db')).filter((name) => /\.sst$|CURRENT/.test(name));
  t.equal((await cli(t, ['create', dir('db'), dir('db')])).code, 2);
  t.same(
    filesBelow(dir('db')).filter((name) => /\.sst$|CURRENT/.test(name)),
    before,
  );
});

t.test('a merge operator that nobody knows can be named', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'), { mergeOperator: 'put' });
  await db.merge('key', 'value');
  await db.close();
  const options = readdirSync(dir('db'))
    .filter((name) => name.startsWith('OPTIONS-'))
    .map((name) => dir('db', name));
  for (const file of options) {
    writeFileSync(file, readFileSync(file, 'utf8').replace(/merge_operator=.*/g, 'merge_operator={id=Theirs;}'));
  }
  await refused(
    t,
    ['create', dir('db'), dir('backups')],
    1,
    /merge operator "Theirs".* with --merge-operator\. Any operator works/,
  );
  t.equal((await cli(t, ['create', dir('db'), dir('backups'), '--merge-operator', 'put'])).code, 0);
});

t.test("a database's OPTIONS file is the same after a backup, and in it", async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'), { writeBufferSize: 12_345_678 });
  await fill(db, 'a');
  await db.close();
  const optionsIn = (path: string) =>
    filesBelow(path)
      .filter((name) => name.startsWith('OPTIONS-'))
      .map((name) => `${name}: ${readFileSync(join(path, name), 'utf8')}`);
  const before = optionsIn(dir('db'));
  t.equal((await cli(t, ['create', dir('db'), dir('backups'), '-q'])).code, 0);
  t.same(optionsIn(dir('db')), before);
  t.equal((await cli(t, ['restore', dir('backups'), dir('restored'), '-q'])).code, 0);
  t.same(optionsIn(dir('restored')), before.slice(-1));
});
