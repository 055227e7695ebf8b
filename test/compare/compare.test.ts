// Whether two databases have the same contents, and where they differ. Compared with a model, for all kinds of families and positions.

import t, { type Test } from 'tap';
import { showKey } from '../../lib/base/errors.js';
import { OrderCheck } from '../../lib/compare/key-order.js';
import {
  type Database,
  type DatabaseChange,
  type DiffOptions,
  diffDatabases,
  digestDatabase,
  type ReadProgress,
} from '../../lib/index.js';
import { fill, openEngine } from '../fixtures/backups.js';
import { collect, openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { Random } from '../fixtures/random.js';

/** The contents of a database: by family and by key, in latin1. */
type Model = Record<string, Record<string, string>>;

async function databaseOf(t: Test, path: string, model: Model, reversed: string[] = []): Promise<Database> {
  const comparator = (name: string) => (reversed.includes(name) ? 'reverseBytewise' : 'bytewise');
  const db = await openDb(t, path, { comparator: comparator('default') });
  for (const [name, contents] of Object.entries(model)) {
    if (name !== 'default') await db.createColumnFamily(name, { comparator: comparator(name) });
    const family = db.columnFamily(name);
    const batch = family.batch();
    for (const [key, value] of Object.entries(contents)) {
      batch.put(Buffer.from(key, 'latin1'), Buffer.from(value, 'latin1'));
    }
    await batch.write();
  }
  return db;
}

const shown = ({ columnFamily, change, key, before, after }: DatabaseChange) =>
  [columnFamily, change, key.toString('latin1'), before?.toString('latin1'), after?.toString('latin1')].join('|');

async function diffOf(a: Database, b: Database, options?: DiffOptions): Promise<string[]> {
  return (await collect(diffDatabases(a, b, options))).map(shown);
}

/** The same, computed from the models. */
function diffOfModels(a: Model, b: Model): string[] {
  const changes: string[] = [];
  for (const name of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
    const [before, after] = [a[name] ?? {}, b[name] ?? {}];
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    for (const key of keys.sort((x, y) => Buffer.compare(Buffer.from(x, 'latin1'), Buffer.from(y, 'latin1')))) {
      const change = !(key in before) ? 'added' : !(key in after) ? 'removed' : 'changed';
      if (before[key] !== after[key]) changes.push([name, change, key, before[key], after[key]].join('|'));
    }
  }
  return changes;
}

t.test('every key that was added, changed or removed is told, in order, with both values', async (t) => {
  const dir = tempDir(t);
  const a = { default: { a: '1', b: '2', c: '3', e: '' }, old: { x: '1' } };
  const b = { default: { a: '1', b: '20', d: '4', e: '' }, new: { y: '2' } };
  const [first, second] = [await databaseOf(t, dir('a'), a), await databaseOf(t, dir('b'), b)];
  const diff = diffDatabases(first, second);
  t.same(diff.columnFamilies, { common: ['default'], added: ['new'], removed: ['old'] });
  const expected = ['default|changed|b|2|20', 'default|removed|c|3|', 'default|added|d||4'];
  t.same((await collect(diff)).map(shown), [...expected, 'new|added|y||2', 'old|removed|x|1|']);
  t.same((await collect(diff)).length, 5, 'and again');
  t.same(await diffOf(first, second, { columnFamilies: ['default'] }), expected);
  t.same(await diffOf(first, first), []);
});

t.test('families to compare are an array of names', async (t) => {
  const db = await databaseOf(t, tempDir(t)('a'), { default: {} });
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  for (const columnFamilies of ['default', [1], new Uint8Array(1), {}, proxy] as unknown as string[][]) {
    t.throws(() => diffDatabases(db, db, { columnFamilies }), { name: 'TypeError' });
  }
});

t.test('empty families are told by name', async (t) => {
  const dir = tempDir(t);
  const a = await databaseOf(t, dir('a'), { default: {}, only: {} });
  const b = await databaseOf(t, dir('b'), { default: {} });
  const diff = diffDatabases(a, b);
  t.same(await collect(diff), []);
  t.same(diff.columnFamilies.removed, ['only']);
  t.not((await digestDatabase(a)).checksum, (await digestDatabase(b)).checksum);
});

function randomModel(random: Random, entries: number): Record<string, string> {
  const model: Record<string, string> = {};
  const alphabet = ['', '\0', 'a', 'b', '\x7f', '\x80', '\xff'];
  for (let n = 0; n < entries; n++) {
    const key = Array.from({ length: random.below(6) }, () => random.pick(alphabet)).join('') + (n % 3 ? n : '');
    const large = random.below(400) === 0 ? 300_000 : 0;
    model[key] = random.pick(['', 'v', '\0', '\xff\xfe']).repeat(1 + random.below(60) + large);
  }
  return model;
}

/** A copy in which some keys are removed, some changed, some added. */
function altered(random: Random, model: Record<string, string>, one: number): Record<string, string> {
  const other: Record<string, string> = {};
  for (const [key, value] of Object.entries(model)) {
    if (random.below(one) > 0) other[key] = value;
    else if (random.below(2) === 0) other[key] = `${value}!`;
    if (random.below(one) === 0) other[`${key}+`] = 'new';
  }
  return other;
}

for (const [a, b] of [
  ['bytewise', 'bytewise'],
  ['reverseBytewise', 'reverseBytewise'],
  ['bytewise', 'reverseBytewise'],
] as const) {
  t.test(
    `random databases, ${a} against ${b}: the diff is that of a model, and digests are the same when it is empty`,
    async (t) => {
      const random = Random.of(t);
      const dir = tempDir(t);
      const reversed = (comparator: string) => (comparator === 'bytewise' ? [] : ['default', 'other']);
      for (const [round, one] of [1, 2, 50, 2000].entries()) {
        const before = { default: randomModel(random, 3000), other: randomModel(random, round % 2) };
        const after = { default: altered(random, before.default, one), other: altered(random, before.other, 1) };
        const first = await databaseOf(t, dir(`a${round}`), before, reversed(a));
        const second = await databaseOf(t, dir(`b${round}`), after, reversed(b));
        const same = await databaseOf(t, dir(`c${round}`), before, reversed(b));
        await same.flush();
        t.same(await diffOf(first, second), diffOfModels(before, after), `one in ${one} differs`);
        t.same(await diffOf(first, same), []);
        const digest = await digestDatabase(first);
        t.same(digest, await digestDatabase(same), 'whatever files they are in');
        t.equal(digest.keys, Object.keys(before.default).length + Object.keys(before.other).length);
        for (const db of [first, second, same]) await db.close();
      }
    },
  );
}

t.test('a change of one byte is found wherever it is, though nothing has moved', async (t) => {
  const random = Random.of(t);
  const dir = tempDir(t);
  const keyOf = (n: number) => `key${String(n).padStart(5, '0')}`;
  const all = Object.fromEntries(
    Array.from({ length: 6000 }, (_, n) => [keyOf(n), `value ${keyOf(n)} ${'x'.repeat(50)}`]),
  );
  const db = await databaseOf(t, dir('db'), { default: all });
  const copy = await databaseOf(t, dir('copy'), { default: all });
  const { checksum } = await digestDatabase(db);
  for (const n of [0, 1, 2999, 5998, 5999, ...Array.from({ length: 15 }, () => random.below(6000))]) {
    const value = all[keyOf(n)] as string;
    const at = random.below(value.length);
    const other = `${value.slice(0, at)}\x01${value.slice(at + 1)}`;
    await copy.put(keyOf(n), other);
    t.same(await diffOf(db, copy), [`default|changed|${keyOf(n)}|${value}|${other}`]);
    t.not((await digestDatabase(copy)).checksum, checksum);
    await copy.put(keyOf(n), value);
  }
  t.equal((await digestDatabase(copy)).checksum, checksum);
});

t.test('a digest tells where a key ends and its value begins, and where an entry does', async (t) => {
  const dir = tempDir(t);
  const models: Model[] = [
    { default: { ab: 'c' } },
    { default: { a: 'bc' } },
    { default: { abc: '' } },
    { default: { a: '', b: 'c' } },
    { default: {}, abc: {} },
    { default: {}, other: { ab: 'c' } },
    { default: {} },
  ];
  const checksums = new Set<string>();
  for (const [n, model] of models.entries()) {
    const { checksum, keys } = await digestDatabase(await databaseOf(t, dir(`${n}`), model));
    checksums.add(checksum);
    t.equal(keys, Object.values(model).flatMap(Object.keys).length);
  }
  t.equal(checksums.size, models.length);
});

t.test('a digest does not depend on how entries come in blocks', async (t) => {
  const dir = tempDir(t);
  const db = await openDb(t, dir('db'));
  await fill(db, 'a', { count: 3000, valueSize: 300, flush: true });
  await fill(db, 'b', { count: 3, valueSize: 2 ** 21, flush: false });
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(db);
  const backup = await engine.openBackup(1);
  t.teardown(() => backup.close());
  const live = await digestDatabase(db);
  t.same(await digestDatabase(backup), live);
  t.same(await diffOf(db, backup), []);
  t.equal(live.keys, 3003);
  t.equal(live.bytes, 3003 * 7 + 3000 * 300 + 3 * 2 ** 21);
});

t.test('what is written meanwhile is not seen', async (t) => {
  const dir = tempDir(t);
  const db = await openDb(t, dir('db'));
  await fill(db, 'a', { count: 5000, flush: false });
  const before = await digestDatabase(db);
  const during = digestDatabase(db);
  await db.put('b', 'written meanwhile');
  await db.delete('a000000');
  t.same(await during, before);
  t.equal((await digestDatabase(db)).keys, 5000);

  let seen = 0;
  const copy = await openDb(t, dir('copy'));
  for await (const { change } of diffDatabases(copy, db)) {
    if (seen++ === 0) await db.put('c', 'written meanwhile');
    t.equal(change, 'added');
    if (seen === 3) break;
  }
  t.equal((await diffOf(copy, db)).length, 5001);
  // A snapshot or an iterator that is still open would keep the database from closing.
  await db.close();
});

t.test('reading can be stopped, and tells how far it is', async (t) => {
  const dir = tempDir(t);
  const db = await openDb(t, dir('db'));
  await fill(db, 'a', { count: 5000, flush: false });
  const reason = new Error('enough');
  await t.rejects(digestDatabase(db, { signal: AbortSignal.abort(reason) }), reason);
  await t.rejects(collect(diffDatabases(db, db, { signal: AbortSignal.abort(reason) })), reason);
  const stop = new AbortController();
  const told: ReadProgress[] = [];
  const onProgress = (progress: ReadProgress) => {
    told.push(progress);
    stop.abort(reason);
  };
  await t.rejects(digestDatabase(db, { signal: stop.signal, onProgress }), reason);
  t.equal(told.length, 1);
  t.match(told[0], { columnFamily: 'default', keys: Number, bytes: Number });
});

t.test('the event loop turns while a database that is in memory is read', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await fill(db, 'a', { count: 20_000, valueSize: 500, flush: false });
  let turns = 0;
  const turn = () => {
    turns++;
    timer = setImmediate(turn);
  };
  let timer = setImmediate(turn);
  await digestDatabase(db);
  clearImmediate(timer);
  t.ok(turns > 5, `${turns} turns`);
});

t.test('keys that are out of order are an error, not a wrong answer', async (t) => {
  const block = (...keys: string[]) => {
    const ends: number[] = [];
    for (const key of keys) {
      const from = ends.at(-1) ?? 0;
      ends.push(from + key.length, from + key.length + 1);
    }
    return {
      count: keys.length,
      ends: new Uint32Array(ends),
      bytes: Buffer.from(keys.map((key) => `${key}=`).join('')),
    };
  };
  const check = (...blocks: string[][]) => {
    const order = new OrderCheck('/db', 'x');
    for (const keys of blocks) order.check(block(...keys));
  };
  check([''], ['a', 'aa', 'ab'], ['b'], ['ba', 'c']);
  for (const blocks of [
    [['b', 'a']],
    [['a', 'a']],
    [['a'], ['a']],
    [['b'], ['a', 'c']],
    [['ab', 'a']],
    [['a', 'c'], ['b']],
  ]) {
    t.throws(() => check(...blocks), { code: 'KEYS_OUT_OF_ORDER', message: '/db, column family "x": the key "' });
  }
});

t.test('keys are shown as text where they are text', async (t) => {
  t.equal(showKey(Buffer.from('user:42')), '"user:42"');
  t.equal(showKey(Buffer.from([0, 255])), '0x00ff');
  t.equal(showKey(Buffer.from('é')), '0xc3a9');
  t.equal(showKey(Buffer.alloc(0)), '0x');
  t.equal(showKey(Buffer.alloc(100, 'a')), `"${'a'.repeat(80)}"... (100 bytes)`);
});

t.test('an open backup can be compared with one that has more', async (t) => {
  const dir = tempDir(t);
  const db = await openDb(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a', { count: 100 });
  await engine.createBackup(db);
  await db.put('a000050', 'changed');
  await db.delete('a000051');
  await db.put('b', 'added');
  await engine.createBackup(db);
  const [first, second] = [await engine.openBackup(1), await engine.openBackup(2)];
  t.same(
    (await collect(diffDatabases(first, second))).map(({ change, key }) => `${change} ${key}`),
    ['changed a000050', 'removed a000051', 'added b'],
  );
  await first.close();
  await second.close();
  await t.rejects(digestDatabase(first), { code: 'DATABASE_CLOSED' });
});
