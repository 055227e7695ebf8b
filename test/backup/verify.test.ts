// Every kind of damage to every kind of file: which operations detect it, and which backups it does not affect.

import { existsSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { BackupEngine } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { type Damage, damages, filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';

interface Scene {
  dir: (...path: string[]) => string;
  engine: BackupEngine;
  contents: Record<string, string>[];
}

/** Two backups. The first table and the first blob file are in both. */
async function scene(t: Test): Promise<Scene> {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'), { rocksdb: { enable_blob_files: true, min_blob_size: 500 } });
  const engine = await openEngine(t, dir('backups'));
  const contents: Record<string, string>[] = [];
  for (const prefix of ['a', 'b']) {
    await fill(db, prefix);
    await fill(db, `${prefix}-logged`, { flush: false });
    contents.push(await contentsOf(db));
    await engine.createBackup(db);
  }
  return { dir, engine, contents };
}

/** One file of each kind in backup 1. */
async function filesOf({ engine }: Scene): Promise<Record<string, string>> {
  const names = (await engine.getBackupInfo(1, { fileDetails: true })).fileDetails!.map((file) => file.name);
  const find = (pattern: RegExp) => names.find((name) => pattern.test(name))!;
  return {
    manifest: find(/^private\/1\/MANIFEST/),
    current: find(/^private\/1\/CURRENT/),
    options: find(/^private\/1\/OPTIONS/),
    log: find(/^private\/1\/.*\.log$/),
    table: find(/^shared_checksum\/.*\.sst$/),
    blob: find(/^shared_checksum\/.*\.blob$/),
  };
}

t.test('undamaged backups verify, by size and by checksum', async (t) => {
  const { engine } = await scene(t);
  for (const id of [1, 2]) {
    t.same(await engine.verifyBackup(id), { sizesKnown: true });
    t.same(await engine.verifyBackup(id, { checksum: true }), { sizesKnown: true });
  }
  t.same(await engine.getCorruptedBackups(), []);
});

for (const kind of ['manifest', 'current', 'options', 'log', 'table', 'blob']) {
  for (const damage of Object.keys(damages) as Damage[]) {
    const shared = kind === 'table' || kind === 'blob';
    t.test(`a ${kind} file that was ${damage} is found, named, and never restored`, async (t) => {
      const made = await scene(t);
      const { dir, engine, contents } = made;
      const name = (await filesOf(made))[kind]!;
      damages[damage](dir('backups', name));
      const before = snapshotOf(dir('backups'));
      const corrupt = { code: 'BACKUP_CORRUPT', message: name };
      const affected = shared ? [1, 2] : [1];

      for (const id of affected) {
        await t.rejects(engine.verifyBackup(id, { checksum: true }), corrupt, 'by checksum');
        // The meta files contain no sizes. The records beside the private files do.
        if (damage !== 'changed') await t.rejects(engine.verifyBackup(id), corrupt, 'by size');
        else await t.resolves(engine.verifyBackup(id), 'the size alone does not tell');
        await t.rejects(engine.restoreBackup(id, dir('restored')), corrupt);
        t.notOk(existsSync(dir('restored')), 'and nothing is restored');
      }
      if (!shared) {
        await engine.verifyBackup(2, { checksum: true });
        await engine.restoreBackup(2, dir('second'));
        t.same(await contentsAt(dir('second')), contents[1], 'the other backup has files of its own');
      }
      t.same(await engine.getCorruptedBackups(), damage === 'removed' ? affected : []);
      t.same(
        (await engine.getBackupInfo()).map((info) => info.backupId),
        damage === 'removed' ? [1, 2].filter((id) => !affected.includes(id)) : [1, 2],
      );
      if (damage === 'removed') {
        await t.rejects(engine.getBackupInfo(1), corrupt);
        await t.rejects(engine.openBackup(1), corrupt);
      }
      t.same(snapshotOf(dir('backups')), before, 'looking at it changed nothing');
    });
  }
}

t.test('a meta file that was emptied, cut short or overwritten makes its backup corrupt, and no other', async (t) => {
  const { dir, engine, contents } = await scene(t);
  const meta = dir('backups', 'meta', '1');
  const text = readFileSync(meta, 'latin1');
  const lines = text.trimEnd().split('\n');
  const damaged = {
    empty: '',
    garbage: 'not a meta file\n',
    zeroes: '\0'.repeat(text.length),
    'without its last file': `${lines.slice(0, -1).join('\n')}\n`,
    'cut in the middle of a line': text.slice(0, -10),
  };
  for (const [how, broken] of Object.entries(damaged)) {
    writeFileSync(meta, broken, 'latin1');
    t.same(await engine.getCorruptedBackups(), [1], how);
    t.same(
      (await engine.getBackupInfo()).map((info) => info.backupId),
      [2],
      how,
    );
    const calls: (() => Promise<unknown>)[] = [
      () => engine.getBackupInfo(1),
      () => engine.verifyBackup(1),
      () => engine.verifyBackup(1, { checksum: true }),
      () => engine.restoreBackup(1, dir('restored')),
      () => engine.openBackup(1),
    ];
    for (const call of calls) {
      await t.rejects(call(), { name: 'RocksDBError', code: 'BACKUP_CORRUPT' }, how);
    }
    await engine.verifyBackup(2, { checksum: true });
  }
  writeFileSync(meta, text, 'latin1');
  t.same(await engine.getCorruptedBackups(), [], 'put back, it is whole again');
  await engine.restoreBackup(1, dir('restored'));
  t.same(await contentsAt(dir('restored')), contents[0]);
});

t.test('a meta file that is gone takes its backup out of every list', async (t) => {
  const { dir, engine } = await scene(t);
  renameSync(dir('backups', 'meta', '1'), dir('meta-1'));
  t.same(await engine.getCorruptedBackups(), []);
  t.same(
    (await engine.getBackupInfo()).map((info) => info.backupId),
    [2],
  );
  await t.rejects(engine.verifyBackup(1), { code: 'BACKUP_NOT_FOUND' });
  await engine.verifyBackup(2, { checksum: true });
});

t.test('a wrong checksum in a meta file is found, although every file is whole', async (t) => {
  const { dir, engine } = await scene(t);
  const meta = dir('backups', 'meta', '1');
  const name = filesBelow(dir('backups', 'private', '1')).find((file) => file.startsWith('MANIFEST'))!;
  const text = readFileSync(meta, 'utf8');
  const wrong = text.replace(new RegExp(`(${name} crc32) \\d+`), '$1 12345');
  t.not(wrong, text);
  writeFileSync(meta, wrong);
  for (const checksum of [false, true]) {
    await t.rejects(engine.verifyBackup(1, { checksum }), { code: 'BACKUP_CORRUPT', message: 'was changed: it has' });
  }
  await t.rejects(engine.restoreBackup(1, dir('restored')), { code: 'BACKUP_CORRUPT' });
  t.notOk(existsSync(dir('restored')));
  // Without the record of what was written, the files themselves show the damage.
  unlinkSync(dir('backups', 'private', '1', 'rocksdb-backup.files'));
  await engine.verifyBackup(1);
  await t.rejects(engine.verifyBackup(1, { checksum: true }), { code: 'BACKUP_CORRUPT', message: name });
  await t.rejects(engine.restoreBackup(1, dir('restored')), { code: 'BACKUP_CORRUPT', message: name });
  await engine.verifyBackup(2, { checksum: true });
});

t.test('files of other backups, and files of nobody, do not matter to a verify', async (t) => {
  const { dir, engine } = await scene(t);
  for (const name of readdirSync(dir('backups', 'private', '2'))) damages.removed(dir('backups', 'private', '2', name));
  writeFileSync(dir('backups', 'shared_checksum', '000099_s_1.sst'), 'of nobody');
  writeFileSync(dir('backups', 'meta', 'notes'), 'of nobody');
  writeFileSync(dir('backups', 'notes'), 'of nobody');
  await engine.verifyBackup(1, { checksum: true });
  await t.rejects(engine.verifyBackup(2), { code: 'BACKUP_CORRUPT' });
});

t.test('verifies of one backup run at a time, and beside a restore', async (t) => {
  const { dir, engine } = await scene(t);
  await Promise.all([
    ...Array.from({ length: 4 }, () => engine.verifyBackup(1, { checksum: true })),
    engine.restoreBackup(1, dir('restored')),
    engine.verifyBackup(2),
  ]);
});
