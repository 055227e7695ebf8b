// Reads are tried in memory first. What is not in memory must come from the disk.

import { runInNewContext } from 'node:vm';
import t from 'tap';
import { native } from '../../lib/native/binding.js';
import { isPromise } from '../../lib/native/settle.js';
import { collect, failureOf, openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { Random } from '../fixtures/random.js';

const key = (n: number) => `key:${String(n).padStart(5, '0')}`;

t.test('a key that is not there is not there, whichever of the blocks around it are in memory', async (t) => {
  const path = tempDir(t)('db');
  const writer = await openDb(t, path);
  for (let n = 0; n < 2000; n += 2) {
    await writer.put(key(n), 'x'.repeat(100));
  }
  await writer.close();
  const db = await openDb(t, path);
  const found: string[] = [];
  for (let n = 0; n < 2000; n += 2) {
    await db.get(key(n));
    const absent = [`${key(n)}!`, key(n + 1)];
    const values = [...(await db.getMany(absent)), await db.get(absent[0]!), await db.get(absent[1]!)];
    if (values.some((value) => value !== undefined) || (await db.has(absent[0]!)) || (await db.has(absent[1]!))) {
      found.push(key(n));
    }
  }
  t.same(found, []);
});

t.test('with readTier "blockCache" nothing is read from the disk, by getMany neither', async (t) => {
  const path = tempDir(t)('db');
  const writer = await openDb(t, path);
  await writer.put('a', '1');
  await writer.put('b', '2');
  await writer.close();
  const db = await openDb(t, path);
  const options = { readTier: 'blockCache', encoding: 'utf8' } as const;
  t.match(await failureOf(() => db.get('a', options)), { code: 'ROCKSDB_INCOMPLETE' });
  t.match(await failureOf(() => db.getMany(['a', 'b'], options)), { code: 'ROCKSDB_INCOMPLETE' });
  t.match(await failureOf(() => db.has('a', options)), { code: 'ROCKSDB_INCOMPLETE' });
  t.match(await failureOf(() => db.hasMany(['a', 'b'], options)), { code: 'ROCKSDB_INCOMPLETE' });
  t.equal(await db.get('a', { encoding: 'utf8' }), '1');
  t.same(await db.getMany(['b', 'a'], options), ['2', '1'], 'the same block');
});

t.test('an iterator gives every entry once, whichever of the blocks on its way are in memory', async (t) => {
  const random = Random.of(t);
  const path = tempDir(t)('db');
  const writer = await openDb(t, path);
  for (let n = 0; n < 3000; n++) {
    await writer.put(key(n), `${n}:`.padEnd(n % 500 === 7 ? 300_000 : 100, 'x'));
    if (n % 1000 === 999) {
      await writer.flush();
    }
  }
  await writer.deleteRange(key(1200), key(1300));
  for (let n = 0; n < 3000; n += 7) {
    await writer.delete(key(n));
  }
  await writer.close();
  const db = await openDb(t, path, { cacheSize: 256 << 10 });
  const there = Array.from({ length: 3000 }, (_, n) => n).filter((n) => n % 7 !== 0 && (n < 1200 || n >= 1300));
  for (let round = 0; round < 150; round++) {
    await db.get(key(there[random.below(there.length)]!));
    const from = random.below(3000);
    const to = from + random.below(700);
    const reverse = random.below(2) === 0;
    const want = there.filter((n) => n >= from && n < to).map(key);
    const values = random.below(2) === 0;
    const range = { gte: key(from), lt: key(to), reverse, encoding: 'utf8' } as const;
    const got = values
      ? (await collect(db.values(range))).map((value) => key(Number.parseInt(value, 10)))
      : await collect(db.keys(range));
    if (reverse) {
      want.reverse();
    }
    if (JSON.stringify(got) !== JSON.stringify(want)) {
      t.same(got, want, `round ${round}: ${JSON.stringify(range)}`);
      break;
    }
  }
  t.pass('150 ranges');
});

t.test('an iterator goes on in what it saw when it was made, from memory and then from the disk', async (t) => {
  const path = tempDir(t)('db');
  const writer = await openDb(t, path);
  for (let n = 0; n < 2000; n++) {
    await writer.put(key(n), 'old'.padEnd(100));
  }
  await writer.close();
  const db = await openDb(t, path);
  await db.get(key(0)); // its block is in memory, the next blocks are not
  const iterator = db.iterator({ encoding: 'utf8' });
  const seen = [await iterator.next()].map((result) => result.value);
  for (let n = 0; n < 2000; n++) {
    await (n % 2 === 0 ? db.delete(key(n)) : db.put(key(n), 'new'));
  }
  await db.flush();
  await db.compactRange();
  for await (const entry of iterator) {
    seen.push(entry);
  }
  t.equal(seen.length, 2000);
  t.equal(seen.filter((entry) => entry?.[1].startsWith('old')).length, 2000);
});

t.test('an iterator passes many deleted entries', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const batch = db.batch();
  for (let n = 0; n < 20_000; n++) {
    batch.put(key(n), 'x');
  }
  await batch.write();
  for (let n = 1; n < 19_999; n++) {
    batch.delete(key(n));
  }
  await batch.write();
  t.same(await collect(db.keys({ encoding: 'utf8' })), [key(0), key(19_999)]);
  t.same(await collect(db.keys({ encoding: 'utf8', reverse: true })), [key(19_999), key(0)]);
});

t.test('an iterator gives all keys, also of a family with a prefix extractor', async (t) => {
  const path = tempDir(t)('db');
  const options = { rocksdb: { prefix_extractor: 'fixed:4' } };
  const writer = await openDb(t, path, options);
  const want: string[] = [];
  for (let prefix = 0; prefix < 8; prefix++) {
    for (let n = 0; n < 50; n++) {
      const name = `p${String(prefix).padStart(3, '0')}:${String(n).padStart(3, '0')}`;
      want.push(name);
      // One value is too large for the JS thread: from there on, the iterator continues on another thread.
      await writer.put(name, n === 20 ? 'x'.repeat(300_000) : 'x');
    }
    await writer.flush();
  }
  await writer.close();
  const db = await openDb(t, path, options);
  const keysOf = async (entries: AsyncIterable<[string, string]>) => (await collect(entries)).map(([name]) => name);
  for (let round = 0; round < 2; round++) {
    t.same(await keysOf(db.iterator({ encoding: 'utf8' })), want);
    t.same(await keysOf(db.iterator({ encoding: 'utf8', gte: 'p002:025' })), want.slice(2 * 50 + 25));
    t.same(await keysOf(db.iterator({ encoding: 'utf8', reverse: true })), [...want].reverse());
  }
});

t.test(
  'after a large value a few reads of every kind go to another thread, and then they are tried here again',
  async (t) => {
    const db = await native.Database.open(tempDir(t)('db'));
    t.teardown(() => db.close());
    await db.put(0, 'large', Buffer.alloc(100 << 10));
    await db.put(0, 'small', 'x');
    const reads: Record<string, () => unknown> = {
      get: () => db.get(0, 'small'),
      has: () => db.has(0, 'small'),
      getMany: () => db.getMany(0, ['small', 'none']),
      hasMany: () => db.hasMany(0, ['small', 'none']),
    };
    for (const [name, read] of Object.entries(reads)) {
      t.notOk(isPromise(read()), `${name} gives what is in memory`);
      t.notOk(isPromise(db.get(0, 'large')), 'a large value too');
      let elsewhere = 0;
      for (let result = read(); isPromise(result) && elsewhere < 1000; result = read()) {
        await result;
        elsewhere++;
      }
      t.equal(elsewhere, 32, `${name} after a large value`);
    }
  },
);

t.test('a promise of another context is one', async (t) => {
  t.equal(isPromise(runInNewContext('Promise.resolve(1)')), true);
  t.same([1, 'x', null, undefined, {}, Buffer.from('x')].map(isPromise), [false, false, false, false, false, false]);
});
