// Writes that nobody waits for one by one are collected and made together. A program must not be able to notice that.

import { MessageChannel } from 'node:worker_threads';
import t from 'tap';
import type { Database } from '../../lib/index.js';
import { collect, failureOf, openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { Random } from '../fixtures/random.js';

t.test('whatever comes after a write that nobody waited for sees it', async (t) => {
  const random = Random.of(t);
  const db = await openDb(t, tempDir(t)('db'));
  const model = new Map<string, string>();
  const promises: Promise<unknown>[] = [];
  const check = async (db: Database, what: string) => {
    const key = `k${random.below(30)}`;
    const want = model.get(key);
    switch (random.below(8)) {
      case 0:
        if (db.getSync(key, { encoding: 'utf8' }) !== want) throw new Error(`${what}: getSync ${key}`);
        break;
      case 1: {
        const read = db.get(key, { encoding: 'utf8' });
        if ((await read) !== want) throw new Error(`${what}: get ${key}`);
        break;
      }
      case 2: {
        const read = db.getMany([key, 'none'], { encoding: 'utf8' });
        if ((await read)[0] !== want) throw new Error(`${what}: getMany ${key}`);
        break;
      }
      case 3: {
        const iterator = db.iterator({ encoding: 'utf8' });
        const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
        const seen = await collect(iterator);
        if (JSON.stringify(seen) !== JSON.stringify(sorted)) throw new Error(`${what}: iterator`);
        break;
      }
      case 4: {
        using snapshot = db.snapshot();
        promises.push(db.put(key, 'after the snapshot'));
        model.set(key, 'after the snapshot');
        if (db.getSync(key, { encoding: 'utf8', snapshot }) !== want) throw new Error(`${what}: snapshot ${key}`);
        break;
      }
      case 5: {
        const batch = db.batch().put(key, 'in a batch');
        promises.push(db.put(key, 'before the batch'), batch.write());
        model.set(key, 'in a batch');
        break;
      }
      case 6:
        db.putSync(key, 'now');
        model.set(key, 'now');
        break;
      default: {
        const read = db.has(key);
        if ((await read) !== (want !== undefined)) throw new Error(`${what}: has ${key}`);
      }
    }
  };
  for (let round = 0; round < 2000; round++) {
    for (let writes = random.below(6); writes > 0; writes--) {
      const key = `k${random.below(30)}`;
      if (random.below(4) === 0) {
        promises.push(db.delete(key));
        model.delete(key);
      } else {
        const value = random.below(50) === 0 ? 'long '.repeat(5000) : `${round} ${'ü'.repeat(random.below(3))}`;
        promises.push(db.put(key, random.below(2) === 0 ? value : Buffer.from(value)));
        model.set(key, value);
      }
    }
    await check(db, `round ${round}`);
  }
  await Promise.all(promises);
  t.pass('2000 rounds');
});

t.test('they go to the families they are for, and only those to a dropped one fail', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const [a, b] = [await db.createColumnFamily('a'), await db.createColumnFamily('b')];
  await Promise.all([db.put('k', '0'), a.put('k', '1'), b.put('k', '2'), b.put('l', '3'), db.put('l', '4')]);
  t.same(await collect(db.iterator({ encoding: 'utf8' })), [
    ['k', '0'],
    ['l', '4'],
  ]);
  t.same(await collect(a.iterator({ encoding: 'utf8' })), [['k', '1']]);
  t.same(await collect(b.iterator({ encoding: 'utf8' })), [
    ['k', '2'],
    ['l', '3'],
  ]);
  await db.dropColumnFamily('b');
  const results = await Promise.allSettled([db.put('m', '5'), a.put('m', '6'), b.put('m', '7'), db.put('n', '8')]);
  t.same(
    results.map((result) => (result.status === 'rejected' ? result.reason.code : result.status)),
    ['fulfilled', 'fulfilled', 'ROCKSDB_COLUMN_FAMILY_DROPPED', 'fulfilled'],
  );
  t.equal(db.getSync('n', { encoding: 'utf8' }), '8');
});

t.test('what cannot be written fails alone', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const results = await Promise.allSettled([
    db.put('a', '1'),
    db.put('b', '2'),
    db.put('c', 3 as unknown as string),
    db.put(undefined as unknown as string, '4'),
    db.put('d', '5'),
  ]);
  t.same(
    results.map((result) => (result.status === 'rejected' ? result.reason.code : result.status)),
    ['fulfilled', 'fulfilled', 'INVALID_OPTION', 'INVALID_OPTION', 'fulfilled'],
  );
  t.same(await collect(db.keys({ encoding: 'utf8' })), ['a', 'b', 'd']);
});

t.test('closing the database writes them first, and later ones fail', async (t) => {
  const path = tempDir(t)('db');
  const db = await openDb(t, path);
  const written = Promise.all([db.put('a', '1'), db.put('b', '2'), db.delete('a')]);
  const closed = db.close();
  const late = failureOf(() => db.put('c', '3'));
  const later = failureOf(() => db.put('d', '4'));
  await written;
  await closed;
  t.match(await late, { code: 'DATABASE_CLOSED' });
  t.match(await later, { code: 'DATABASE_CLOSED' });
  const again = await openDb(t, path);
  t.same(await collect(again.keys({ encoding: 'utf8' })), ['b']);
});

t.test('a buffer may be changed once it was passed', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const value = Buffer.from('12345');
  const written = [db.put('a', value), db.put('b', value)];
  value.fill('x');
  await Promise.all(written);
  t.equal(await db.get('b', { encoding: 'utf8' }), '12345');
});

t.test('values that are read are theirs who read them', async (t) => {
  const random = Random.of(t);
  const db = await openDb(t, tempDir(t)('db'));
  const want: Buffer[] = [];
  const got: Buffer[] = [];
  for (let n = 0; n < 3000; n++) {
    const value = Buffer.alloc(random.below(10) === 0 ? random.below(9000) : random.below(100), n);
    await db.put(`k${n}`, value);
    want.push(value);
    got.push(random.below(2) === 0 ? db.getSync(`k${n}`)! : (await db.get(`k${n}`))!);
  }
  t.ok(want.every((value, n) => value.equals(got[n]!)));
});

t.test('transferring the memory of a value to another thread takes no other value along', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await Promise.all([db.put('a', 'first'), db.put('b', 'second')]);
  const [a, b] = [db.getSync('a')!, (await db.get('b'))!];
  const many = await db.getMany(['a', 'b']);
  const [entry] = await collect(db.iterator());
  const { port1, port2 } = new MessageChannel();
  for (const value of [a, b, many[0]!, entry![1]]) {
    try {
      port1.postMessage(value, [value.buffer as ArrayBuffer]); // newer versions of Node refuse this, older ones copy
    } catch (error) {
      t.match(error, { name: 'DataCloneError' });
    }
  }
  port1.close();
  port2.close();
  t.same([String(a), String(b), String(many[1]), String(entry![1])], ['first', 'second', 'second', 'first']);
});

t.test('reads go on when the memory of a value was taken away', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  await db.put('a', 'first');
  const value = db.getSync('a')!;
  const memory = value.buffer as ArrayBuffer & { transfer?(): ArrayBuffer };
  try {
    memory.transfer?.(); // old versions of Node do not have it, new ones refuse
  } catch (error) {
    t.match(error, { name: 'TypeError' });
  }
  for (let n = 0; n < 10_000; n++) {
    await db.put('b', `value ${n}`);
    if (String(db.getSync('b')) !== `value ${n}`) {
      t.fail(`value ${n}`);
    }
  }
  t.equal(db.getSync('a', { encoding: 'utf8' }), 'first');
});
