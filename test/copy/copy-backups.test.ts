import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BackupEngine, copyBackups, Database } from '../../lib/index.js';
import { notingDamage } from '../../lib/manager/damage.js';
import { ManagerState } from '../../lib/manager/manager-state.js';
import { pin } from '../../lib/manager/pins.js';
import { readState, updateState } from '../../lib/manager/state.js';
import type { ObjectStore } from '../../lib/stores/object-store.js';
import { MemoryStore } from '../stores/memory-store.js';

/** A repository with three backups, of which the second is pinned. */
async function makeRepository(t: Test, location: string | ObjectStore, name = 'db'): Promise<void> {
  const db = await Database.open(join(t.testdirName, name), { createIfMissing: true });
  const engine = await BackupEngine.open(location);
  for (let round = 1; round <= 3; round++) {
    for (let i = 0; i < 200; i++) db.put(`${round}-${i}`, Buffer.alloc(2000, `${name}${round}-${i}`));
    await db.flush();
    const info = await engine.createBackup(db, { metadata: `round ${round}` });
    if (round === 2) await updateState(engine.storage, (state) => pin(state, asRef(info), 'keep it'));
  }
  await engine.close();
  await db.close();
}

const call = { signal: new AbortController().signal };

const asRef = ({ backupId, timestamp }: { backupId: number; timestamp: Date }) => ({
  backupId,
  timestamp: timestamp.toISOString(),
});

/** All backups as they are listed, and each file read. */
async function contents(location: string | ObjectStore) {
  const engine = await BackupEngine.open(location, { readOnly: true });
  const backups = await engine.getBackupInfo({ fileDetails: true });
  for (const { backupId } of backups) await engine.verifyBackup(backupId, { checksum: true });
  const { pins } = await readState(engine.storage);
  await engine.close();
  return { backups, pins };
}

const filesIn = (dir: string) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .filter((name) => !name.startsWith('rocksdb-backup.') && !name.startsWith('.backup.lock'))
    .sort();

const states = (backups: readonly { state: string }[]) => backups.map(({ state }) => state);

t.test('from a directory to a store, to a store, to a directory', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  await makeRepository(t, dir);
  const places = [dir, new MemoryStore(), new MemoryStore(), join(t.testdirName, 'to'), join(t.testdirName, 'again')];
  const original = await contents(dir);
  let last: (typeof places)[number] = dir;
  for (const place of places.slice(1)) {
    const progress: number[] = [];
    const planned = await copyBackups(last, place, { dryRun: true });
    const result = await copyBackups(last, place, { onProgress: ({ bytesDone }) => progress.push(bytesDone) });
    t.strictSame(states(result.backups), ['copied', 'copied', 'copied']);
    t.strictSame(planned.backups, result.backups, 'the plan says what is done');
    t.strictSame(result.pinned, [2]);
    t.equal(progress.at(-1), result.bytes);
    t.strictSame(await contents(place), original);
    const second = await copyBackups(last, place);
    t.strictSame(states(second.backups), ['present', 'present', 'present']);
    t.match(second, { files: 0, bytes: 0, pinned: [] });
    last = place;
  }
  t.strictSame(filesIn(places[4] as string), filesIn(dir));
  for (const name of filesIn(dir)) {
    t.ok(readFileSync(join(dir, name)).equals(readFileSync(join(places[4] as string, name))), name);
  }
});

t.test('only what is missing is copied', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  await makeRepository(t, dir);
  const store = new MemoryStore();
  const first = await copyBackups(dir, store, { backupIds: [1] });
  t.strictSame(states(first.backups), ['copied']);
  t.equal((await contents(store)).pins.length, 0);
  const { put } = store.requests;
  const second = await copyBackups(dir, store);
  t.strictSame(states(second.backups), ['present', 'copied', 'copied']);
  t.strictSame(second.pinned, [2]);
  const sent = store.requests.put - put;
  const all = [...store.objects.keys()].filter((key) => /^(meta|private|shared_checksum)\//.test(key)).length;
  t.ok(sent < all, `${sent} of ${all} objects`);
  const shared = [...store.objects.keys()].find((key) => key.startsWith('shared_checksum/'))!;
  await store.delete([shared], call);
  t.match(await copyBackups(dir, store), { files: 1 }, 'a file that was lost comes back');
  t.strictSame((await contents(store)).backups, (await contents(dir)).backups);
  await t.rejects(copyBackups(dir, store, { backupIds: [9] }), { code: 'BACKUP_NOT_FOUND' });
  await t.rejects(copyBackups(join(t.testdirName, 'nothing'), store), { code: 'DIRECTORY_NOT_FOUND' });
});

t.test('a copy that was interrupted at any request goes on', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  await makeRepository(t, dir);
  const whole = await contents(dir);
  const reference = new MemoryStore();
  await copyBackups(dir, reference);
  const { put } = reference.requests;
  for (let at = 1; at <= put; at += 3) {
    const store = new MemoryStore();
    store.fault = ({ kind, nth }) => (kind === 'put' && nth >= at ? { fail: 'DENIED' } : undefined);
    await t.rejects(copyBackups(dir, store), `put ${at}`);
    store.fault = undefined;
    for (const key of [...store.objects.keys()].filter((key) => key.startsWith('meta/'))) {
      const engine = await BackupEngine.open(store, { readOnly: true });
      await engine.verifyBackup(Number(key.slice(5)), { checksum: true });
      await engine.close();
    }
    for (const key of [...store.objects.keys()]) {
      if (key.startsWith('rocksdb-backup.leases/')) store.objects.delete(key); // the holder died
    }
    await copyBackups(dir, store);
    t.strictSame(await contents(store), whole);
  }
});

t.test('what another backup left under the same id is not taken', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  await makeRepository(t, dir);
  const left = new MemoryStore();
  await copyBackups(dir, left);
  // As after a create that was killed: the names and sizes are those of backup 3, and the bytes are not.
  left.objects.delete('meta/3');
  left.objects.delete('private/3/rocksdb-backup.files');
  for (const [key, { bytes }] of left.objects) {
    if (key.startsWith('private/3/')) await left.put(key, Buffer.alloc(bytes.length, 'x'), call);
  }
  await copyBackups(dir, left);
  t.strictSame((await contents(left)).backups, (await contents(dir)).backups);
});

t.test('a stopped copy continues', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  const to = join(t.testdirName, 'to');
  await makeRepository(t, dir);
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = ({ bytesDone }: { bytesDone: number }) => bytesDone > 0 && controller.abort(reason);
  await t.rejects(copyBackups(dir, to, { signal: controller.signal, onProgress, rateLimit: 20_000 }), reason);
  await copyBackups(dir, to);
  t.strictSame(await contents(to), await contents(dir));
  t.strictSame(filesIn(to), filesIn(dir), 'no temporary file is left');
});

t.test('a damaged backup is not copied, and the others are', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  await makeRepository(t, dir);
  const { backups } = await contents(dir);
  const only = (id: number) =>
    backups[id - 1]!.fileDetails!.find(({ name, backups }) => backups === 1 && name.endsWith('.log') === false)!.name;
  const own = join(dir, only(2));
  flip(own);
  for (const to of [join(t.testdirName, 'to'), new MemoryStore()]) {
    const result = await copyBackups(dir, to);
    t.strictSame(states(result.backups), ['copied', 'failed', 'copied']);
    t.match(result.backups[1]!.error, { code: 'BACKUP_CORRUPT', backupId: 2, damagedFiles: [only(2)] });
    t.strictSame(
      (await contents(to)).backups.map(({ backupId }) => backupId),
      [1, 3],
    );
  }
  truncateSync(own, 1);
  const cut = await copyBackups(dir, join(t.testdirName, 'other'));
  t.strictSame(states(cut.backups), ['copied', 'failed', 'copied']);
  rmSync(own);
  const gone = await copyBackups(dir, join(t.testdirName, 'third'));
  t.strictSame(states(gone.backups), ['copied', 'failed', 'copied']);
});

t.test('of a damaged file that several backups share, each of them is named', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  await makeRepository(t, dir);
  const { backups } = await contents(dir);
  const { name } = backups[0]!.fileDetails!.find(({ backups }) => backups === 3)!;
  flip(join(dir, name));
  const result = await copyBackups(dir, new MemoryStore());
  t.strictSame(states(result.backups), ['failed', 'failed', 'failed']);
  for (const { backupId, error } of result.backups) {
    t.match(error, {
      backupId,
      damagedFiles: [name],
      message: new RegExp(`^backup ${backupId} in .*${name} has the checksum`),
    });
  }
});

t.test(
  'a backup that is known to be damaged in the target is not there, and comes again when it was deleted',
  async (t) => {
    t.testdir();
    const dir = join(t.testdirName, 'from');
    const to = join(t.testdirName, 'to');
    await makeRepository(t, dir);
    await copyBackups(dir, to, { backupIds: [1, 2] });
    const { backups } = await contents(dir);
    const { name } = backups[1]!.fileDetails!.find(({ name, backups }) => backups === 2 && name.endsWith('.sst'))!;
    flip(join(to, name));
    const engine = await BackupEngine.open(to);
    const info = await engine.getBackupInfo(2);
    const state = new ManagerState(engine.storage);
    await t.rejects(
      notingDamage(state, engine, info, { proves: 'every byte', now: Date.now }, () =>
        engine.verifyBackup(2, { checksum: true }),
      ),
      { code: 'BACKUP_CORRUPT' },
    );
    const error = { code: 'BACKUP_CORRUPT', path: to, damagedFiles: [name], advice: 'copyAgain' };
    const expected = [
      { backupId: 1, state: 'present' },
      {
        backupId: 2,
        state: 'failed',
        error: { ...error, message: /^backup 2 in .*to is known to be damaged: .* found damaged on/ },
      },
      {
        backupId: 3,
        state: 'failed',
        error: { ...error, message: /^backup 3 in .*from was not copied, because .*to has a damaged file of it/ },
      },
    ];
    for (const dryRun of [true, false]) t.match((await copyBackups(dir, to, { dryRun })).backups, expected);
    t.match((await copyBackups(dir, to, { backupIds: [2] })).backups, [expected[1]]);
    t.strictSame(
      (await engine.getBackupInfo()).map(({ backupId }) => backupId),
      [1, 2],
    );
    await engine.deleteBackup(2);
    await engine.close();
    t.strictSame(states((await copyBackups(dir, to)).backups), ['present', 'copied', 'copied']);
    t.strictSame(await contents(to), await contents(dir));
    t.strictSame(
      states((await copyBackups(dir, to)).backups),
      ['present', 'present', 'present'],
      'the damage is forgotten',
    );
  },
);

t.test('a damaged list of files in the target is told apart from another backup', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  await makeRepository(t, dir);
  for (const to of [join(t.testdirName, 'to'), join(t.testdirName, 'second')]) {
    await copyBackups(dir, to, { backupIds: [1, 2] });
    if (to.endsWith('second')) truncateSync(join(to, 'meta/2'), 20);
    else flip(join(to, 'meta/2'));
    const { backups } = await copyBackups(dir, to);
    t.strictSame(states(backups), ['present', 'failed', 'copied']);
    t.match(backups[1]!.error, {
      code: 'BACKUP_CORRUPT',
      path: to,
      backupId: 2,
      damagedFiles: ['meta/2'],
      advice: 'copyAgain',
    });
  }
});

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
}

t.test('another backup with the same id, and another database', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  await makeRepository(t, dir);
  const other = new MemoryStore();
  await makeRepository(t, other, 'other');
  const before = [...other.objects.keys()].sort();
  await t.rejects(copyBackups(dir, other), { code: 'BACKUP_EXISTS', backupId: 1, message: /other backups 1, 2 and 3/ });
  t.strictSame([...other.objects.keys()].sort(), before);
  const engine = await BackupEngine.open(other);
  await engine.deleteBackup(1);
  await engine.close();
  await t.rejects(copyBackups(dir, other, { backupIds: [1] }), { code: 'DATABASE_DIFFERS' });
  await t.rejects(copyBackups(dir, other, { backupIds: [1], dryRun: true }), { code: 'DATABASE_DIFFERS' });
  await copyBackups(dir, other, { backupIds: [1], allowOtherDatabase: true });
  t.equal((await contents(other)).backups.length, 3);
});

t.test('locks', async (t) => {
  t.testdir();
  const dir = join(t.testdirName, 'from');
  const to = new MemoryStore();
  await makeRepository(t, dir);
  let inside: Promise<unknown> | undefined;
  let deleting: Promise<unknown> | undefined;
  to.fault = ({ kind, key }) => {
    if (kind === 'put' && key.startsWith('private/1/') && inside === undefined) {
      inside = copyBackups(dir, to).then(
        () => undefined,
        (error) => error,
      );
      deleting = BackupEngine.open(dir).then(async (engine) => {
        const error = await engine.deleteBackup(1).catch((error) => error);
        await engine.close();
        return error;
      });
    }
    return undefined;
  };
  // The copy goes on while the others try, and waits for them before it ends.
  const put = to.put.bind(to);
  to.put = async (key, bytes, options) => {
    if (key === 'meta/1') await Promise.all([inside, deleting]);
    return put(key, bytes, options);
  };
  await copyBackups(dir, to);
  t.match(await inside, { code: 'BACKUP_LOCKED' });
  t.match(await deleting, { code: 'BACKUP_IN_USE' });
});

t.test('arguments', async (t) => {
  const dir = t.testdir();
  const empty = join(dir, 'empty');
  mkdirSync(empty);
  await (await BackupEngine.open(empty)).close();
  t.match(await copyBackups(empty, join(dir, 'to'), { dryRun: true }), { backups: [], bytes: 0, dryRun: true });
  t.throws(() => statSync(join(dir, 'to')), 'a dry run makes nothing');
  await t.rejects(copyBackups(empty, join(dir, 'to'), { backupIds: [] }), { code: 'INVALID_OPTION' });
  await t.rejects(copyBackups(empty, join(dir, 'to'), { dryRun: 1 } as never), { code: 'INVALID_OPTION' });
  await t.rejects(copyBackups(empty, join(dir, 'to'), { ids: [1] } as never), TypeError);
});
