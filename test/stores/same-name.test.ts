// Two stores with one name, such as one bucket name at two endpoints, are two places.

import { PassThrough } from 'node:stream';
import t from 'tap';
import { Context } from '../../lib/cli/context.js';
import { Interrupts } from '../../lib/cli/interrupts.js';
import { Output } from '../../lib/cli/output/output.js';
import { BackupEngine, BackupManager } from '../../lib/index.js';
import { readState } from '../../lib/manager/state.js';
import { locationInCommand, openStorage } from '../../lib/storage/storage.js';
import { fill, openDatabase } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { newerFormat, newerVersion } from '../fixtures/newer-rocksdb.js';
import { MemoryStore } from './memory-store.js';

function newContext(): Context {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const out = new Output({ stdout, stderr, json: true, quiet: false, color: 'never', env: {} });
  return new Context(out, new Interrupts(() => {}), process.stdin);
}

t.test('storages are told apart by their place, and not by their name', async (t) => {
  const [one, other] = [new MemoryStore(), new MemoryStore()];
  t.equal(openStorage(one).name, openStorage(other).name);
  t.not(openStorage(one).identity, openStorage(other).identity);
  t.equal(openStorage(one).identity, openStorage(one).identity);
  const dir = tempDir(t);
  t.equal(openStorage(dir('a')).identity, openStorage(`${dir('b')}/../a`).identity);
  t.not(openStorage(dir('a')).identity, openStorage(dir('b')).identity);
});

t.test('a command that a message suggests has the URL as it was given', async (t) => {
  const url = 's3://backups/users?endpoint=http://127.0.0.1:1&region=eu';
  const storage = openStorage(url);
  t.equal(storage.name, 's3://backups/users');
  t.equal(locationInCommand(storage), `'${url}'`);
  t.equal(locationInCommand(openStorage('/backups/users')), '/backups/users');
  t.equal(locationInCommand(openStorage("/backups/it's here")), "'/backups/it'\\''s here'");
  t.equal(locationInCommand(openStorage(new MemoryStore())), 'memory://test');
});

t.test('a command records what it does to each in its own history', async (t) => {
  const context = newContext();
  const stores = [new MemoryStore(), new MemoryStore()];
  for (const [at, store] of stores.entries()) {
    const engine = await BackupEngine.open(store);
    await context.recorded(engine, { operation: 'gc', bytes: at }, () => engine.garbageCollect());
    await engine.close();
  }
  for (const [at, store] of stores.entries()) {
    const { history } = await readState(openStorage(store));
    t.match(history, [{ operation: 'gc', bytes: at }], `store ${at}`);
    t.equal(history.length, 1);
  }
});

t.test('a manager does not wait for the backup of a manager of the other', async (t) => {
  const dir = tempDir(t);
  const [slow, quick] = [new MemoryStore(), new MemoryStore()];
  let reached = () => {};
  const hangs = new Promise<void>((resolve) => {
    reached = resolve;
  });
  slow.fault = ({ kind, key }) => {
    if (kind !== 'put' || !key.startsWith('shared')) return undefined;
    reached();
    return 'hang';
  };
  const [one, other] = await Promise.all(
    [slow, quick].map(async (location, at) => {
      const db = await openDatabase(t, dir(`db-${at}`));
      await fill(db, 'a');
      return new BackupManager({ db, location });
    }),
  );
  const waiting = one!.backupNow().then(
    () => 'made',
    () => 'stopped',
  );
  await hangs;
  t.match(await other!.backupNow(), { backupId: 1 });
  await one!.stop({ abort: true });
  t.equal(await waiting, 'stopped');
  await other!.stop();
});

t.test('which RocksDB wrote a backup is read from its own files', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a');
  const [one, copy] = [new MemoryStore(), new MemoryStore()];
  const engine = await BackupEngine.open(one);
  await engine.createBackup(db);
  t.equal((await engine.getBackupInfo())[0]!.newerRocksDB, undefined);
  await engine.close();
  const { signal } = new AbortController();
  for (const [key, { bytes }] of one.objects) {
    // The same backup by its number, time and size, of a newer RocksDB.
    const changed = Buffer.from(bytes);
    if (key.endsWith('.sst')) changed.writeUInt32LE(newerFormat, bytes.length - 12);
    if (/OPTIONS-\d+$/.test(key)) {
      changed.write(`rocksdb_version=${newerVersion}`, changed.indexOf('rocksdb_version='), 'latin1');
    }
    await copy.put(key, changed, { signal });
  }
  const copied = await BackupEngine.open(copy, { readOnly: true });
  t.equal((await copied.getBackupInfo())[0]!.newerRocksDB, newerVersion);
  await copied.close();
});
