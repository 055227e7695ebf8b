// Iterators, compared with a model in memory.

import t from 'tap';
import type { Database, Key, RangeOptions } from '../../lib/index.js';
import { collect, failureOf, openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { Random } from '../fixtures/random.js';

type Pair = [Buffer, Buffer];

/** The entries that an iterator must give. `sorted` is in the comparator's order. */
function expected(sorted: Pair[], compare: (a: Buffer, b: Buffer) => number, range: RangeOptions): Pair[] {
  const is = (bound: Key | undefined, test: (order: number) => boolean) => (pair: Pair) =>
    bound === undefined || test(compare(pair[0], Buffer.from(bound as Uint8Array)));
  const inside = sorted
    .filter(is(range.gt, (order) => order > 0))
    .filter(is(range.gte, (order) => order >= 0))
    .filter(is(range.lt, (order) => order < 0))
    .filter(is(range.lte, (order) => order <= 0));
  if (range.reverse) {
    inside.reverse();
  }
  return range.limit === undefined || range.limit < 0 ? inside : inside.slice(0, range.limit);
}

async function fill(db: Database, random: Random, count: number): Promise<Pair[]> {
  const model = new Map<string, Pair>();
  for (let i = 0; i < count; i++) {
    const key = Buffer.from(Array.from({ length: random.below(5) }, () => random.below(6) * 51));
    const value = Buffer.alloc(random.below(10) === 0 ? 20_000 : random.below(200), random.below(256));
    model.set(key.toString('hex'), [key, value]);
    await db.put(key, value);
    if (i === count >> 1) {
      await db.flush();
    }
  }
  return [...model.values()];
}

for (const comparator of ['bytewise', 'reverseBytewise'] as const) {
  t.test(`random ranges in both directions are those of a sorted list, ${comparator}`, async (t) => {
    const random = Random.of(t);
    const db = await openDb(t, tempDir(t)('db'), { comparator });
    const sign = comparator === 'bytewise' ? 1 : -1;
    const compare = (a: Buffer, b: Buffer) => sign * Buffer.compare(a, b);
    const sorted = (await fill(db, random, 700)).sort((a, b) => compare(a[0], b[0]));
    const bound = () => {
      const dice = random.below(3);
      if (dice === 0) return undefined;
      if (dice === 1) return sorted[random.below(sorted.length)]![0];
      return Buffer.from(Array.from({ length: random.below(5) }, () => random.below(256)));
    };
    for (let round = 0; round < 400; round++) {
      const range: RangeOptions<'buffer'> = {
        gt: bound(),
        gte: bound(),
        lt: bound(),
        lte: bound(),
        reverse: random.below(2) === 0,
        limit: random.below(2) === 0 ? undefined : random.below(60) - 1,
      };
      const want = expected(sorted, compare, range);
      const what = `round ${round}`;
      switch (random.below(4)) {
        case 0:
          same(await collect(db.iterator(range)), want, what);
          break;
        case 1:
          same(
            await collect(db.keys(range)),
            want.map(([key]) => key),
            what,
          );
          break;
        case 2:
          same(
            await collect(db.values(range)),
            want.map(([, value]) => value),
            what,
          );
          break;
        default: {
          const iterator = db.iterator(range);
          const got: Pair[] = [];
          for (let page = await iterator.nextMany(17); page.length > 0; page = await iterator.nextMany(17)) {
            got.push(...page);
          }
          await iterator.close();
          same(got, want, what);
        }
      }
    }
    t.pass('400 ranges');
  });

  t.test(`seek goes to a key or the next in the direction of the iterator, ${comparator}`, async (t) => {
    const random = Random.of(t);
    const db = await openDb(t, tempDir(t)('db'), { comparator });
    const sign = comparator === 'bytewise' ? 1 : -1;
    const compare = (a: Buffer, b: Buffer) => sign * Buffer.compare(a, b);
    const sorted = (await fill(db, random, 300)).sort((a, b) => compare(a[0], b[0]));
    for (const reverse of [false, true]) {
      const range = { gte: sorted[20]![0], lt: sorted[sorted.length - 20]![0], reverse };
      const inside = expected(sorted, compare, range);
      const iterator = db.iterator(range);
      for (let round = 0; round < 200; round++) {
        const target = Buffer.from(Array.from({ length: random.below(5) }, () => random.below(256)));
        iterator.seek(target);
        const count = 1 + random.below(20);
        const order = (key: Buffer) => compare(key, target) * (reverse ? -1 : 1);
        const want = inside.filter(([key]) => order(key) >= 0).slice(0, count);
        same(await iterator.nextMany(count), want, `round ${round}`);
      }
      await iterator.close();
    }
    t.pass('400 seeks');
  });
}

/** Fails at the first difference. Thousands of calls of t.same would be slow. */
function same(got: unknown, want: unknown, what: string): void {
  if (JSON.stringify(got) !== JSON.stringify(want)) {
    throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
  }
}

async function numbers(db: Database, count: number): Promise<void> {
  const batch = db.batch();
  for (let i = 0; i < count; i++) {
    batch.put(String(i).padStart(6, '0'), `value ${i}`);
  }
  await batch.write();
}

t.test('an empty range, and an empty database, give nothing', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  t.same(await collect(db.iterator()), []);
  t.same(await collect(db.keys({ reverse: true })), []);
  await numbers(db, 10);
  t.same(await collect(db.keys({ gt: '000003', lt: '000004' })), []);
  t.same(await collect(db.keys({ gte: 'x', lt: 'a' })), []);
  t.same(await collect(db.keys({ limit: 0 })), []);
  t.same(await db.keys({ gte: 'x' }).nextMany(5), []);
});

t.test('many blocks are read ahead and none is lost or given twice', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await numbers(db, 50_000);
  let i = 0;
  for await (const [key, value] of db.iterator({ encoding: 'utf8' })) {
    if (key !== String(i).padStart(6, '0') || value !== `value ${i}`) {
      t.fail(`entry ${i} is ${key}`);
      break;
    }
    i++;
  }
  t.equal(i, 50_000);
});

t.test('an iterator sees the database as it was when it was made, and as its snapshot was', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await numbers(db, 3);
  const snapshot = db.snapshot();
  await db.put('000001', 'changed');
  const iterator = db.values({ encoding: 'utf8' });
  const old = db.values({ encoding: 'utf8', snapshot });
  snapshot.release();
  await db.put('000001', 'changed again');
  await db.delete('000002');
  t.same(await collect(iterator), ['value 0', 'changed', 'value 2']);
  t.same(await collect(old), ['value 0', 'value 1', 'value 2']);
  t.match(await failureOf(() => db.get('000001', { snapshot })), { code: 'SNAPSHOT_RELEASED' });
});

t.test('leaving a for await early closes the iterator', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await numbers(db, 10_000);
  const iterator = db.keys();
  for await (const key of iterator) {
    if (key.toString() === '005000') break;
  }
  t.same(await iterator.next(), { value: undefined, done: true });
  t.same(await iterator.nextMany(3), []);
  await iterator.close();
});

t.test('calls of next that overlap are served in order', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await numbers(db, 5000);
  const iterator = db.keys({ encoding: 'utf8' });
  const got = await Promise.all(Array.from({ length: 5001 }, () => iterator.next()));
  t.same(
    got.map(({ value }) => value),
    [...Array.from({ length: 5000 }, (_, i) => String(i).padStart(6, '0')), undefined],
  );
});

t.test('closing the database ends its iterators, waiting or not', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await numbers(db, 20_000);
  const fresh = db.keys();
  const begun = db.keys();
  await begun.next();
  const busy = db.keys();
  const read = busy.nextMany(20_000).then(
    (keys) => keys.length,
    (error: { code: string }) => error.code,
  );
  await db.close();
  t.ok([20_000, 'DATABASE_CLOSED'].includes(await read));
  t.match(await failureOf(() => fresh.next()), { code: 'DATABASE_CLOSED' });
  t.match(await failureOf(() => begun.next()), { code: 'DATABASE_CLOSED' });
  t.same(await begun.next(), { value: undefined, done: true });
  await begun.close();
});

t.test('seeking while a block is being read ahead gives what was asked for last', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await numbers(db, 20_000);
  const iterator = db.keys({ encoding: 'utf8' });
  for (let i = 0; i < 3000; i++) {
    await iterator.next();
  }
  const late = iterator.next();
  iterator.seek('015000');
  await late;
  iterator.seek('016000');
  t.same(await iterator.nextMany(2), ['016000', '016001']);
  await iterator.close();
});
