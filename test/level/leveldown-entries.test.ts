// Stores of rocksdb-backup/leveldown: iterators, clear, batches, sizes, and the options of open.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { Database } from '../../lib/index.js';

import rocksdb = require('../../lib/level/leveldown.js');

import { failureOf } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { called, fillStore, keysOf, numbered, openStore } from '../fixtures/stores.js';

t.test('an iterator gives every entry once, whatever is read ahead', async (t) => {
  const db = await openStore(t, tempDir(t)('db'));
  await fillStore(db, 3000, 'a value of some length '.repeat(4));
  const expected = Array.from({ length: 3000 }, (_, n) => numbered(n));
  for (const highWaterMark of [undefined, 1, 100, 16384, 1e9, Number.NaN]) {
    t.same(await keysOf(db, { highWaterMark }), expected, `highWaterMark ${highWaterMark}`);
  }
  t.same(await keysOf(db, { reverse: true }), [...expected].reverse());
  for (const limit of [0, 1, 2999, 3000, 5000, -1, Number.POSITIVE_INFINITY, undefined, null as never]) {
    const wanted = Math.min(typeof limit === 'number' && limit >= 0 ? limit : 3000, 3000);
    t.equal((await keysOf(db, { limit })).length, wanted, `limit ${limit}`);
  }
});

t.test('keys and values come as asked: as Buffers, as text, or empty', async (t) => {
  const db = await openStore(t, tempDir(t)('db'));
  await called((done) => db.put('key', 'value', done));
  const empty = Buffer.alloc(0);
  const key = Buffer.from('key');
  const value = Buffer.from('value');
  const cases: [rocksdb.IteratorOptions, [rocksdb.Bytes, rocksdb.Bytes]][] = [
    [{}, [key, value]],
    [{ keyAsBuffer: false }, ['key', value]],
    [{ valueAsBuffer: false }, [key, 'value']],
    [{ keyAsBuffer: false, valueAsBuffer: false }, ['key', 'value']],
    [{ keys: false }, [empty, value]],
    [{ values: false, valueAsBuffer: false }, [key, '']],
    [{ keys: false, values: false, keyAsBuffer: false }, ['', empty]],
  ];
  for (const [options, expected] of cases) {
    const iterator = db.iterator(options);
    t.same(await iterator.next(), expected, JSON.stringify(options));
    t.equal(await iterator.next(), undefined);
    await iterator.end();
  }
});

t.test('bounds of no length are none', async (t) => {
  const db = await openStore(t, tempDir(t)('db'));
  await fillStore(db, 3);
  for (const bound of ['', Buffer.alloc(0)]) {
    for (const name of ['gt', 'gte', 'lt', 'lte']) {
      t.equal((await keysOf(db, { [name]: bound })).length, 3);
    }
  }
  await called((done) => db.clear({ lt: '' }, done));
  t.equal((await keysOf(db)).length, 0);
});

t.test('seek goes on from anywhere, and out of range there is nothing until the next one', async (t) => {
  const db = await openStore(t, tempDir(t)('db'));
  await fillStore(db, 500);
  const iterator = db.iterator({ gte: numbered(100), lt: numbered(400), keyAsBuffer: false, values: false });
  const next = async () => (await iterator.next())?.[0];
  t.throws(() => iterator.seek(''), { message: 'cannot seek() to an empty target' });
  iterator.seek(numbered(399));
  t.equal(await next(), numbered(399));
  t.equal(await next(), undefined);
  iterator.seek(numbered(99));
  t.equal(await next(), undefined);
  iterator.seek(Buffer.from(`${numbered(200)}+`));
  t.equal(await next(), numbered(201));
  iterator.seek(numbered(400));
  t.equal(await next(), undefined);
  iterator.seek(numbered(100));
  t.equal(await next(), numbered(100));
  await iterator.end();
});

t.test('an iterator that is ended while it reads gives what it was reading, and then ends', async (t) => {
  const dir = tempDir(t);
  const before = await openStore(t, dir('db'));
  await fillStore(before, 2000, 'x'.repeat(500));
  await called((done) => before.compactRange('a', 'z', done));
  await called((done) => before.close(done));
  const db = await openStore(t, dir('db'), { cacheSize: 0 }); // nothing is in memory, so reading takes another thread
  const order: string[] = [];
  const iterator = db.iterator();
  iterator.next((error) => order.push(error ? 'error' : 'next'));
  await called((done) =>
    iterator.end((error) => {
      order.push('end');
      done(error);
    }),
  );
  t.same(order, ['next', 'end']);
});

t.test('a loop over many entries lets the event loop turn', async (t) => {
  const db = await openStore(t, tempDir(t)('db'));
  await fillStore(db, 10000, 'v');
  let turns = 0;
  let going = true;
  const turn = () => {
    turns++;
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  /** Does some work for a while. Without giving way, there would be a turn or two in each round of it. */
  const turnsWhile = async (work: Parameters<typeof called>[0]) => {
    const began = performance.now();
    turns = 0;
    let rounds = 0;
    while (performance.now() - began < 300) {
      rounds++;
      await called(work);
    }
    return { turns, rounds, wanted: 2 * rounds + 10 };
  };
  const entries = await turnsWhile((done) => {
    const iterator = db.iterator();
    const step: rocksdb.EntryCallback = (error, key) =>
      error || key === undefined ? iterator.end(() => done(error)) : void iterator.next(step);
    iterator.next(step);
  });
  t.ok(entries.turns > entries.wanted, `entries: ${JSON.stringify(entries)}`);
  const values = await turnsWhile((done) => {
    let left = 5000;
    const step = (error?: Error | null) => (error || left-- === 0 ? done(error) : db.get(numbered(left + 1), step));
    db.get(numbered(1), step);
  });
  t.ok(values.turns > values.wanted, `values: ${JSON.stringify(values)}`);
  going = false;
});

t.test('clear removes a range, up to a limit, from either end', async (t) => {
  const db = await openStore(t, tempDir(t)('db'));
  await fillStore(db, 5000);
  await called((done) => db.clear({ gte: numbered(1000), lt: numbered(4000) }, done));
  t.equal((await keysOf(db)).length, 2000);
  await called((done) => db.clear({ limit: 10 }, done));
  t.equal((await keysOf(db))[0], numbered(10));
  await called((done) => db.clear({ limit: 10, reverse: true }, done));
  t.equal((await keysOf(db)).at(-1), numbered(4989));
  await called((done) => db.clear({ gt: numbered(10), lte: numbered(4988) }, done));
  t.same(await keysOf(db), [numbered(10), numbered(4989)]);
  await called((done) => db.clear(done));
  t.same(await keysOf(db), []);
});

t.test('a chained batch writes all or nothing, once', async (t) => {
  const db = await openStore(t, tempDir(t)('db'));
  const batch = db
    .batch()
    .put('gone', '1')
    .clear()
    .put('a', '1')
    .put('b', Buffer.from([2]))
    .del('a');
  t.equal(batch.db, db);
  await called((done) => batch.write({ sync: true }, done));
  t.same(await keysOf(db), ['b']);
  t.throws(() => batch.put('c', '3'), { message: 'write() already called on this batch' });
});

t.test('sizes, properties and compaction', async (t) => {
  const db = await openStore(t, tempDir(t)('db'), { compression: false });
  await fillStore(db, 2000, 'x'.repeat(500));
  await called((done) => db.compactRange(numbered(0), numbered(2000), done));
  t.ok((await called<number>((done) => db.approximateSize('key:', 'key;', done))) > 500_000);
  t.match(db.getProperty('rocksdb.stats'), /Compaction/);
  t.equal(db.getProperty('rocksdb.estimate-num-keys'), '2000');
  t.equal(db.getProperty('no.such'), '');
  const wrong: [() => void, RegExp][] = [
    [() => (db.approximateSize as () => void)(), /approximateSize\(\) requires valid `start` and `end` arguments/],
    [() => db.approximateSize('a', 'b', undefined as never), /approximateSize\(\) requires a callback argument/],
    [() => (db.compactRange as () => void)(), /compactRange\(\) requires valid `start` and `end` arguments/],
    [() => db.compactRange('a', 'b', undefined as never), /compactRange\(\) requires a callback argument/],
    [() => db.getProperty(1 as never), /getProperty\(\) requires a valid `property` argument/],
    [() => (rocksdb.destroy as () => void)(), /destroy\(\) requires `location` and `callback` arguments/],
    [() => rocksdb.destroy(1 as never, () => {}), /destroy\(\) requires a location string argument/],
    [() => rocksdb.repair('x', 1 as never), /repair\(\) requires a callback function argument/],
  ];
  for (const [call, message] of wrong) {
    t.throws(call, { message });
  }
});

t.test('open takes the options of rocksdb, and those of Database.open', async (t) => {
  const dir = tempDir(t);
  const options: rocksdb.OpenOptions = {
    blockRestartInterval: 7,
    blockSize: 2048,
    cacheSize: 1 << 20,
    compression: 'lz4',
    infoLogLevel: null,
    maxFileSize: 12345,
    maxOpenFiles: 77,
    writeBufferSize: 1 << 20,
    maxBackgroundJobs: 3,
    bloomFilterBits: 0,
    rocksdb: { max_manifest_file_size: 4242 },
  };
  // Layers above a store pass their own options down.
  const db = await openStore(t, dir('db'), { ...options, keyEncoding: 'utf8' } as rocksdb.OpenOptions);
  const written = readFileSync(dir('db', readdirSync(dir('db')).find((name) => name.startsWith('OPTIONS')) as string));
  for (const line of [
    'block_restart_interval=7',
    'block_size=2048',
    'compression=kLZ4Compression',
    'max_log_file_size=12345',
    'max_open_files=77',
    'write_buffer_size=1048576',
    'max_background_jobs=3',
    'max_manifest_file_size=4242',
    'format_version=5',
    'checksum=kCRC32c',
    'filter_policy=nullptr',
  ]) {
    t.ok(written.includes(`  ${line}\n`), line);
  }
  t.equal(db.database.mode, 'readWrite');
  await called((done) => db.close(done));
  const wrong = await failureOf(() => called((done) => db.open({ bloomFilterBits: 'many' as never }, done)));
  t.match(wrong, { code: 'INVALID_OPTION', message: /bloomFilterBits/ });
  t.equal(db.status, 'closed');
});

t.test('a store opened for reading does not write', async (t) => {
  const dir = tempDir(t);
  const db = await openStore(t, dir('db'));
  await called((done) => db.put('a', 'b', done));
  await called((done) => db.close(done));
  await called((done) => db.open({ readOnly: true }, done));
  t.equal(await called((done) => db.get('a', { asBuffer: false }, done)), 'b');
  for (const write of [
    () => called((done) => db.put('a', 'c', done)),
    () => called((done) => db.del('a', done)),
    () => called((done) => db.batch().del('a').write(done)),
  ]) {
    t.match(await failureOf(write), { message: /Not supported operation in read only mode/ });
  }
});

t.test('destroy removes a database and nothing else, repair saves what is there', async (t) => {
  const dir = tempDir(t);
  const db = await openStore(t, dir('db'));
  await fillStore(db, 10);
  t.match(await failureOf(() => called((done) => rocksdb.destroy(dir('db'), done))), { code: 'DATABASE_IN_USE' });
  await called((done) => db.close(done));
  writeFileSync(dir('db', 'mine'), 'stays');
  await called((done) => rocksdb.destroy(dir('db'), done));
  t.same(readdirSync(dir('db')), ['mine']);

  await called((done) => db.open(done));
  await fillStore(db, 10);
  await called((done) => db.close(done));
  for (const name of readdirSync(dir('db'))) {
    if (/^(CURRENT|MANIFEST)/.test(name)) rmSync(dir('db', name));
  }
  await called((done) => rocksdb.repair(dir('db'), done));
  await called((done) => db.open({ createIfMissing: false }, done));
  t.equal((await keysOf(db)).length, 10);
  t.match(await failureOf(() => called((done) => rocksdb.repair(dir('none'), done))), { code: 'ROCKSDB_IO_ERROR' });
  t.notOk(existsSync(dir('none')));
});

t.test('fillCache and getMany read what is on the disk', async (t) => {
  const dir = tempDir(t);
  const database = await Database.open(dir('db'));
  for (let n = 0; n < 100; n++) await database.put(numbered(n), `value ${n}`);
  await database.flush();
  await database.close();
  const db = await openStore(t, dir('db'));
  t.same(await db.getMany([numbered(1), 'none', numbered(99)], { asBuffer: false, fillCache: false }), [
    'value 1',
    undefined,
    'value 99',
  ]);
  t.equal(String(await called((done) => db.get(numbered(7), { fillCache: false }, done))), 'value 7');
});
