// Stores of rocksdb-backup/leveldown below levelup, encoding-down and subleveldown, as services use them; and their backups.

import type { AbstractLevelDOWN } from 'abstract-leveldown';
import levelup, { type LevelUp } from 'levelup';
import t, { type Test } from 'tap';
import { BackupEngine } from '../../lib/index.js';

import rocksdb = require('../../lib/level/leveldown.js');

import { failureOf } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { called, fillStore, keysOf, numbered, openStore } from '../fixtures/stores.js';

const encode: (store: AbstractLevelDOWN, options?: object) => AbstractLevelDOWN = require('encoding-down');
const subleveldown: (db: LevelUp, name: string, options?: object) => LevelUp = require('subleveldown');

interface Entry {
  key: unknown;
  value: unknown;
}

async function opened(t: Test, path: string, options: object = {}): Promise<{ store: rocksdb.Store; db: LevelUp }> {
  const store = rocksdb(path);
  const db = levelup(encode(store, options));
  t.teardown(() => db.close());
  return { store, db };
}

async function streamed(stream: NodeJS.ReadableStream): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of stream as AsyncIterable<unknown>) entries.push(entry as Entry);
  return entries;
}

t.test('levelup puts, gets, deletes and batches over a store: with promises, and with callbacks', async (t) => {
  const { db } = await opened(t, tempDir(t)('db'), { valueEncoding: 'json' });
  await db.put('user:1', { name: 'Ada' }); // the store is not open yet; levelup defers the call
  t.same(await db.get('user:1'), { name: 'Ada' });
  await db.batch([
    { type: 'put', key: 'user:2', value: [1, 2] },
    { type: 'put', key: 'user:3', value: null === undefined },
    { type: 'del', key: 'user:1' },
  ]);
  t.match(await failureOf(() => db.get('user:1')), { name: 'NotFoundError' });
  t.same(await db.getMany(['user:2', 'user:1', 'user:3']), [[1, 2], undefined, false]);
  await db.batch().put('user:4', 'four').del('user:3').write();

  await called((done) => db.put('user:5', { five: 5 }, done));
  t.same(await called((done) => db.get('user:5', done)), { five: 5 });
  const error = await failureOf(() => called((done) => db.get('user:3', done)));
  t.match(error, { name: 'NotFoundError', message: 'Key not found in database [user:3]' });
  await called((done) => db.del('user:5', done));
  await called((done) => db.batch().put('user:6', 6).write(done));
  t.same(await streamed(db.createReadStream({ gte: 'user:4' })), [
    { key: 'user:4', value: 'four' },
    { key: 'user:6', value: 6 },
  ]);
});

t.test('read streams give ranges in both directions, keys, values, and stop early', async (t) => {
  const { store, db } = await opened(t, tempDir(t)('db'));
  await db.open();
  await fillStore(store, 5000, 'a value');
  t.equal((await streamed(db.createReadStream())).length, 5000);
  t.same((await streamed(db.createReadStream({ gt: numbered(10), limit: 2 })))[1], {
    key: numbered(12),
    value: 'a value',
  });
  t.same((await streamed(db.createKeyStream({ reverse: true, limit: 3 }))) as unknown, [
    numbered(4999),
    numbered(4998),
    numbered(4997),
  ]);
  t.same((await streamed(db.createValueStream({ lt: numbered(2) }))) as unknown, ['a value', 'a value']);
  let seen = 0;
  for await (const _ of db.createReadStream() as AsyncIterable<unknown>) {
    if (++seen === 100) break;
  }
  t.equal(seen, 100);
  t.ok((await called<number>((done) => store.approximateSize('a', 'z', done))) >= 0);
  await db.clear({ lt: numbered(4990) });
  t.equal((await streamed(db.createReadStream())).length, 10);
});

t.test('binary keys and values come through whole', async (t) => {
  const { db } = await opened(t, tempDir(t)('db'), { keyEncoding: 'binary', valueEncoding: 'binary' });
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  await db.put(all, all);
  t.same(await db.get(all), all);
  t.same(await streamed(db.createReadStream()), [{ key: all, value: all }]);
});

t.test('subleveldown: each has its own keys, and clear is its own', async (t) => {
  const { store, db } = await opened(t, tempDir(t)('db'));
  const users = subleveldown(db, 'users', { valueEncoding: 'json' });
  const sessions = subleveldown(db, 'sessions');
  const admins = subleveldown(users, 'admins', { valueEncoding: 'json' });
  await users.put('1', { name: 'Ada' });
  await admins.batch([{ type: 'put', key: '1', value: true }]);
  await sessions.batch().put('a', 'x').put('b', 'y').write();
  t.same(await streamed(users.createReadStream({ gte: '0', lt: '9' })), [{ key: '1', value: { name: 'Ada' } }]);
  t.same((await streamed(sessions.createKeyStream({ reverse: true }))) as unknown, ['b', 'a']);
  t.same(await keysOf(store), ['!sessions!a', '!sessions!b', '!users!!admins!1', '!users!1']);
  const iterator = sessions.iterator() as unknown as rocksdb.Iterator;
  iterator.seek('b');
  t.equal(String((await iterator.next())?.[0]), 'b');
  await iterator.end();
  await sessions.clear();
  t.same(await keysOf(store), ['!users!!admins!1', '!users!1']);
  t.equal(await admins.get('1'), true);
});

t.test('a store is backed up while it is written to, restored, and opened again', async (t) => {
  const dir = tempDir(t);
  const { store, db } = await opened(t, dir('db'));
  await db.open();
  await fillStore(store, 2000, 'before the backup '.repeat(20));
  const engine = await BackupEngine.open(dir('backups'));
  t.teardown(() => engine.close());

  let writing = true;
  let written = 0;
  const writer = (async () => {
    while (writing) {
      await db.batch([
        { type: 'put', key: `pair:a`, value: String(written) },
        { type: 'put', key: `pair:b`, value: String(written) },
        { type: 'put', key: `during:${String(written++).padStart(8, '0')}`, value: 'x'.repeat(100) },
      ]);
    }
  })();
  while (written < 50) {
    await new Promise(setImmediate);
  }
  const first = await engine.createBackup(store);
  const between = written;
  while (written < between + 50) {
    await new Promise(setImmediate);
  }
  const second = await engine.createBackup(store);
  writing = false;
  await writer;
  await engine.verifyBackup(second.backupId, { checksum: true });

  await engine.restoreBackup(first.backupId, dir('first'));
  await engine.restoreBackup(second.backupId, dir('second'));
  const counts: number[] = [];
  for (const name of ['first', 'second']) {
    const restored = await openStore(t, dir(name), { createIfMissing: false });
    t.equal((await keysOf(restored, { gte: 'key:', lt: 'key;' })).length, 2000);
    const during = await keysOf(restored, { gte: 'during:', lt: 'during;' });
    const [a, b] = await restored.getMany(['pair:a', 'pair:b'], { asBuffer: false });
    t.equal(a, b, 'batches are whole');
    t.equal(Number(a), during.length - 1, 'and none is missing before the last');
    counts.push(during.length);
  }
  t.ok(counts[0]! >= 50 && counts[1]! >= between + 50 && counts[1]! <= written, 'each as of its moment');

  await db.close();
  await engine.restoreLatestBackup(dir('db'), { overwrite: true });
  await db.open();
  t.equal(
    (await keysOf(store, { gte: 'during:', lt: 'during;' })).length,
    counts[1],
    'levelup goes on with what was restored',
  );
});

t.test('below a levelup that somebody else made, the store is found', async (t) => {
  const dir = tempDir(t);
  const { store, db } = await opened(t, dir('db'));
  await db.put('a', 'b');
  // levelup -> deferred-leveldown or encoding-down -> ... -> the store
  const below = (layer: { db?: object; _db?: object }): unknown => layer._db ?? layer.db;
  let layer: unknown = db;
  while (!(layer instanceof rocksdb)) {
    layer = below(layer as object);
  }
  t.equal(layer, store);
  await using engine = await BackupEngine.open(dir('backups'));
  t.match(await engine.createBackup(layer), { backupId: 1 });
  t.match(await failureOf(() => engine.createBackup(db as never)), {
    code: 'INVALID_OPTION',
    message: 'db must be a Database, not an object',
  });
  await db.close();
  t.match(await failureOf(() => engine.createBackup(store)), { code: 'DATABASE_CLOSED' });
});
