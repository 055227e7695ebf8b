// What is read of a backup in a store is kept on a disk: through the public API, and by commands one after another.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BackupEngine, Database, type DiskCacheOptions } from '../../lib/index.js';
import { azureStore } from '../../lib/stores/azure.js';
import { gcsStore } from '../../lib/stores/gcs.js';
import { opendalStore } from '../../lib/stores/opendal.js';
import { withRetries } from '../../lib/stores/retries.js';
import { s3Store } from '../../lib/stores/s3.js';
import { cli } from '../fixtures/cli.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';
import { signIn, startBucket } from './servers/bucket.js';
import { withoutCeph } from './servers/ceph.js';
import { storageAt } from './servers/fake-gcs.js';
import { LossyProxy } from './servers/lossy-proxy.js';
import { withoutOpendal } from './servers/opendal.js';

class LastingStore extends MemoryStore {
  readonly identity = 'this store';
}

const TABLES = 40;

/** A database with tables that do not overlap, and a log. */
async function database(t: Test, path: string): Promise<Database> {
  const db = await Database.open(path, { disableAutoCompactions: true });
  t.teardown(() => db.close());
  for (let i = 0; i < TABLES; i++) {
    await db.put(`key-${i}`, Buffer.alloc(2000, `${i} `));
    await db.flush();
  }
  await db.put('logged', 'in the log');
  return db;
}

async function repository(t: Test, store: MemoryStore): Promise<BackupEngine> {
  const db = await database(t, tempDir(t)('db'));
  const engine = await BackupEngine.open(store);
  t.teardown(() => engine.close());
  await engine.createBackup(db);
  return engine;
}

/** Opens the backup and reads all of it, in any order of keys. @returns what the store was asked, and the state of the cache */
async function readAll(t: Test, engine: BackupEngine, store: MemoryStore, diskCache?: DiskCacheOptions) {
  const before = store.requests.get;
  await using db = await engine.openBackup(1, { diskCache });
  for (let i = TABLES - 1; i >= 0; i--) t.strictSame(await db.get(`key-${i}`), Buffer.alloc(2000, `${i} `));
  t.equal(await db.get('logged', { encoding: 'utf8' }), 'in the log');
  return { gets: store.requests.get - before, cache: db.diskCache };
}

t.test('without a cache, a backup opens its tables when they are read', async (t) => {
  const store = new LastingStore();
  const engine = await repository(t, store);
  const before = store.requests.get;
  await using db = await engine.openBackup(1);
  await db.get('key-7');
  t.ok(store.requests.get - before < 12, `${store.requests.get - before} requests for one key of ${TABLES} tables`);
  t.equal(db.diskCache, undefined);
});

t.test('what was read once is read from the disk', async (t) => {
  const store = new LastingStore();
  const engine = await repository(t, store);
  const cache = tempDir(t)('made', 'here');
  const first = await readAll(t, engine, store, { directory: cache });
  t.ok(first.gets >= TABLES, `${first.gets} requests`);
  t.match(first.cache, { hits: 0, damaged: 0, problem: undefined });
  t.ok(first.cache!.misses >= TABLES);
  const second = await readAll(t, engine, store, { directory: cache });
  t.equal(second.gets, 1, 'whether the backup is being deleted');
  t.equal(second.cache!.bytesWritten, 0);
  t.equal(statSync(cache).mode & 0o777, 0o700);
  for (const name of readdirSync(cache)) t.equal(statSync(join(cache, name)).mode & 0o777, 0o600, name);

  for (const name of readdirSync(cache)) {
    const bytes = readFileSync(join(cache, name));
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(join(cache, name), bytes);
  }
  const third = await readAll(t, engine, store, { directory: cache });
  t.equal(third.cache!.damaged, third.cache!.misses);
  t.equal(
    first.cache!.misses,
    readdirSync(cache).length,
    'each piece that was read is a miss, also what was read ahead',
  );
  t.ok(third.gets >= TABLES);
  t.equal((await readAll(t, engine, store, { directory: cache })).gets, 1);
});

t.test('two backups that are open share what is read', async (t) => {
  const store = new LastingStore();
  const engine = await repository(t, store);
  const diskCache = { directory: tempDir(t)('cache'), maxBytes: 16 * 2 ** 20 };
  const [a, b] = await Promise.all([engine.openBackup(1, { diskCache }), engine.openBackup(1, { diskCache })]);
  t.teardown(() => Promise.all([a!.close(), b!.close()]));
  await a!.get('key-7');
  const before = store.requests.get;
  t.strictSame(await b!.get('key-7'), Buffer.alloc(2000, '7 '));
  t.equal(store.requests.get, before);
});

t.test('a cache that cannot be used is told, and reads go to the store', async (t) => {
  const store = new LastingStore();
  const engine = await repository(t, store);
  const dir = tempDir(t);
  writeFileSync(dir('file'), '');
  const { cache, gets } = await readAll(t, engine, store, { directory: dir('file', 'below') });
  t.match(cache, { hits: 0, problem: /the cache in .*file\/below cannot be made: Not a directory/ });
  t.ok(gets >= TABLES);
});

t.test('what is wrong with the options', async (t) => {
  const store = new LastingStore();
  const engine = await repository(t, store);
  const directory = tempDir(t)('cache');
  const refused = (options: object, message: RegExp) =>
    t.rejects(engine.openBackup(1, options), { code: 'INVALID_OPTION', message });
  await refused({ diskcache: { directory } }, /diskcache.*did you mean "diskCache"/s);
  await refused({ diskCache: directory }, /diskCache must be an object/);
  await refused({ diskCache: {} }, /diskCache.directory must be the path of a directory/);
  await refused({ diskCache: { directory: 7 } }, /directory/);
  await refused({ diskCache: { directory, maxBytes: 2 ** 20 } }, /maxBytes must be a whole number from 16777216/);
  await refused({ diskCache: { directory, maxbytes: 2 ** 30 } }, /maxbytes/);

  const nameless = await repository(t, new MemoryStore());
  await t.rejects(nameless.openBackup(1, { diskCache: { directory } }), {
    code: 'INVALID_OPTION',
    message: /because the store has no identity/,
  });
});

t.test('a repository on a disk needs no cache', async (t) => {
  const dir = tempDir(t);
  const db = await database(t, dir('db'));
  await using engine = await BackupEngine.open(dir('backups'));
  await engine.createBackup(db);
  await using backup = await engine.openBackup(1, { diskCache: { directory: dir('cache') } });
  t.equal((await backup.get('key-7'))?.length, 2000);
  t.equal(backup.diskCache, undefined);
  t.throws(() => statSync(dir('cache')));
});

t.test('stores that lie in different places have different identities, which hold no secret', async (t) => {
  const account = { account: 'acme', container: 'backups' };
  const token = 'sv=1&sig=SECRET';
  const key = { accountKey: Buffer.from('SECRET').toString('base64') };
  const stores = [
    s3Store({ bucket: 'bucket', region: 'eu-central-1' }),
    s3Store({ bucket: 'bucket', prefix: 'one', region: 'eu-central-1' }),
    s3Store({ bucket: 'bucket', endpoint: 'http://127.0.0.1:1' }),
    s3Store({ bucket: 'bucket', endpoint: 'http://127.0.0.1:2' }),
    gcsStore({ bucket: 'bucket', client: storageAt('http://127.0.0.1:1') }),
    gcsStore({ bucket: 'bucket', client: storageAt('http://127.0.0.1:2') }),
    azureStore({ ...account, endpoint: 'http://127.0.0.1:1', credential: { sasToken: token } }),
    azureStore({ ...account, endpoint: 'http://127.0.0.1:2', credential: { sasToken: token } }),
    ...(withoutOpendal()
      ? []
      : ['http://127.0.0.1:1', 'http://127.0.0.1:2'].map((endpoint) =>
          opendalStore({
            service: 's3',
            options: { endpoint, bucket: 'bucket', region: 'eu', access_key_id: 'a', secret_access_key: 'SECRET' },
          }),
        )),
  ];
  const identities = stores.map(({ identity }) => identity);
  for (const identity of identities) t.type(identity, 'string');
  t.equal(new Set(identities).size, stores.length, identities.join('; '));
  t.notMatch(identities.join(), 'SECRET');
  // The same place, whoever asks for it.
  const byKey = azureStore({ ...account, endpoint: 'http://127.0.0.1:1', credential: key });
  t.equal(byKey.identity, identities[6]);
  t.equal(withRetries(stores[2]!).identity, identities[2]);
  if (!withoutOpendal()) t.equal(opendalStore({ service: 'memory' }).identity, undefined, 'it has no ETags');
});

t.test('commands', { skip: withoutCeph() }, async (t) => {
  const { endpoint, credentials } = await startBucket(t);
  signIn(credentials);
  const proxy = await LossyProxy.start(t, endpoint);
  const asked: string[] = [];
  proxy.lose = ({ method, url }) => {
    if (method === 'GET' && !url.includes('list-type')) asked.push(url);
    return false;
  };
  const dir = tempDir(t);
  const url = `s3://backups/users?endpoint=${proxy.url}`;
  const db = await database(t, dir('db'));
  const engine = await BackupEngine.open(url);
  await engine.createBackup(db);
  await db.put('key-7', 'changed');
  await engine.createBackup(db);
  await engine.close();

  const run = async (...args: string[]) => {
    asked.length = 0;
    const { code, stdout, stderr } = await cli(t, [...args, '--disk-cache', dir('cache')]);
    return { code, stdout, stderr, tables: asked.filter((path) => path.includes('.sst')).length };
  };
  const scans = [await run('scan', url, '1'), await run('scan', url, '1')];
  t.match(scans[0], { code: 0, stderr: '', tables: TABLES });
  t.match(scans[1], { code: 0, stderr: '', tables: 0 });
  t.equal(scans[1]!.stdout, scans[0]!.stdout);
  t.match(await run('get', url, '2', 'key-7'), { code: 0, stdout: 'changed', stderr: '', tables: 0 });
  t.match(await run('diff', url, '1', '2'), { code: 7, stdout: '~ key-7\n', tables: 0 });

  const small = await cli(t, ['scan', url, '1', '--disk-cache-size', '1GB']);
  t.match(small, { code: 2, stderr: /--disk-cache-size is the bound of --disk-cache/ });
  const tiny = await cli(t, ['get', url, '1', 'key-1', '--disk-cache', dir('cache'), '--disk-cache-size', '1MB']);
  t.match(tiny, { code: 2, stderr: /--disk-cache-size must be 16MiB or more/ });
  writeFileSync(dir('file'), '');
  const unusable = await cli(t, ['diff', url, '1', '2', '--disk-cache', dir('file')]);
  t.match(unusable, { code: 7, stdout: '~ key-7\n', stderr: /warning: the cache in .*file cannot be used/ });
  t.equal(unusable.stderr.match(/warning/g)?.length, 1, 'once');
});
