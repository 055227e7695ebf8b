// Borrowed data: entries of iterators and values of getSync that are valid until the next one is read.

import t from 'tap';
import { BorrowedEntry, type Database } from '../../lib/index.js';
import { failureOf, openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { Random } from '../fixtures/random.js';

async function fill(db: Database, random: Random, count: number): Promise<[string, string][]> {
  const entries = Array.from({ length: count }, (_, n): [string, string] => [
    `key:${String(n).padStart(6, '0')}${'k'.repeat(random.below(20))}`,
    `${n}:`.padEnd(n % 700 === 3 ? 70_000 : random.below(300), 'v'),
  ]);
  const batch = db.batch();
  for (const [key, value] of entries) batch.put(key, value);
  await batch.write();
  return entries;
}

t.test('borrowed entries are those of any iterator, one at a time', async (t) => {
  const random = Random.of(t);
  const path = tempDir(t)('db');
  const writer = await openDb(t, path);
  const entries = await fill(writer, random, 3000);
  await writer.flush();
  await writer.close();
  const db = await openDb(t, path, { cacheSize: 0 }); // some blocks come from the disk, some from memory
  for (const reverse of [false, true]) {
    for (const limit of [-1, 1, 100]) {
      const found: [string, string][] = [];
      let only: BorrowedEntry | undefined;
      for await (const entry of db.iterator({ borrow: true, reverse, limit })) {
        only ??= entry;
        if (entry !== only) t.fail('it is one object');
        found.push([String(entry.key), entry.bytes.toString('utf8', entry.valueStart, entry.valueEnd)]);
        if (entry.key.length !== entry.keyEnd - entry.keyStart) t.fail('key and its place differ');
        if (String(entry.value) !== found.at(-1)?.[1]) t.fail('value and its place differ');
      }
      const expected = reverse ? [...entries].reverse() : entries;
      t.ok(only instanceof BorrowedEntry);
      t.same(found, limit < 0 ? expected : expected.slice(0, limit));
    }
  }
});

t.test('blocks take the place of one another, and not while one is in use', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const entries = await fill(db, Random.of(t), 3000);
  const iterator = db.iterator({ borrow: true });
  const memories = new Set<ArrayBufferLike>();
  for (const [key, value] of entries) {
    const { value: entry } = await iterator.next();
    memories.add((entry as BorrowedEntry).bytes.buffer);
    if (String(entry?.key) !== key || String(entry?.value) !== value) t.fail(key);
  }
  t.ok(memories.size < 10, `${memories.size} pieces of memory for 3000 entries`);
  iterator.seek(entries[5]?.[0] as string);
  t.equal(String((await iterator.next()).value?.key), entries[5]?.[0]);
  await iterator.close();
  t.same(await iterator.next(), { value: undefined, done: true });
});

t.test('getSync lends a value until the next one', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  for (const [key, value] of Object.entries({ a: 'one', b: 'two', c: 'three', empty: '', large: 'x'.repeat(5000) })) {
    await db.put(key, value);
  }
  await db.put('huge', 'y'.repeat(100_000));
  const borrow = { borrow: true } as const;
  const a = db.getSync('a', borrow);
  t.equal(String(a), 'one');
  const b = db.getSync('b', borrow);
  t.equal(String(b), 'two');
  t.equal(b, a, 'the same Buffer, of the same length');
  t.equal(String(a), 'two', 'and so the first shows the second');
  const kept = Buffer.from(db.getSync('a', borrow) as Buffer);
  t.equal(String(db.getSync('c', borrow)), 'three');
  t.equal(String(kept), 'one');
  t.equal(db.getSync('empty', borrow)?.length, 0);
  t.equal(db.getSync('none', borrow), undefined);
  t.equal(String(db.getSync('large', borrow)), 'x'.repeat(5000));
  t.equal(String(db.getSync('huge', borrow)), 'y'.repeat(100_000));
  const given = db.getSync('a', { borrow: false }) as Buffer;
  db.getSync('c', borrow);
  t.equal(String(given), 'one', 'what is not borrowed stays');
  const snapshot = db.snapshot();
  await db.put('a', 'new');
  t.equal(String(db.getSync('a', { borrow: true, snapshot })), 'one');
  t.equal(String(db.getSync('a', borrow)), 'new');
  snapshot.release();
});

t.test('what cannot be lent is refused', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await db.put('a', '1');
  const wrong: (() => unknown)[] = [
    () => db.getSync('a', { borrow: 1 as never }),
    () => db.getSync('a', { borrow: true, encoding: 'utf8' }),
    () => db.getSync('a', { borrow: true, fillcache: false } as never),
    () => db.get('a', { borrow: true } as never),
    () => db.iterator({ borrow: 'yes' as never }),
    () => db.iterator({ borrow: true, encoding: 'utf8' as never }),
    () => db.keys({ borrow: true } as never),
    () => db.iterator({ borrow: true }).nextMany(2),
  ];
  for (const attempt of wrong) t.match(await failureOf(attempt), { code: 'INVALID_OPTION' }, String(attempt));
  await db.close();
  t.match(await failureOf(() => db.getSync('a', { borrow: true })), { code: 'DATABASE_CLOSED' });
});
