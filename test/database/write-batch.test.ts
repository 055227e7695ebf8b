// Batches, column families and snapshots.

import t from 'tap';
import { Database } from '../../lib/index.js';
import { collect, failureOf, openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';

t.test('a batch writes all or nothing, across column families, in order', async (t) => {
  const db = await openDb(t, tempDir(t)('db'), { mergeOperator: 'stringappend' });
  const users = await db.createColumnFamily('users');
  await db.put('gone', 'x');
  const batch = db
    .batch()
    .put('a', '1')
    .put('a', '2')
    .put('u', 'Ada', { columnFamily: users })
    .merge('m', 'x')
    .merge('m', 'y')
    .delete('gone')
    .put('r1', '')
    .put('r2', '')
    .deleteRange('r', 'r2')
    .put('s', '')
    .singleDelete('s');
  t.equal(batch.length, 11);
  t.ok(batch.size > 50);
  t.equal(await db.get('a'), undefined, 'nothing is written before write');
  await batch.write({ sync: true });
  t.equal(batch.length, 0, 'it is empty afterwards');
  t.same(await collect(db.iterator({ encoding: 'utf8' })), [
    ['a', '2'],
    ['m', 'x,y'],
    ['r2', ''],
  ]);
  t.equal(await users.get('u', { encoding: 'utf8' }), 'Ada');
  users
    .batch()
    .put('v', 'Grace')
    .put('w', 'root', { columnFamily: db.columnFamily('default') })
    .writeSync();
  t.same(await collect(users.keys({ encoding: 'utf8' })), ['u', 'v']);
  await batch.put('z', 'z').clear().write();
  t.equal(await db.has('z'), false);
});

t.test('a large batch is written', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const batch = db.batch();
  for (let i = 0; i < 10_000; i++) {
    batch.put(`key ${i}`, Buffer.alloc(1000, i));
  }
  await batch.write();
  t.equal((await collect(db.keys())).length, 10_000);
});

t.test('a column family of another handle is refused, in batches as elsewhere', async (t) => {
  const path = tempDir(t);
  const db = await openDb(t, path('db'));
  const other = await openDb(t, path('other'));
  const foreign = await other.createColumnFamily('foreign');
  t.match(await failureOf(() => db.batch().put('k', 'v', { columnFamily: foreign })), {
    name: 'TypeError',
    code: 'INVALID_OPTION',
  });
  const snapshot = other.snapshot();
  t.match(await failureOf(() => db.get('k', { snapshot })), { name: 'TypeError' });
  t.match(await failureOf(() => db.keys({ snapshot })), { name: 'TypeError' });
});

t.test('column families are made, listed, opened again with everything in them, and dropped', async (t) => {
  const path = tempDir(t)('db');
  const db = await Database.open(path, { columnFamilies: { zipped: { compression: 'zstd' } } });
  const made = await db.createColumnFamily('made', { comparator: 'reverseBytewise' });
  for (const key of ['1', '2', '3']) {
    await made.put(key, key);
    await db.columnFamily('zipped').put(key, `zipped ${key}`);
  }
  t.same(db.columnFamilies, ['default', 'zipped', 'made']);
  t.match(await failureOf(() => db.createColumnFamily('made')), { code: 'ROCKSDB_INVALID_ARGUMENT' });
  t.match(await failureOf(() => db.columnFamily('no')), { code: 'COLUMN_FAMILY_NOT_FOUND' });
  t.match(await failureOf(() => db.dropColumnFamily('no')), { code: 'COLUMN_FAMILY_NOT_FOUND' });
  t.match(await failureOf(() => db.dropColumnFamily('default')), { code: /^ROCKSDB_/ });
  await made.flush();
  await db.close();
  t.same((await Database.listColumnFamilies(path)).sort(), ['default', 'made', 'zipped']);

  const again = await openDb(t, path);
  const family = again.columnFamily('made');
  t.same(await collect(family.keys({ encoding: 'utf8' })), ['3', '2', '1'], 'its comparator was not forgotten');
  t.equal(await again.columnFamily('zipped').get('2', { encoding: 'utf8' }), 'zipped 2');
  const iterator = family.keys({ encoding: 'utf8' });
  await again.dropColumnFamily('made');
  t.same(await collect(iterator), ['3', '2', '1'], 'what has begun goes on');
  t.match(await failureOf(() => family.get('1')), { code: 'ROCKSDB_COLUMN_FAMILY_DROPPED' });
  t.match(await failureOf(() => family.put('1', '1')), { code: 'ROCKSDB_COLUMN_FAMILY_DROPPED' });
  t.match(await failureOf(() => again.columnFamily('made')), { code: 'COLUMN_FAMILY_NOT_FOUND' });
  const anew = await again.createColumnFamily('made');
  t.equal(await anew.get('1'), undefined);
});

t.test('every method works on a column family', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const family = await db.createColumnFamily('family', { mergeOperator: 'stringappend' });
  t.equal(family.name, 'family');
  t.equal(family.database, db);
  family.putSync('a', '1');
  await family.put('b', '2');
  await family.merge('c', '3');
  t.equal(family.getSync('a', { encoding: 'utf8' }), '1');
  t.same(await family.getMany(['b', 'c'], { encoding: 'utf8' }), ['2', '3']);
  t.ok(await family.has('a'));
  await family.delete('a');
  await family.singleDelete('b');
  await family.deleteRange('c', 'd');
  t.same(await collect(family.iterator()), []);
  await family.put('d', Buffer.alloc(100_000));
  await family.flush();
  await family.compactRange();
  t.ok((await family.approximateSize('a', 'z')) > 0);
  t.match(family.property('rocksdb.num-files-at-level6'), /^[01]$/);
  t.same(await collect(db.keys()), []);
});

t.test('a snapshot shows what was, in every column family, until it is released', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const family = await db.createColumnFamily('family');
  await db.put('k', 'old');
  await family.put('k', 'old');
  const snapshot = db.snapshot();
  await db.put('k', 'new');
  await family.delete('k');
  await db.flush();
  t.equal(snapshot.sequenceNumber, db.latestSequenceNumber - 2n);
  t.equal(await db.get('k', { snapshot, encoding: 'utf8' }), 'old');
  t.equal(db.getSync('k', { snapshot, encoding: 'utf8' }), 'old');
  t.same(await family.getMany(['k'], { snapshot, encoding: 'utf8' }), ['old']);
  t.equal(await family.has('k', { snapshot }), true);
  t.equal(await db.get('k', { encoding: 'utf8' }), 'new');
  snapshot[Symbol.dispose]();
  snapshot.release();
  t.match(await failureOf(() => db.get('k', { snapshot })), { code: 'SNAPSHOT_RELEASED' });
});
