// What an error tells a program: its code, the facts of its sentence, and a word for what to do about it, which the library and the
// command line each put into their own terms.

import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LIBRARY_ADVICE } from '../../lib/base/advice.js';
import { COMMAND_ADVICE } from '../../lib/cli/advice.js';
import { Database, RocksDBError } from '../../lib/index.js';
import { fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { cli } from '../fixtures/cli.js';
import { tempDir } from '../fixtures/files.js';

/** Two databases, and a directory with a backup of the first. */
async function scene(t: Test) {
  const dir = tempDir(t);
  const [one, other] = [await openDatabase(t, dir('one')), await openDatabase(t, dir('other'))];
  const engine = await openEngine(t, dir('backups'));
  await fill(one, 'a');
  await engine.createBackup(one);
  return { dir, one, other, engine };
}

async function errorOf(promise: Promise<unknown>): Promise<RocksDBError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof RocksDBError)) {
    throw new Error('it should have failed with a RocksDBError', { cause: error });
  }
  return error;
}

t.test('an error has the facts that its sentence tells', async (t) => {
  const { dir, one, other, engine } = await scene(t);
  const { location } = engine;

  const missing = await errorOf(engine.verifyBackup(7));
  t.match(missing, { code: 'BACKUP_NOT_FOUND', path: location, backupId: 7 });
  t.same(Object.keys(missing).sort(), ['backupId', 'code', 'path'], 'and no other properties, as logs show them');

  const differs = await errorOf(engine.createBackup(other));
  t.match(differs, { code: 'DATABASE_DIFFERS', path: location, databaseId: other.identity, advice: 'shareRepository' });

  await Database.open(dir('third')).then((db) => db.close());
  const replaced = await errorOf(engine.restoreBackup(1, dir('third'), { overwrite: true }));
  t.match(replaced, { code: 'DATABASE_DIFFERS', path: dir('third'), backupId: 1, advice: 'replaceOtherDatabase' });

  t.match(await errorOf(engine.restoreBackup(1, dir('third'))), {
    code: 'TARGET_EXISTS',
    path: dir('third'),
    advice: 'overwrite',
  });

  const inUse = await errorOf(Database.open(dir('one')));
  t.match(inUse, { code: 'DATABASE_IN_USE', path: one.path, holder: 'this process', advice: 'closeThereOrReadOnly' });

  t.match(await errorOf(Database.open(dir('none'), { createIfMissing: false })), {
    code: 'ROCKSDB_INVALID_ARGUMENT',
    path: dir('none'),
    advice: 'createIfMissing',
  });

  const reader = await openEngine(t, dir('backups'), { readOnly: true });
  t.match(await errorOf(reader.deleteBackup(1)), { code: 'READ_ONLY', path: location, advice: 'openToWrite' });

  t.match(await errorOf(openEngine(t, dir('nothing'), { readOnly: true })), {
    code: 'DIRECTORY_NOT_FOUND',
    path: dir('nothing'),
    advice: 'checkPath',
  });

  await engine.createBackup(one);
  const meta = join(location, 'meta', '1');
  writeFileSync(meta, readFileSync(meta, 'utf8').slice(0, 20));
  t.match(await errorOf(engine.deleteBackup(2)), {
    code: 'BACKUP_CORRUPT',
    path: location,
    backupId: 1,
    why: 'damaged',
    advice: 'bringBackOrForce',
  });
});

t.test('an error about a database has its path', async (t) => {
  const { dir, one } = await scene(t);
  const { path } = one;
  t.match(await errorOf(one.dropColumnFamily('none')), { code: 'COLUMN_FAMILY_NOT_FOUND', path });
  t.match(await errorOf(one.createColumnFamily('default')), { code: 'ROCKSDB_INVALID_ARGUMENT', path });
  t.match(await errorOf(one.checkpoint(dir('other'))), { code: 'ROCKSDB_INVALID_ARGUMENT', path: dir('other') });
  t.match(await errorOf(Database.repair(dir('none'))), { code: 'ROCKSDB_IO_ERROR', path: dir('none') });
  t.match(await errorOf(Database.listColumnFamilies(dir('none'))), { path: dir('none') });

  writeFileSync(dir('file'), 'text');
  const below = join(dir('file'), 'db');
  t.match(await errorOf(Database.open(below)), { code: 'ROCKSDB_IO_ERROR', path: below });

  await Database.open(dir('damaged')).then((db) => db.close());
  const manifest = readdirSync(dir('damaged')).find((name) => name.startsWith('MANIFEST-')) as string;
  writeFileSync(join(dir('damaged'), manifest), 'text');
  const damaged = await errorOf(Database.open(dir('damaged')));
  t.match(damaged, { code: 'ROCKSDB_CORRUPTION', path: dir('damaged') });
  t.equal(damaged.why, undefined, 'neither permissions nor the disk are the reason');

  await one.close();
  const reader = await openDatabase(t, dir('one'), { mode: 'readOnly' });
  const engine = await openEngine(t, dir('backups'));
  t.match(await errorOf(engine.createBackup(reader)), { code: 'ROCKSDB_NOT_SUPPORTED', path });
});

t.test('an error about a backup or a target has its path', async (t) => {
  const { dir, one, engine } = await scene(t);
  const { location } = engine;
  t.match(await errorOf(openEngine(t, one.path)), { code: 'INVALID_OPTION', path: one.path });
  t.match(await errorOf(engine.restoreBackup(1, one.path, { overwrite: true })), {
    code: 'DATABASE_IN_USE',
    path: one.path,
    holder: 'this process',
  });
  t.match(await errorOf(engine.restoreBackup(1, location)), { code: 'INVALID_OPTION', path: location });
  symlinkSync(dir('away'), dir('dangling'));
  t.match(await errorOf(openEngine(t, dir('dangling', 'below'))), {
    code: 'ROCKSDB_IO_ERROR',
    path: dir('dangling', 'below', 'meta'),
    message: `${dir('dangling')} is a link that leads nowhere. Bring back what the link leads to, or remove the link.`,
  });
  writeFileSync(dir('file'), 'text');
  t.match(await errorOf(engine.restoreBackup(1, dir('file'))), { code: 'TARGET_EXISTS', path: dir('file') });
  symlinkSync(dir('none'), dir('link'));
  t.match(await errorOf(engine.restoreBackup(1, dir('link'))), { code: 'TARGET_EXISTS', path: dir('link') });

  const empty = await openEngine(t, dir('empty'));
  t.match(await errorOf(empty.restoreLatestBackup(dir('target'))), { code: 'BACKUP_NOT_FOUND', path: dir('empty') });
});

t.test('an error about a damaged backup says that it is damaged, and how a survey calls it', async (t) => {
  const { dir, one, engine } = await scene(t);
  const { location } = engine;
  await engine.createBackup(one);
  const table = readdirSync(join(location, 'shared_checksum'))[0] as string;
  const file = `shared_checksum/${table}`;
  const bytes = readFileSync(join(location, file));
  bytes[100] = (bytes[100] as number) ^ 1;
  writeFileSync(join(location, file), bytes);
  t.match(await errorOf(engine.verifyBackup(1, { checksum: true })), {
    code: 'BACKUP_CORRUPT',
    path: location,
    backupId: 1,
    damagedFiles: [file],
    why: 'damaged',
    advice: 'useAnotherBackup',
  });

  writeFileSync(join(location, 'meta', '1'), 'text');
  t.match((await engine.survey()).corrupt, [{ backupId: 1, why: 'damaged' }]);
  t.match(await errorOf(engine.getBackupInfo(1)), {
    code: 'BACKUP_CORRUPT',
    path: location,
    backupId: 1,
    why: 'damaged',
  });
  writeFileSync(join(location, 'meta', '2'), 'text');
  t.match(await errorOf(engine.restoreLatestBackup(dir('target'))), {
    code: 'BACKUP_CORRUPT',
    path: location,
    backupId: 2,
    why: 'damaged',
  });
});

t.test('the message says what happened and what to do, whatHappened the first alone', async (t) => {
  const { other, engine } = await scene(t);
  const error = await errorOf(engine.createBackup(other));
  t.match(error.whatHappened, /and none of this one\.$/);
  t.equal(error.message, `${error.whatHappened} ${LIBRARY_ADVICE.shareRepository}`);
  t.same(Object.keys(error).sort(), ['advice', 'code', 'databaseId', 'path']);
});

t.test('the command line says the same in its own terms', async (t) => {
  const { dir, other } = await scene(t);
  await other.close();
  const { code, stderr } = await cli(t, ['create', dir('other'), dir('backups')]);
  t.not(code, 0);
  t.ok(stderr.includes(`and none of this one. ${COMMAND_ADVICE.shareRepository}`), stderr);
  t.notOk(stderr.includes('allowOtherDatabase'), stderr);
});

t.test(
  'every advice that native code gives has words, in the terms of the library and of the command line',
  async (t) => {
    const binding = join(__dirname, '..', '..', '..', 'binding');
    const sources = readdirSync(binding, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.cc') || name.endsWith('.h'),
    );
    const given = new Set(
      sources.flatMap((name) =>
        [...readFileSync(join(binding, name), 'utf8').matchAll(/\.Advise\(([^)]*)\)/g)].flatMap(([, argument]) =>
          [...(argument as string).matchAll(/"(\w+)"/g)].map(([, advice]) => advice as string),
        ),
      ),
    );
    t.ok(given.size > 10, 'native code gives some');
    t.same(
      [...given].filter((advice) => !Object.hasOwn(LIBRARY_ADVICE, advice)),
      [],
    );
    t.same(Object.keys(COMMAND_ADVICE).sort(), Object.keys(LIBRARY_ADVICE).sort());
    for (const [advice, text] of Object.entries(LIBRARY_ADVICE)) t.notMatch(text, /--[a-z]/, `${advice} names no flag`);
    for (const [advice, text] of Object.entries(COMMAND_ADVICE)) {
      t.notMatch(text, /: true|\(\)|[a-z][A-Z][a-z]+:/, `${advice} names no option of the library`);
    }
  },
);
