// Reads are tried in memory first. What memory cannot tell must come from the disk.

import t from 'tap';
import { failureOf, openDb } from './fixtures/databases.js';
import { tempDir } from './fixtures/files.js';

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
  t.equal(await db.get('a', { encoding: 'utf8' }), '1');
  t.same(await db.getMany(['b', 'a'], options), ['2', '1'], 'the same block');
});
