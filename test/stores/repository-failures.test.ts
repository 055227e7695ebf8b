// What the users of a repository in a store hear when the store fails.

import t from 'tap';
import { BackupEngine, BackupManager, planBackup, type StoreErrorKind } from '../../lib/index.js';
import { fill, openDatabase, settled } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { DirectoryStore } from './directory-store.js';
import { MemoryStore, type StoreRequest } from './memory-store.js';
import { testContract } from './object-store-contract.js';

t.test('the store in a directory keeps the contract', async (t) => {
  testContract(t, { store: new DirectoryStore(tempDir(t)('store')) });
});

const codes: [StoreErrorKind, string, string | undefined][] = [
  ['NOT_FOUND', 'STORE_NOT_FOUND', undefined],
  ['CONDITION_FAILED', 'STORE_CONDITION_FAILED', undefined],
  ['DENIED', 'STORE_DENIED', 'storeDenied'],
  ['NO_BUCKET', 'STORE_NO_BUCKET', 'storeNoBucket'],
  ['REFUSED', 'STORE_REFUSED', 'storeRefused'],
];

const facts = { status: 499, storeCode: 'Itself', requestId: 'request 7', reason: 'it says so' };

t.test('each failure has its code and its facts, also when it comes through RocksDB', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a');
  for (const [fail, code, advice] of codes) {
    const store = new MemoryStore();
    const engine = await BackupEngine.open(store);
    store.fault = ({ kind, key }) =>
      /^(put|create|part)$/.test(kind) && /^(private|shared)/.test(key) ? { fail, facts } : undefined;
    const { error } = await settled(engine.createBackup(db));
    t.match(error, { code, ...(advice && { advice }) }, `create: ${fail}`);
    t.match(error, { status: 499, storeCode: 'Itself', requestId: 'request 7', path: /^memory:\/\/test\// }, fail);
    t.match(error?.message, /memory:\/\/test\/(private|shared).*: it says so/);
    store.fault = undefined;
    await engine.createBackup(db);
    await engine.verifyBackup(1, { checksum: true });

    store.fault = ({ kind }) => (kind === 'list' ? { fail, facts } : undefined);
    const listed = await settled(BackupEngine.open(store, { readOnly: true }));
    if (fail !== 'NOT_FOUND') {
      t.match(listed.error, { code, status: 499, ...(advice && { advice }) }, `open: ${fail}`);
    }
    if (fail !== 'NOT_FOUND') {
      const planned = await settled(planBackup(db, store));
      t.match(planned.error, { code, status: 499, path: /^memory:\/\/test/ }, `plan: ${fail}`);
    }
    store.fault = undefined;
    t.match(await planBackup(db, store), { bytesShared: /[1-9]/ });
    await engine.close();
  }
});

t.test('another writer has made the backup', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  const store = new MemoryStore();
  const engine = await BackupEngine.open(store);
  store.fault = ({ kind, key }) => (kind === 'put' && key === 'meta/1' ? { fail: 'CONDITION_FAILED' } : undefined);
  t.match((await settled(engine.createBackup(db))).error, {
    code: 'STORE_CONDITION_FAILED',
    path: 'memory://test/meta/1',
    message: /another writer made it in the meantime; nothing was changed/,
  });
  await engine.close();
});

t.test('only a put that was refused for its condition is answered with singleWriter', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  const isPut = ({ kind }: StoreRequest) => kind === 'put';
  const store = new MemoryStore();
  const engine = await BackupEngine.open(store);
  store.fault = (request) => (isPut(request) && request.key.startsWith('private') ? { fail: 'REFUSED' } : undefined);
  t.match(
    (await settled(engine.createBackup(db))).error,
    { code: 'STORE_REFUSED', advice: 'storeRefused' },
    'it knows',
  );
  await engine.close();

  for (const [status, advice] of [
    [423, 'storeRefused'],
    [403, 'storeRefused'],
    [501, 'singleWriter'],
    [undefined, 'singleWriter'],
  ] as const) {
    const first = new MemoryStore();
    first.fault = (request) => (isPut(request) ? { fail: 'REFUSED', facts: { status } } : undefined);
    t.match((await settled(BackupEngine.open(first))).error, { code: 'STORE_REFUSED', advice }, `${status}`);
  }
});

t.test('who may not delete backups makes them, also after one that failed or was killed', async (t) => {
  for (const fail of ['DENIED', 'REFUSED'] as const) {
    const db = await openDatabase(t, tempDir(t)('db'));
    await fill(db, 'a');
    const store = new MemoryStore();
    const engine = await BackupEngine.open(store);
    const mayNotDelete = ({ kind, key }: StoreRequest) =>
      kind === 'delete' && !key.startsWith('rocksdb-backup.leases/') ? ({ fail } as const) : undefined;
    store.fault = mayNotDelete;
    await engine.createBackup(db);
    const writes = /^(put|create|part)$/;
    store.fault = (request) =>
      mayNotDelete(request) ??
      (writes.test(request.kind) && request.key === 'meta/2' ? { fail: 'REFUSED' as const } : undefined);
    t.match((await settled(engine.createBackup(db))).error, { code: 'STORE_REFUSED' });
    t.ok(
      [...store.objects.keys()].some((key) => key.startsWith('private/2/')),
      'it has left something',
    );

    store.fault = mayNotDelete;
    await fill(db, 'b');
    t.match(await engine.createBackup(db), { backupId: 2 }, fail);
    await engine.verifyBackup(2, { checksum: true });
    await t.rejects(engine.deleteBackup(1), { code: `STORE_${fail}` }, 'a delete is refused');
    store.fault = undefined;
    await engine.garbageCollect();
    await engine.verifyBackup(2, { checksum: true });
    await engine.close();
  }
});

t.test('a store that throws what is no StoreError', async (t) => {
  const store = new MemoryStore();
  store.fault = () => ({ fail: new TypeError('a bug of the store') });
  await t.rejects(BackupEngine.open(store), { code: 'STORE_FAILED', message: /memory:\/\/test.*a bug of the store/ });
});

t.test('pins that a store does not give are unreadable, and the error has its facts', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  const store = new MemoryStore();
  const manager = new BackupManager({ db, location: store });
  t.teardown(() => manager.stop());
  await manager.backupNow();
  store.fault = ({ kind, key }) =>
    kind === 'get' && key.startsWith('rocksdb-backup.state') ? { fail: 'DENIED', facts } : undefined;
  await t.rejects(manager.pin(1), {
    code: 'STATE_UNREADABLE',
    status: 499,
    storeCode: 'Itself',
    requestId: 'request 7',
    advice: 'storeDenied',
  });
});

t.test('a backup is stopped, whatever request the store does not answer', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a');
  for (const hangs of [/^locks?\/|lease|writer/, /^private/, /^shared/]) {
    const store = new MemoryStore();
    const engine = await BackupEngine.open(store);
    let began = () => {};
    const begun = new Promise<void>((resolve) => {
      began = resolve;
    });
    store.fault = ({ kind, key }) => {
      if (!/^(put|create|part)$/.test(kind) || !hangs.test(key)) return undefined;
      began();
      return 'hang';
    };
    const creating = settled(engine.createBackup(db));
    await begun;
    t.equal(engine.stopBackup(), true, `${hangs}`);
    t.match((await creating).error, { code: 'BACKUP_STOPPED' }, `${hangs}`);
    store.fault = undefined;
    await engine.createBackup(db);
    await engine.verifyBackup(1, { checksum: true });
    await engine.close();
  }
});

t.test('a drill that has a schedule needs a directory from the beginning', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const location = new MemoryStore();
  t.throws(() => new BackupManager({ db, location, drill: { schedule: '1d' } }), {
    code: 'INVALID_OPTION',
    message: /memory:\/\/test is not on this machine.*drill\.directory/,
  });
  const manager = new BackupManager({ db, location, drill: { schedule: '1d', directory: dir('drills') } });
  await manager.backupNow();
  t.equal((await manager.drill()).ok, true);
  await manager.stop();
});
