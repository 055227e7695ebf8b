// The lock file is removed, or the directory is moved, while an operation is running there. The operation stops and destroys nothing.

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type BackupEngine, type Database, RateLimiter } from '../../lib/index.js';
import { deleteUnlessPinned } from '../../lib/manager/guarded-delete.js';
import { pin } from '../../lib/manager/pins.js';
import { readState, updateState } from '../../lib/manager/state.js';
import { native } from '../../lib/native/binding.js';
import { openStorage } from '../../lib/storage/storage.js';
import { begun, contentsAt, contentsOf, fill, openDatabase, openEngine, settled } from '../fixtures/backups.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';
import { fillFiles, runningBackup, UNLIMITED, verifyAll } from '../fixtures/running.js';

interface Scene {
  path: (...parts: string[]) => string;
  db: Database;
  engine: BackupEngine;
  limiter: RateLimiter;
}

/** A database with one backup, and so much new data that the next backup takes half an hour. */
async function scene(t: Test): Promise<Scene> {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  const limiter = new RateLimiter({ bytesPerSecond: UNLIMITED });
  const engine = await openEngine(t, path('backups'), {
    backupRateLimit: limiter,
  });
  await fill(db, 'old');
  await engine.createBackup(db);
  await fillFiles(db, 'new', { files: 20, keys: 100, valueSize: 1000 });
  limiter.bytesPerSecond = 1000;
  return { path, db, engine, limiter };
}

/** Does what a user does who believes that the lock files are left over. */
function removeLockFiles(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.lock')) rmSync(`${directory}/${name}`);
  }
}

/** The contents of a directory, without the lock files, which say who is there. */
const filesOf = (directory: string) =>
  Object.entries(snapshotOf(directory)).filter(([name]) => name !== '' && !name.endsWith('.lock'));

for (const end of ['goes on', 'is stopped'] as const) {
  t.test(`a backup whose lock file was removed, and which then ${end}, leaves alone what another made`, async (t) => {
    const { path, db, engine, limiter } = await scene(t);
    const first = runningBackup(engine, db);
    await first.begun;
    removeLockFiles(path('backups'));
    const second = await openEngine(t, path('backups'));
    t.equal((await second.createBackup(db)).backupId, 2);
    t.same(await verifyAll(second), [1, 2]);
    const before = filesOf(path('backups'));
    if (end === 'is stopped') engine.stopBackup();
    limiter.bytesPerSecond = UNLIMITED;
    const { error } = await settled(first.done);
    t.match(error, { code: 'LOCK_LOST' });
    t.match(error?.message, path('backups'), 'it says where');
    t.match(error?.message, /\.lock/, 'and what happened');
    t.same(filesOf(path('backups')), before, 'nothing there was changed');
    t.same(await verifyAll(second), [1, 2]);
    await second.garbageCollect();
    t.equal((await engine.createBackup(db)).backupId, 3, 'both go on');
    t.same(await verifyAll(second), [1, 2, 3]);
  });

  t.test(
    `a backup whose directory was moved, and which then ${end}, touches nothing of the new one there`,
    async (t) => {
      const { path, db, engine, limiter } = await scene(t);
      const first = runningBackup(engine, db);
      await first.begun;
      renameSync(path('backups'), path('moved'));
      const second = await openEngine(t, path('backups'));
      t.equal((await second.createBackup(db)).backupId, 1);
      t.equal((await second.createBackup(db)).backupId, 2, 'of the same number as what is under way');
      const before = filesOf(path('backups'));
      if (end === 'is stopped') engine.stopBackup();
      limiter.bytesPerSecond = UNLIMITED;
      t.match(await settled(first.done), { error: { code: 'LOCK_LOST' } });
      t.same(filesOf(path('backups')), before);
      t.same(await verifyAll(second), [1, 2]);
      const moved = await openEngine(t, path('moved'));
      t.same(await verifyAll(moved), [1], 'and what was moved is as good as it was');
      t.equal((await moved.createBackup(db)).backupId, 2);
    },
  );
}

t.test('a backup whose directory went away makes no new one', async (t) => {
  const { path, db, engine, limiter } = await scene(t);
  const first = runningBackup(engine, db);
  await first.begun;
  renameSync(path('backups'), path('moved'));
  limiter.bytesPerSecond = UNLIMITED;
  t.match(await settled(first.done), { error: { code: 'LOCK_LOST' } });
  t.notOk(existsSync(path('backups')));
});

t.test('a backup that is read cannot be deleted, whatever became of the lock file', async (t) => {
  const { path, db, engine, limiter } = await scene(t);
  limiter.bytesPerSecond = UNLIMITED;
  const contents = await contentsOf(db);
  await engine.createBackup(db);
  await engine.createBackup(db);
  const slow = new RateLimiter({ bytesPerSecond: 1000 });
  const reader = await openEngine(t, path('backups'), {
    restoreRateLimit: slow,
  });
  const restore = await begun((operation) => reader.restoreBackup(2, path('restored'), operation), 'restore');
  const inPlace = await engine.openBackup(1);
  removeLockFiles(path('backups'));
  const other = await openEngine(t, path('backups'));
  for (const remove of [() => other.deleteBackup(2), () => other.deleteBackup(1), () => other.purgeOldBackups(1)]) {
    await t.rejects(remove(), { code: 'BACKUP_IN_USE' });
  }
  await other.deleteBackup(3);
  slow.bytesPerSecond = UNLIMITED;
  t.match(await restore.outcome, { value: { backupId: 2 } });
  t.same(await contentsAt(path('restored')), contents);
  await other.deleteBackup(2);
  await t.rejects(other.deleteBackup(1), { code: 'BACKUP_IN_USE' });
  await inPlace.close();
  await other.deleteBackup(1);
});

t.test('a restore or a verify whose directory was moved says so, and tells of no damage', async (t) => {
  const { path, db, engine, limiter } = await scene(t);
  limiter.bytesPerSecond = UNLIMITED;
  await engine.createBackup(db);
  const slow = new RateLimiter({ bytesPerSecond: 1000, mode: 'all' });
  const reader = await openEngine(t, path('backups'), {
    restoreRateLimit: slow,
    backupRateLimit: slow,
  });
  const restore = await begun((operation) => reader.restoreBackup(2, path('restored'), operation), 'restore');
  const verify = await begun((operation) => reader.verifyBackup(2, { ...operation, checksum: true }), 'verify');
  renameSync(path('backups'), path('moved'));
  slow.bytesPerSecond = UNLIMITED;
  for (const { outcome } of [restore, verify]) {
    t.match(await outcome, {
      error: { code: 'LOCK_LOST', message: path('backups') },
    });
  }
  t.notOk(existsSync(path('restored')));
});

t.test('a state whose lock file was removed is not written over what another wrote', async (t) => {
  const { path, engine } = await scene(t);
  const [info] = await engine.getBackupInfo();
  const slow = updateState(openStorage(engine.location), (state) => {
    // This is between reading and writing the state, which takes only a moment.
    removeLockFiles(path('backups'));
    native.tryLockDirectory(engine.location)?.release();
    state.counters.n = 1;
  });
  await t.rejects(slow, { code: 'LOCK_LOST' });
  await updateState(openStorage(engine.location), (state) => pin(state, info!));
  t.match(await readState(openStorage(engine.location)), {
    pins: [{ backupId: 1 }],
    counters: {},
  });
  t.equal(await deleteUnlessPinned(engine, info!, { named: true }), undefined);
});
