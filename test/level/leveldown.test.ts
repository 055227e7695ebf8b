import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { inherits } from 'node:util';
import t from 'tap';
import { Database, RocksDBError } from '../../lib/index.js';

import rocksdb = require('../../lib/level/leveldown.js');

import { failureOf } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { called, fillStore, numbered, openStore } from '../fixtures/stores.js';

t.test('a store is made with new and without, and inherited from in the old way and the new', async (t) => {
  const dir = tempDir(t);
  t.equal(typeof rocksdb, 'function');
  const stores = [rocksdb(dir('a')), new rocksdb(dir('b'))];
  class Newer extends rocksdb {
    twice(key: string): string {
      return key + key;
    }
  }
  stores.push(new Newer(dir('c')));
  function Older(this: rocksdb.Store, location: string) {
    (rocksdb as unknown as (this: rocksdb.Store, location: string) => void).call(this, location);
  }
  inherits(Older, rocksdb);
  stores.push(new (Older as unknown as rocksdb.Constructor)(dir('d')));
  for (const [i, store] of stores.entries()) {
    t.ok(store instanceof rocksdb);
    t.equal(store.status, 'new');
    t.equal(store.location, dir('abcd'[i] as string));
    await called((done) => store.open(done));
    t.equal(store.status, 'open');
    await called((done) => store.put('key', 'value', done));
    t.equal(await called((done) => store.get('key', { asBuffer: false }, done)), 'value');
    await called((done) => store.close(done));
    t.equal(store.status, 'closed');
  }
  t.equal((stores[2] as Newer).twice('x'), 'xx');
  for (const location of [undefined, 1, {}]) {
    t.throws(() => rocksdb(location as string), { message: 'constructor requires a location string argument' });
  }
});

t.test('what a service writes here, Database reads, and the other way round', async (t) => {
  const dir = tempDir(t);
  const store = rocksdb(dir('db'));
  await called((done) => store.open(done));
  await called((done) => store.put(Buffer.from([0, 255]), Buffer.from([1]), done));
  await called((done) => store.put(7 as never, true as never, done));
  await called((done) => store.close(done));
  const db = await Database.open(dir('db'));
  t.same(await db.get(Buffer.from([0, 255])), Buffer.from([1]));
  t.equal(await db.get('7', { encoding: 'utf8' }), 'true', 'what is no Buffer becomes text');
  await db.put('from', 'Database');
  await db.close();
  await called((done) => store.open(done));
  t.same(await called((done) => store.get('from', done)), Buffer.from('Database'));
  await called((done) => store.close(done));
});

t.test('a key that is not there is an error that levelup knows as NotFound', async (t) => {
  const db = await openStore(t, tempDir(t)('db'));
  for (const asBuffer of [true, false]) {
    const error = await failureOf(() => called((done) => db.get('none', { asBuffer }, done)));
    t.match(error, { name: 'Error', code: 'ROCKSDB_NOT_FOUND', message: /^NotFound: / });
  }
  t.same(await db.getMany(['none']), [undefined]);
});

t.test('a store that is not open says so, and what to do', async (t) => {
  const db = rocksdb(tempDir(t)('db'));
  const use = async (when: string) => {
    const calls: [string, (done: rocksdb.ErrorCallback) => void][] = [
      ['get', (done) => db.get('a', done)],
      ['put', (done) => db.put('a', 'b', done)],
      ['del', (done) => db.del('a', done)],
      ['batch', (done) => db.batch([{ type: 'del', key: 'a' }], done)],
      ['clear', (done) => db.clear(done)],
      ['approximateSize', (done) => db.approximateSize('a', 'b', done)],
      ['compactRange', (done) => db.compactRange('a', 'b', done)],
    ];
    for (const [name, call] of calls) {
      const error = await failureOf(() => called(call));
      t.match(error, { code: 'DATABASE_CLOSED', message: /^Database is not open: call open\(\)/ }, `${when}: ${name}`);
    }
    t.throws(() => db.iterator(), { message: 'cannot call iterator() before open()' });
    t.throws(() => db.batch(), { code: 'DATABASE_CLOSED' });
    t.throws(() => db.getProperty('rocksdb.stats'), { code: 'DATABASE_CLOSED' });
    t.throws(() => db.database, { code: 'DATABASE_CLOSED' });
  };
  await use('before open');
  await called((done) => db.close(done));
  await called((done) => db.open(done));
  const again = await failureOf(() => called((done) => db.open(done)));
  t.match(again, { code: 'DATABASE_IN_USE', message: /close\(\) it before/ });
  t.equal(db.status, 'open', 'a second open changes nothing');
  const other = await failureOf(() => called((done) => rocksdb(db.location).open(done)));
  t.equal(other.code, 'DATABASE_IN_USE');
  await called((done) => db.close(done));
  await called((done) => db.close(done));
  await use('after close');
});

t.test('what was called before close is done, and calls back before it', async (t) => {
  const db = rocksdb(tempDir(t)('db'));
  for (let round = 0; round < 40; round++) {
    await called((ready) => db.open(ready));
    const ended: string[] = [];
    const call = (name: string, begin: (ready: (error?: Error | null) => void) => void) =>
      called(begin).then(() => ended.push(name));
    const before = [
      ...[1, 2, 3, 4].map((n) => call(`put ${n}`, (ready) => db.put(`key ${n}`, 'value', { sync: true }, ready))),
      call('del', (ready) => db.del('key 1', { sync: true }, ready)),
      call('batch', (ready) => db.batch([{ type: 'put', key: 'a', value: 'b' }], { sync: true }, ready)),
      call('chained batch', (ready) => db.batch().put('c', 'd').write({ sync: true }, ready)),
      call('clear', (ready) => db.clear({ gt: 'key 2' }, ready)),
    ];
    const closes = [1, 2].map((n) => call(`close ${n}`, (ready) => db.close(ready)));
    await Promise.all([...before, ...closes]);
    t.match(ended.slice(-2).sort(), ['close 1', 'close 2'], ended.join(', '));
  }
});

t.test('an entry that was asked for before close comes before it', async (t) => {
  const db = rocksdb(tempDir(t)('db'));
  await called((ready) => db.open(ready));
  await fillStore(db, 3000, 'x'.repeat(2000));
  for (let round = 0; round < 20; round++) {
    const iterator = db.iterator({ highWaterMark: 1 });
    const ended: string[] = [];
    // From the middle of the range on, so that it sometimes waits for a block or for its turn.
    for (let n = 0; n < round * 7; n++) await called((ready) => iterator.next(ready));
    const next = called((ready) => iterator.next(ready)).then(
      () => ended.push('next'),
      (error: Error) => ended.push(error.message),
    );
    const close = called((ready) => db.close(ready)).then(() => ended.push('close'));
    await Promise.all([next, close]);
    t.same(ended, ['next', 'close']);
    await called((ready) => iterator.end(ready));
    await called((ready) => db.open(ready));
  }
  await called((ready) => db.close(ready));
});

t.test('close waits for open and for what has begun, and ends iterators', async (t) => {
  const db = rocksdb(tempDir(t)('db'));
  const opening = called((done) => db.open(done));
  await called((done) => db.close(done));
  await opening;
  await called((done) => db.open(done));
  await fillStore(db, 3000, 'x'.repeat(100));
  const iterator = db.iterator();
  t.same(String((await iterator.next())?.[0]), numbered(0));
  const done: string[] = [];
  const writes = [1, 2, 3].map((n) =>
    called((ready) => db.put(`synced ${n}`, 'value', { sync: true }, ready)).then(() => done.push(`put ${n}`)),
  );
  const closing = called((ready) => db.close(ready)).then(() => done.push('close'));
  await Promise.all([...writes, closing]);
  t.equal(done.at(-1), 'close');
  await iterator.end();
  await called((ready) => db.open({ createIfMissing: false }, ready));
  t.same(await db.getMany(['synced 1', 'synced 3'], { asBuffer: false }), ['value', 'value']);
  await called((ready) => db.close(ready));
});

t.test('every callback is called after the method has returned, and what it throws is uncaught', async (t) => {
  const db = await openStore(t, tempDir(t)('db'));
  await fillStore(db, 300);
  const iterator = db.iterator();
  const calls: ((done: rocksdb.ErrorCallback) => void)[] = [
    (done) => db.get(numbered(1), done),
    (done) => db.get('none', () => done(undefined)),
    (done) => db.put('a', 'b', done),
    (done) => db.batch([{ type: 'del', key: 'a' }], done),
    (done) => db.batch().put('a', 'b').write(done),
    (done) => db.clear({ lt: 'b' }, done),
    (done) => db.getMany(['a'], done),
    (done) => iterator.next(done),
    (done) => iterator.next(done),
    (done) => iterator.end(done),
  ];
  for (let round = 0; round < 20; round++) {
    for (const call of calls.slice(0, round === 19 ? undefined : -1)) {
      let returned = false;
      await called((done) => {
        call((error) => {
          t.ok(returned || error);
          done(error);
        });
        returned = true;
      });
    }
  }
  for (const call of calls.slice(0, 7)) {
    const thrown = new Promise<Error>((resolve) => process.prependOnceListener('uncaughtException', resolve));
    call(() => {
      throw new Error('from a callback');
    });
    t.equal((await thrown).message, 'from a callback');
  }
});

t.test('errors read as those of rocksdb: what happened, in the words that code above it looks for', async (t) => {
  const dir = tempDir(t);
  const store = await openStore(t, dir('db'), { compression: false });
  await called((done) => store.put('a', 'x'.repeat(1000), done));
  await called((done) => store.compactRange('a', 'b', done));
  const open = (path: string, options: rocksdb.OpenOptions = {}) => called((done) => rocksdb(path).open(options, done));
  const attempts: Record<string, [() => Promise<unknown>, RegExp, string]> = {
    'a key that is not there': [
      () => called((done) => store.get('b', done)),
      /^Error: NotFound: /,
      'ROCKSDB_NOT_FOUND',
    ],
    'a database in use': [() => open(dir('db')), /^Error: IO error: lock/, 'DATABASE_IN_USE'],
    'destroying it': [
      () => called((done) => rocksdb.destroy(dir('db'), done)),
      /^Error: IO error: lock/,
      'DATABASE_IN_USE',
    ],
    'a database that is missing': [
      () => open(dir('none'), { createIfMissing: false }),
      /^Error: Invalid argument: .*does not exist/,
      'ROCKSDB_INVALID_ARGUMENT',
    ],
    'one that is missing, opened for reading': [
      () => open(dir('none'), { readOnly: true }),
      /^Error: IO error: .*No such file or directory/,
      'ROCKSDB_IO_ERROR',
    ],
    'below a file': [() => open(dir('file', 'db')), /^Error: IO error: .*Not a directory/, 'ROCKSDB_IO_ERROR'],
  };
  writeFileSync(dir('file'), '');
  for (const [name, [attempt, text, code]] of Object.entries(attempts)) {
    const error = await attempt().then(
      () => undefined,
      (error: Error) => error,
    );
    t.match(String(error), text, name);
    t.match(error, { code }, name);
  }
  await called((done) => store.close(done));
  t.match(
    String(await open(dir('db'), { errorIfExists: true }).catch((error) => error)),
    /^Error: Invalid argument: .*exists \(error_if_exists is true\)/,
  );
  const reader = await openStore(t, dir('db'), { readOnly: true });
  const refused = called((done) => reader.put('a', 'b', done)).catch((error) => error);
  t.match(String(await refused), /^Error: Not implemented: .*Not supported operation in read only mode/);
  await called((done) => reader.close(done));

  const table = readdirSync(dir('db')).find((name) => name.endsWith('.sst')) as string;
  const bytes = readFileSync(dir('db', table));
  bytes[30] = (bytes[30] as number) ^ 255;
  writeFileSync(dir('db', table), bytes);
  const damaged = await openStore(t, dir('db'));
  const error = await called<Buffer>((done) => damaged.get('a', done)).catch((error) => error);
  t.match(String(error), /^Error: Corruption: .*block checksum mismatch/);
  t.notMatch(String(error), /Corruption.*Corruption/);
  t.ok((error as Error).cause instanceof RocksDBError);
  const iterator = damaged.iterator();
  t.match(String(await iterator.next().catch((error) => error)), /^Error: Corruption: /);
  await iterator.end();
  await called((done) => damaged.close(done));
  writeFileSync(dir('db', 'CURRENT'), '');
  t.match(String(await open(dir('db')).catch((error) => error)), /^Error: Corruption: /);
});

t.test('an iterator under way at close gives what it has read, and then says that it has ended', async (t) => {
  const db = rocksdb(tempDir(t)('db'));
  await called((done) => db.open(done));
  await fillStore(db, 3000);
  const iterator = db.iterator({ keyAsBuffer: false });
  for (let n = 0; n < 10; n++) await iterator.next(); // from here on it reads ahead
  const closing = called((done) => db.close(done));
  let next = 10;
  let error: unknown;
  while (error === undefined) {
    const entry = await iterator.next().catch((failed) => {
      error = failed;
    });
    if (entry) t.equal(entry[0], numbered(next++));
    else if (error === undefined) break;
  }
  t.match(String(error), /^Error: iterator has ended/);
  t.ok(next > 11 && next < 3000, `${next} entries`);
  await closing;
  t.throws(() => iterator.seek(numbered(1)), { message: 'iterator has ended' });
  await called((done) => db.open(done));
  t.match(
    String(await iterator.next().catch((failed) => failed)),
    /^Error: iterator has ended/,
    'also when it is open again',
  );
  await iterator.end();
  await called((done) => db.close(done));
});

t.test('close waits for a compaction that is under way', async (t) => {
  const db = rocksdb(tempDir(t)('db'));
  await called((done) => db.open({ disableAutoCompactions: true }, done));
  for (let n = 0; n < 3; n++) {
    await fillStore(db, 20_000, `${n}`.repeat(100));
    await db.database.flush();
  }
  const ended: string[] = [];
  const compacting = called((done) => db.compactRange('k', 'l', done)).then(() => ended.push('compacted'));
  await called((done) => db.close(done)).then(() => ended.push('closed'));
  await compacting;
  t.same(ended, ['compacted', 'closed']);
});

t.test('destroy of what is not there fails, as in rocksdb', async (t) => {
  const dir = tempDir(t);
  for (const path of [dir('none'), dir('none', 'below')]) {
    const error = await called((done) => rocksdb.destroy(path, done)).catch((error) => error);
    t.match(String(error), /^Error: IO error: .*no such directory/);
    t.notOk(existsSync(dir('none')));
  }
  mkdirSync(dir('empty'));
  await called((done) => rocksdb.destroy(dir('empty'), done));
  mkdirSync(dir('other'));
  writeFileSync(dir('other', 'notes'), '');
  await called((done) => rocksdb.destroy(dir('other'), done));
  t.same(readdirSync(dir('other')), ['notes']);
});
