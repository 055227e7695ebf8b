// The record of the files' sizes that lies beside each backup: lost, damaged, unreadable, on a disk and in a store.

import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BackupEngine, BackupManager } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openDatabase } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from '../stores/memory-store.js';

const RECORD = 'private/1/rocksdb-backup.files';

interface Place {
  location: string | MemoryStore;
  read(name: string): Promise<Buffer>;
  write(name: string, bytes: string | Buffer): Promise<unknown>;
  remove(name: string): Promise<unknown>;
}

function onDisk(t: Test): Place {
  const location = tempDir(t)('backups');
  return {
    location,
    read: async (name) => readFileSync(join(location, name)),
    write: async (name, bytes) => writeFileSync(join(location, name), bytes),
    remove: async (name) => rmSync(join(location, name)),
  };
}

function inStore(): Place {
  const location = new MemoryStore();
  const { signal } = new AbortController();
  return {
    location,
    read: async (name) => Buffer.from((await location.get(name, { signal })).bytes),
    write: (name, bytes) => location.put(name, Buffer.from(bytes), { signal }),
    remove: (name) => location.delete([name], { signal }),
  };
}

for (const [where, make] of Object.entries({ 'on a disk': onDisk, 'in a store': inStore })) {
  t.test(`the record ${where}`, async (t) => {
    const dir = tempDir(t);
    const place = make(t);
    const db = await openDatabase(t, dir('db'));
    await fill(db, 'a');
    const contents = await contentsOf(db);
    let engine = await BackupEngine.open(place.location);
    t.teardown(() => engine.close());
    await engine.createBackup(db);
    const names = (await engine.getBackupInfo(1, { fileDetails: true })).fileDetails!.map(({ name }) => name);
    const options = names.find((name) => name.includes('OPTIONS'))!;
    const whole = { record: await place.read(RECORD), options: await place.read(options) };
    const again = async () => {
      await engine.close();
      engine = await BackupEngine.open(place.location);
    };
    t.same(await engine.verifyBackup(1), { sizesKnown: true });

    const flipped = Buffer.from(whole.record);
    flipped[20]! ^= 1;
    for (const damaged of [flipped, 'hello', '', whole.record.subarray(0, -1)]) {
      await place.write(RECORD, damaged);
      await again();
      for (const checksum of [false, true]) {
        await t.rejects(engine.verifyBackup(1, { checksum }), {
          code: 'BACKUP_CORRUPT',
          damagedFiles: [RECORD],
          message: /backups?|test.*private\/1\/rocksdb-backup.files, the record of its files, is not as it was written/,
          advice: checksum ? 'replaceRecord' : 'verifyWithChecksums',
        });
      }
      await engine.restoreBackup(1, dir('restored'), { overwrite: true });
      t.same(await contentsAt(dir('restored')), contents, 'it can be restored');
    }
    await place.write(options, whole.options.subarray(0, 100));
    await again();
    await t.rejects(
      engine.verifyBackup(1, { checksum: true }),
      { code: 'BACKUP_CORRUPT', damagedFiles: [options, RECORD] },
      'beside other damage',
    );

    await place.remove(RECORD);
    await again();
    t.same(await engine.verifyBackup(1), { sizesKnown: false }, 'what was cut off is not seen, and that is said');
    await t.rejects(engine.verifyBackup(1, { checksum: true }), { code: 'BACKUP_CORRUPT', damagedFiles: [options] });
    await place.write(options, whole.options);
    t.same(await engine.verifyBackup(1, { checksum: true }), { sizesKnown: false });
    await place.write(RECORD, whole.record);
    await again();
    t.same(await engine.verifyBackup(1, { checksum: true }), { sizesKnown: true });
  });
}

t.test('what is in the place of a record and is none', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a');
  const engine = await BackupEngine.open(dir('backups'));
  t.teardown(() => engine.close());
  await engine.createBackup(db);
  const record = dir('backups', RECORD);
  for (const put of [() => mkdirSync(record), () => symlinkSync('/etc/hostname', record)]) {
    rmSync(record, { recursive: true });
    put();
    await t.rejects(engine.verifyBackup(1), { code: 'BACKUP_CORRUPT', damagedFiles: [RECORD] });
  }
});

t.test('a store that does not give the record does not damage the backup', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  const store = new MemoryStore();
  const engine = await BackupEngine.open(store);
  t.teardown(() => engine.close());
  await engine.createBackup(db);
  store.fault = ({ kind, key }) => (kind === 'get' && key === RECORD ? { fail: 'DENIED' } : undefined);
  await t.rejects(engine.verifyBackup(1), { code: 'STORE_DENIED', advice: 'storeDenied' });
  store.fault = undefined;
  t.same(await engine.verifyBackup(1), { sizesKnown: true });
});

t.test('a manager reads every byte of a backup whose record could not be written', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  const store = new MemoryStore();
  store.fault = ({ kind, key }) =>
    kind === 'put' && key.endsWith('/rocksdb-backup.files') ? { fail: 'REFUSED' } : undefined;
  const manager = new BackupManager({ db, location: store, retention: { last: 1 }, skipUnchanged: false });
  t.teardown(() => manager.stop());
  const verified: string[] = [];
  manager.on('verified', ({ backupId, how }) => verified.push(`${backupId} ${how}`));
  for (const key of ['a', 'b']) {
    await db.put(key, 'value');
    await manager.backupNow();
  }
  t.same(verified, ['1 size', '1 checksum', '2 size', '2 checksum']);
  const engine = await BackupEngine.open(store, { readOnly: true });
  t.teardown(() => engine.close());
  t.match(await engine.getBackupInfo(), [{ backupId: 2 }], 'so older ones are deleted');
  t.same(await engine.verifyBackup(2), { sizesKnown: false });
});
