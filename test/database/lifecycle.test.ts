// Every operation of a database in every state: open, busy, closing, closed. And what ends without an explicit close.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import { type ColumnFamily, Database, type Snapshot, type WriteBatch } from '../../lib/index.js';
import { collect, failureOf, openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';

interface Scene {
  db: Database;
  family: ColumnFamily;
  batch: WriteBatch;
  snapshot: Snapshot;
  path: (...parts: string[]) => string;
}

let copies = 0;

/** Every operation of a database, with its arguments. */
const operations: Record<string, (scene: Scene) => unknown> = {
  get: ({ db }) => db.get('key 1'),
  'get, from a snapshot': ({ db, snapshot }) => db.get('key 1', { snapshot }),
  getSync: ({ db }) => db.getSync('key 1'),
  getMany: ({ db }) => db.getMany(['key 1', 'key 2']),
  has: ({ db }) => db.has('key 1'),
  hasMany: ({ db }) => db.hasMany(['key 1', 'key 2']),
  put: ({ db }) => db.put('k', 'v'),
  'put, synced': ({ db }) => db.put('k', 'v', { sync: true }),
  'put, large': ({ db }) => db.put('large', Buffer.alloc(1 << 20)),
  putSync: ({ db }) => db.putSync('k', 'v'),
  delete: ({ db }) => db.delete('k'),
  deleteSync: ({ db }) => db.deleteSync('k'),
  singleDelete: ({ db }) => db.singleDelete('never'),
  deleteRange: ({ db }) => db.deleteRange('x', 'y'),
  merge: ({ db }) => db.merge('m', 'x'),
  'a batch': ({ db }) => db.batch().put('k', 'v').write(),
  'a batch made before': ({ batch }) => batch.put('k', 'v').write(),
  'a batch made before, written as it is': ({ batch }) => batch.write(),
  'a batch made before, on this thread': ({ batch }) => batch.writeSync(),
  iterator: ({ db }) => db.iterator().nextMany(3),
  keys: ({ db }) => db.keys().next(),
  values: ({ db }) => db.values({ reverse: true }).next(),
  snapshot: ({ db }) => db.snapshot().release(),
  columnFamily: ({ db }) => db.columnFamily('family'),
  columnFamilies: ({ db }) => db.columnFamilies,
  'get of a column family': ({ family }) => family.get('k'),
  'put of a column family': ({ family }) => family.put('k', 'v'),
  'flush of a column family': ({ family }) => family.flush(),
  'create and drop a column family': async ({ db }) => {
    const name = `family ${copies++}`;
    await db.createColumnFamily(name);
    await db.dropColumnFamily(name);
  },
  flush: ({ db }) => db.flush(),
  compactRange: ({ db }) => db.compactRange(),
  approximateSize: ({ db }) => db.approximateSize('a', 'z'),
  property: ({ db }) => db.property('rocksdb.stats'),
  checkpoint: ({ db, path }) => db.checkpoint(path(`copy ${copies++}`)),
  identity: ({ db }) => db.identity,
  latestSequenceNumber: ({ db }) => db.latestSequenceNumber,
  attach: ({ db }) => Database.attach(db.token).close(),
};

/** Operations that are allowed in every state. */
const harmless: Record<string, (scene: Scene) => unknown> = {
  path: ({ db }) => db.path,
  token: ({ db }) => db.token,
  mode: ({ db }) => db.mode,
  'snapshot.release': ({ snapshot }) => snapshot.release(),
  'snapshot.sequenceNumber': ({ snapshot }) => snapshot.sequenceNumber,
  'batch.clear': ({ batch }) => batch.clear(),
  'batch.length': ({ batch }) => batch.length,
  close: ({ db }) => db.close(),
  asyncDispose: ({ db }) => db[Symbol.asyncDispose](),
};

async function scene(t: Test): Promise<Scene> {
  const path = tempDir(t);
  const db = await openDb(t, path('db'), { mergeOperator: 'stringappend', compression: 'none' });
  const family = await db.createColumnFamily('family');
  for (let i = 0; i < 100; i++) {
    await db.put(`key ${i}`, Buffer.alloc(10_000, i));
  }
  await db.flush();
  return { path, db, family, batch: db.batch(), snapshot: db.snapshot() };
}

/** Work that takes a while: reads, synced writes, a flush, compactions, iterators. */
function load({ db, family }: Scene): Promise<PromiseSettledResult<unknown>[]> {
  return Promise.allSettled([
    ...Array.from({ length: 200 }, (_, i) => db.put(`load ${i}`, Buffer.alloc(1000), { sync: i % 10 === 0 })),
    ...Array.from({ length: 200 }, (_, i) => family.put(`load ${i}`, Buffer.alloc(100_000))),
    ...Array.from({ length: 20 }, () => db.getMany(Array.from({ length: 100 }, (_, i) => `key ${i}`))),
    collect(db.iterator({ fillCache: false })),
    db.flush(),
    db.compactRange({ bottommostLevelCompaction: 'force' }),
    family.compactRange({ bottommostLevelCompaction: 'force' }),
  ]);
}

t.test('every operation works on an open database', async (t) => {
  const set = await scene(t);
  for (const [name, operation] of Object.entries(operations)) {
    await t.resolves(async () => operation(set), name);
  }
});

t.test('every operation works on a busy database', async (t) => {
  const set = await scene(t);
  for (const [name, operation] of Object.entries(operations)) {
    const busy = load(set);
    await t.resolves(async () => operation(set), name);
    for (const result of await busy) {
      if (result.status === 'rejected') t.fail(`${name}: ${result.reason}`);
    }
  }
});

t.test('every operation on a closing database, and on a closed one, is DATABASE_CLOSED', async (t) => {
  const set = await scene(t);
  const busy = load(set);
  const closing = set.db.close();
  for (const [name, operation] of Object.entries(operations)) {
    const { code } = await failureOf(() => operation(set)).catch((error: Error) => ({ code: error.message }));
    t.ok(code === 'DATABASE_CLOSED' || code === 'SNAPSHOT_RELEASED', `${name}: ${code}`);
  }
  await closing;
  await busy;
  for (const [name, operation] of Object.entries(operations)) {
    const { code } = await failureOf(() => operation(set)).catch((error: Error) => ({ code: error.message }));
    t.ok(code === 'DATABASE_CLOSED' || code === 'SNAPSHOT_RELEASED', `${name}: ${code}`);
  }
});

t.test('what is harmless works in every state', async (t) => {
  for (const [name, operation] of Object.entries(harmless)) {
    const set = await scene(t);
    if (!/close|Dispose/.test(name)) {
      await t.resolves(async () => operation(set), `${name}, open`);
    }
    const busy = load(set);
    const closing = set.db.close();
    await t.resolves(async () => operation(set), `${name}, closing`);
    await closing;
    await busy;
    await t.resolves(async () => operation(set), `${name}, closed`);
  }
});

t.test(
  'close lets started work finish, ends compactions, and when it resolves the database can be opened',
  async (t) => {
    const set = await scene(t);
    const busy = load(set);
    await Promise.all([set.db.close(), set.db.close()]);
    for (const result of await busy) {
      if (result.status === 'rejected') t.equal(result.reason.code, 'DATABASE_CLOSED');
    }
    const again = await openDb(t, set.path('db'));
    t.equal((await again.get('load 7'))?.length, 1000, 'the writes were not lost');
    t.equal((await again.columnFamily('family').get('load 199'))?.length, 100_000);
  },
);

t.test(
  'the database stays open until its last handle is closed, and a handle closes only what is its own',
  async (t) => {
    const path = tempDir(t)('db');
    const first = await openDb(t, path);
    const second = Database.attach(first.token);
    await first.put('k', 'v');
    const ofFirst = first.keys();
    const ofSecond = second.keys({ encoding: 'utf8' });
    const snapshot = first.snapshot();
    const batch = first.batch().put('x', 'y');
    await first.close();
    t.match(await failureOf(() => ofFirst.next()), { code: 'DATABASE_CLOSED' });
    t.match(await failureOf(() => second.get('k', { snapshot })), { code: 'SNAPSHOT_RELEASED' });
    t.match(await failureOf(() => batch.write()), { code: 'DATABASE_CLOSED' });
    t.same(await collect(ofSecond), ['k']);
    t.equal(await second.get('k', { encoding: 'utf8' }), 'v');
    t.match(await failureOf(() => Database.open(path)), { code: 'DATABASE_IN_USE' });
    await second.close();
    t.match(await failureOf(() => Database.attach(first.token)), { code: 'DATABASE_CLOSED' });
    await (await Database.open(path)).close();
  },
);

/** Collects garbage until `done` returns true, for at most a minute. Collected objects are closed on other threads. */
async function collectGarbageUntil(done: () => Promise<boolean>): Promise<boolean> {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  for (const end = performance.now() + 60_000; performance.now() < end; ) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
    if (await done()) return true;
  }
  return false;
}

t.test('a database that nobody holds any more is closed with the garbage, with all that was open on it', async (t) => {
  const path = tempDir(t)('db');
  await (async () => {
    const db = await Database.open(path);
    await db.put('k', 'v');
    const iterator = db.keys();
    await iterator.next();
    db.snapshot();
    db.batch().put('x', 'y');
    void db.flush();
  })();
  t.ok(
    await collectGarbageUntil(() =>
      Database.open(path).then(
        (db) => db.close().then(() => true),
        () => false,
      ),
    ),
  );
});

t.test('iterators, snapshots and batches that nobody holds are collected while the database is open', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await db.put('k', 'v');
  await (async () => {
    for (let i = 0; i < 1000; i++) {
      await db.keys().next();
      db.snapshot();
      db.batch().put('a', 'b');
    }
  })();
  t.not(db.property('rocksdb.num-snapshots'), '0');
  t.ok(await collectGarbageUntil(async () => db.property('rocksdb.num-snapshots') === '0'));
});

t.test('opening and closing a hundred times, with handles of all ages, leaks no lock', async (t) => {
  const path = tempDir(t)('db');
  for (let i = 0; i < 100; i++) {
    const db = await Database.open(path, { compression: 'none' });
    const attached = Array.from({ length: 5 }, () => Database.attach(db.token));
    const work = attached.map((handle) => handle.put(`k${i}`, 'v', { sync: true }));
    await Promise.all([db.close(), ...attached.map((handle) => handle.close())]);
    await Promise.all(work);
  }
  const db = await openDb(t, path);
  t.equal((await collect(db.keys())).length, 100);
});

t.test('a getter among the options, or in the keys, may close the database: the call says so', async (t) => {
  const path = tempDir(t)('db');
  const closing = (db: Database, name: string, value: unknown): never =>
    Object.defineProperty({}, name, {
      enumerable: true,
      get: () => {
        db.close();
        return value;
      },
    }) as never;
  const closingKeys = (db: Database): never =>
    Object.defineProperty(['a', 'b'], 1, {
      get: () => {
        db.close();
        return 'b';
      },
    }) as never;
  const calls: Record<string, (db: Database) => unknown> = {
    put: (db) => db.put('k', 'v', closing(db, 'sync', false)),
    putSync: (db) => db.putSync('k', 'v', closing(db, 'sync', false)),
    delete: (db) => db.delete('k', closing(db, 'sync', false)),
    deleteRange: (db) => db.deleteRange('a', 'k', closing(db, 'sync', false)),
    merge: (db) => db.merge('k', 'v', closing(db, 'sync', false)),
    'batch.write': (db) =>
      db
        .batch()
        .put('k', 'v')
        .write(closing(db, 'sync', false)),
    'batch.writeSync': (db) =>
      db
        .batch()
        .put('k', 'v')
        .writeSync(closing(db, 'sync', false)),
    get: (db) => db.get('k', closing(db, 'fillCache', true)),
    getSync: (db) => db.getSync('k', closing(db, 'fillCache', true)),
    has: (db) => db.has('k', closing(db, 'fillCache', true)),
    getMany: (db) => db.getMany(['k'], closing(db, 'fillCache', true)),
    hasMany: (db) => db.hasMany(['k'], closing(db, 'fillCache', true)),
    'getMany of such keys': (db) => db.getMany(closingKeys(db)),
    'hasMany of such keys': (db) => db.hasMany(closingKeys(db)),
    createColumnFamily: (db) => db.createColumnFamily('more', closing(db, 'writeBufferSize', 1 << 20)),
  };
  for (const [name, call] of Object.entries(calls)) {
    const db = await Database.open(path, { mergeOperator: 'stringappend' });
    t.match(await failureOf(async () => call(db)), { code: 'DATABASE_CLOSED' }, name);
    await db.close();
  }
});

t.test('a getter among the options may take away the memory of the key', async (t) => {
  const db = await Database.open(tempDir(t)('db'));
  t.teardown(() => db.close());
  const key = new Uint8Array(1 << 20).fill(1);
  await db.put(key, 'value');
  const options = {
    get fillCache() {
      structuredClone(key, { transfer: [key.buffer] });
      return true;
    },
  };
  t.equal(await db.get(key, options), undefined, 'what is read is the key as it is then, of no length');
});
