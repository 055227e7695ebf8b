// Backups that are opened where they lie, in a store that hangs or fails.

import t from 'tap';
import { BackupEngine } from '../../lib/index.js';
import { fill, openDatabase, settled } from '../fixtures/backups.js';
import { type Teardown, tempDir } from '../fixtures/files.js';
import { MemoryStore, type StoreRequest } from './memory-store.js';

async function scene(t: Teardown) {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a', { count: 400, valueSize: 5000 }); // eight blocks
  const store = new MemoryStore();
  const engine = await BackupEngine.open(store);
  t.teardown(() => engine.close());
  await engine.createBackup(db);
  return { store, engine };
}

/** From now on, the store does not answer such requests. Resolves when the first one has come. */
function hang(store: MemoryStore, which: (request: StoreRequest) => boolean): Promise<void> {
  return new Promise((resolve) => {
    store.fault = (request) => {
      if (!which(request)) return undefined;
      resolve();
      return 'hang';
    };
  });
}

const isGet = ({ kind }: StoreRequest) => kind === 'get';

t.test('closing the engine ends the opening of a backup in a store that does not answer', async (t) => {
  const { store, engine } = await scene(t);
  const hangs = hang(store, isGet);
  const opening = settled(engine.openBackup(1));
  await hangs;
  await engine.close();
  t.match((await opening).error, { code: 'OPEN_STOPPED', backupId: 1, path: 'memory://test' });
});

t.test('a signal ends the opening', async (t) => {
  const { store, engine } = await scene(t);
  const { signal } = new AbortController();
  await (await engine.openBackup(1, { signal })).close();
  await t.rejects(engine.openBackup(1, { signal: AbortSignal.abort(new Error('at once')) }), { message: 'at once' });
  await t.rejects(engine.openBackup(1, { signal: 7 as never }), { code: 'INVALID_OPTION', message: /signal/ });
  const controller = new AbortController();
  const hangs = hang(store, isGet);
  const opening = settled(engine.openBackup(1, { signal: controller.signal }));
  await hangs;
  controller.abort(new Error('enough'));
  t.match((await opening).error, { message: 'enough' });
  store.fault = undefined;
  const opened = await engine.openBackup(1, { signal: new AbortController().signal });
  t.ok(await opened.get('a000150'));
  await opened.close();
});

t.test('a signal that comes when the backup is open changes nothing', async (t) => {
  const { engine } = await scene(t);
  const controller = new AbortController();
  const opened = await engine.openBackup(1, { signal: controller.signal });
  controller.abort();
  t.ok(await opened.get('a000150'));
  await opened.close();
});

t.test('closing ends a read that waits for the store', async (t) => {
  for (const read of ['get', 'getMany', 'iterator'] as const) {
    const { store, engine } = await scene(t);
    const opened = await engine.openBackup(1);
    const hangs = hang(store, isGet);
    const reads = {
      get: () => opened.get('a000150'),
      getMany: () => opened.getMany(['a000150', 'a000250']),
      iterator: () => opened.iterator({ gte: 'a000150' }).next(),
    };
    const reading = settled<unknown>(reads[read]());
    await hangs;
    await opened.close();
    t.match((await reading).error, { code: 'DATABASE_CLOSED' }, read);
    await engine.close();
  }
});

t.test('closing ends a look at the backups that waits for the store', async (t) => {
  const { store, engine } = await scene(t);
  const hangs = hang(store, ({ kind }) => kind === 'list');
  const looking = settled(engine.getBackupInfo());
  await hangs;
  await engine.close();
  t.match((await looking).error, { code: 'ENGINE_CLOSED' });
});

t.test('the error of a read is that of the store', async (t) => {
  const { store, engine } = await scene(t);
  const opened = await engine.openBackup(1);
  const facts = { status: 403, reason: 'it says so' };
  store.fault = (request) => (isGet(request) ? { fail: 'DENIED', facts } : undefined);
  const expected = { code: 'STORE_DENIED', status: 403, path: /^memory:\/\/test\/shared/, message: /it says so/ };
  for (const { error } of [
    await settled<unknown>(opened.get('a000150')),
    await settled<unknown>(opened.getMany(['a000150'])),
    await settled<unknown>(opened.iterator({ gte: 'a000150' }).next()),
  ]) {
    t.match(error, expected);
    t.notMatch(error?.message, /\/repository/);
  }
  store.fault = undefined;
  await t.rejects(opened.put('a', 'b'), { code: /^ROCKSDB_/ }, 'not every later error is that one');
  t.ok(await opened.get('a000150'));
  await opened.close();
});

t.test('a table that is gone is an error, and no key that is not there', async (t) => {
  const { store, engine } = await scene(t);
  const opened = await engine.openBackup(1);
  for (const key of [...store.objects.keys()]) if (key.startsWith('shared')) store.objects.delete(key);
  for (const read of [() => opened.get('a000150'), () => opened.getMany(['a000150']), () => opened.has('a000150')]) {
    const { error, value } = await settled<unknown>(read());
    t.equal(value, undefined);
    t.match(error, { code: /STORE_NOT_FOUND/, path: /^memory:\/\/test\/shared/ }, String(read));
  }
  await opened.close();
});

t.test('a bit that flips when a create reads does not make the backup damaged', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a');
  const store = new MemoryStore();
  const get = store.get.bind(store);
  let flipped = 0;
  store.get = async (key, options) => {
    const object = await get(key, options);
    if (key !== 'meta/1') return object;
    flipped++;
    const bytes = Buffer.from(object.bytes);
    bytes[bytes.length >> 1]! ^= 1;
    return { ...object, bytes };
  };
  const engine = await BackupEngine.open(store);
  await engine.createBackup(db);
  await engine.close();
  t.comment(`meta/1 was read ${flipped} times`);
  store.get = get;
  const later = await BackupEngine.open(Object.assign(new MemoryStore(), { objects: store.objects }));
  await later.verifyBackup(1, { checksum: true });
  await later.restoreBackup(1, tempDir(t)('restored'));
  t.same(await later.getCorruptedBackups(), []);
  await later.close();
});
