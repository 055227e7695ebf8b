// Full disks and mount points.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Database } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openDatabase, openEngine, settled } from '../fixtures/backups.js';
import { filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';

/** Mounts a separate file system; only root can. Returns whether it worked. */
function mount(path: string, size: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]).status === 0;
}

const probe = mkdtempSync(join(tmpdir(), 'rocksdb-backup-mount-'));
const mounted = mount(probe, '1m') && spawnSync('umount', [probe]).status === 0;
rmdirSync(probe);
const skip = mounted ? false : 'mounting a file system needs root, on Linux';

t.test(
  'free space is checked before the first byte, against what is new, and the check can be turned off',
  { skip },
  async (t) => {
    const dir = tempDir(t);
    mkdirSync(dir('small'));
    mount(dir('small'), '400k');
    t.teardown(() => spawnSync('umount', [dir('small')]));
    const db = await openDatabase(t, dir('db'));
    await fill(db, 'a', { count: 250 });
    const engine = await openEngine(t, dir('small', 'backups'));
    const first = await engine.createBackup(db);
    t.ok(first.size > 200_000, 'it fits');
    await engine.createBackup(db);
    t.pass('again, as nothing is new, although a whole one would not fit');

    await fill(db, 'b', { count: 250 });
    const before = filesBelow(dir('small'));
    let events = 0;
    await t.rejects(engine.createBackup(db, { onProgress: ({ bytesDone }) => bytesDone > 0 && events++ }), {
      code: 'NO_SPACE',
      message: / kB/,
    });
    t.equal(events, 0);
    t.same(filesBelow(dir('small')), before);
    const { error } = await settled(engine.createBackup(db, { checkDiskSpace: false }));
    t.match(error, { name: 'RocksDBError', code: /^ROCKSDB_/ });
    t.same(filesBelow(dir('small')), before, 'what did not fit is removed');

    await t.rejects(engine.restoreBackup(1, dir('small', 'restored')), { code: 'NO_SPACE' });
    await t.rejects(engine.restoreBackup(1, dir('small', 'restored'), { checkDiskSpace: false }), {
      code: /^ROCKSDB_/,
    });
    t.same(filesBelow(dir('small')), before);
    t.same(readdirSync(dir('small')), ['backups'], 'nothing of it is left beside');
    await engine.restoreBackup(2, dir('elsewhere'));
    t.equal(Object.keys(await contentsAt(dir('elsewhere'))).length, 250);
  },
);

t.test('a target in the lower layer of an overlay is replaced file by file', { skip }, async (t) => {
  const dir = tempDir(t);
  mkdirSync(dir('layers'));
  mount(dir('layers'), '64m');
  t.teardown(() => spawnSync('umount', [dir('layers')]));
  for (const name of ['layers/lower', 'layers/upper', 'layers/work', 'merged']) mkdirSync(dir(name));
  const image = await Database.open(dir('layers', 'lower', 'db'));
  await fill(image, 'old');
  await image.close();
  writeFileSync(dir('layers', 'lower', 'db', 'notes.txt'), 'mine');
  const options = ['lower', 'upper', 'work'].map((name) => `${name}dir=${dir('layers', name)}`).join(',');
  if (spawnSync('mount', ['-t', 'overlay', '-o', options, 'overlay', dir('merged')]).status !== 0) {
    t.comment('skipped: overlays cannot be mounted here');
    return;
  }
  t.teardown(() => spawnSync('umount', [dir('merged')]));
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 100 });
  const contents = await contentsOf(db);
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(db);
  await engine.restoreBackup(1, dir('merged', 'db'), { overwrite: true, allowOtherDatabase: true });
  t.same(await contentsAt(dir('merged', 'db')), contents);
  t.equal(readFileSync(dir('merged', 'db', 'notes.txt'), 'utf8'), 'mine');
  t.same(readdirSync(dir('merged')), ['db'], 'nothing is left beside');
});

t.test('a target that is a mount point is replaced file by file', { skip }, async (t) => {
  const dir = tempDir(t);
  mkdirSync(dir('mounted'));
  mount(dir('mounted'), '64m');
  t.teardown(() => spawnSync('umount', [dir('mounted')]));
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 100 });
  await fill(db, 'b', { flush: false });
  const contents = await contentsOf(db);
  const engine = await openEngine(t, dir('backups'));
  const { numberFiles } = await engine.createBackup(db);
  await engine.restoreBackup(1, dir('mounted'));
  t.equal(filesBelow(dir('mounted')).length, numberFiles);
  t.same(await contentsAt(dir('mounted')), contents, 'empty before');

  const old = await Database.open(dir('mounted'));
  await fill(old, 'old', { flush: false });
  await old.close();
  writeFileSync(dir('mounted', 'notes.txt'), 'mine');
  const before = snapshotOf(dir('mounted'));
  await t.rejects(engine.restoreBackup(1, dir('mounted')), { code: 'TARGET_EXISTS' });
  t.same(snapshotOf(dir('mounted')), before);
  await engine.restoreBackup(1, dir('mounted'), { overwrite: true, allowOtherDatabase: true });
  t.same(filesBelow(dir('mounted')).length, numberFiles + 1);
  t.equal(readFileSync(dir('mounted', 'notes.txt'), 'utf8'), 'mine');
  t.same(await contentsAt(dir('mounted')), contents, 'a database before');
});

t.test('backups and restores go across file systems', { skip }, async (t) => {
  const dir = tempDir(t);
  mkdirSync(dir('other'));
  mount(dir('other'), '64m');
  t.teardown(() => spawnSync('umount', [dir('other')]));
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 100 });
  await fill(db, 'b', { flush: false });
  const engine = await openEngine(t, dir('other', 'backups'));
  await engine.createBackup(db);
  await engine.restoreBackup(1, dir('restored'), { walDir: dir('other', 'wal') });
  t.same(await contentsAt(dir('restored'), { walDir: dir('other', 'wal') }), await contentsOf(db));
  await engine.restoreBackup(1, dir('other', 'restored'), { walDir: dir('wal') });
  t.same(await contentsAt(dir('other', 'restored'), { walDir: dir('wal') }), await contentsOf(db));
});
