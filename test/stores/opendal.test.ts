// The adapter of OpenDAL, with services of several kinds.

import t from 'tap';
import { type OpendalStoreOptions, opendalStore } from '../../lib/stores/opendal.js';
import { tempDir } from '../fixtures/files.js';
import { endsAtTheSignal, rejects, testContract } from './object-store-contract.js';
import { withoutOpendal } from './servers/opendal.js';
import { startSilentServer } from './servers/silent.js';
import { startWebdav, withoutWebdav } from './servers/webdav.js';

const lacking = withoutOpendal();

t.test('its service in memory', { skip: lacking }, async (t) => {
  const store = opendalStore({ service: 'memory', prefix: 'one' });
  t.equal(store.name, 'opendal://memory/one');
  testContract(t, { store, limits: { ifAbsent: false, ifMatch: 'REFUSED', metadata: false, modified: false } });
});

t.test('an option that is undefined is left out', { skip: lacking }, async (t) => {
  const password: string | undefined = process.env.THERE_IS_NO_SUCH_VARIABLE;
  const store = opendalStore({ service: 'memory', options: { password }, singleWriter: true });
  t.equal(store.name, 'opendal://memory');
});

t.test('a local directory', { skip: lacking }, async (t) => {
  const store = opendalStore({ service: 'fs', options: { root: tempDir(t)() } });
  testContract(t, { store, limits: { ifMatch: 'REFUSED', metadata: false } });
});

t.test('WebDAV, by rclone', { skip: lacking || withoutWebdav() }, async (t) => {
  const options = await startWebdav(t);
  const store = opendalStore({ service: 'webdav', options, prefix: 'one/repository' });
  testContract(t, {
    store,
    stranger: opendalStore({ service: 'webdav', options: { ...options, password: 'wrong' } }),
    limits: { ifAbsent: false, ifMatch: 'REFUSED', metadata: false },
  });
});

t.test('a server that hangs is left at the signal', { skip: lacking, timeout: 60_000 }, async (t) => {
  const store = opendalStore({ service: 'webdav', options: { endpoint: await startSilentServer(t) } });
  await endsAtTheSignal(t, 'get', (options) => store.get('hangs', options));
  await endsAtTheSignal(t, 'put', (options) => store.put('hangs', Buffer.from('x'), options));
  await endsAtTheSignal(t, 'list', (options) => store.list('hangs', options));
});

const capability = {
  writeWithIfNotExists: true,
  writeWithIfMatch: true,
  writeWithUserMetadata: true,
  readWithIfMatch: true,
};

t.test('each failure has its kind, and shows no secret', async (t) => {
  const { signal } = new AbortController();
  const http = (status: number) =>
    `at read, context: { uri: https://dav/?sig=very-secret, response: Parts { status: ${status} } }`;
  for (const [message, kind] of [
    [`NotFound (permanent) ${http(404)} => gone`, 'NOT_FOUND'],
    [`NotFound (permanent) ${http(404)} => NoSuchBucket: gone`, 'NO_BUCKET'],
    [`PermissionDenied (permanent) ${http(403)} => no`, 'DENIED'],
    [`Unexpected (permanent) ${http(401)} => no`, 'DENIED'],
    [`Unexpected (permanent) ${http(500)} => no`, 'BUSY'],
    [`Unexpected (temporary) ${http(400)} => later`, 'BUSY'],
    [`Unexpected (permanent) at write => no`, 'REFUSED'],
    [`RateLimited (temporary) ${http(429)} => later`, 'BUSY'],
    [`ConditionNotMatch (permanent) ${http(412)} => no`, 'CONDITION_FAILED'],
    [`Unsupported (permanent) at read => no`, 'REFUSED'],
  ] as const) {
    const fails = () => Promise.reject(new Error(message));
    const operator = {
      capability: () => capability,
      stat: fails,
      read: fails,
      write: fails,
      delete: fails,
      list: fails,
    };
    const store = opendalStore({ service: 'webdav', operator });
    await rejects(t, kind, store.put('a', Buffer.from('x'), { signal, ifAbsent: true }));
    await rejects(t, kind, store.list('a', { signal }));
    const error = await store.get('a', { signal }).catch((error) => error);
    t.equal(error.kind, kind);
    t.match(error.message, `opendal://webdav: cannot read a: ${message.split(' ')[0]}: ${message.split(' => ')[1]}`);
    t.notMatch(error.message, /very-secret/);
  }
  const bug = new TypeError('a bug');
  const fails = () => Promise.reject(bug);
  const operator = { capability: () => capability, stat: fails, read: fails, write: fails, delete: fails, list: fails };
  t.equal(
    await opendalStore({ service: 'webdav', operator })
      .get('a', { signal })
      .catch((error) => error),
    bug,
  );
});

t.test('where the service can, conditions and metadata are passed on', async (t) => {
  const { signal } = new AbortController();
  const seen: object[] = [];
  const found = {
    etag: 'e1',
    lastModified: null,
    contentLength: 9n,
    userMetadata: { writer: 'me' },
    isFile: () => true,
  };
  const operator = {
    capability: () => capability,
    stat: async () => found,
    read: async (_path: string, options: object) => {
      seen.push(options);
      return Buffer.from('56789');
    },
    write: async (_path: string, _bytes: Buffer, options: object) => {
      seen.push(options);
      return found;
    },
    delete: async () => {},
    list: async () => [],
  };
  const store = opendalStore({ service: 's3', operator });
  await store.put('a', Buffer.from('x'), { signal, ifAbsent: true, metadata: { writer: 'me' } });
  await store.put('a', Buffer.from('x'), { signal, ifMatch: 'e0' });
  t.match(await store.get('a', { signal, offset: 4, length: 100, ifMatch: 'e1' }), {
    etag: 'e1',
    metadata: { writer: 'me' },
  });
  await rejects(t, 'CONDITION_FAILED', store.get('a', { signal, ifMatch: 'e0' }));
  t.same(seen, [
    { ifNotExists: true, userMetadata: { writer: 'me' } },
    { ifMatch: 'e0' },
    { offset: 4n, size: 5n, ifMatch: 'e1' },
  ]);
});

t.test('wrong options are refused', async (t) => {
  const wrong: [object, RegExp][] = [
    [{ service: '' }, /^service must be the name of a service, such as 'webdav', not the string ""$/],
    [{ service: 'fs', option: {} }, /no option "option"; did you mean "options"/],
    [
      { service: 'fs', options: { a: 'secret' }, operator: {} },
      /^options must be left out where operator is given, not given$/,
    ],
    [
      { service: 'nosuch' },
      /^options must be what the service nosuch needs, not what it was given: Unsupported: scheme is/,
    ],
  ];
  for (const [options, message] of wrong) {
    t.throws(() => opendalStore(options as OpendalStoreOptions), { code: 'INVALID_OPTION', message });
  }
});
