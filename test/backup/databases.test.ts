// Databases of every kind come back from a backup with everything that was in them.

import { existsSync } from 'node:fs';
import t from 'tap';
import { Database, engineInfo, type OpenOptions } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { bytesBelow, filesBelow, tempDir } from '../fixtures/files.js';

const kinds: Record<string, OpenOptions> = {
  'whose log is written when told to': { manualWalFlush: true },
  'that uses log files again': { rocksdb: { recycle_log_file_num: 2 } },
  'that notes its logs in the manifest': { rocksdb: { track_and_verify_wals_in_manifest: true } },
  'that compresses its log': { rocksdb: { wal_compression: 'kZSTD' } },
  'that allows no gap in its log': { walRecoveryMode: 'absoluteConsistency' },
  'that writes all families out together': { atomicFlush: true },
  'of small files': { rocksdb: { write_buffer_size: 65_536, target_file_size_base: 16_384 } },
  'of universal compaction': { compactionStyle: 'universal', rocksdb: { disable_auto_compactions: false } },
  'in the reverse order': { comparator: 'reverseBytewise' },
  'with filters, and files that know their checksums': {
    bloomFilterBits: 10,
    rocksdb: { file_checksum_gen_factory: 'FileChecksumGenCrc32cFactory' },
  },
  'of old table files': { rocksdb: { format_version: 2 } },
  ...Object.fromEntries(
    engineInfo().compressions.map((compression) => [`compressed by ${compression}`, { compression } as OpenOptions]),
  ),
};

for (const [kind, options] of Object.entries(kinds)) {
  t.test(`a database ${kind} comes back whole, restored and opened in place`, async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'), options);
    const engine = await openEngine(t, dir('backups'), { sync: false });
    const expected: Record<string, string>[] = [];
    for (let round = 0; round < 2; round++) {
      for (const part of ['x', 'y']) await fill(db, `${part}${round}-`, { count: 60 });
      await fill(db, `logged${round}-`, { count: 10, flush: false });
      await db.put('text', 'compressible '.repeat(1000));
      await engine.createBackup(db);
      expected.push(await contentsOf(db));
    }
    for (const [n, contents] of expected.entries()) {
      await engine.verifyBackup(n + 1, { checksum: true });
      const opened = await engine.openBackup(n + 1);
      t.same(await contentsOf(opened), contents, `backup ${n + 1} in place`);
      await opened.close();
    }
    await engine.restoreBackup(2, dir('restored'));
    t.same(await contentsAt(dir('restored')), expected[1]);
  });
}

t.test(
  'order and merge operators of families are known to a restored database and to one opened in place',
  async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'), { mergeOperator: 'stringappend' });
    const reverse = await db.createColumnFamily('reverse', { comparator: 'reverseBytewise' });
    const counters = await db.createColumnFamily('counters', { mergeOperator: 'uint64add' });
    const one = Buffer.alloc(8);
    one.writeBigUInt64LE(1n);
    for (const key of ['a', 'b', 'c']) await reverse.put(key, key);
    await db.merge('list', 'x');
    await counters.merge('n', one);
    await db.flush();
    await db.merge('list', 'y'); // a merge is still to be done, from a table and the log
    await counters.merge('n', one);
    const engine = await openEngine(t, dir('backups'));
    await engine.createBackup(db);
    await engine.restoreBackup(1, dir('restored'));
    for (const past of [await engine.openBackup(1), await Database.open(dir('restored'))]) {
      const keys: string[] = [];
      for await (const key of past.columnFamily('reverse').keys()) keys.push(key.toString());
      t.same(keys, ['c', 'b', 'a']);
      t.equal((await past.get('list'))?.toString(), 'x,y');
      t.equal((await past.columnFamily('counters').get('n'))?.readBigUInt64LE(), 2n);
      await past.close();
    }
  },
);

t.test('keys and values of any bytes and any length come back as they were', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  const values = [Buffer.alloc(0), Buffer.from([0]), Buffer.from([0xff, 0, 0x0a]), Buffer.alloc(9_000_000, 'large')];
  for (const [n, value] of values.entries()) {
    await db.put(Buffer.from([n, 0, 255]), value);
    await db.put(value.subarray(0, 70_000), Buffer.from([n]));
  }
  await db.put('gone', 'soon');
  await db.flush();
  await db.delete('gone');
  await db.deleteRange('h', 'i');
  await engine.createBackup(db);
  await engine.restoreBackup(1, dir('restored'));
  t.same(await contentsAt(dir('restored')), await contentsOf(db));
});

t.test('one database is backed up to two directories at a time', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 300 });
  const engines = await Promise.all(['one', 'two', 'three'].map((name) => openEngine(t, dir(name))));
  await Promise.all(engines.map((engine) => engine.createBackup(db, { flushBeforeBackup: true })));
  for (const [n, engine] of engines.entries()) {
    await engine.verifyBackup(1, { checksum: true });
    await engine.restoreBackup(1, dir(`restored-${n}`));
    t.same(await contentsAt(dir(`restored-${n}`)), await contentsOf(db));
  }
  await db.compactRange();
  await fill(db, 'b');
  const old = filesBelow(dir('db')).filter((file) => file.endsWith('.sst'));
  t.equal(old.length, 2, 'no backup keeps the database from deleting files once it is over');
});

t.test('blob files are shared, copied once, and restored', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'), { rocksdb: { enable_blob_files: true, min_blob_size: 100 } });
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a', { count: 50 });
  await engine.createBackup(db);
  await fill(db, 'b', { count: 50 });
  const second = await engine.createBackup(db);
  const blobs = filesBelow(dir('backups')).filter((file) => file.endsWith('.blob'));
  t.equal(blobs.length, 2);
  t.ok(blobs.every((file) => file.startsWith('shared_checksum/')));
  t.ok(bytesBelow(dir('backups'), (file) => file.endsWith('.blob')) > 100_000, 'the values are in them');
  t.ok(second.uniqueSize < 0.7 * second.size, `${second.uniqueSize} of ${second.size} bytes are new`);
  await engine.deleteBackup(1);
  await engine.verifyBackup(2, { checksum: true });
  await engine.restoreBackup(2, dir('restored'));
  t.same(await contentsAt(dir('restored')), await contentsOf(db));
});

t.test('all column families are backed up, each in the state of the same moment', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const names = Array.from({ length: 40 }, (_, n) => `family ${n}`);
  for (const name of names) {
    const family = await db.createColumnFamily(name);
    await family.put('name', name);
    await family.put('large', Buffer.alloc(1000, name));
    if (name.endsWith('0')) await db.flush();
  }
  await db.put('name', 'default');
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(db);
  await db.dropColumnFamily('family 7');
  await db.columnFamily('family 8').put('name', 'changed');
  await engine.createBackup(db);
  for (const id of [1, 2]) {
    await engine.restoreBackup(id, dir(`restored-${id}`));
    const restored = await openDatabase(t, dir(`restored-${id}`), { createIfMissing: false });
    t.equal((await restored.get('name'))?.toString(), 'default');
    for (const name of names) {
      if (id === 2 && name === 'family 7') continue;
      const expected = id === 2 && name === 'family 8' ? 'changed' : name;
      t.equal((await restored.columnFamily(name).get('name'))?.toString(), expected);
      t.equal((await restored.columnFamily(name).get('large'))?.length, 1000);
    }
  }
  t.notOk((await Database.listColumnFamilies(dir('restored-2'))).includes('family 7'));
});

t.test('a database with its logs in another directory is backed up with them', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'), { walDir: dir('wal') });
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a');
  await fill(db, 'b', { flush: false });
  await engine.createBackup(db);
  await engine.restoreBackup(1, dir('restored'), { walDir: dir('restored-wal') });
  t.same(await contentsAt(dir('restored'), { walDir: dir('restored-wal') }), await contentsOf(db));
});

t.test('archived logs are not backed up, and the backup needs none', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'), { rocksdb: { WAL_ttl_seconds: 3600 } });
  const engine = await openEngine(t, dir('backups'));
  for (const prefix of ['a', 'b', 'c']) await fill(db, prefix);
  t.ok(existsSync(dir('db', 'archive')));
  await engine.createBackup(db);
  await engine.restoreBackup(1, dir('restored'));
  t.same(await contentsAt(dir('restored')), await contentsOf(db));
});
