// The effect of each option of Database.open.

import { copyFileSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type ColumnFamilyOptions, type Compression, Database, engineInfo, type OpenOptions } from '../../lib/index.js';
import { openEngine } from '../fixtures/backups.js';
import { failureOf, openDb } from '../fixtures/databases.js';
import { bytesBelow, filesBelow, tempDir } from '../fixtures/files.js';
import { engineIsAtLeast } from '../fixtures/newer-rocksdb.js';

/** The options with which RocksDB opened the database, from the OPTIONS file, by section and name. */
function optionsFile(path: string): Map<string, string> {
  const name = filesBelow(path)
    .filter((file) => file.startsWith('OPTIONS-'))
    .sort()
    .at(-1) as string;
  const options = new Map<string, string>();
  let section = '';
  for (const line of readFileSync(`${path}/${name}`, 'utf8').split('\n')) {
    section = /^\[(.*)\]$/.exec(line)?.[1] ?? section;
    const [, key, value] = /^\s*([a-z0-9_]+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) options.set(`${section} ${key}`, value);
  }
  return options;
}

for (const compression of engineInfo().compressions as Compression[]) {
  t.test(`${compression} is written to SST files and read from them`, async (t) => {
    const path = tempDir(t)('db');
    const value = Buffer.alloc(10_000, 'a text that is repeated and repeated and so compresses well');
    const db = await Database.open(path, { compression, bottommostCompression: compression });
    for (let i = 0; i < 100; i++) {
      await db.put(`key ${i}`, value);
    }
    await db.flush();
    await db.compactRange({ bottommostLevelCompaction: 'force' });
    await db.close();
    const size = bytesBelow(path, (file) => file.endsWith('.sst'));
    if (compression === 'none') {
      t.ok(size > 1_000_000, `${size} bytes`);
    } else {
      t.ok(size > 0 && size < 200_000, `${size} bytes`);
    }
    const names = {
      none: 'kNoCompression',
      snappy: 'kSnappyCompression',
      zlib: 'kZlibCompression',
      lz4: 'kLZ4Compression',
      lz4hc: 'kLZ4HCCompression',
      zstd: 'kZSTD',
    };
    t.equal(optionsFile(path).get('CFOptions "default" compression'), names[compression]);
    const again = await openDb(t, path);
    t.ok(value.equals((await again.get('key 57')) as Buffer));
  });
}

const family: [ColumnFamilyOptions, string, string][] = [
  [{ writeBufferSize: 1 << 20 }, 'CFOptions "default" write_buffer_size', '1048576'],
  [{ maxWriteBufferNumber: 4 }, 'CFOptions "default" max_write_buffer_number', '4'],
  [
    { minWriteBufferNumberToMerge: 2, maxWriteBufferNumber: 4 },
    'CFOptions "default" min_write_buffer_number_to_merge',
    '2',
  ],
  [{ targetFileSizeBase: 1 << 21 }, 'CFOptions "default" target_file_size_base', '2097152'],
  [{ maxBytesForLevelBase: 1 << 22 }, 'CFOptions "default" max_bytes_for_level_base', '4194304'],
  [{ numLevels: 5 }, 'CFOptions "default" num_levels', '5'],
  [{ levelCompactionDynamicLevelBytes: false }, 'CFOptions "default" level_compaction_dynamic_level_bytes', 'false'],
  [{ level0FileNumCompactionTrigger: 7 }, 'CFOptions "default" level0_file_num_compaction_trigger', '7'],
  [{ level0SlowdownWritesTrigger: 25 }, 'CFOptions "default" level0_slowdown_writes_trigger', '25'],
  [{ level0StopWritesTrigger: 50 }, 'CFOptions "default" level0_stop_writes_trigger', '50'],
  [{ disableAutoCompactions: true }, 'CFOptions "default" disable_auto_compactions', 'true'],
  [{ compactionStyle: 'universal' }, 'CFOptions "default" compaction_style', 'kCompactionStyleUniversal'],
  [{ ttl: 12345 }, 'CFOptions "default" ttl', '12345'],
  [{ enableBlobFiles: true }, 'CFOptions "default" enable_blob_files', 'true'],
  [{ minBlobSize: 77 }, 'CFOptions "default" min_blob_size', '77'],
  [{ blobFileSize: 1 << 20 }, 'CFOptions "default" blob_file_size', '1048576'],
  [{ blobCompression: 'lz4' }, 'CFOptions "default" blob_compression_type', 'kLZ4Compression'],
  [{ enableBlobGarbageCollection: true }, 'CFOptions "default" enable_blob_garbage_collection', 'true'],
  [{ comparator: 'reverseBytewise' }, 'CFOptions "default" comparator', 'rocksdb.ReverseBytewiseComparator'],
  [{ mergeOperator: 'uint64add' }, 'CFOptions "default" merge_operator', 'UInt64AddOperator'],
  [{ blockSize: 16_384 }, 'TableOptions/BlockBasedTable "default" block_size', '16384'],
  [{ cacheIndexAndFilterBlocks: true }, 'TableOptions/BlockBasedTable "default" cache_index_and_filter_blocks', 'true'],
  [{ rocksdb: { max_successive_merges: 5 } }, 'CFOptions "default" max_successive_merges', '5'],
  [{ rocksdb: { format_version: 5 } }, 'TableOptions/BlockBasedTable "default" format_version', '5'],
];

const database: [OpenOptions, string, string][] = [
  [{ maxOpenFiles: 100 }, 'DBOptions max_open_files', '100'],
  [{ maxBackgroundJobs: 3 }, 'DBOptions max_background_jobs', '3'],
  [{ maxSubcompactions: 2 }, 'DBOptions max_subcompactions', '2'],
  [{ maxTotalWalSize: 1 << 25 }, 'DBOptions max_total_wal_size', '33554432'],
  [{ bytesPerSync: 1 << 20 }, 'DBOptions bytes_per_sync', '1048576'],
  [{ walBytesPerSync: 1 << 19 }, 'DBOptions wal_bytes_per_sync', '524288'],
  [{ paranoidChecks: false }, 'DBOptions paranoid_checks', 'false'],
  [{ atomicFlush: true }, 'DBOptions atomic_flush', 'true'],
  [{ manualWalFlush: true }, 'DBOptions manual_wal_flush', 'true'],
  [{ walRecoveryMode: 'absoluteConsistency' }, 'DBOptions wal_recovery_mode', 'kAbsoluteConsistency'],
  [{ infoLogLevel: 'warn' }, 'DBOptions info_log_level', 'WARN_LEVEL'],
  [{ keepLogFileNum: 3 }, 'DBOptions keep_log_file_num', '3'],
  [{ maxLogFileSize: 1 << 20 }, 'DBOptions max_log_file_size', '1048576'],
  [{ rocksdb: { max_manifest_file_size: '1234567' } }, 'DBOptions max_manifest_file_size', '1234567'],
  [{ rocksdb: { skip_stats_update_on_db_open: true } }, 'DBOptions skip_stats_update_on_db_open', 'true'],
];

t.test('each option reaches RocksDB', async (t) => {
  const path = tempDir(t);
  let n = 0;
  for (const [options, name, value] of [...family, ...database]) {
    const db = await Database.open(path(String(n)), options as OpenOptions);
    await db.close();
    t.equal(optionsFile(path(String(n))).get(name), value, JSON.stringify(options));
    n++;
  }
});

t.test('each option of a column family reaches RocksDB, over what was said for all', async (t) => {
  const path = tempDir(t)('db');
  let n = 0;
  const columnFamilies: Record<string, ColumnFamilyOptions> = {};
  for (const [options] of family) {
    columnFamilies[`family ${n++}`] = options;
  }
  const db = await Database.open(path, { writeBufferSize: 1 << 19, columnFamilies });
  await db.createColumnFamily('made', { maxWriteBufferNumber: 6 });
  await t.rejects(db.createColumnFamily(''), { code: 'INVALID_OPTION', message: /a string that is not empty/ });
  await db.close();
  const said = optionsFile(path);
  n = 0;
  for (const [options, name, value] of family) {
    t.equal(said.get(name.replace('default', `family ${n++}`)), value, JSON.stringify(options));
  }
  t.equal(said.get('CFOptions "family 1" write_buffer_size'), String(1 << 19));
  t.equal(said.get('CFOptions "made" write_buffer_size'), String(1 << 19));
  t.equal(said.get('CFOptions "made" max_write_buffer_number'), '6');
});

t.test('compatibility reaches every family, and gives way to what is said by name', async (t) => {
  const path = tempDir(t)('db');
  const table = (family: string) => {
    const options = optionsFile(path);
    const section = `TableOptions/BlockBasedTable "${family}"`;
    return [
      options.get(`${section} format_version`),
      options.get(`${section} checksum`),
      options.get(`CFOptions "${family}" compression`),
    ];
  };
  const first = await Database.open(path, { compatibility: '6.6', columnFamilies: { named: { blockSize: 8192 } } });
  await first.createColumnFamily('made');
  for (const name of ['default', 'named', 'made']) {
    t.same(table(name), ['5', 'kCRC32c', 'kSnappyCompression'], name);
  }
  await first.close();
  const own = await Database.open(path, { compression: 'zstd', compatibility: '6.6', rocksdb: { format_version: 4 } });
  t.same(table('default'), ['4', 'kCRC32c', 'kZSTD']);
  await own.close();
  const latest = await Database.open(path, { compatibility: 'latest' });
  const newest = table('default');
  await latest.close();
  const unsaid = await Database.open(path);
  t.same(newest, table('default'));
  t.strictNotSame(newest, ['5', 'kCRC32c', 'kSnappyCompression']);
  await unsaid.close();
  const wrong = await failureOf(() => Database.open(path, { compatibility: '5' as never }));
  t.match(wrong, { code: 'INVALID_OPTION', message: /compatibility/ });
});

t.test('what is not said stays as RocksDB has it', async (t) => {
  const path = tempDir(t)('db');
  const db = await Database.open(path, { compression: undefined, maxOpenFiles: undefined });
  await db.close();
  const said = optionsFile(path);
  t.equal(said.get('CFOptions "default" write_buffer_size'), '67108864');
  t.equal(
    said.get('CFOptions "default" compression'),
    engineIsAtLeast(11, 5) ? 'kLZ4Compression' : 'kSnappyCompression',
  );
  t.equal(said.get('DBOptions max_open_files'), '-1');
  t.equal(said.get('TableOptions/BlockBasedTable "default" block_size'), '4096');
});

t.test('walDir, cacheSize, bloomFilterBits and blob files do what they say', async (t) => {
  const path = tempDir(t);
  const db = await openDb(t, path('db'), {
    walDir: path('logs', 'here'),
    cacheSize: 1 << 20,
    bloomFilterBits: 10,
    enableBlobFiles: true,
    minBlobSize: 1000,
  });
  await db.put('small', 'x');
  await db.put('large', Buffer.alloc(5000, 'y'));
  t.ok(filesBelow(path('logs', 'here')).some((file) => file.endsWith('.log')));
  t.notOk(filesBelow(path('db')).some((file) => file.endsWith('.log')));
  await db.flush();
  t.ok(filesBelow(path('db')).some((file) => file.endsWith('.blob')));
  t.equal((await db.get('large'))?.length, 5000);
  t.equal(db.property('rocksdb.block-cache-capacity'), String(1 << 20));
  t.match(optionsFile(path('db')).get('TableOptions/BlockBasedTable "default" filter_policy'), /bloom/i);
  const none = await openDb(t, path('uncached'), { cacheSize: 0 });
  await none.put('k', 'v');
  await none.flush();
  t.equal(await none.get('k', { encoding: 'utf8' }), 'v');
  await db.close();
  await Database.destroy(path('db'), { walDir: path('logs', 'here') });
  t.same(filesBelow(path('db')), []);
  t.same(filesBelow(path('logs')), []);
});

t.test('readTier, fillCache and verifyChecksums do what they say', async (t) => {
  const path = tempDir(t)('db');
  const db = await Database.open(path);
  await db.put('k', 'v');
  t.equal(await db.get('k', { readTier: 'memtable', encoding: 'utf8' }), 'v');
  await db.close();
  const cold = await openDb(t, path, { maxOpenFiles: 10 });
  t.match(await failureOf(() => cold.get('k', { readTier: 'blockCache' })), { code: 'ROCKSDB_INCOMPLETE' });
  t.equal(await cold.get('k', { fillCache: false, encoding: 'utf8' }), 'v');
  t.match(await failureOf(() => cold.get('k', { readTier: 'blockCache' })), { code: 'ROCKSDB_INCOMPLETE' });
  t.equal(await cold.get('k', { verifyChecksums: false, encoding: 'utf8' }), 'v');
  t.equal(await cold.get('k', { readTier: 'blockCache', encoding: 'utf8' }), 'v');
});

t.test('an unknown option, a wrong type and a value out of range are refused before anything is made', async (t) => {
  const path = tempDir(t);
  const bad = (options: unknown) => failureOf(() => Database.open(path('db'), options as OpenOptions));
  t.match(await bad({ createIfMising: true }), {
    name: 'TypeError',
    code: 'INVALID_OPTION',
    message: 'database options have no option "createIfMising"; did you mean "createIfMissing"?',
  });
  t.match(await bad({ columnFamilies: { a: { walDir: 'x' } } }), {
    name: 'TypeError',
    message: 'column family options have no option "walDir"',
  });
  t.match(await bad({ compression: 'gzip' }), {
    name: 'TypeError',
    message: 'compression must be one of "none", "snappy", "zlib", "lz4", "lz4hc", "zstd", not the string "gzip"',
  });
  t.match(await bad({ maxOpenFiles: -2 }), {
    name: 'RangeError',
    code: 'INVALID_OPTION',
    message: 'maxOpenFiles must be a whole number from -1 to 2147483647, not -2',
  });
  t.match(await bad({ maxOpenFiles: 1.5 }), { name: 'RangeError' });
  t.match(await bad({ maxOpenFiles: Number.NaN }), { name: 'RangeError' });
  t.match(await bad({ maxOpenFiles: 2 ** 31 }), { name: 'RangeError' });
  t.match(await bad({ maxOpenFiles: '5' }), { name: 'TypeError' });
  t.match(await bad({ writeBufferSize: 0 }), { name: 'RangeError' });
  t.match(await bad({ writeBufferSize: -1n }), { name: 'RangeError' });
  t.match(await bad({ writeBufferSize: 2n ** 64n }), { name: 'RangeError' });
  t.match(await bad({ bloomFilterBits: Number.POSITIVE_INFINITY }), { name: 'RangeError' });
  t.match(await bad({ createIfMissing: null }), { name: 'TypeError' });
  t.match(await bad({ mode: 'secondary' }), { name: 'TypeError' });
  t.match(await bad({ mode: { secondary: '' } }), { name: 'TypeError' });
  t.match(await bad({ mode: {} }), { name: 'TypeError' });
  t.match(await bad({ walDir: '' }), { name: 'TypeError' });
  t.match(await bad({ columnFamilies: 'some' }), { name: 'TypeError' });
  t.match(await bad({ columnFamilies: { a: 7 } }), { name: 'TypeError' });
  t.match(await bad({ columnFamilies: { '': {} } }), {
    name: 'TypeError',
    code: 'INVALID_OPTION',
    message: 'the name of a column family must be a string that is not empty, not the string ""',
  });
  t.match(await bad({ rocksdb: { x: {} } }), { name: 'TypeError', message: /rocksdb\.x/ });
  t.match(await bad([]), { name: 'TypeError' });
  t.match(await bad('x'), { name: 'TypeError' });
  t.same(filesBelow(path()), []);
  // Options with RocksDB's own names are checked by RocksDB.
  t.match(await bad({ rocksdb: { no_such_option: 1 } }), {
    name: 'RocksDBError',
    code: 'ROCKSDB_INVALID_ARGUMENT',
    message: /no_such_option/,
  });
  t.match(await bad({ rocksdb: { block_size: 'many' } }), { code: 'ROCKSDB_INVALID_ARGUMENT', message: /block_size/ });
  t.match(await bad({ rocksdb: { max_open_files: 'many' } }), { code: 'ROCKSDB_INVALID_ARGUMENT' });
  t.match(await bad({ columnFamilies: { a: { rocksdb: { max_open_files: 5 } } } }), {
    code: 'ROCKSDB_INVALID_ARGUMENT',
    message: /of the database/,
  });
});

t.test('with keepOptionsFile the OPTIONS file stays as it is, also in backups and checkpoints', async (t) => {
  const dir = tempDir(t);
  const owner = await Database.open(dir('db'), {
    writeBufferSize: 12_345_678,
    columnFamilies: { more: { numLevels: 9 } },
  });
  await owner.put('key', 'value');
  await owner.close();
  const files = (path: string) =>
    Object.fromEntries(
      filesBelow(path)
        .filter((name) => name.startsWith('OPTIONS-'))
        .map((name) => [name, readFileSync(join(path, name), 'utf8')]),
    );
  // So many that an open would leave only two of them.
  for (const number of ['000001', '000002', '000003']) {
    copyFileSync(dir('db', Object.keys(files(dir('db'))).at(-1) as string), dir('db', `OPTIONS-${number}`));
  }
  const before = files(dir('db'));
  const newest = Object.entries(before).sort().at(-1) as [string, string];
  const visitor = await Database.open(dir('db'), {
    keepOptionsFile: true,
    disableAutoCompactions: true,
    columnFamilies: { more: { numLevels: 9 } },
  });
  await visitor.put('key 2', 'value');
  await visitor.checkpoint(dir('checkpoint'));
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(visitor);
  await engine.restoreBackup(1, dir('restored'));
  await visitor.close();
  t.same(files(dir('db')), before);
  t.same(Object.entries(files(dir('checkpoint'))), [newest]);
  t.same(Object.entries(files(dir('restored'))), [newest]);
  const again = await Database.open(dir('restored'), { columnFamilies: { more: { numLevels: 9 } } });
  t.equal(await again.get('key 2', { encoding: 'utf8' }), 'value');
  await again.close();
  t.notSame(files(dir('restored')), Object.fromEntries([newest]), 'an open without it notes its own');
});

t.test('maxOpenFiles bounds how many files are open, also where it is small', async (t) => {
  const dir = tempDir(t);
  const TABLES = 100;
  const made = await Database.open(dir('db'), { disableAutoCompactions: true });
  for (let n = 0; n < TABLES; n++) {
    await made.put(`key ${n}`, 'x');
    await made.flush();
  }
  await made.close();
  const openTables = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith('.sst');
      } catch {
        return false; // the descriptor of the directory listing itself
      }
    }).length;
  const db = await openDb(t, dir('db'), { maxOpenFiles: 20, disableAutoCompactions: true });
  for (let n = 0; n < TABLES; n++) t.ok(await db.get(`key ${n}`));
  // RocksDB reserves ten of them for files that are not tables.
  t.ok(openTables() <= 20, `${openTables()} are open`);
});
