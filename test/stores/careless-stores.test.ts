// Stores that somebody wrote himself, and that do not keep to the interface: what they answer, and what they fail with.

import t from 'tap';
import { BackupEngine, type ObjectStore, StoreError } from '../../lib/index.js';
import { fill, openDatabase, settled } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';

type Method = 'put' | 'get' | 'list' | 'delete';
type AnyAnswer = (key: string, answer: () => Promise<unknown>) => unknown;

/** A store in memory, one of whose methods does something else. */
function careless(method: Method | 'create' | 'part' | 'complete' | 'listUploads', instead: AnyAnswer): MemoryStore {
  const store = new MemoryStore();
  const ofParts = method === 'create' || method === 'part' || method === 'complete' || method === 'listUploads';
  const object = (ofParts ? store.multipart : store) as unknown as Record<string, (...args: unknown[]) => unknown>;
  const name = method === 'listUploads' ? 'list' : method;
  const right = object[name]!.bind(object);
  object[name] = (...args) => instead(String(args[0]), async () => right(...args));
  return store;
}

const withMessage = (message: unknown) => Object.assign(new Error('x'), { message });
const throwing = (name: string) =>
  Object.defineProperty(new Error('x'), name, {
    get() {
      throw new Error('in a getter');
    },
  });
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const FAILURES: Record<string, () => unknown> = {
  'no message': () => withMessage(undefined),
  'null as message': () => withMessage(null),
  'a number as message': () => withMessage(503),
  'an object as message': () => withMessage({ code: 'ServiceUnavailable' }),
  'an empty message': () => new Error(''),
  'a message that throws': () => throwing('message'),
  'a name that throws': () => throwing('name'),
  'a StoreError without a message': () => new StoreError('DENIED', undefined as never),
  'a StoreError with an object as reason': () => new StoreError('DENIED', 'no', { reason: {} as never }),
  'a StoreError with facts of other types': () =>
    new StoreError('DENIED', 'no', { status: '403', storeCode: 7, requestId: {}, keys: 'a' } as never),
  'a StoreError without facts': () => Object.assign(new StoreError('DENIED', 'no'), { facts: null }),
  'a StoreError of unknown kind': () => new StoreError('denied' as never, 'no'),
  undefined: () => undefined,
  null: () => null,
  'an object without a prototype': () => Object.create(null),
  'a symbol': () => Symbol('x'),
  'a revoked proxy': revoked,
  'an object that cannot be made text': () => ({
    toString() {
      throw new Error('in toString');
    },
  }),
};

t.test('a failure is a failure, whatever it is', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a');
  for (const [what, make] of Object.entries(FAILURES)) {
    for (const method of ['put', 'get', 'list', 'delete'] as const) {
      let fails = false;
      const store = careless(method, (_, answer) => (fails ? Promise.reject(make()) : answer()));
      const engine = await BackupEngine.open(store);
      await engine.createBackup(db);
      fails = true;
      const { error } = await settled<unknown>(method === 'delete' ? engine.deleteBackup(1) : engine.createBackup(db));
      t.match(error, { name: 'RocksDBError', code: /^STORE_(FAILED|DENIED)$/, message: /\S/ }, `${method}: ${what}`);
      t.notMatch(error?.message, /undefined|\[object/, `${method}: ${what}`);
      fails = false;
      t.strictSame(store.objects.has('meta/2'), false, 'there is no second backup');
      t.equal((await engine.createBackup(db)).backupId, 2);
      await engine.verifyBackup(2, { checksum: true });
      await engine.close();
    }
  }
});

t.test('every put of a backup that fails without a message fails the backup', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a');
  let puts = 0;
  let failing = 0;
  const store = careless('put', (_, answer) =>
    ++puts === failing ? Promise.reject(withMessage(undefined)) : answer(),
  );
  const engine = await BackupEngine.open(store);
  const made: number[] = [];
  for (failing = 1; puts >= failing - 1; failing++) {
    puts = 0;
    const { value, error } = await settled(engine.createBackup(db, { full: true }));
    if (value !== undefined) made.push(value.backupId);
    else t.match(error, { code: /^STORE_FAILED|^LOCK_LOST/ }, `put ${failing}`);
    const { backups, corrupt } = await engine.survey();
    const there = backups.map(({ backupId }) => backupId);
    t.same(
      made.filter((id) => !there.includes(id)),
      [],
      `put ${failing}: what was made is there`,
    );
    t.same(corrupt, [], `put ${failing}`);
  }
  t.ok(failing > 7, 'each put of a backup has failed');
  await engine.close();
});

const OBJECT = { key: 'meta/1', size: 1, etag: 'e', modified: 1 };
const STORED = { bytes: Buffer.from('x'), etag: 'e' };
const ANSWERS: [Parameters<typeof careless>[0], string, unknown][] = [
  ['put', 'undefined', undefined],
  ['put', 'null', null],
  ['put', 'not 7', 7],
  ['put', 'etag', {}],
  ['put', 'etag', { etag: 5 }],
  ['put', 'etag', { etag: '' }],
  ['get', 'undefined', undefined],
  ['get', 'null', null],
  ['get', 'bytes', Buffer.from('x')],
  ['get', 'bytes', { ...STORED, bytes: 'x' }],
  ['get', 'bytes', { ...STORED, bytes: [120] }],
  ['get', 'bytes', { ...STORED, bytes: new Proxy(Buffer.from('x'), {}) }],
  ['get', 'etag', { bytes: STORED.bytes }],
  ['list', 'undefined', undefined],
  ['list', 'null', null],
  ['list', 'objects', {}],
  ['list', '42', 42],
  ['list', 'objects', [OBJECT]],
  ['list', 'objects', { objects: new Map() }],
  ['list', 'null', { objects: [null] }],
  ['list', 'the string', { objects: ['meta/1'] }],
  ['list', 'key', { objects: [{ ...OBJECT, key: 1 }] }],
  ['list', 'size', { objects: [{ ...OBJECT, size: -1 }] }],
  ['list', 'size', { objects: [{ ...OBJECT, size: 1.5 }] }],
  ['list', 'size', { objects: [{ ...OBJECT, size: '1' }] }],
  ['list', 'etag', { objects: [{ ...OBJECT, etag: null }] }],
  ['list', 'modified', { objects: [{ ...OBJECT, modified: new Date() }] }],
  ['list', 'modified', { objects: [{ ...OBJECT, modified: Number.NaN }] }],
  ['list', 'next', { objects: [], next: 5 }],
  ['list', 'prefix', { objects: [OBJECT] }],
  ['create', 'undefined', undefined],
  ['create', 'upload', {}],
  ['part', 'etag', {}],
  ['complete', 'etag', { etag: undefined }],
  ['listUploads', 'uploads', {}],
  ['listUploads', 'started', { uploads: [{ key: 'a', upload: 'b' }] }],
];

t.test('an answer that is none fails with a sentence for the author of the store', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a', { count: 12, valueSize: 2 ** 20 });
  for (const [method, word, answer] of ANSWERS) {
    let wrong = false;
    const store = careless(method, (key, right) =>
      // In a list of everything, nothing lies elsewhere.
      wrong && (word !== 'prefix' || key !== '') ? Promise.resolve(answer) : right(),
    );
    const engine = await BackupEngine.open(store);
    await engine.createBackup(db);
    wrong = true;
    const attempt = () => {
      if (method === 'listUploads') return engine.garbageCollect();
      if (method === 'get') return engine.verifyBackup(1, { checksum: true });
      return word === 'prefix' ? engine.deleteBackup(1) : engine.createBackup(db, { full: true });
    };
    const { error } = await settled<unknown>(attempt());
    const asked =
      method === 'listUploads'
        ? 'multipart.list'
        : ['put', 'get', 'list'].includes(method)
          ? method
          : `multipart.${method}`;
    t.match(error, { name: 'RocksDBError', code: 'STORE_FAILED' }, `${method}: ${word}`);
    t.ok(error?.message.includes(`its ${asked}() `), String(error));
    t.ok(error?.message.includes(word), String(error));
    wrong = false;
    await engine.verifyBackup(1, { checksum: true });
    await engine.close();
  }
});

t.test('a list that answers with nothing is no empty repository', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a');
  let wrong = false;
  const store = careless('list', (_, answer) => (wrong ? Promise.resolve({}) : answer()));
  const engine = await BackupEngine.open(store);
  await engine.createBackup(db);
  wrong = true;
  for (const attempt of [() => engine.purgeOldBackups(1), () => engine.getBackupInfo(), () => engine.survey()]) {
    t.match((await settled<unknown>(attempt())).error, { code: 'STORE_FAILED' });
  }
  await engine.close();
});

t.test('a method that is not async, and one that answers with a promise of its own', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a');
  const inner = new MemoryStore();
  let fails = false;
  const store = {
    name: 'plain://store',
    put: (...args: Parameters<ObjectStore['put']>) => {
      if (fails) throw Object.create(null);
      return inner.put(...args);
    },
    get: (...args: Parameters<ObjectStore['get']>) => inner.get(...args),
    list: (...args: Parameters<ObjectStore['list']>) => inner.list(...args),
    delete: (...args: Parameters<ObjectStore['delete']>) => inner.delete(...args),
  };
  const engine = await BackupEngine.open(store);
  await engine.createBackup(db);
  await engine.verifyBackup(1, { checksum: true });
  fails = true;
  t.match((await settled(engine.createBackup(db))).error, { code: 'STORE_FAILED', message: /put/ });
  await engine.close();
});

t.test('a store that knows no object when a lease is put is not asked for ever', async (t) => {
  const db = await openDatabase(t, tempDir(t)('db'));
  await fill(db, 'a');
  let puts = 0;
  let fails = false;
  const store = careless('put', (key, answer) => {
    if (!fails || !key.startsWith('rocksdb-backup.leases/')) return answer();
    puts++;
    return Promise.reject(new StoreError('NOT_FOUND', 'there is no such container'));
  });
  const engine = await BackupEngine.open(store);
  await engine.createBackup(db);
  fails = true;
  const attempts = {
    create: () => engine.createBackup(db),
    delete: () => engine.deleteBackup(1),
    verify: () => engine.verifyBackup(1),
    restore: () => engine.restoreBackup(1, tempDir(t)('restored')),
  };
  for (const [what, attempt] of Object.entries(attempts)) {
    puts = 0;
    const { error } = await settled<unknown>(attempt());
    t.match(error, { code: 'STORE_NOT_FOUND', message: /there is no such container/ }, what);
    t.ok(puts < 20, `${what}: ${puts} puts`);
  }
  await engine.close();
});
