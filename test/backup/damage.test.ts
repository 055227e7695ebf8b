// Damage that was found is remembered, by file and for every backup that has the file, until the file is read and found intact.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type KnownDamage, readKnownDamage, whatIsDamaged } from '../../lib/backup/known-damage.js';
import { STATE_FILE } from '../../lib/backup/state-file.js';
import type { BackupEngine, BackupInfo } from '../../lib/index.js';
import { mayShare, notingDamage, type Proof } from '../../lib/manager/damage.js';
import { readInventory } from '../../lib/manager/inventory.js';
import { ManagerState } from '../../lib/manager/manager-state.js';
import { readState } from '../../lib/manager/state.js';
import { openStorage } from '../../lib/storage/storage.js';
import { contentsAt, contentsOf, fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { damages, tempDir } from '../fixtures/files.js';

const now = Date.UTC(2026, 5, 1);

/** Three backups. Each has one table more than the one before, so all have the first table. That one is kept aside. */
async function scene(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'), { rocksdb: { disable_auto_compactions: true } });
  const engine = await openEngine(t, dir('backups'));
  for (const prefix of ['a', 'b', 'c']) {
    await fill(db, prefix);
    await engine.createBackup(db);
  }
  const shared = async (backupId: number) =>
    (await engine.getBackupInfo(backupId, { fileDetails: true })).fileDetails!.filter((file) => file.shared);
  const [first] = await shared(1);
  const last = (await shared(3)).find(({ backups }) => backups === 1);
  copyFileSync(dir('backups', first!.name), dir('whole'));
  return {
    dir,
    db,
    engine,
    state: new ManagerState(openStorage(engine.location)),
    first: first!.name,
    last: last!.name,
  };
}

type Scene = Awaited<ReturnType<typeof scene>>;

async function verify({ engine, state }: Scene, backupId: number, proves: Proof, at = now): Promise<void> {
  const info = await engine.getBackupInfo(backupId);
  const checksum = proves !== 'sizes';
  await notingDamage(state, engine, info, { proves, now: () => at }, () => engine.verifyBackup(backupId, { checksum }));
}

const states = async (engine: BackupEngine) =>
  (await readInventory(engine)).backups.map(({ state, damage }) => [state, ...damage.map(({ file }) => file)]);

t.test('a file is damaged in every backup that has it, until it is read by way of any of them', async (t) => {
  const all = await scene(t);
  const { dir, engine, state, first } = all;
  for (const id of [1, 2, 3]) await verify(all, id, 'sizes');
  damages.changed(dir('backups', first));
  for (const id of [1, 2, 3]) await verify(all, id, 'sizes');
  t.same(state.memory.damage, [], 'nobody has looked yet');
  await t.rejects(verify(all, 2, 'every byte'), { code: 'BACKUP_CORRUPT', damagedFiles: [first] });
  t.match(state.memory.damage, [{ file: first, backupId: 2, since: new Date(now).toISOString() }]);
  const corrupt = [1, 2, 3].map(() => ['corrupt', first]);
  t.same(await states(engine), corrupt);
  for (const id of [1, 2, 3]) {
    await t.rejects(
      verify(all, id, 'sizes'),
      { code: 'BACKUP_CORRUPT', damagedFiles: [first], message: /names and sizes are right, but .* 2026-06-01/ },
      'a look at sizes, too, tells of it',
    );
  }
  t.equal(state.memory.damage.length, 1, 'once');
  copyFileSync(dir('whole'), dir('backups', first));
  t.same(await states(engine), corrupt, 'that it was repaired nobody knows');
  await t.rejects(verify(all, 1, 'sizes'), { code: 'BACKUP_CORRUPT' });
  await verify(all, 3, 'every byte', now - 1);
  t.same(await states(engine), corrupt, 'it was read before the damage was found');
  await verify(all, 3, 'every byte');
  t.match(await states(engine), [['unverified'], ['unverified'], ['unverified']]);
  t.same((await readState(openStorage(engine.location))).manager.damage, []);
  t.same((await readState(openStorage(engine.location))).manager.suspects, []);
  await verify(all, 1, 'sizes');
});

t.test('the latest that is not known to be damaged is restored, unless told otherwise', async (t) => {
  const all = await scene(t);
  const { dir, db, engine, state, first, last } = all;
  const contents = await contentsOf(db);
  damages.changed(dir('backups', last));
  await t.rejects(engine.restoreLatestBackup(dir('unknown')), { code: 'BACKUP_CORRUPT', damagedFiles: [last] });
  await t.rejects(verify(all, 3, 'every byte'), { code: 'BACKUP_CORRUPT', damagedFiles: [last] });
  t.equal((await engine.restoreLatestBackup(dir('second'))).backupId, 2);
  t.notSame(await contentsAt(dir('second')), contents);
  await t.rejects(engine.restoreLatestBackup(dir('third'), { includeDamaged: true }), { code: 'BACKUP_CORRUPT' });
  await t.rejects(engine.restoreBackup(3, dir('third')), { code: 'BACKUP_CORRUPT' }, 'one that is named is tried');
  damages.changed(dir('backups', last));
  t.equal((await engine.restoreLatestBackup(dir('third'), { includeDamaged: true })).backupId, 3, 'it was repaired');
  t.same(await contentsAt(dir('third')), contents);
  damages.changed(dir('backups', first));
  await t.rejects(verify(all, 1, 'every byte'), { code: 'BACKUP_CORRUPT', damagedFiles: [first] });
  await t.rejects(engine.restoreLatestBackup(dir('fourth')), {
    code: 'BACKUP_CORRUPT',
    message: /all 3 backups .* known to be damaged\. Of the latest, 3: .*includeDamaged: true/,
  });
  await t.rejects(engine.restoreLatestBackup(dir('fourth'), { includeDamaged: 'yes' as never }), {
    code: 'INVALID_OPTION',
  });
  t.equal(state.memory.damage.length, 2);
});

t.test('a bit that flips in what is known of damage makes a restore go by what was known before', async (t) => {
  const all = await scene(t);
  const { dir, engine, state, last } = all;
  damages.changed(dir('backups', last));
  await t.rejects(verify(all, 3, 'every byte'), { code: 'BACKUP_CORRUPT' });
  await state.update(() => undefined); // the previous version of the file has it too
  const file = join(engine.location, STATE_FILE);
  const whole = readFileSync(file);
  const at = whole.indexOf(last) + last.length - 1;
  whole[at]! ^= 1; // now it is the name of another file
  writeFileSync(file, whole);
  t.match(await readKnownDamage(openStorage(engine.location)), [{ file: last, backupId: 3 }]);
});

t.test('damage goes with the last backup that has the file, and spreads as long as one has it', async (t) => {
  const all = await scene(t);
  const { dir, engine, state, last } = all;
  t.equal((await mayShare(state, engine)).spreads, false);
  damages.changed(dir('backups', last));
  await t.rejects(verify(all, 3, 'every byte'));
  const there = await mayShare(state, engine);
  t.match(there, { spreads: true, suspects: [{ backupId: 3, isDamaged: true }] });
  await engine.deleteBackup(3);
  t.match(await mayShare(state, engine), { damage: [], suspects: [], spreads: false });
  t.match(
    (await readState(openStorage(engine.location))).manager,
    { damage: [], suspects: [] },
    'and is written down so',
  );
});

t.test('what is damaged in the private files of a backup, or in its meta, is damage of no other', async (t) => {
  const all = await scene(t);
  const { dir, engine, state } = all;
  const manifest = (await engine.getBackupInfo(2, { fileDetails: true })).fileDetails!.find(({ name }) =>
    name.includes('MANIFEST'),
  )!;
  damages.changed(join(dir('backups'), manifest.name));
  await t.rejects(verify(all, 2, 'every byte'), { code: 'BACKUP_CORRUPT', damagedFiles: [manifest.name] });
  t.same(
    (await states(engine)).map(([health]) => health),
    ['unverified', 'corrupt', 'unverified'],
  );
  t.match(await mayShare(state, engine), { suspects: { length: 1 }, spreads: false });
});

// ── Which backups damage affects, without a disk ────────────────────────────────────────────────────────────────────

function info(backupId: number, ...names: string[]): BackupInfo {
  const fileDetails = names.map((name) => ({ name, size: 1, shared: name.startsWith('shared'), backups: 1 }));
  const timestamp = new Date(Date.UTC(2026, 0, backupId));
  return {
    backupId,
    timestamp,
    size: 1,
    uniqueSize: 1,
    metaSize: 0,
    numberFiles: names.length,
    kind: 'incremental',
    logBytes: 0,
    appMetadata: '',
    appMetadataBytes: Buffer.alloc(0),
    fileDetails,
  };
}

const backups = [
  info(1, 'private/1/x', 'shared/a'),
  info(2, 'private/2/x', 'shared/a', 'shared/b'),
  info(3, 'shared/c'),
];

function found(backupId: number, more: Partial<KnownDamage>): KnownDamage {
  const timestamp = new Date(Date.UTC(2026, 0, backupId)).toISOString();
  return { backupId, timestamp, since: '2026-02-01T00:00:00Z', ...more };
}

const concerned = (...damage: KnownDamage[]) => {
  const { suspects, spreads, damage: remaining } = whatIsDamaged(damage, backups);
  return [
    spreads,
    remaining.length,
    ...suspects.map(({ backupId, isDamaged }) => `${backupId}${isDamaged ? '!' : '?'}`),
  ];
};

t.test('whom damage concerns', async (t) => {
  t.same(concerned(), [false, 0]);
  t.same(concerned(found(1, { file: 'shared/a' })), [true, 1, '1!', '2!']);
  t.same(concerned(found(9, { file: 'shared/a' })), [true, 1, '1!', '2!'], 'also where it was found is gone');
  t.same(concerned(found(1, { file: 'shared/z' })), [false, 0], 'nobody has the file any more');
  t.same(concerned(found(1, { file: 'private/1/x' })), [false, 1, '1!']);
  t.same(concerned(found(1, { file: 'meta/1' })), [false, 1, '1!']);
  const former = { timestamp: '2020-01-01T00:00:00Z' };
  t.same(concerned(found(1, { file: 'meta/1', ...former })), [false, 0], 'of a former backup of that id');
  t.same(concerned(found(1, { drill: true })), [true, 1, '1!', '2?'], 'which file of it, nobody knows');
  t.same(concerned(found(1, { ...former })), [false, 0]);
  t.same(concerned(found(1, { drill: true }), found(2, { file: 'shared/b' })), [true, 2, '1!', '2!']);
});

t.test('a purge and a delete do not leave only damaged backups, unless they are forced', async (t) => {
  const all = await scene(t);
  const { dir, db, engine, last } = all;
  const ids = async () => (await engine.getBackupInfo()).map(({ backupId }) => backupId);
  damages.changed(dir('backups', last));
  await t.rejects(verify(all, 3, 'every byte'), { code: 'BACKUP_CORRUPT' });
  const corrupt = {
    code: 'BACKUP_CORRUPT',
    backupId: 3,
    why: 'damaged',
    advice: 'keepsDamaged',
    path: engine.location,
  };
  for (const keep of [1, 2]) await t.rejects(engine.purgeOldBackups(keep), corrupt);
  await t.rejects(engine.deleteBackups([1, 2]), { ...corrupt, message: /backups 1, 2 are the last whole ones/ });
  await engine.purgeOldBackups(3);
  t.same(await ids(), [1, 2, 3]);
  await engine.deleteBackup(1);
  await t.rejects(engine.deleteBackup(2), corrupt);
  const order: string[] = [];
  await Promise.all([
    engine.purgeOldBackups(1).catch(() => order.push('purge')),
    engine.createBackup(db, { full: true }).then(() => order.push('create')),
  ]);
  t.same(order, ['purge', 'create'], 'what was called first decided first');
  await engine.deleteBackup(2);
  await engine.purgeOldBackups(1);
  t.same(await ids(), [4], 'what it kept is whole');
});

t.test('a whole backup of one database does not replace that of another', async (t) => {
  const all = await scene(t);
  const { dir, engine, first } = all;
  const other = await openDatabase(t, dir('other'));
  await fill(other, 'o');
  await engine.createBackup(other, { allowOtherDatabase: true });
  damages.changed(dir('backups', all.last));
  await t.rejects(verify(all, 3, 'every byte'), { code: 'BACKUP_CORRUPT' });
  await t.rejects(engine.deleteBackups([1, 2]), { code: 'BACKUP_CORRUPT', backupId: 3 });
  await t.rejects(engine.purgeOldBackups(1), { code: 'BACKUP_CORRUPT', backupId: 3 });
  await engine.deleteBackups([1, 2], { force: true });
  t.same(
    (await engine.getBackupInfo()).map(({ backupId }) => backupId),
    [3, 4],
    `${first} went with them`,
  );
});
