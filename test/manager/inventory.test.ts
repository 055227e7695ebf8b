// An inventory of a repository: its backups, what they share, and what is known about them.

import { rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { BackupEngine, BackupInfo } from '../../lib/index.js';
import type { DirectoryState } from '../../lib/manager/directory-state.js';
import { remember } from '../../lib/manager/history.js';
import {
  buildInventory,
  freedBy,
  type Inventory,
  readInventory,
  retentionBackups,
  sharedWith,
} from '../../lib/manager/inventory.js';
import { lastGoodOf } from '../../lib/manager/last-good.js';
import { type NewRecord, ownRecord } from '../../lib/manager/operation-record.js';
import { pin, unpin } from '../../lib/manager/pins.js';
import { planRetention } from '../../lib/retention/retention.js';
import { fill, isPartOfBackup, openDatabase, openEngine } from '../fixtures/backups.js';
import { bytesBelow, filesBelow, tempDir } from '../fixtures/files.js';
import { MemoryStorage } from '../fixtures/memory-storage.js';

function emptyState(): DirectoryState {
  return { version: 1, pins: [], counters: {}, history: [], last: {}, manager: {} };
}

/** A backup with files `name: size`. Files in `shared/` are shared. */
function info(backupId: number, files: Record<string, number>): BackupInfo {
  const details = Object.entries(files).map(([name, size]) => ({
    name,
    size,
    shared: name.startsWith('shared/'),
    backups: 1,
  }));
  return {
    backupId,
    timestamp: new Date(Date.UTC(2026, 10, backupId)),
    size: details.reduce((sum, { size }) => sum + size, 0),
    uniqueSize: 0,
    metaSize: 5,
    numberFiles: details.length,
    kind: details.some(({ shared }) => shared) ? 'incremental' : 'full',
    logBytes: 0,
    appMetadata: '',
    appMetadataBytes: Buffer.alloc(0),
    fileDetails: details,
  };
}

const three = [
  info(1, { 'private/1/CURRENT': 1, 'shared/a': 100, 'shared/b': 50 }),
  info(2, { 'private/2/CURRENT': 1, 'shared/b': 50, 'shared/c': 10 }),
  info(5, { 'private/5/CURRENT': 1, 'private/5/a.sst': 100 }),
];

t.test('sizes, sharing, and what deleting frees', async (t) => {
  const inventory = buildInventory('/backups', three, [{ backupId: 3, reason: 'gone', why: 'damaged' }], emptyState());
  t.same(
    inventory.backups.map(({ backupId, kind }) => [backupId, kind]),
    [
      [1, 'incremental'],
      [2, 'incremental'],
      [5, 'full'],
    ],
  );
  t.equal(inventory.logicalBytes, 151 + 61 + 101);
  t.equal(inventory.bytesOnDisk, 151 + 61 + 101 - 50 + 3 * 5);
  t.same(inventory.corrupt, [{ backupId: 3, reason: 'gone', why: 'damaged' }]);
  t.same(inventory.users.get('shared/b'), [1, 2]);
  t.same(sharedWith(inventory, 1), [{ backupId: 2, files: 1, bytes: 50 }]);
  t.same(sharedWith(inventory, 5), []);
  t.same(sharedWith(inventory, 99), []);
  t.equal(freedBy(inventory, [1]), 106);
  t.equal(freedBy(inventory, [2]), 16);
  t.equal(freedBy(inventory, [1, 2]), 172, 'what only those two share goes with both');
  t.equal(freedBy(inventory, []), 0);
});

t.test('what is known of a backup is of that backup, and not of another that had its id', async (t) => {
  const state = emptyState();
  const [first, second] = three as [BackupInfo, BackupInfo];
  let day = 0;
  const at = (more: Partial<NewRecord>) => {
    const begun = new Date(Date.UTC(2026, 11, ++day)).toISOString();
    remember(state, ownRecord({ operation: 'verify', at: begun, ok: true, durationMs: 1, ...more }));
  };
  const of = ({ backupId, timestamp }: BackupInfo) => ({ backupId, timestamp: timestamp.toISOString() });
  const state0 = (n: number) => buildInventory('/backups', three, [], state).backups[n]!;

  t.match(state0(0), { state: 'unverified', pinned: false, lastVerify: undefined, lastDrill: undefined });
  at({ backupId: 1, timestamp: '2020-01-01T00:00:00.000Z' });
  at({ backupId: 1 });
  t.equal(state0(0).state, 'unverified', 'a record of a former backup 1, and one that does not say which');
  at({ ...of(first), checksum: true });
  t.match(state0(0), { state: 'good', lastVerify: { checksum: true } });
  at({ ...of(first), ok: false, error: { code: 'VERIFY_STOPPED', message: 'stopped' } });
  t.match(state0(0), { state: 'good', lastVerify: { ok: false } }, 'one that was stopped says nothing');
  state.manager = { damage: [{ ...of(first), file: 'shared/a', since: '2026-12-09T00:00:00Z' }] };
  t.match(state0(0), { state: 'corrupt', damage: [{ file: 'shared/a' }] });
  at(of(first));
  at({ ...of(first), checksum: true });
  t.equal(state0(0).state, 'corrupt', 'whatever the history says: what was found damaged is remembered by file');
  t.match(state0(1), { state: 'unverified', damage: [] }, 'which the other does not have');
  state.manager = { damage: [{ ...of(first), file: 'shared/b', since: '2026-12-09T00:00:00Z' }] };
  t.match([state0(0), state0(1)], [{ state: 'corrupt' }, { state: 'corrupt' }], 'both have it');
  state.manager = { damage: [{ ...of(first), drill: true, since: '2026-12-09T00:00:00Z' }] };
  at({ ...of(second), operation: 'drill' });
  t.match(state0(0), { state: 'corrupt', damage: [{ drill: true }] });
  t.equal(state0(1).state, 'unverified', 'it may have the file that is damaged: which one that is nobody knows');
  t.equal(state0(2).state, 'unverified');
  state.manager = {};
  t.match(state0(1), { state: 'good', lastDrill: { ok: true } }, 'a restore compares every checksum');
  at({ ...of(second), operation: 'drill', ok: false, error: { code: 'NO_SPACE', message: 'no space' } });
  t.match(state0(1), { state: 'good', lastDrill: { ok: false } }, 'a drill that came to nothing says nothing');
  at({ ...of(second), ok: false, error: { code: 'BACKUP_CORRUPT', message: 'damaged' } });
  t.equal(state0(1).state, 'unverified', 'it was damaged, and was found whole by way of another that has the file');
  at(of(second));
  t.equal(state0(1).state, 'good');
  pin(state, second, 'before the upgrade');
  t.match(state0(1), { pinned: true, pinNote: 'before the upgrade' });
  unpin(state, second);
  t.match(state0(1), { pinned: false, pinNote: undefined });
  state.history = [];
  t.equal(state0(1).state, 'good', 'the last one of all is known when the history has forgotten it');
});

t.test('what was found damaged, or shares files with what was, is not the last good one', async (t) => {
  const state = emptyState();
  const [first, second] = three as [BackupInfo, BackupInfo];
  let day = 0;
  const of = ({ backupId, timestamp }: BackupInfo) => ({ backupId, timestamp: timestamp.toISOString() });
  const since = '2026-12-09T00:00:00.000Z';
  for (const backup of [first, second]) {
    const at = new Date(Date.UTC(2026, 11, ++day)).toISOString();
    remember(state, ownRecord({ operation: 'create', at, ok: true, durationMs: 1, ...of(backup) }));
  }
  const lastGood = () => lastGoodOf(state, false)?.backupId;
  t.equal(lastGood(), second.backupId);
  state.manager = { suspects: [{ ...of(second), since, isDamaged: true }] };
  t.equal(lastGood(), first.backupId);
  state.manager = { suspects: [{ ...of(second), since, isDamaged: false }] };
  t.equal(lastGood(), first.backupId);
  state.manager = { suspects: [{ ...of(second), timestamp: since, since, isDamaged: true }] };
  t.equal(lastGood(), second.backupId, 'that was another backup of its id');
});

t.test('what cannot be read is in the same look as what can: nothing falls between two', async (t) => {
  const { backups, corrupt } = await readInventory({
    location: tempDir(t)(),
    storage: new MemoryStorage(),
    // Its meta files became unreadable after somebody had asked which are corrupt.
    getCorruptedBackups: async () => [],
    getBackupInfo: async () => [],
    survey: async () => ({ backups: [], corrupt: [{ backupId: 1, reason: 'Permission denied', why: 'denied' }] }),
  } as unknown as BackupEngine);
  t.same([backups, corrupt], [[], [{ backupId: 1, reason: 'Permission denied', why: 'denied' }]]);
});

async function engineOf(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  return { dir, db, engine };
}

t.test('a directory is told as it is on the disk', async (t) => {
  const { dir, db, engine } = await engineOf(t);
  t.match(await readInventory(engine), { backups: [], corrupt: [], bytesOnDisk: 0, logicalBytes: 0 });
  for (const prefix of ['a', 'b', 'c']) {
    await fill(db, prefix);
    await engine.createBackup(db);
  }
  const full = await openEngine(t, dir('backups'), { shareTableFiles: false });
  await full.createBackup(db);
  const inventory = await readInventory(engine);
  t.equal(inventory.location, engine.location);
  t.same(
    inventory.backups.map(({ kind }) => kind),
    ['full', 'incremental', 'incremental', 'full'],
  );
  t.equal(inventory.bytesOnDisk, bytesBelow(dir('backups'), isPartOfBackup));
  for (const { backupId, uniqueSize } of inventory.backups) t.equal(freedBy(inventory, [backupId]), uniqueSize);
  t.equal(sharedWith(inventory, 1).length, 2);
  t.same(sharedWith(inventory, 4), []);
});

t.test('a backup that cannot be read is among the corrupt ones, and forbids deleting', async (t) => {
  const { dir, db, engine } = await engineOf(t);
  for (const prefix of ['a', 'b', 'c']) {
    await fill(db, prefix);
    await engine.createBackup(db);
  }
  const table = filesBelow(dir('backups')).find((path) => /^private\/2\/MANIFEST/.test(path))!;
  rmSync(dir('backups', table));
  const inventory: Inventory = await readInventory(engine);
  t.match(inventory.corrupt, [{ backupId: 2, reason: /MANIFEST/ }]);
  t.same(
    inventory.backups.map(({ backupId }) => backupId),
    [1, 3],
  );
  const plan = planRetention(retentionBackups(inventory), { last: 1 }, new Date());
  t.same(plan.delete, []);
  t.match(plan.blocked, /backup 2 cannot be read/);
});
