import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t from 'tap';
import { BackupEngine, Database, repositoryStatus, StoreError } from '../../lib/index.js';
import { pin } from '../../lib/manager/pins.js';
import { updateState } from '../../lib/manager/state.js';
import { SLOW } from '../fixtures/backups.js';
import { MemoryStore } from '../stores/memory-store.js';

const call = { signal: new AbortController().signal };

/** A repository with two backups, the first pinned. */
async function makeRepository(dir: string, location: string | MemoryStore): Promise<void> {
  const db = await Database.open(join(dir, 'db'), { createIfMissing: true });
  const engine = await BackupEngine.open(location);
  for (let round = 1; round <= 2; round++) {
    db.put(`key-${round}`, Buffer.alloc(1000, round));
    await db.flush();
    const { backupId, timestamp } = await engine.createBackup(db);
    if (round === 1) {
      await updateState(engine.storage, (state) => pin(state, { backupId, timestamp: timestamp.toISOString() }));
    }
  }
  await engine.close();
  await db.close();
}

t.test('one repository', async (t) => {
  const dir = t.testdir();
  const store = new MemoryStore();
  await makeRepository(join(dir), join(dir, 'r'));
  await makeRepository(join(dir, 'r'), store);
  for (const place of [join(dir, 'r'), store]) {
    const later = new Date(Date.now() + 3_600_000);
    const [status, ...more] = await repositoryStatus(place, { now: later });
    t.strictSame(more, []);
    t.match(status, { backups: 2, lastGood: { backupId: 2 }, damaged: [], unreadable: [], pinned: [1] });
    t.equal(status!.lastGood!.ageMs, later.getTime() - status!.lastGood!.timestamp.getTime());
    t.ok(status!.bytes > 2000);
    t.notHas(status, 'error');
  }
  t.match(await repositoryStatus(join(dir, 'nothing')), [{ backups: 0, error: { code: 'DIRECTORY_NOT_FOUND' } }]);
  t.match(await repositoryStatus(new MemoryStore()), [{ backups: 0, error: { code: 'DIRECTORY_NOT_FOUND' } }]);
});

t.test('who works in a store', async (t) => {
  const dir = t.testdir();
  const store = new MemoryStore();
  await makeRepository(dir, store);
  t.match(await repositoryStatus(store), [{ leases: [] }]);
  const db = await Database.open(join(dir, 'db'));
  const engine = await BackupEngine.open(store);
  const opened = await engine.openBackup(1);
  let looked: Awaited<ReturnType<typeof repositoryStatus>> = [];
  const put = store.put.bind(store);
  store.put = async (key, bytes, options) => {
    if (key === 'meta/3') looked = await repositoryStatus(store);
    return put(key, bytes, options);
  };
  await engine.createBackup(db);
  await opened.close();
  await engine.close();
  await db.close();
  const leases = looked[0]!.leases!.sort((a, b) => (a.what < b.what ? -1 : 1));
  t.match(leases, [
    { what: 'reading', backupId: 1, holder: new RegExp(`^process ${process.pid} on `) },
    { what: 'writing', holder: new RegExp(`^process ${process.pid} on `) },
  ]);
});

t.test('who worked in a store and has ended', async (t) => {
  const dir = t.testdir();
  const store = new MemoryStore();
  await makeRepository(dir, store);
  const engine = await BackupEngine.open(store);
  const opened = await engine.openBackup(1);
  const [key, { bytes, modified }] = [...store.objects].find(([key]) => key.includes('reading-1'))!;
  const [title, machine, process, ...rest] = Buffer.from(bytes).toString().split('\n');
  const put = async (text: (string | undefined)[], name: string, age = 0) => {
    const made = `rocksdb-backup.leases/${name}`;
    await store.put(made, Buffer.from(text.join('\n')), call);
    store.objects.set(made, { ...store.objects.get(made)!, modified: Date.now() - age });
  };
  const [pid, start] = process!.split(' ');
  await put([title, machine, `4194304 ${start}`, ...rest], 'reading-2-killed');
  await put([title, machine, `${pid} 1`, ...rest], 'reading-2-pid-of-another');
  t.match(await repositoryStatus(store), [{ leases: { length: 1, 0: { what: 'reading', backupId: 1 } } }]);
  const elsewhere = [title, machine!.replace(/^\S+/, 'web9'), process, ...rest];
  await put(elsewhere, 'reading-2-late', 60_000);
  await put(elsewhere, 'reading-3-stale', 125_000);
  const one = async (now = new Date()) => {
    const leases = (await repositoryStatus(store, { now }))[0]!.leases!;
    return leases.map(({ backupId, stale, holder }) => `${backupId} ${stale} ${holder?.split(' ').at(-1)}`).sort();
  };
  const mine = `1 undefined ${machine!.split(' ')[0]}`;
  t.strictSame(await one(), [mine, '2 undefined web9', '3 true web9'], 'by the clock of the store');
  t.strictSame(await one(new Date(Date.now() + 500_000)), [mine, '2 undefined web9', '3 true web9']);
  const later = await one(new Date(Date.now() + 700_000));
  t.strictSame(
    later,
    [mine.replace('undefined', 'true'), '2 true web9', '3 true web9'],
    'by the clock of this machine',
  );
  t.ok(modified > 0, key);
  await opened.close();
  await engine.close();
});

t.test('who works in a directory', async (t) => {
  const dir = t.testdir();
  const place = join(dir, 'r');
  await makeRepository(dir, place);
  t.match(await repositoryStatus(place), [{ leases: [] }]);
  const db = await Database.open(join(dir, 'db'));
  const engine = await BackupEngine.open(place, { backupRateLimit: SLOW });
  const opened = await engine.openBackup(1);
  t.strictSame((await repositoryStatus(place))[0]!.leases, [{ what: 'reading', backupId: 1 }]);
  await db.put('more', randomBytes(1_000_000));
  const stop = new AbortController();
  await new Promise<void>((begun) => {
    engine.createBackup(db, { signal: stop.signal, onProgress: () => begun() }).catch(() => begun());
  });
  const [writing, ...others] = (await repositoryStatus(place))[0]!.leases!;
  t.match(writing, { what: 'writing', holder: new RegExp(`^process ${process.pid} on `) });
  t.strictSame(others, [{ what: 'reading', backupId: 1 }]);
  stop.abort();
  await opened.close();
  await engine.close();
  await db.close();
  t.match(await repositoryStatus(place), [{ leases: [] }]);
});

t.test('a directory with repositories', async (t) => {
  const dir = t.testdir();
  await makeRepository(dir, join(dir, 'all/a'));
  cpSync(join(dir, 'all/a'), join(dir, 'all/deep/er/b'), { recursive: true });
  cpSync(join(dir, 'db'), join(dir, 'all/deep/database'), { recursive: true });
  truncateSync(join(dir, 'all/deep/er/b/meta/2'), 10);
  mkdirSync(join(dir, 'all/c/meta'), { recursive: true });
  mkdirSync(join(dir, 'all/other/meta'), { recursive: true });
  writeFileSync(join(dir, 'all/other/meta/data.txt'), '');
  const found = await repositoryStatus(join(dir, 'all'), { recursive: true });
  t.strictSame(
    found.map(({ location }) => location.slice(dir.length)),
    ['/all/a', '/all/c', '/all/deep/er/b'],
  );
  t.match(found, [{ backups: 2 }, { backups: 0 }, { backups: 1, unreadable: [2], lastGood: { backupId: 1 } }]);
  await t.rejects(repositoryStatus(join(dir, 'nothing'), { recursive: true }), { code: 'ENOENT' });
});

t.test('names of repositories may have any character', async (t) => {
  const dir = t.testdir();
  const one = new MemoryStore();
  await makeRepository(dir, one);
  const store = new MemoryStore();
  const prefixes = ['a\nb/', '\n/', 'meta/1/', 'c\u2028d/', 'e\r/'].sort();
  for (const prefix of prefixes) {
    for (const [key, { bytes }] of one.objects) await store.put(prefix + key, bytes, call);
  }
  const found = await repositoryStatus(store, { recursive: true });
  t.strictSame(
    found.map(({ location, backups, error }) => [location, backups, error]),
    prefixes.map((prefix) => [`memory://test/${prefix.slice(0, -1)}`, 2, undefined]),
  );
  const engine = await BackupEngine.open(join(dir, 'new\nline'));
  await engine.close();
  t.match(await repositoryStatus(dir, { recursive: true }), [{ location: join(dir, 'new\nline') }]);
});

t.test('1,000 repositories in a bucket', async (t) => {
  const dir = t.testdir();
  const one = new MemoryStore();
  await makeRepository(dir, one);
  const store = new MemoryStore();
  const repositories = 1000;
  for (let n = 0; n < repositories; n++) {
    for (const [key, { bytes }] of one.objects) {
      await store.put(`team-${n % 7}/service-${n}/${key}`, bytes, call);
    }
  }
  await store.put('team-1/notes.txt', Buffer.from('no repository'), call);
  store.objects.delete('team-3/service-3/meta/2');
  store.objects.delete([...store.objects.keys()].find((key) => /^team-4\/service-4\/shared/.test(key))!);
  store.pageSize = 1000;
  for (const kind of ['get', 'list', 'put'] as const) store.requests[kind] = 0;
  let open = 0;
  let most = 0;
  const get = store.get.bind(store);
  store.get = async (key, options) => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setImmediate(resolve));
    return get(key, options).finally(() => open--);
  };
  const begin = performance.now();
  const found = await repositoryStatus(store, { recursive: true });
  t.comment(`${Math.round(performance.now() - begin)} ms, ${JSON.stringify(store.requests)}, ${most} at a time`);
  t.equal(found.length, repositories);
  t.equal(new Set(found.map(({ location }) => location)).size, repositories);
  const by = new Map(found.map((status) => [status.location, status]));
  t.match(by.get('memory://test/team-3/service-3'), { backups: 1, lastGood: { backupId: 1 } });
  t.ok(by.get('memory://test/team-4/service-4')!.unreadable.length > 0);
  t.match(by.get('memory://test/team-5/service-5'), { backups: 2, unreadable: [], pinned: [1] });
  t.equal(store.requests.list, Math.ceil(store.objects.size / 1000));
  t.equal(store.requests.put, 0);
  // Of each repository: the state; and of each backup the list of files, the record, and the versions in its OPTIONS file.
  t.ok(store.requests.get <= 7 * repositories, `${store.requests.get} reads`);
  t.ok(most <= 64, `${most} reads at a time`);
});

t.test("nothing is passed on of a store's error but its message", async (t) => {
  const config = { headers: { Authorization: 'very-secret' } };
  const fail = () => Object.assign(new Error('it failed', { cause: { config } }), { config });
  for (const failing of ['list', 'get', 'storeError'] as const) {
    const store = new MemoryStore();
    await makeRepository(t.testdir(), store);
    const error = failing === 'storeError' ? new StoreError('DENIED', 'it failed', { cause: fail() }) : fail();
    store.fault = ({ kind }) => (kind === (failing === 'get' ? 'get' : 'list') ? { fail: error } : undefined);
    const told: unknown = await repositoryStatus(store).catch((error) => error);
    if (failing === 'list') t.match(told, { name: 'RocksDBError', code: 'STORE_FAILED', path: 'memory://test' });
    t.notMatch(inspect(told, { depth: 20, showHidden: true }) + JSON.stringify(told), /very-secret/, failing);
  }
  const store = new MemoryStore();
  const reason = new Error('mine');
  await t.rejects(repositoryStatus(store, { signal: AbortSignal.abort(reason) }), reason);
});
