// Reading, writing, and everything else that a database does.

import { existsSync, symlinkSync } from 'node:fs';
import t from 'tap';
import { Database, engineInfo, RocksDBError } from '../../lib/index.js';
import { collect, failureOf, openDb } from '../fixtures/databases.js';
import { filesBelow, tempDir } from '../fixtures/files.js';

t.test('strings, Buffers and Uint8Arrays of any offset are keys and values', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const memory = new Uint8Array([9, 9, 107, 49, 9]);
  await db.put(memory.subarray(2, 4), 'by array');
  t.equal(await db.get('k1', { encoding: 'utf8' }), 'by array');
  await db.put('k2', memory.subarray(1, 3));
  t.same(await db.get(Buffer.from('k2')), Buffer.from([9, 107]));
  await db.put('ключ', '値');
  t.equal(await db.get(new TextEncoder().encode('ключ'), { encoding: 'utf8' }), '値');
  const bytes = Buffer.from([0, 255, 128, 0]);
  await db.put(bytes, bytes);
  t.same(await db.get(bytes), bytes);
  const resizable = Buffer.alloc(0);
  await db.put('k3', resizable);
  t.same(await db.get('k3'), resizable);
});

t.test('keys and values may be empty', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await db.put('', 'value of nothing');
  await db.put('nothing', '');
  t.equal(await db.get('', { encoding: 'utf8' }), 'value of nothing');
  t.equal(db.getSync(new Uint8Array(0), { encoding: 'utf8' }), 'value of nothing');
  t.same(await db.get('nothing'), Buffer.alloc(0));
  t.same(await collect(db.iterator({ encoding: 'utf8' })), [
    ['', 'value of nothing'],
    ['nothing', ''],
  ]);
  await db.delete('');
  t.equal(await db.get(''), undefined);
});

t.test('strings of every length around the inline buffer come back whole', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  for (const length of [0, 1, 62, 63, 64, 84, 85, 127, 250, 251, 252, 253, 254, 255, 256, 257, 1000]) {
    for (const character of ['x', 'é', '値', '😀']) {
      const key = character.repeat(length);
      await db.put(key, key);
      t.equal(await db.get(key, { encoding: 'utf8' }), key, `${length} of ${character}`);
    }
  }
});

t.test('a value of 64 MiB is written and read, from memory and from the disk', async (t) => {
  const path = tempDir(t)('db');
  const value = Buffer.alloc(64 << 20, 'some text that is repeated');
  const db = await Database.open(path);
  await db.put('big', value);
  t.ok(((await db.get('big')) as Buffer).equals(value));
  await db.close();
  const again = await openDb(t, path);
  t.ok(((await again.get('big')) as Buffer).equals(value));
  t.ok((again.getSync('big') as Buffer).equals(value));
  t.ok((await collect(again.values()))[0]?.equals(value));
});

t.test('get and getSync give undefined for a key that is not there', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  t.equal(await db.get('no'), undefined);
  t.equal(db.getSync('no'), undefined);
  t.equal(await db.has('no'), false);
  await db.put('yes', 'x');
  t.equal(await db.has('yes'), true);
});

t.test('getMany gives values in the order of the keys, undefined where there is none', async (t) => {
  const path = tempDir(t)('db');
  const db = await Database.open(path);
  const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
  for (const key of keys) {
    await db.put(key, key.toUpperCase());
  }
  t.same(await db.getMany(['key 3', 'no', Buffer.from('key 1')], { encoding: 'utf8' }), ['KEY 3', undefined, 'KEY 1']);
  t.same(await db.getMany([]), []);
  t.same(await db.hasMany(['key 3', 'no', Buffer.from('key 1')]), [true, false, true]);
  t.same(await db.hasMany([]), []);
  await db.close();
  const cold = await openDb(t, path);
  const upper = keys.map((key) => key.toUpperCase());
  t.same(await cold.getMany(keys, { encoding: 'utf8' }), upper);
  t.same(await cold.getMany(keys.slice(0, 10), { encoding: 'utf8' }), upper.slice(0, 10));
  t.same(await cold.hasMany([...keys, 'no']), [...keys.map(() => true), false]);
});

t.test('the forms of deleting delete', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
    db.putSync(key, key);
  }
  await db.delete('a');
  db.deleteSync('b');
  await db.singleDelete('c');
  await db.deleteRange('d', 'f');
  t.same(await collect(db.keys({ encoding: 'utf8' })), ['f']);
  t.match(await failureOf(() => db.deleteRange('b', 'a')), { code: 'ROCKSDB_INVALID_ARGUMENT' });
  t.match(await failureOf(() => db.batch().deleteRange('b', 'a')), { code: 'ROCKSDB_INVALID_ARGUMENT' });
});

t.test('every merge operator merges, and an existing database remembers which it has', async (t) => {
  const path = tempDir(t);
  const number = (n: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(n));
    return bytes;
  };
  const cases = [
    { mergeOperator: 'uint64add', operands: [number(3), number(4)], result: number(7) },
    { mergeOperator: 'stringappend', operands: ['a', 'b'], result: Buffer.from('a,b') },
    { mergeOperator: 'put', operands: ['a', 'b'], result: Buffer.from('b') },
    { mergeOperator: 'max', operands: ['b', 'a'], result: Buffer.from('b') },
    { mergeOperator: 'bytesxor', operands: [Buffer.from([1]), Buffer.from([3])], result: Buffer.from([2]) },
  ] as const;
  for (const { mergeOperator, operands, result } of cases) {
    const db = await Database.open(path(mergeOperator), { mergeOperator });
    for (const operand of operands) {
      await db.merge('key', operand);
    }
    t.same(await db.get('key'), result, mergeOperator);
    await db.close();
    const again = await openDb(t, path(mergeOperator));
    t.same(await again.get('key'), result, `${mergeOperator}, opened without saying so`);
  }
  const without = await openDb(t, path('without'));
  t.match(await failureOf(() => without.merge('key', 'x')), { name: 'RocksDBError', code: /^ROCKSDB_/ });
});

t.test('writes survive closing and opening again, with and without the write-ahead log', async (t) => {
  const path = tempDir(t)('db');
  const db = await Database.open(path);
  await db.put('logged', '1');
  await db.put('synced', '2', { sync: true });
  await db.put('unlogged', '3', { disableWAL: true });
  await db.put('low', '4', { lowPri: true });
  await db.put('quick', '5', { noSlowdown: true });
  await db.close();
  const again = await openDb(t, path);
  t.same(await again.getMany(['logged', 'synced', 'unlogged', 'low', 'quick'], { encoding: 'utf8' }), [...'12345']);
});

t.test('missing parent directories are created, and the path is absolute with links resolved', async (t) => {
  const path = tempDir(t);
  const db = await openDb(t, path('a', 'b', 'c'));
  t.equal(db.path, path('a', 'b', 'c'));
  symlinkSync(path('a'), path('link'));
  t.match(await failureOf(() => Database.open(path('link', 'b', 'c'))), { code: 'DATABASE_IN_USE' });
  const other = await openDb(t, path('link', 'd'));
  t.equal(other.path, path('a', 'd'));
});

t.test('a database that is open cannot be opened to write, destroyed or repaired, and can be read', async (t) => {
  const path = tempDir(t)('db');
  const db = await openDb(t, path);
  await db.put('k', 'v');
  for (const attempt of [
    () => Database.open(path),
    () => Database.open(`${path}/../db/.`),
    () => Database.destroy(path),
    () => Database.repair(path),
  ]) {
    const failure = await failureOf(attempt);
    t.match(failure, { name: 'RocksDBError', code: 'DATABASE_IN_USE' });
    t.ok(failure.message.includes(path), 'the message names the directory');
  }
  const reader = await openDb(t, path, { mode: 'readOnly' });
  t.equal(await reader.get('k', { encoding: 'utf8' }), 'v');
  t.equal(reader.mode, 'readOnly');
  await db.close();
  t.match(await failureOf(() => Database.destroy(path)), { code: 'DATABASE_IN_USE' }, 'somebody reads it');
  t.match(await failureOf(() => reader.put('k', 'w')), { code: 'ROCKSDB_NOT_SUPPORTED' });
  await reader.close();
  await Database.destroy(path);
  t.same(filesBelow(path), []);
});

t.test('two opens at once: one gets the database', async (t) => {
  const path = tempDir(t)('db');
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => Database.open(path)));
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') {
      await outcome.value.close();
    } else {
      t.equal(outcome.reason.code, 'DATABASE_IN_USE');
    }
  }
});

t.test('createIfMissing: false and errorIfExists refuse, and change nothing', async (t) => {
  const path = tempDir(t);
  t.match(await failureOf(() => Database.open(path('no'), { createIfMissing: false })), { code: /^ROCKSDB_/ });
  t.notOk(existsSync(path('no')), 'not even a directory');
  t.match(await failureOf(() => Database.open(path('no'), { mode: 'readOnly' })), { code: /^ROCKSDB_/ });
  const db = await Database.open(path('db'));
  await db.close();
  t.match(await failureOf(() => Database.open(path('db'), { errorIfExists: true })), {
    code: 'ROCKSDB_INVALID_ARGUMENT',
  });
});

t.test('a secondary follows what the primary writes', async (t) => {
  const path = tempDir(t);
  const primary = await openDb(t, path('db'));
  await primary.put('k', '1');
  const secondary = await openDb(t, path('db'), { mode: { secondary: path('deep', 'secondary') } });
  t.equal(secondary.mode, 'secondary');
  t.equal(await secondary.get('k', { encoding: 'utf8' }), '1');
  await primary.put('k', '2');
  await secondary.tryCatchUpWithPrimary();
  t.equal(await secondary.get('k', { encoding: 'utf8' }), '2');
  t.match(await failureOf(() => secondary.put('k', '3')), { code: 'ROCKSDB_NOT_SUPPORTED' });
});

t.test(
  'flush, compactRange, property, approximateSize, identity and latestSequenceNumber say what is so',
  async (t) => {
    const db = await openDb(t, tempDir(t)('db'), { compression: 'none', disableAutoCompactions: true });
    const before = db.latestSequenceNumber;
    for (let i = 0; i < 100; i++) {
      await db.put(`key ${i}`, Buffer.alloc(1000));
    }
    t.equal(db.latestSequenceNumber, before + 100n);
    t.match(db.identity, /^[0-9a-f-]{36}$/);
    t.equal(db.property('rocksdb.num-files-at-level0'), '0');
    await db.flush();
    t.equal(db.property('rocksdb.num-files-at-level0'), '1');
    const size = await db.approximateSize('key', 'kez');
    t.ok(size > 90_000 && size < 200_000, `${size} bytes`);
    await db.deleteRange('key', 'kez');
    await db.compactRange({
      start: 'a',
      end: 'z',
      bottommostLevelCompaction: 'force',
      exclusiveManualCompaction: true,
    });
    t.equal(await db.approximateSize('key', 'kez'), 0);
    t.equal(db.property('rocksdb.num-files-at-level0'), '0');
    t.equal(db.property('no.such.property'), undefined);
  },
);

t.test('a checkpoint is a database of its own', async (t) => {
  const path = tempDir(t);
  const db = await openDb(t, path('db'));
  await db.put('k', '1');
  await db.checkpoint(path('new', 'directories', 'copy'));
  await db.put('k', '2');
  const copy = await openDb(t, path('new', 'directories', 'copy'));
  t.equal(await copy.get('k', { encoding: 'utf8' }), '1');
  t.equal(copy.identity, db.identity);
  t.match(await failureOf(() => db.checkpoint(path('new'))), { code: /^ROCKSDB_/ });
});

t.test('repair brings a database back whose manifest is lost', async (t) => {
  const path = tempDir(t)('db');
  const db = await Database.open(path);
  await db.put('k', 'v');
  await db.flush();
  await db.close();
  const { rmSync } = await import('node:fs');
  rmSync(`${path}/CURRENT`);
  await Database.repair(path);
  const again = await openDb(t, path);
  t.equal(await again.get('k', { encoding: 'utf8' }), 'v');
  t.match(await failureOf(() => Database.repair(`${path}/no`)), { code: 'ROCKSDB_IO_ERROR' });
  t.notOk(existsSync(`${path}/no`));
});

t.test('errors are RocksDBErrors with a code and a message that names the file', async (t) => {
  const path = tempDir(t);
  const { writeFileSync } = await import('node:fs');
  const db = await Database.open(path('db'));
  await db.close();
  writeFileSync(path('db', 'CURRENT'), 'nonsense\n');
  const error = await Database.open(path('db')).catch((reason: unknown) => reason);
  t.ok(error instanceof RocksDBError);
  t.ok(error instanceof Error);
  t.match(error, { name: 'RocksDBError', code: /^ROCKSDB_/ });
  t.ok((error as RocksDBError).message.includes(path('db')));
  t.equal((error as RocksDBError).subcode, undefined);
  t.match(await failureOf(() => Database.attach('database-0-0')), { name: 'RocksDBError', code: 'DATABASE_CLOSED' });
});

t.test('wrong arguments are TypeErrors and RangeErrors that say what was expected and what was given', async (t) => {
  const path = tempDir(t)('db');
  const db = await openDb(t, path);
  const wrong = <T>(value: unknown) => value as T;
  const type = (attempt: () => unknown, message: RegExp) =>
    failureOf(attempt).then((failure) => t.match(failure, { name: 'TypeError', code: 'INVALID_OPTION', message }));
  await type(() => db.put(wrong(1), 'v'), /^key must be a string, a Buffer or a Uint8Array, not 1$/);
  await type(() => db.put('k', wrong(undefined)), /^value must be .*, not undefined$/);
  await type(() => db.put('k', wrong({})), /^value must be .*, not an object$/);
  await type(() => db.getMany(['a', wrong(null)]), /^keys\[1\] must be .*, not null$/);
  await type(() => db.getMany(wrong('a')), /^keys must be an array/);
  // And there is no rejected promise that nobody handles.
  for (const keys of [undefined, null, 5, {}]) {
    await type(() => db.getMany(wrong(keys)), /^keys must be an array/);
    await type(() => db.hasMany(wrong(keys)), /^keys must be an array/);
  }
  await type(() => db.hasMany(['a', wrong(null)]), /^keys\[1\] must be .*, not null$/);
  await type(() => db.put('k', 'v', wrong({ sink: true })), /no option "sink"/);
  await type(() => db.put('k', 'v', { sync: wrong('yes') }), /^sync must be true or false, not the string "yes"$/);
  await type(() => db.put('k', 'v', wrong(true)), /must be an object, not true/);
  await type(() => db.get('k', { encoding: wrong('latin1') }), /^encoding must be one of "buffer", "utf8", not/);
  await type(() => db.get('k', { snapshot: wrong({}) }), /^snapshot must be a snapshot of this database/);
  await type(() => db.iterator(wrong<object>({ from: 'a' })), /no option "from"/);
  await type(() => db.iterator({ limit: 0.5 }), /^limit must be/);
  await type(() => db.columnFamily(wrong(7)), /^name must be a string, not 7$/);
  await type(() => Database.open(''), /^path must be a path/);
  await type(() => Database.open('a\0b'), /^path must be a string without NUL/);
  await type(() => Database.open(wrong(undefined)), /^path must be a string, not undefined$/);
  await type(() => Database.attach(wrong(undefined)), /^token must be a string/);
  t.equal(await db.get('k'), undefined, 'nothing was written');
  t.throws(() => new (Database as unknown as new () => Database)(), TypeError);
  t.throws(() => Reflect.get(Database.prototype, 'latestSequenceNumber', {}), TypeError);
  t.throws(() => Database.prototype.getSync.call({} as Database, 'k'), TypeError);
});

t.test('awaiting write after write, and read after read, lets the event loop turn', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  let turns = 0;
  let done = false;
  const count = () => {
    turns++;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  for (let i = 0; i < 2000; i++) {
    await db.put('k', 'v');
    await db.get('k');
    await db.has('k');
    await db.hasMany(['k', 'no']);
    await db.batch().put('k', 'w').write();
  }
  done = true;
  // Without giving way there would be one or two. How many there are depends on the speed of the machine.
  t.ok(turns > 10, `${turns} turns`);
  const all = await Promise.all(Array.from({ length: 1000 }, () => db.get('k', { encoding: 'utf8' })));
  t.ok(all.every((value) => value === 'w'));
});

t.test('engineInfo tells the version and the compressions', async (t) => {
  const { rocksdb, compressions, features } = engineInfo();
  t.match(rocksdb, /^\d+\.\d+\.\d+$/);
  t.ok(['none', 'snappy', 'lz4', 'lz4hc', 'zstd'].every((name) => compressions.includes(name)));
  t.ok(Array.isArray(features));
});
