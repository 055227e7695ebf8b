// Repositories have RocksDB's own format: other programs can read ours, and we can read theirs.

import { spawnSync } from 'node:child_process';
import t from 'tap';
import { type BackupEngineOptions, Database, type OpenOptions } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';
import { baseline, noBaseline, noLdb } from '../fixtures/foreign.js';

/** Runs another program. */
function run(program: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) throw error;
  return { status, output: stdout + stderr };
}

// Options that the oldest ldb in use, of RocksDB 7.8, can read.
const oldTables: OpenOptions = { rocksdb: { format_version: 5 } };
const layouts: BackupEngineOptions[] = [
  {},
  { schemaVersion: 2 },
  { shareFilesWithChecksum: false },
  { shareTableFiles: false },
  { shareFilesWithChecksumNaming: 'legacyCrc32cAndFileSize' },
];

t.test(
  'a C++ program with the same engine verifies and restores what was backed up here',
  { skip: noBaseline },
  async (t) => {
    for (const options of layouts) {
      const dir = tempDir(t);
      const db = await openDatabase(t, dir('db'));
      const engine = await openEngine(t, dir('backups'), options);
      await fill(db, 'a');
      await engine.createBackup(db, { metadata: Buffer.from([0, 1, 2, 255]) });
      await fill(db, 'b', { flush: false });
      await engine.createBackup(db);
      const before = snapshotOf(dir('backups'));
      if (options.shareTableFiles !== false && options.shareFilesWithChecksum !== false) {
        t.match(run(baseline!, 'verify', dir('backups')), { status: 0 }, JSON.stringify(options));
      }
      t.match(run(baseline!, 'restore', dir('backups'), dir('restored')), { status: 0 }, JSON.stringify(options));
      t.same(await contentsAt(dir('restored')), await contentsOf(db));
      t.same(snapshotOf(dir('backups', 'meta')), pick(before, 'meta/'), 'and our lock file is no matter to it');
    }
  },
);

function pick(snapshot: Record<string, string>, prefix: string): Record<string, string> {
  const root = prefix.slice(0, -1);
  return Object.fromEntries(
    Object.entries(snapshot)
      .filter(([path]) => path === root || path.startsWith(prefix))
      .map(([path, state]) => [path.slice(prefix.length), state]),
  );
}

t.test(
  'what a C++ program backed up is listed, verified, restored and continued here',
  { skip: noBaseline },
  async (t) => {
    const dir = tempDir(t);
    const first = await Database.open(dir('db'));
    await fill(first, 'a', { count: 100 });
    await fill(first, 'b', { flush: false });
    const contents = await contentsOf(first);
    await first.close();
    t.match(run(baseline!, 'create', dir('db'), dir('backups')), { status: 0 });
    const engine = await openEngine(t, dir('backups'));
    t.match(await engine.getBackupInfo(), [{ backupId: 1, appMetadata: '' }]);
    await engine.verifyBackup(1, { checksum: true });
    await engine.restoreBackup(1, dir('restored'));
    t.same(await contentsAt(dir('restored')), contents);

    const db = await openDatabase(t, dir('db'));
    await fill(db, 'c');
    const second = await engine.createBackup(db);
    t.ok(second.uniqueSize < second.size, 'incremental, on top of the backup of C++');
    await db.close();
    t.match(run(baseline!, 'create', dir('db'), dir('backups')), { status: 0 }, 'and C++ goes on on top of ours');
    t.match(run(baseline!, 'verify', dir('backups')), { status: 0 });
    for (const id of [1, 2, 3]) await engine.verifyBackup(id, { checksum: true });
    await engine.deleteBackup(1);
    t.match(run(baseline!, 'restore', dir('backups'), dir('by-cpp')), { status: 0 });
    t.equal(Object.keys(await contentsAt(dir('by-cpp'))).length, 140);
  },
);

t.test('ldb of an older RocksDB restores what was backed up here, and reads it', { skip: noLdb }, async (t) => {
  for (const options of layouts) {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'), oldTables);
    const engine = await openEngine(t, dir('backups'), options);
    for (const key of ['ada', 'bob', 'eve']) await db.put(key, `value of ${key}`);
    await db.flush();
    await engine.createBackup(db, { metadata: 'first' });
    await db.put('late', 'in the log');
    await engine.createBackup(db);
    const restored = run('ldb', 'restore', `--backup_dir=${dir('backups')}`, `--db=${dir('by-ldb')}`);
    t.equal(restored!.status, 0, `${JSON.stringify(options)}: ${restored!.output}`);
    const scanned = run('ldb', `--db=${dir('by-ldb')}`, '--ignore_unknown_options', 'get', 'eve');
    t.match(scanned, { status: 0, output: /value of eve/ });
    t.same(await contentsAt(dir('by-ldb')), await contentsOf(db)); // from here on, the log of this database has a newer format
  }
});

t.test(
  'what ldb of an older RocksDB backed up is listed, verified, restored and continued here',
  { skip: noLdb },
  async (t) => {
    const dir = tempDir(t);
    for (const round of ['one', 'two']) {
      const put = run('ldb', `--db=${dir('db')}`, '--create_if_missing', 'batchput', 'x', round, round, 'value');
      t.equal(put!.status, 0, put!.output);
      const backup = run('ldb', 'backup', `--db=${dir('db')}`, `--backup_dir=${dir('backups')}`);
      t.equal(backup!.status, 0, backup!.output);
    }
    const engine = await openEngine(t, dir('backups'));
    t.same(
      (await engine.getBackupInfo()).map((info) => info.backupId),
      [1, 2],
    );
    for (const id of [1, 2]) await engine.verifyBackup(id, { checksum: true });
    await engine.restoreBackup(1, dir('restored'));
    t.same(Object.keys(await contentsAt(dir('restored'))), ['one', 'x']);
    const opened = await engine.openBackup(2);
    t.same(Object.keys(await contentsOf(opened)), ['one', 'two', 'x']);
    await opened.close();
    const db = await openDatabase(t, dir('db'));
    await db.put('three', 'of ours');
    t.equal((await engine.createBackup(db)).backupId, 3);
    await engine.purgeOldBackups(1);
    await engine.restoreLatestBackup(dir('latest'));
    t.same(await contentsAt(dir('latest')), await contentsOf(db));
  },
);
