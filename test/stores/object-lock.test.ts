// Stores that do not delete an object before a date.

import t, { type Test } from 'tap';
import { BackupEngine, BackupManager, type Skipped } from '../../lib/index.js';
import type { ObjectLock } from '../../lib/stores/object-store.js';
import { fill, openDatabase } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';

const DAY = 24 * 60 * 60 * 1000;

/** A manager, with backups that were written so many days ago. */
async function scene(t: Test, days: readonly number[], objectLock?: ObjectLock) {
  const db = await openDatabase(t, tempDir(t)('db'));
  const store = new MemoryStore();
  store.objectLock = objectLock;
  const engine = await BackupEngine.open(store);
  for (const ago of days) {
    store.now = () => Date.now() - ago * DAY;
    await fill(db, `${ago}`);
    await engine.createBackup(db);
  }
  await engine.close();
  store.now = Date.now;
  return { db, store };
}

/** A new manager each time, as after a restart of the service. */
async function pruned(t: Test, { db, store }: Awaited<ReturnType<typeof scene>>) {
  const manager = new BackupManager({ db, location: store, retention: { last: 1 } });
  const skipped: Skipped[] = [];
  manager.on('skipped', (each) => skipped.push(each));
  let failures = 0;
  manager.on('failure', () => failures++);
  const plan = await manager.prune();
  await manager.stop();
  t.equal(failures, 0);
  const engine = await BackupEngine.open(store);
  const backups = await engine.getBackupInfo();
  for (const { backupId } of backups) await engine.verifyBackup(backupId, { checksum: true });
  await engine.close();
  return { plan, skipped, ids: backups.map(({ backupId }) => backupId) };
}

t.test('a lock that is known: the plan says until when, and later prunes delete', async (t) => {
  const own = await scene(t, [30, 12, 9, 1], { days: 10 });
  const { plan, skipped, ids } = await pruned(t, own);
  t.same(ids, [3, 4]);
  t.same(skipped, []);
  const until = new Date(own.store.objects.get('meta/3')!.modified + 10 * DAY);
  const inSeconds = new Date(Math.ceil(until.getTime() / 1000) * 1000).toISOString().replace('.000', '');
  t.match(
    plan.decisions.find(({ backupId }) => backupId === 3),
    { action: 'keep', rules: [`locked until ${inSeconds}`] },
  );
  const engine = await BackupEngine.open(own.store);
  t.same((await engine.getBackupInfo(3)).lockedUntil, until);
  await t.rejects(engine.deleteBackup(3), { code: 'STORE_REFUSED', backupId: 3, lockedUntil: until.getTime() });
  await engine.purgeOldBackups(1);
  t.equal((await engine.getBackupInfo()).length, 2, 'a purge leaves it, too');
  await engine.close();

  const later = new MemoryStore();
  Object.assign(later, { objects: own.store.objects, objectLock: { until: new Date(Date.now() - 1000) } });
  t.same((await pruned(t, { db: own.db, store: later })).ids, [4]);
});

t.test('a lock that is not known: the others go, that backup stays whole, and nothing fails', async (t) => {
  const own = await scene(t, [5, 4, 3, 2, 1]);
  own.store.locked = (key) => key === 'meta/2' || key === 'meta/3';
  for (let round = 0; round < 2; round++) {
    const { skipped, ids } = await pruned(t, own);
    t.same(ids, [2, 3, 5]);
    t.match(skipped, [
      { operation: 'prune', reason: 'locked', message: /refuses to delete backups 2, 3: .*meta\/3 is locked/ },
    ]);
  }
  own.store.locked = () => false;
  t.same((await pruned(t, own)).ids, [5]);
});

t.test('locked files without a backup are told and are no failure', async (t) => {
  const own = await scene(t, [2, 1]);
  const { signal } = new AbortController();
  const orphans = ['shared_checksum/000101_s1AB_3.sst', 'shared_checksum/000103_s1AB_3.sst'];
  for (const key of orphans) await own.store.put(key, Buffer.from('abc'), { signal });
  own.store.locked = (key) => key === orphans[0];
  const engine = await BackupEngine.open(own.store);
  t.same(await engine.garbageCollect(), { refused: [orphans[0]] });
  t.same(
    orphans.map((key) => own.store.objects.has(key)),
    [true, false],
  );
  await engine.deleteBackup(1);
  await engine.createBackup(own.db);
  own.store.locked = () => false;
  t.same(await engine.garbageCollect(), { refused: [] });
  t.notOk(own.store.objects.has(orphans[0]!));
  await engine.close();
});

t.test('all parts of an object have one size, however large it is', async (t) => {
  const store = new MemoryStore({ maxParts: 3 });
  store.equalParts = true;
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'large', { count: 40, valueSize: 2 ** 20 });
  const engine = await BackupEngine.open(store);
  await engine.createBackup(db);
  t.equal(store.requests.part, 3);
  await engine.createBackup(db, { full: true });
  await engine.verifyBackup(2, { checksum: true });
  await engine.close();
});
