// How many requests each operation sends: as bench/request-formulas.ts says, from which docs/stores.md has its numbers.

import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { EXPECTED, type RequestCase, unexpected } from '../../bench/request-formulas.js';
import { CountingStore } from '../../bench/stores-requests.js';
import { BackupEngine, BackupManager, copyBackups, Database } from '../../lib/index.js';
import { s3Store } from '../../lib/stores/s3.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';
import { startBucket } from './servers/bucket.js';
import { withoutCeph } from './servers/ceph.js';
import { LossyProxy } from './servers/lossy-proxy.js';

const { signal } = new AbortController();

/** A store in memory that counts, and a database that gets as many tables as are asked for. */
async function scene(t: Test, pageSize = 1000) {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'), { disableAutoCompactions: true });
  t.teardown(() => db.close());
  let tables = 0;
  const add = async (number: number) => {
    for (const end = tables + number; tables < end; tables++) {
      await db.put(`key-${tables}`, Buffer.alloc(1000, tables));
      await db.flush();
    }
  };
  const newStore = (memory = new MemoryStore()) => {
    memory.pageSize = pageSize;
    return { memory, store: new CountingStore(memory) };
  };
  return { dir, db, add, newStore, ...newStore() };
}

/** Does some work, and compares what it sent with the formula. */
async function counted<T>(
  t: Test,
  store: CountingStore,
  name: keyof typeof EXPECTED,
  of: RequestCase,
  work: () => Promise<T>,
): Promise<T> {
  store.take();
  const result = await work();
  const counts = store.take();
  t.same(unexpected(counts, EXPECTED[name](of)), [], `${name} ${JSON.stringify(of)}`);
  return result;
}

for (const pageSize of [1000, 10]) {
  t.test(`operations of an engine, ${pageSize} objects on a page`, async (t) => {
    const { dir, db, add, memory, store, newStore } = await scene(t, pageSize);
    // A writer's list shows its lease, too.
    const pages = (more = 0) => Math.max(1, Math.ceil((memory.objects.size + more) / pageSize));
    await add(5);
    const engine = await counted(t, store, 'open a new repository', {}, () => BackupEngine.open(store));
    let tables = 5;
    const create = async (newTables: number, unread: number) => {
      await counted(t, store, 'create', { pages: pages(1), newTables, unread }, () => engine.createBackup(db));
    };
    await create(5, 0);
    await create(0, 1);
    for (const newTables of [1, 3, 12]) {
      await add(newTables);
      tables += newTables;
      await create(newTables, 1);
    }
    for (const unread of [5, 0]) {
      const of = { pages: pages(), unread };
      t.equal((await counted(t, store, 'list', of, () => engine.getBackupInfo())).length, 5);
    }
    await counted(t, store, 'list', { pages: pages() }, () => engine.getLatestBackupInfo());
    await counted(t, store, 'list', { pages: pages() }, () => engine.survey());
    const reading = { pages: pages(1), pieces: tables };
    await counted(t, store, 'verify, names and sizes', reading, () => engine.verifyBackup(5));
    await counted(t, store, 'verify with checksums', reading, () => engine.verifyBackup(5, { checksum: true }));
    await counted(t, store, 'restore', reading, () => engine.restoreBackup(5, dir('restored')));
    await counted(t, store, 'open in place and read a key', reading, async () => {
      await using opened = await engine.openBackup(5);
      await opened.get('key-1');
    });
    await counted(t, store, 'open to read', { pages: pages() }, async () => {
      await (await BackupEngine.open(store, { readOnly: true })).close();
    });
    await counted(t, store, 'open to read', { pages: pages() }, async () => {
      await (await BackupEngine.open(store, { createIfMissing: false })).close();
    });
    await counted(t, store, 'open to write', { pages: pages() }, async () => {
      await (await BackupEngine.open(store)).close();
    });

    // What was read by another process, or of another store, counts as unread.
    const other = newStore();
    for (const [key, { bytes }] of memory.objects) await other.memory.put(key, bytes, { signal });
    const fresh = await counted(t, other.store, 'open to read', { pages: pages(), unread: 5 }, () =>
      BackupEngine.open(other.store, { readOnly: true }),
    );
    await counted(t, other.store, 'list', { pages: pages(), unread: 5 }, () => fresh.getBackupInfo());
    await counted(t, other.store, 'list', { pages: pages() }, () => fresh.getBackupInfo());
    await fresh.close();

    const target = newStore(new MemoryStore());
    target.memory.pageSize = 1000;
    const copying = { pages: pages(), newTables: tables, backups: 5 };
    await counted(t, store, 'copy, in the source', copying, () =>
      counted(t, target.store, 'copy, in a new repository', copying, () => copyBackups(store, target.store)),
    );

    if (pageSize === 1000) {
      await counted(t, store, 'delete', { backups: 1 }, () => engine.deleteBackup(2));
      await counted(t, store, 'delete', { backups: 3 }, () => engine.purgeOldBackups(1));
    }
    await counted(t, store, 'garbageCollect', { pages: pages(1) }, () => engine.garbageCollect());
    await engine.close();
  });
}

t.test('a large table goes in parts of 8 MiB', async (t) => {
  const { db, store } = await scene(t);
  const engine = await BackupEngine.open(store);
  await db.put('large', randomBytes(20 * 2 ** 20));
  await db.flush();
  store.take();
  await engine.createBackup(db);
  t.match(store.take(), { list: 1, put: 7, create: 1, part: 3, complete: 1, delete: 1 });
  await engine.close();
});

t.test('what a manager does', async (t) => {
  const { db, add, store } = await scene(t);
  await add(2);
  const manager = new BackupManager({ db, location: store });
  await manager.backupNow();
  for (const newTables of [1, 4]) {
    await add(newTables);
    await counted(t, store, 'backupNow of a manager', { newTables }, () => manager.backupNow());
  }
  await counted(t, store, 'backupNow of a manager, nothing new', {}, () => manager.backupNow({ skipUnchanged: true }));
  await manager.stop();
});

t.test('no HEAD is sent', { skip: withoutCeph() }, async (t) => {
  const { endpoint, credentials } = await startBucket(t);
  const proxy = await LossyProxy.start(t, endpoint);
  const methods: Record<string, number> = {};
  proxy.lose = ({ method }) => {
    methods[method] = (methods[method] ?? 0) + 1;
    return false;
  };
  const { dir, db, add } = await scene(t);
  await add(3);
  const store = s3Store({ bucket: 'backups', prefix: 'heads', endpoint: proxy.url, credentials });
  const engine = await BackupEngine.open(store);
  const manager = new BackupManager({ db, location: engine });
  await manager.backupNow();
  await engine.createBackup(db);
  await engine.verifyBackup(1, { checksum: true });
  await engine.restoreBackup(1, dir('restored'));
  await (await engine.openBackup(2)).close();
  await engine.deleteBackup(1);
  await engine.garbageCollect();
  await manager.stop();
  await engine.close();
  t.ok(methods.GET! > 20 && methods.PUT! > 20, JSON.stringify(methods));
  t.notHas(methods, 'HEAD');
});
