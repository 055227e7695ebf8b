// Repositories that somebody else wrote, by mistake or on purpose: they lead to typed errors, and nothing outside is read or written.

import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { BackupEngine } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openDatabase, openEngine, settled } from '../fixtures/backups.js';
import { filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';

/** A backup, and a function that replaces its meta file. */
async function hostileScene(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a');
  await fill(db, 'b', { flush: false });
  const engine = await openEngine(t, dir('backups'));
  await engine.createBackup(db, { metadata: 'kept' });
  const contents = await contentsOf(db);
  const meta = dir('backups', 'meta', '1');
  const text = readFileSync(meta, 'latin1');
  return { dir, db, engine, contents, text, write: (changed: string) => writeFileSync(meta, changed, 'latin1') };
}

t.test('hostile names in a meta file are a typed error, and nothing outside is read or written', async (t) => {
  const { dir, engine, text, write } = await hostileScene(t);
  const table = /shared_checksum\/\S+\.sst/;
  const [name] = text.match(table)!;
  writeFileSync(dir('secret'), 'not a part of any backup');
  cpSync(dir('backups', name), dir('backups', 'shared_checksum', '000009.sst'));
  cpSync(dir('backups', name), dir('backups', 'shared_checksum', 'plain'));
  mkdirSync(dir('backups', 'private', '1', 'sub'));
  cpSync(dir('backups', name), dir('backups', 'private', '1', 'sub', '000009.sst'));
  cpSync(dir('backups', name), dir('backups', 'private', '1', 'evil.sh'));
  const hostile = [
    'shared_checksum/000009.sst', // without `_`, the engine throws std::out_of_range
    'shared_checksum/plain',
    'private/1/evil.sh',
    'private/1/sub/000009.sst',
    '../secret',
    'private/1/../../../secret',
    'shared_checksum/../../secret',
    dir('secret'),
    '/etc/passwd',
    'meta/1',
    'rocksdb-backup.lock',
    '.',
    '..',
    'private/1/',
    'private/2/CURRENT',
    'shared_checksum/',
    `${'x'.repeat(5000)}`,
    'shared_checksum/\xff\xfe_1_1.sst',
  ];
  for (const evil of hostile) {
    write(text.replace(table, () => evil));
    const before = snapshotOf(dir());
    for (const [call, run] of Object.entries({
      verify: () => engine.verifyBackup(1, { checksum: true }),
      restore: () => engine.restoreBackup(1, dir('restored')),
      restoreLatest: () => engine.restoreLatestBackup(dir('restored')),
    })) {
      const { error } = await settled<unknown>(run());
      t.equal(error?.name, 'RocksDBError', `${call} of ${evil.slice(0, 40)}: ${error}`);
      t.match(error?.code, /^(BACKUP_CORRUPT|BACKUP_NOT_FOUND)$/);
    }
    await engine.getBackupInfo({ fileDetails: true });
    t.same(snapshotOf(dir()), before, evil.slice(0, 40));
  }
});

t.test('a meta file with any byte changed, or cut anywhere, never crashes, nor restores anything wrong', async (t) => {
  const { dir, engine, contents, text, write } = await hostileScene(t);
  const changed: string[] = [];
  for (let at = 0; at < text.length; at += 5) {
    const flip = String.fromCharCode(text.charCodeAt(at) ^ (1 << (at % 8)));
    changed.push(text.slice(0, at) + flip + text.slice(at + 1));
    if (at % 3 === 0) changed.push(text.slice(0, at), text.slice(0, at) + '9'.repeat(30) + text.slice(at));
  }
  let restored = 0;
  for (const meta of changed) {
    write(meta);
    await engine.getBackupInfo({ fileDetails: true });
    await engine.getCorruptedBackups();
    const verified = await settled(engine.verifyBackup(1, { checksum: true }));
    const { value, error } = await settled(engine.restoreBackup(1, dir('restored'), { overwrite: true }));
    // If only the time or the metadata was changed, a restore still gives the data back, but a verify reports it.
    if (!/ was changed: it has /.test(`${verified.error}`) || !value) {
      t.equal(verified.error?.code, error?.code, 'verify and restore agree');
    }
    if (value) {
      restored++;
      t.same(await contentsAt(dir('restored')), contents);
    } else if (error?.name !== 'RocksDBError' || !/^BACKUP_/.test(error.code!)) {
      t.fail(`${error?.code}: ${error}`, { meta });
    }
  }
  t.ok(restored > 0 && restored < changed.length / 2, `${restored} of ${changed.length} were still good`);
});

t.test('the last id there is, and names that are no ids, are told and do no harm', async (t) => {
  const { dir, db, engine, text } = await hostileScene(t);
  const last = 4294967295;
  for (const name of ['notes', '-1', '0', '01', '1.5', '4294967296', '99999999999999999999', '1 ', '.5.tmp']) {
    writeFileSync(dir('backups', 'meta', name), text);
  }
  t.same((await engine.getBackupInfo()).filter((info) => info.backupId === 1).length, 1);
  await engine.verifyBackup(1, { checksum: true });
  for (const name of readdirSync(dir('backups', 'meta'))) {
    if (name !== '1') renameSync(dir('backups', 'meta', name), dir(`kept-${name}`));
  }
  cpSync(dir('backups', 'private', '1'), dir('backups', 'private', `${last}`), { recursive: true });
  rmSync(dir('backups', 'private', `${last}`, 'rocksdb-backup.files')); // it is that of backup 1
  writeFileSync(dir('backups', 'meta', `${last}`), text.replaceAll('private/1/', `private/${last}/`));
  t.same(
    (await engine.getBackupInfo()).map((info) => info.backupId),
    [1, last],
  );
  await engine.verifyBackup(last, { checksum: true });
  const before = filesBelow(dir('backups'));
  await t.rejects(engine.createBackup(db), { code: 'BACKUP_CORRUPT', message: `${last}` });
  t.same(filesBelow(dir('backups')), before);
  await engine.deleteBackup(last);
  t.equal((await engine.createBackup(db)).backupId, 2);
});

t.test('what is no file where a file has to be is a typed error', async (t) => {
  const { dir, engine, db } = await hostileScene(t);
  mkdirSync(dir('backups', 'meta', '5'));
  const { value } = await settled(engine.getBackupInfo());
  t.ok(value === undefined || value.some((info) => info.backupId === 1));
  const { error } = await settled(engine.verifyBackup(5));
  t.equal(error?.name, 'RocksDBError');
  const created = await settled(engine.createBackup(db));
  t.ok(created.value || created.error?.name === 'RocksDBError');
  writeFileSync(dir('file'), '');
  await t.rejects(BackupEngine.open(dir('file')), { name: 'RocksDBError' });
  await t.rejects(BackupEngine.open(dir('file', 'below')), { name: 'RocksDBError' });
  await t.rejects(BackupEngine.open(dir('file'), { readOnly: true }), { name: 'RocksDBError' });
});
