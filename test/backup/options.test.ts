// The effect of each option of BackupEngine.open and createBackup.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { BackupEngine, type BackupEngineOptions, engineInfo, type LogLine } from '../../lib/index.js';
import { begun, contentsAt, contentsOf, fill, openDatabase, openEngine, SLOW, settled } from '../fixtures/backups.js';
import { filesBelow, tempDir } from '../fixtures/files.js';

async function scene(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'flushed');
  await fill(db, 'logged', { flush: false });
  return { dir, db, contents: await contentsOf(db) };
}

/** The log of an engine with these options, while it is opened and makes a backup. */
async function logOf(t: Test, options: BackupEngineOptions): Promise<string> {
  const { dir, db } = await scene(t);
  const lines: string[] = [];
  const engine = await openEngine(t, dir('backups'), { ...options, infoLog: (line) => lines.push(line.message) });
  await engine.createBackup(db);
  return lines.join('\n');
}

const layouts: Record<string, { options: BackupEngineOptions; tables: RegExp }> = {
  'tables are named by number, session and size': {
    options: {},
    tables: /^shared_checksum\/\d{6}_s[0-9A-Z]{20}_\d+\.sst$/,
  },
  'the size can be left out of the name': {
    options: { includeFileSizeInName: false },
    tables: /^shared_checksum\/\d{6}_s[0-9A-Z]{20}\.sst$/,
  },
  'the legacy name has checksum and size': {
    options: { shareFilesWithChecksumNaming: 'legacyCrc32cAndFileSize' },
    tables: /^shared_checksum\/\d{6}_\d+_\d+\.sst$/,
  },
  'without checksums tables keep their names': {
    options: { shareFilesWithChecksum: false },
    tables: /^shared\/\d{6}\.sst$/,
  },
  'unshared tables are private': { options: { shareTableFiles: false }, tables: /^private\/\d+\/\d{6}\.sst$/ },
  'unshared is unshared, whatever is said of checksums': {
    options: { shareTableFiles: false, shareFilesWithChecksum: true },
    tables: /^private\/\d+\/\d{6}\.sst$/,
  },
};

for (const [name, { options, tables }] of Object.entries(layouts)) {
  t.test(`${name}, and such a backup verifies, restores, opens and is deleted`, async (t) => {
    const { dir, db, contents } = await scene(t);
    const engine = await openEngine(t, dir('backups'), options);
    await engine.createBackup(db);
    await fill(db, 'more');
    const second = await engine.createBackup(db);
    const found = filesBelow(dir('backups')).filter((file) => file.endsWith('.sst'));
    t.equal(found.length, options.shareTableFiles === false ? 3 : 2);
    for (const file of found) t.match(file, tables);
    t.equal(second.uniqueSize - second.metaSize === second.size, options.shareTableFiles === false);
    for (const id of [1, 2]) await engine.verifyBackup(id, { checksum: true });
    await engine.restoreBackup(1, dir('restored'));
    t.same(await contentsAt(dir('restored')), contents);
    const opened = await engine.openBackup(1);
    t.same(await contentsOf(opened), contents);
    await opened.close();
    await engine.deleteBackup(1);
    await engine.verifyBackup(2, { checksum: true });
    await engine.purgeOldBackups(0);
    t.same(
      filesBelow(dir('backups')).filter((file) => file.endsWith('.sst')),
      [],
    );
  });
}

t.test('one directory may change from any layout to any other, and keeps all of its backups', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const expected: Record<string, string>[] = [];
  const all = Object.values(layouts).map((layout) => layout.options);
  for (const options of [...all, ...all.reverse()]) {
    await fill(db, `round${expected.length}-`);
    expected.push(await contentsOf(db));
    const engine = await BackupEngine.open(dir('backups'), options);
    await engine.createBackup(db);
    await engine.close();
  }
  const engine = await openEngine(t, dir('backups'));
  for (const [n, contents] of expected.entries()) {
    await engine.verifyBackup(n + 1, { checksum: true });
    await engine.restoreBackup(n + 1, dir('restored'), { overwrite: true });
    t.same(await contentsAt(dir('restored')), contents);
  }
  await engine.purgeOldBackups(1);
  await engine.restoreBackup(expected.length, dir('last'));
  t.same(await contentsAt(dir('last')), expected.at(-1));
});

t.test('destroyOldData deletes all backups, unreadable ones too', async (t) => {
  const { dir, db } = await scene(t);
  const old = await openEngine(t, dir('backups'));
  for (let n = 0; n < 3; n++) await old.createBackup(db);
  writeFileSync(dir('backups', 'meta', '2'), 'damaged');
  const engine = await openEngine(t, dir('backups'), { destroyOldData: true });
  t.same(await engine.getBackupInfo(), []);
  t.same(await engine.getCorruptedBackups(), []);
  t.same(filesBelow(dir('backups')), ['.backup.lock', 'rocksdb-backup.lock']);
  t.equal((await engine.createBackup(db)).backupId, 1);
  t.equal((await engine.createBackup(db)).backupId, 2, 'once, when it is opened');
});

t.test('without log files the database is flushed, and nothing is lost', async (t) => {
  const { dir, db, contents } = await scene(t);
  for (const [name, backupLogFiles] of [
    ['with', true],
    ['without', false],
  ] as const) {
    const engine = await openEngine(t, dir(name), { backupLogFiles });
    await engine.createBackup(db);
    t.equal(
      filesBelow(dir(name)).some((file) => file.endsWith('.log')),
      backupLogFiles,
    );
    await engine.restoreBackup(1, dir(`${name}-restored`));
    t.same(await contentsAt(dir(`${name}-restored`)), contents);
  }
});

t.test('flushBeforeBackup decides whether data in memory comes as a table or as a log', async (t) => {
  const { dir, db, contents } = await scene(t);
  const engine = await openEngine(t, dir('backups'));
  const kinds = async (id: number) => {
    const files = (await engine.getBackupInfo(id, { fileDetails: true })).fileDetails!;
    return {
      tables: files.filter((file) => file.name.endsWith('.sst')).length,
      logBytes: files.filter((file) => file.name.endsWith('.log')).reduce((sum, file) => sum + file.size, 0),
    };
  };
  await engine.createBackup(db, { flushBeforeBackup: false });
  const without = await kinds(1);
  t.equal(without.tables, 1);
  t.ok(without.logBytes > 20_000);
  await engine.createBackup(db, { flushBeforeBackup: true });
  t.same(await kinds(2), { tables: 2, logBytes: 0 });
  for (const id of [1, 2]) {
    await engine.restoreBackup(id, dir(`restored-${id}`));
    t.same(await contentsAt(dir(`restored-${id}`)), contents);
  }
});

t.test('maxValidBackupsToOpen shows a reader the latest so many, and does not bind a writer', async (t) => {
  const { dir, db } = await scene(t);
  const writer = await openEngine(t, dir('backups'), { maxValidBackupsToOpen: 1 });
  for (let n = 0; n < 4; n++) await writer.createBackup(db);
  t.same(
    (await writer.getBackupInfo()).map((info) => info.backupId),
    [1, 2, 3, 4],
  );
  t.equal((await writer.getBackupInfo(2)).backupId, 2);
  await writer.verifyBackup(1, { checksum: true });
  await writer.restoreBackup(1, dir('restored by a writer'));
  for (const [many, ids] of [
    [1, [4]],
    [3, [2, 3, 4]],
    [9, [1, 2, 3, 4]],
  ] as const) {
    const reader = await openEngine(t, dir('backups'), { readOnly: true, maxValidBackupsToOpen: many });
    t.same(
      (await reader.getBackupInfo()).map((info) => info.backupId),
      ids,
    );
  }
  await writer.deleteBackup(1);
  await writer.purgeOldBackups(2);
  const all = await openEngine(t, dir('backups'), { readOnly: true });
  t.same(
    (await all.getBackupInfo()).map((info) => info.backupId),
    [3, 4],
  );
});

t.test('schemaVersion is the version of the meta files', async (t) => {
  const { dir, db } = await scene(t);
  for (const schemaVersion of [1, 2] as const) {
    const engine = await openEngine(t, dir(`${schemaVersion}`), {
      schemaVersion,
      currentTemperaturesOverrideManifest: true,
    });
    await engine.createBackup(db, { metadata: 'kept' });
    const meta = readFileSync(dir(`${schemaVersion}`, 'meta', '1'), 'utf8');
    t.equal(meta.startsWith('schema_version 2'), schemaVersion === 2);
    await engine.verifyBackup(1, { checksum: true });
    t.equal((await engine.getBackupInfo(1)).appMetadata, 'kept');
  }
});

t.test('RocksDB is told of sync, sharing, logs and threads as they were given', async (t) => {
  const defaults = await logOf(t, {});
  t.match(defaults, /Options\.sync: 1/);
  t.match(defaults, /Options\.share_table_files: 1/);
  t.match(defaults, /Options\.backup_log_files: 1/);
  t.match(defaults, /Options\.max_background_operations: [1-4]\b/);
  const other = await logOf(t, {
    sync: false,
    shareTableFiles: false,
    backupLogFiles: false,
    maxBackgroundOperations: 7,
    callbackTriggerIntervalSize: 1,
  });
  t.match(other, /Options\.sync: 0/);
  t.match(other, /Options\.share_table_files: 0/);
  t.match(other, /Options\.backup_log_files: 0/);
  t.match(other, /Options\.max_background_operations: 7/);
});

t.test('infoLog gives lines to a function until the engine is closed', async (t) => {
  const { dir, db } = await scene(t);
  const lines: LogLine[] = [];
  const engine = await openEngine(t, dir('backups'), { infoLog: (line) => lines.push(line) });
  await engine.createBackup(db); // open and list use no RocksDB engine, and only that writes lines
  t.ok(lines.some((line) => /backup/i.test(line.message)));
  for (const { level, message, ...others } of lines) {
    t.match(level, /^(info|warn|error|fatal|header|debug)$/);
    t.type(message, 'string');
    t.notMatch(message, /\n$/);
    t.same(others, {});
  }
  await engine.close();
  const before = lines.length;
  const other = await openEngine(t, dir('backups'));
  await other.createBackup(db);
  t.equal(lines.length, before);
});

t.test('infoLog appends to a file', async (t) => {
  const { dir, db } = await scene(t);
  writeFileSync(dir('log'), 'what was there\n');
  for (let n = 1; n <= 2; n++) {
    const engine = await BackupEngine.open(dir('backups'), { infoLog: dir('log') });
    await engine.createBackup(db);
    await engine.close();
  }
  const text = readFileSync(dir('log'), 'utf8');
  t.ok(text.startsWith('what was there\n'));
  t.ok(text.split('\n').filter((line) => /Options\.backup_dir/.test(line)).length >= 2, 'of both engines');
  t.ok(text.endsWith('\n'));
  await t.rejects(BackupEngine.open(dir('new'), { infoLog: dir('no', 'such', 'folder', 'log') }), Error);
  t.notOk(existsSync(dir('new')));
});

t.test('ioBufferSize is taken by engines that have it, and refused by others with what they need', async (t) => {
  const { dir, db } = await scene(t);
  const { value, error } = await settled(BackupEngine.open(dir('backups'), { ioBufferSize: 65_536 }));
  if (engineInfo().features.includes('ioBufferSize')) {
    await value!.createBackup(db);
    await value!.close();
  } else {
    t.match(error, { code: 'ROCKSDB_NOT_SUPPORTED', message: /ioBufferSize needs RocksDB 9\.11/ });
    t.notOk(existsSync(dir('backups')));
  }
});

t.test(
  'atomicFlush writes all families out before the backup where the engine can, and is refused elsewhere',
  async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'), { columnFamilies: { more: {} } });
    for (const family of ['default', 'more']) await db.columnFamily(family).put('key', 'value');
    const engine = await openEngine(t, dir('backups'));
    await t.rejects(engine.createBackup(db, { atomicFlush: true, flushBeforeBackup: false }), {
      name: 'TypeError',
      code: 'INVALID_OPTION',
    });
    const { value, error } = await settled(engine.createBackup(db, { atomicFlush: true }));
    const tables = filesBelow(dir('backups')).filter((file) => file.endsWith('.sst'));
    if (engineInfo().features.includes('atomicFlush')) {
      t.equal(value?.backupId, 1);
      t.equal(tables.length, 2);
    } else {
      t.match(error, { code: 'ROCKSDB_NOT_SUPPORTED', message: /atomicFlush needs RocksDB 11\.8/ });
      t.same(tables, []);
    }
    t.match(await engine.createBackup(db, { atomicFlush: false }), { numberFiles: Number });
  },
);

const skip = process.platform === 'linux' ? false : 'threads can be looked at on Linux only';

t.test('backgroundThreadCpuPriority lowers the threads that copy, and no others', { skip }, async (t) => {
  const { dir, db } = await scene(t);
  for (let n = 0; n < 15; n++) await fill(db, `more${n}-`);
  // Fields 19 and 41 of /proc/…/stat: nice value and scheduling policy.
  const threads = () =>
    readdirSync('/proc/self/task').flatMap((id) => {
      try {
        const fields = readFileSync(`/proc/self/task/${id}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ');
        return [{ main: Number(id) === process.pid, nice: Number(fields[16]), policy: Number(fields[38]) }];
      } catch {
        return []; // the thread has ended in the meantime
      }
    });
  const isLow = { normal: () => false, low: ({ nice = 0 }) => nice === 19, idle: ({ policy = 0 }) => policy === 5 };
  const nice = threads().find((thread) => thread.main)!.nice;
  for (const priority of ['normal', 'low', 'idle', undefined] as const) {
    const engine = await openEngine(t, dir(`${priority}`), { backupRateLimit: SLOW });
    const abort = new AbortController();
    let seen: ReturnType<typeof threads> | undefined;
    const { error } = await settled(
      engine.createBackup(db, {
        backgroundThreadCpuPriority: priority,
        signal: abort.signal,
        onProgress: ({ bytesDone }) => {
          if (bytesDone > 0) {
            seen ??= threads();
            abort.abort(); // it was observed while it copied
          }
        },
      }),
    );
    t.match(error, { name: 'AbortError' });
    t.equal(seen!.find((thread) => thread.main)!.nice, nice, 'the main thread is as it was');
    const lowered = seen!.filter((thread) => thread.nice > nice || thread.policy === 5);
    t.equal(lowered.length > 0, priority === 'low' || priority === 'idle', `${priority}: ${lowered.length} threads`);
    t.ok(lowered.every(isLow[priority ?? 'normal']), String(priority));
  }
});

t.test('a backup that was caught in the middle is not in the list', async (t) => {
  const { dir, db } = await scene(t);
  const engine = await openEngine(t, dir('backups'), { backupRateLimit: SLOW });
  const { outcome } = await begun((options) => engine.createBackup(db, options));
  t.same(await engine.getBackupInfo(), []);
  t.same(await engine.getCorruptedBackups(), []);
  engine.stopBackup();
  t.match((await outcome).error, { code: 'BACKUP_STOPPED' });
});
