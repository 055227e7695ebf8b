// Features of RocksLevel in addition to abstract-level, which abstract-level's own tests do not cover (level-suite.test.ts).

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ClassicLevel } from 'classic-level';
import t, { type Test } from 'tap';
import { BackupEngine, Database, engineInfo, RocksDBError } from '../../lib/index.js';
import { type LevelOptions, RocksLevel } from '../../lib/level/index.js';
import { collect, failureOf, openDb } from '../fixtures/databases.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';
import { Model } from '../fixtures/level-model.js';
import { Random } from '../fixtures/random.js';

/** Opens a RocksLevel. It is closed when the test ends. */
async function openLevel<K = string, V = string>(
  t: Test,
  location: string | Database,
  options?: LevelOptions<K, V>,
): Promise<RocksLevel<K, V>> {
  const db = new RocksLevel<K, V>(location, options);
  t.teardown(() => db.close());
  await db.open();
  return db;
}

/** The error of an open: the cause of abstract-level's error. */
async function openFailure(db: RocksLevel): Promise<Error & { code?: string }> {
  const error = await db.open().then(
    () => undefined,
    (error: Error & { code?: string }) => error,
  );
  if (error?.code !== 'LEVEL_DATABASE_NOT_OPEN') throw new Error('it should have failed to open', { cause: error });
  return error.cause as Error & { code?: string };
}

t.test('a live RocksLevel is backed up while it is written to, restored and opened again', async (t) => {
  const path = tempDir(t);
  const db = await openLevel(t, path('db'));
  await db.batch(
    Array.from({ length: 2000 }, (_, n) => ({ type: 'put', key: `before ${n}`, value: 'x'.repeat(1000) })),
  );
  const engine = await db.backupEngine(path('backups'));
  t.teardown(() => engine.close());
  let running = true;
  const writing = (async () => {
    let written = 0;
    for (; running || written === 0; written++) await db.put(`during ${written}`, 'y');
    return written;
  })();
  const { backupId } = await engine.createBackup(db);
  running = false;
  const written = await writing;
  await db.put('after', 'z');
  await engine.verifyBackup(backupId, { checksum: true });
  await engine.restoreBackup(backupId, path('restored'));
  const restored = await openLevel(t, path('restored'));
  t.equal((await restored.keys({ gte: 'before', lt: 'beforf' }).all()).length, 2000);
  t.equal(await restored.get('after'), undefined);
  const during = await restored.keys({ gte: 'during', lt: 'durinh' }).all();
  t.ok(during.length <= written);
  t.ok(
    during.every((key) => Number(key.slice(7)) < during.length),
    'of what was written meanwhile it has the first, without a gap',
  );
  t.equal(await restored.get('before 1999'), 'x'.repeat(1000));
});

t.test('createBackup says that a RocksLevel is not open, and what else is no database', async (t) => {
  const path = tempDir(t);
  const engine = await BackupEngine.open(path('backups'));
  t.teardown(() => engine.close());
  const db = new RocksLevel(path('db'));
  t.match(await failureOf(() => engine.createBackup(db)), { code: 'LEVEL_DATABASE_NOT_OPEN', message: /not open/ });
  await db.open();
  await engine.createBackup(db);
  await db.close();
  t.match(await failureOf(() => engine.createBackup(db)), { code: 'LEVEL_DATABASE_NOT_OPEN' });
  for (const wrong of [{}, null, undefined, 'path']) {
    t.match(await failureOf(() => engine.createBackup(wrong as unknown as Database)), { code: 'INVALID_OPTION' });
  }
});

t.test('it wraps a database that is open, or a column family, and leaves it open', async (t) => {
  const path = tempDir(t);
  const database = await openDb(t, path('db'));
  const users = await database.createColumnFamily('users');
  const whole = await openLevel(t, database);
  const family = new RocksLevel<string, { name: string }>(users, { valueEncoding: 'json' });
  const attached = Database.attach(database.token);
  const other = await openLevel(t, attached);
  await whole.put('a', '1');
  await family.put('a', { name: 'Ada' });
  t.equal(await other.get('a'), '1');
  t.equal(String(await database.get('a')), '1');
  t.equal(String(await users.get('a')), '{"name":"Ada"}');
  t.same(await family.iterator().all(), [['a', { name: 'Ada' }]]);
  await family.batch().put('b', { name: 'Bob' }).del('a').write();
  t.same(await family.keys().all(), ['b']);
  await family.clear();
  t.same(await family.keys().all(), []);
  t.same(await whole.keys().all(), ['a']);
  t.equal(whole.database, database);
  t.equal(family.database, database);
  t.equal(whole.location, path('db'));
  await Promise.all([whole.close(), family.close(), other.close()]);
  t.equal(String(await database.get('a')), '1');
  t.equal(String(await attached.get('a')), '1');
  await attached.close();
  await whole.open();
  t.equal(await whole.get('a'), '1', 'it can be opened again');
  await database.close();
  t.match(await failureOf(() => whole.get('a')), { code: 'DATABASE_CLOSED' });
  await whole.close();
  t.equal((await openFailure(whole)).code, 'LEVEL_DATABASE_NOT_OPEN');
});

t.test('sublevels, and encodings of keys and values', async (t) => {
  const db = await openLevel(t, tempDir(t)('db'), { valueEncoding: 'json' });
  const users = db.sublevel<string, { name: string }>('users', { valueEncoding: 'json' });
  const pictures = db.sublevel<Uint8Array, Buffer>('pictures', { keyEncoding: 'view', valueEncoding: 'buffer' });
  await users.put('1', { name: 'Ada' });
  await pictures.put(new Uint8Array([0, 255]), Buffer.from([1, 2, 3]));
  await db.batch<string, unknown>(
    [
      { type: 'put', key: '2', value: { name: 'Bob' }, sublevel: users },
      { type: 'put', key: 'top', value: 'x' },
    ],
    {},
  );
  t.same(await users.values().all(), [{ name: 'Ada' }, { name: 'Bob' }]);
  t.same(await pictures.get(new Uint8Array([0, 255])), Buffer.from([1, 2, 3]));
  t.same(pictures.getSync(new Uint8Array([0, 255])), Buffer.from([1, 2, 3]));
  t.same(await pictures.hasMany([new Uint8Array([0, 255]), new Uint8Array([0])]), [true, false]);
  const snapshot = users.snapshot();
  await users.clear();
  t.same(await users.keys().all(), []);
  t.same(await users.keys({ snapshot }).all(), ['1', '2']);
  await snapshot.close();
  t.same(await db.keys({ gte: 'a' }).all(), ['top']);
  t.ok(Buffer.isBuffer(await db.get<string, Uint8Array>('top', { valueEncoding: 'view' })));
});

t.test('clear removes what a model removes, few keys and many, whatever the order of keys', async (t) => {
  const random = Random.of(t);
  for (const comparator of ['bytewise', 'reverseBytewise'] as const) {
    const db = await openLevel(t, tempDir(t)('db'), { comparator });
    const sign = comparator === 'bytewise' ? 1 : -1;
    for (let round = 0; round < 30; round++) {
      const count = random.pick([0, 1, 10, 256, 257, 258, 1500]);
      const keys = [...new Set(Array.from({ length: count }, () => String(random.below(3000)).padStart(4, '0')))];
      await db.clear();
      t.same(await db.keys({ limit: 1 }).all(), [], 'nothing is left');
      await db.batch(keys.map((key) => ({ type: 'put', key, value: '' })));
      const [low, high] = [random.below(3000), random.below(3000)].sort((a, b) => sign * (a - b)) as [number, number];
      const bounds = {
        ...(random.below(2) ? { [random.pick(['gt', 'gte'])]: String(low).padStart(4, '0') } : {}),
        ...(random.below(2) ? { [random.pick(['lt', 'lte'])]: String(high).padStart(4, '0') } : {}),
        ...(random.below(3) ? {} : { limit: random.below(400) }),
        reverse: random.below(2) === 0,
      };
      const gone = new Set(await db.keys(bounds).all());
      await db.clear(bounds);
      const left = keys.filter((key) => !gone.has(key)).sort((a, b) => sign * (a < b ? -1 : 1));
      t.same(await db.keys().all(), left, JSON.stringify(bounds));
    }
  }
  const db = await openLevel(t, tempDir(t)('db'));
  const model = new Model();
  for (let n = 0; n < 600; n++) {
    await db.put(`k${n}`, '');
    model.put(`k${n}`, '');
  }
  const snapshot = db.snapshot();
  await db.put('later', '');
  await db.clear({ snapshot });
  t.same(await db.keys().all(), ['later'], 'what the snapshot shows is removed, and nothing else');
  t.same(
    await db.keys({ snapshot }).all(),
    model
      .view()
      .within({})
      .map(([key]) => key),
  );
});

t.test('a snapshot shows the past to every kind of read, until it is closed', async (t) => {
  const db = await openLevel(t, tempDir(t)('db'));
  await db.put('a', '1');
  const snapshot = db.snapshot();
  await db.batch().put('a', '2').put('b', '2').write();
  t.equal(await db.get('a', { snapshot }), '1');
  t.equal(db.getSync('a', { snapshot }), '1');
  t.same(await db.getMany(['a', 'b'], { snapshot }), ['1', undefined]);
  t.equal(await db.has('b', { snapshot }), false);
  t.same(await db.hasMany(['a', 'b'], { snapshot }), [true, false]);
  t.same(await db.iterator({ snapshot }).all(), [['a', '1']]);
  t.same(await db.values({ snapshot }).all(), ['1']);
  await snapshot.close();
  t.match(await failureOf(() => db.get('a', { snapshot })), { code: 'LEVEL_SNAPSHOT_NOT_OPEN' });
  t.match(await failureOf(() => db.iterator({ snapshot }).all()), { code: 'LEVEL_SNAPSHOT_NOT_OPEN' });
  const foreign = { ref() {}, unref() {} } as never;
  t.match(await failureOf(() => db.get('a', { snapshot: foreign })), { code: 'INVALID_OPTION' });
  t.equal(await db.get('a'), '2');
});

t.test('a seek outside the range of an iterator finds nothing, as in all of abstract-level', async (t) => {
  const db = await openLevel(t, tempDir(t)('db'));
  await db.batch(['1', '2', '3', '4', '5'].map((key) => ({ type: 'put', key, value: key })));
  const cases: [object, string, string | undefined][] = [
    [{ gt: '2' }, '2', undefined],
    [{ gt: '2' }, '1', undefined],
    [{ gte: '2' }, '2', '2'],
    [{ gte: '2', reverse: true }, '1', undefined],
    [{ lt: '4' }, '4', undefined],
    [{ lte: '4' }, '4', '4'],
    [{ lt: '4', reverse: true }, '5', undefined],
    [{ lt: '4', reverse: true }, '35', '3'],
    [{}, '35', '4'],
    [{ gte: '3', gt: '1' }, '2', undefined],
  ];
  for (const [range, target, found] of cases) {
    const iterator = db.keys(range);
    iterator.seek(target);
    t.equal(await iterator.next(), found, `${JSON.stringify(range)} ${target}`);
    iterator.seek('3');
    const may = !('gt' in range && range.gt === '3');
    t.equal(await iterator.next(), may ? '3' : undefined, 'and it can seek again');
    await iterator.close();
  }
});

t.test('errors have the codes that users of abstract-level compare', async (t) => {
  const path = tempDir(t);
  const db = await openLevel(t, path('db'));
  const second = await openFailure(new RocksLevel(path('db')));
  t.equal(second.code, 'LEVEL_LOCKED');
  t.match(second.message, /is open|in use/);
  t.ok(second.cause instanceof RocksDBError);
  t.equal((second.cause as RocksDBError).code, 'DATABASE_IN_USE');
  t.match(await failureOf(() => RocksLevel.destroy(path('db'))), { code: 'LEVEL_LOCKED' });
  t.match(await failureOf(() => RocksLevel.repair(path('db'))), { code: 'LEVEL_LOCKED' });
  t.ok(await openFailure(new RocksLevel(path('none'), { createIfMissing: false })));
  t.notOk(existsSync(path('none', 'CURRENT')));

  const iterator = db.iterator();
  await iterator.close();
  t.match(await failureOf(() => iterator.next()), { code: 'LEVEL_ITERATOR_NOT_OPEN' });
  const batch = db.batch().put('a', 'b');
  await batch.close();
  t.match(await failureOf(() => batch.put('a', 'b')), { code: 'LEVEL_BATCH_NOT_OPEN' });
  const pending = db.iterator();
  await db.close();
  t.match(await failureOf(() => pending.next()), { code: 'LEVEL_ITERATOR_NOT_OPEN' });
  const all: Record<string, () => unknown> = {
    get: () => db.get('a'),
    getSync: () => db.getSync('a'),
    put: () => db.put('a', 'b'),
    iterator: () => db.iterator(),
    approximateSize: () => db.approximateSize('a', 'b'),
    compactRange: () => db.compactRange('a', 'b'),
    getProperty: () => db.getProperty('rocksdb.stats'),
    database: () => db.database,
    snapshot: () => db.snapshot(),
  };
  for (const [name, attempt] of Object.entries(all)) {
    t.match(await failureOf(attempt), { code: 'LEVEL_DATABASE_NOT_OPEN' }, name);
  }
  t.match(await failureOf(() => new RocksLevel('')), { code: 'INVALID_OPTION' });
  t.match(await failureOf(() => new RocksLevel(7 as never)), { code: 'INVALID_OPTION' });
  const multithreading = { multithreading: true } as LevelOptions;
  t.match((await openFailure(new RocksLevel(path('db'), multithreading))).message, /Database\.attach/);
});

t.test('an iterator whose signal is aborted says so', async (t) => {
  const db = await openLevel(t, tempDir(t)('db'));
  await db.put('a', '1');
  const controller = new AbortController();
  const iterator = db.values({ signal: controller.signal });
  const all = iterator.all();
  controller.abort(new Error('enough'));
  t.match(await failureOf(() => all), { name: 'AbortError', code: 'LEVEL_ABORTED' });
  await iterator.close();
  t.match(await failureOf(() => db.keys({ signal: 'no' as never })), { code: 'INVALID_OPTION' });
});

t.test('what was called before close is done', async (t) => {
  const path = tempDir(t);
  for (let round = 0; round < 10; round++) {
    const db = await openLevel(t, path('db'));
    await db.batch(Array.from({ length: 3000 }, (_, n) => ({ type: 'put', key: `k${n}`, value: 'x' })));
    await Promise.all([
      db.put('a', 'value', { sync: true }),
      db.clear({ gte: 'k1', lt: 'k2' }),
      db.clear({ gte: 'k2', limit: 2000 }),
      db.del('k0'),
      db.getMany(['a', 'k1']),
      db.close(),
    ]);
    await db.open();
    t.equal(await db.get('a'), 'value');
    t.same(await db.keys().all(), ['a']);
    await db.close();
  }
});

t.test('sizes, compaction and properties; before it is open, they wait', async (t) => {
  const db = new RocksLevel(tempDir(t)('db'));
  t.teardown(() => db.close());
  const waiting = db.approximateSize('a', 'z');
  t.equal(await waiting, 0);
  await db.batch(Array.from({ length: 1000 }, (_, n) => ({ type: 'put', key: `k${n}`, value: 'x'.repeat(500) })));
  await db.database.flush();
  t.ok((await db.approximateSize('k', 'l')) > 1000);
  t.equal(await db.approximateSize(Buffer.from('x'), Buffer.from('z'), { keyEncoding: 'buffer' }), 0);
  await db.clear();
  await db.compactRange('k', 'l');
  t.equal(await db.approximateSize('k', 'l'), 0);
  t.ok(db.getProperty('leveldb.stats').length > 0);
  t.equal(db.getProperty('leveldb.nothing'), '');
  t.match(await failureOf(() => db.approximateSize('a', undefined as never)), { code: 'INVALID_OPTION' });
});

t.test('options are those of classic-level, and ours; others are for hooks', async (t) => {
  const path = tempDir(t);
  const own = { highway: 61 } as LevelOptions;
  const db = new RocksLevel(path('db'), {
    ...own,
    compression: true,
    cacheSize: 1 << 20,
    writeBufferSize: 1 << 20,
    blockSize: 8192,
    maxOpenFiles: 50,
    maxFileSize: 1 << 20,
    blockRestartInterval: 8,
    bloomFilterBits: 10,
    infoLogLevel: 'warn',
  });
  let seen: unknown;
  db.hooks.postopen.add(async (options) => {
    seen = options;
  });
  await db.put('a', '1', { sync: true });
  t.match(seen, own);
  await db.del('b', { disableWAL: true });
  await db.close();
  t.equal((await openFailure(new RocksLevel(path('db'), { compression: 'best' as never }))).code, 'INVALID_OPTION');
  t.equal((await openFailure(new RocksLevel(path('db'), { readOnly: 1 as never }))).code, 'INVALID_OPTION');
  t.ok(await openFailure(new RocksLevel(path('db'), { errorIfExists: true })));
  const reader = await openLevel(t, path('db'), { readOnly: true, compression: false });
  t.equal(reader.database.mode, 'readOnly');
  t.equal(await reader.get('a', { fillCache: false }), '1');
  t.ok(await failureOf(() => reader.put('a', '2')));
});

t.test('sizes are taken as classic-level takes them: what is no number, and what is too small', async (t) => {
  const path = tempDir(t);
  const wrong = [
    { cacheSize: '8' },
    { cacheSize: -1 },
    { writeBufferSize: 0 },
    { writeBufferSize: 'x' },
    { blockSize: 0 },
    { maxOpenFiles: '100' },
    { maxOpenFiles: 0 },
    { blockRestartInterval: 0 },
    { blockRestartInterval: null },
    { maxFileSize: 0 },
    { maxFileSize: '1' },
    { cacheSize: Number.NaN },
    { cacheSize: 1.5 },
  ];
  for (const options of wrong) {
    const db = await openLevel(t, path('db'), options as LevelOptions);
    await db.put('a', '1');
    t.equal(await db.get('a'), '1', JSON.stringify(options));
    await db.close();
  }
  const written = () => {
    const name = readdirSync(path('db'))
      .filter((name) => name.startsWith('OPTIONS'))
      .sort()
      .at(-1) as string;
    return readFileSync(path('db', name), 'utf8');
  };
  const db = await openLevel(t, path('db'), { writeBufferSize: 0, maxOpenFiles: 0, blockRestartInterval: 0 });
  t.match(written(), /write_buffer_size=65536\n/);
  t.match(written(), /block_restart_interval=1\n/);
  t.match(written(), /max_open_files=20\n/);
  await db.close();
  const asDefault = await openLevel(t, path('db'), { writeBufferSize: '0', blockSize: 2.5 * 1024 } as never);
  t.match(written(), /write_buffer_size=67108864\n/);
  t.match(written(), /block_size=2560\n/);
  await asDefault.close();
});

t.test('close waits for a compaction that is under way', async (t) => {
  const db = await openLevel(t, tempDir(t)('db'), { disableAutoCompactions: true });
  for (let n = 0; n < 3; n++) {
    await db.batch(
      Array.from({ length: 20_000 }, (_, i) => ({ type: 'put', key: `k${i}`, value: `${n}`.repeat(100) })),
    );
    await db.database.flush();
  }
  const ended: string[] = [];
  const compacting = db.compactRange('k', 'l').then(() => ended.push('compacted'));
  await db.close().then(() => ended.push('closed'));
  await compacting;
  t.same(ended, ['compacted', 'closed']);
});

t.test('destroy of what is not there is nothing to do, as in classic-level', async (t) => {
  const path = tempDir(t);
  writeFileSync(path('file'), '');
  mkdirSync(path('empty'));
  mkdirSync(path('other'));
  writeFileSync(path('other', 'notes'), '');
  for (const place of [
    path('none'),
    path('none', 'below'),
    path('file'),
    path('file', 'below'),
    path('empty'),
    path('other'),
  ]) {
    await RocksLevel.destroy(place);
    await ClassicLevel.destroy(place);
  }
  t.notOk(existsSync(path('none')));
  t.ok(existsSync(path('file')));
  t.same(readdirSync(path('other')), ['notes']);
  t.match(await failureOf(() => RocksLevel.destroy('')), { code: 'INVALID_OPTION' });
});

t.test('destroy and repair', async (t) => {
  const path = tempDir(t);
  const db = new RocksLevel(path('db'));
  await db.put('a', '1');
  await db.close();
  await RocksLevel.repair(path('db'));
  await db.open();
  t.equal(await db.get('a'), '1');
  await db.close();
  await RocksLevel.destroy(path('db'));
  t.notOk(existsSync(path('db', 'CURRENT')));
});

t.test('a LevelDB database is not made one of RocksDB, but can be read', async (t) => {
  for (const entries of [1, 100_000]) {
    const path = tempDir(t);
    const classic = new ClassicLevel(path('db'));
    await classic.open();
    for (let first = 0; first < entries; first += 1000) {
      const batch = classic.batch();
      for (let n = first; n < Math.min(entries, first + 1000); n++) batch.put(`key ${n}`, `value ${n}`.repeat(5));
      await batch.write();
    }
    await classic.close();
    const tables = readdirSync(path('db')).filter((name) => name.endsWith('.ldb'));
    t.equal(tables.length > 0, entries > 1, 'with and without tables');
    const before = snapshotOf(path('db'));
    const refused = await openFailure(new RocksLevel(path('db')));
    t.equal(refused.code, 'LEVELDB_DIRECTORY');
    t.match(refused.message, /classic-level.*copy/);
    t.match(await failureOf(() => Database.open(path('db'))), { code: 'LEVELDB_DIRECTORY' });
    t.match(await failureOf(() => RocksLevel.repair(path('db'))), { code: 'LEVELDB_DIRECTORY' });
    t.same(snapshotOf(path('db')), before, 'nothing was touched');
    const reader = new RocksLevel(path('db'), { readOnly: true });
    if (engineInfo().features.includes('levelDBTables')) {
      t.equal((await reader.keys().all()).length, entries);
      await reader.close();
    } else {
      t.equal((await openFailure(reader)).code, 'LEVELDB_DIRECTORY', 'RocksDB reads them no more from 11.0 on');
    }
    await classic.open();
    t.equal((await classic.keys().all()).length, entries, 'LevelDB has it as before');
    await classic.close();
  }
});

t.test(
  'a database of RocksDB is not taken for one of LevelDB, with tables or without, opened or restored',
  async (t) => {
    const path = tempDir(t);
    const db = new RocksLevel(path('db'));
    await db.put('a', '1');
    await db.close();
    await db.open();
    await db.database.flush();
    const engine = await db.backupEngine(path('backups'));
    await engine.createBackup(db);
    await engine.restoreLatestBackup(path('restored'));
    await engine.close();
    await db.close();
    const restored = await openDb(t, path('restored'));
    t.same((await collect(restored.keys({ encoding: 'utf8' }))).length, 1);
  },
);
