// The adapter of Google Cloud Storage: against a fake that keeps the preconditions, and against answers that no healthy server gives.

import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import t, { type Test } from 'tap';
import { type GcsStoreOptions, gcsStore } from '../../lib/stores/gcs.js';
import type { StoreError } from '../../lib/stores/object-store.js';
import { withRetries } from '../../lib/stores/retries.js';
import { html, testAnswers } from './answers.js';
import { testLostAnswers } from './lost-answers.js';
import { all, endsAtTheSignal, rejects, testContract, testMultipart } from './object-store-contract.js';
import { FakeGcs, storageAt } from './servers/fake-gcs.js';
import { type Answer, cutConnection, halfAnAnswer, ScriptedServer } from './servers/scripted.js';
import { startSilentServer } from './servers/silent.js';

const { signal } = new AbortController();
const x = Buffer.from('x');

t.test('it keeps the contract', async (t) => {
  const { url } = await FakeGcs.start(t);
  const client = storageAt(url);
  const options = { bucket: 'backups', prefix: 'one/repository', client };
  const store = gcsStore(options);
  t.equal(store.name, 'gs://backups/one/repository');
  const subject = {
    store,
    stranger: gcsStore({ ...options, client: storageAt(url, 'wrong') }),
    nowhere: gcsStore({ ...options, bucket: 'no-such-bucket' }),
    hanging: gcsStore({ ...options, client: storageAt(await startSilentServer(t)) }),
  };
  testContract(t, subject);
  testMultipart(t, subject);
});

t.test('and in small pages', async (t) => {
  const fake = await FakeGcs.start(t);
  fake.pageSize = 2;
  const store = gcsStore({ bucket: 'backups', prefix: 'p', client: storageAt(fake.url) });
  const keys = ['a&<b>', 'b', 'c', 'd', 'e'];
  for (const key of keys) await store.put(key, x, { signal });
  t.same(
    (await all(store, '')).map(({ key }) => key),
    keys,
  );
  const began = await Promise.all(keys.map((key) => store.multipart!.create(key, { signal })));
  const found: string[] = [];
  let after: string | undefined;
  do {
    const page = await store.multipart!.list('', { signal, after });
    found.push(...page.uploads.map(({ key, upload }) => `${key} ${upload}`));
    after = page.next;
  } while (after !== undefined);
  t.same(found.sort(), keys.map((key, at) => `${key} ${began[at]?.upload}`).sort());
});

t.test('while answers are lost', async (t) => {
  const { url } = await FakeGcs.start(t);
  await testLostAnswers(t, url, (endpoint) => gcsStore({ bucket: 'backups', client: storageAt(endpoint) }));
});

async function scene(t: Test, options: Partial<GcsStoreOptions> = {}) {
  const server = await ScriptedServer.start(t);
  return { server, store: gcsStore({ bucket: 'backups', client: storageAt(server.url, 'secret-token'), ...options }) };
}

const xml = (status: number, code: string, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/xml', ...headers },
  body: `<?xml version='1.0'?><Error><Code>${code}</Code><Message>Because.</Message></Error>`,
});
const json = (status: number, reason: string): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ error: { code: status, message: 'Because.', errors: [{ reason }] } }),
});

t.test('each failure has its kind', async (t) => {
  const { server, store } = await scene(t);
  await testAnswers(t, server, store, [
    [xml(404, 'NoSuchKey'), 'NOT_FOUND', 'NoSuchKey'],
    [html(404), 'REFUSED'],
    [{ status: 404 }, 'REFUSED'],
    [xml(404, 'NoSuchBucket'), 'NO_BUCKET', 'NoSuchBucket'],
    [xml(401, 'AuthenticationRequired'), 'DENIED', 'AuthenticationRequired'],
    [xml(403, 'AccessDenied'), 'DENIED', 'AccessDenied'],
    [json(403, 'forbidden'), 'DENIED', 'forbidden'],
    [xml(403, 'RetentionPolicyNotMet'), 'REFUSED'],
    [xml(412, 'PreconditionFailed'), 'CONDITION_FAILED', 'PreconditionFailed'],
    [json(412, 'conditionNotMet'), 'CONDITION_FAILED'],
    [xml(400, 'BadDigest'), 'BUSY'],
    [xml(429, 'SlowDown'), 'BUSY', 'SlowDown'],
    [json(429, 'rateLimitExceeded'), 'BUSY', 'rateLimitExceeded'],
    [xml(503, 'ServiceUnavailable'), 'BUSY'],
    [json(500, 'backendError'), 'BUSY'],
    [html(502), 'BUSY'],
    [html(408), 'BUSY'],
    [cutConnection, 'BUSY'],
    [xml(400, 'InvalidArgument'), 'REFUSED', 'InvalidArgument'],
    [xml(501, 'NotImplemented'), 'REFUSED'],
  ]);
  server.answers(json(404, 'notFound'));
  await rejects(t, 'NO_BUCKET', store.list('', { signal }));
});

t.test('an error says what was tried, where, and what the store said', async (t) => {
  const { server, store } = await scene(t);
  server.answers(xml(503, 'SlowDown', { 'retry-after': '7', 'x-guploader-uploadid': 'R1' }));
  const error: StoreError = await store.put('meta/1', x, { signal }).catch((error) => error);
  t.equal(error.message, 'gs://backups: cannot write meta/1: SlowDown: Because. (HTTP 503)');
  t.match(error.facts, { key: 'meta/1', status: 503, storeCode: 'SlowDown', requestId: 'R1', retryAfter: 7000 });
  t.equal(server.seen[0]?.headers.authorization, 'Bearer secret-token');
  t.notMatch(inspect(error, { depth: 20, showHidden: true }), /secret-token/);
});

t.test('no credentials are DENIED, and the answers to a request for a token are about that', async (t) => {
  const fails = (error: object) =>
    gcsStore({
      bucket: 'backups',
      client: { apiEndpoint: 'https://s', authClient: { request: () => Promise.reject(error) } },
    });
  const forToken = (status: number) =>
    Object.assign(new Error('no token'), { config: { url: 'https://oauth2/token' }, response: { status, data: '' } });
  await rejects(t, 'DENIED', fails(new Error('Could not load the default credentials.')).get('a', { signal }));
  await rejects(t, 'DENIED', fails(forToken(404)).get('a', { signal }));
  await rejects(t, 'DENIED', fails(forToken(400)).get('a', { signal }));
  await rejects(t, 'BUSY', fails(forToken(503)).get('a', { signal }));
  const bug = new TypeError('a bug');
  t.equal(
    await fails(bug)
      .get('a', { signal })
      .catch((error) => error),
    bug,
  );
});

t.test('a body that is cut off, or stops coming', { timeout: 30_000 }, async (t) => {
  const { server, store } = await scene(t);
  // Google's library may not notice that a body was cut off: then the time limit ends the request.
  const whole = { body: 'whole', headers: { 'x-goog-generation': '1' } };
  server.answer = () => (server.seen.length === 1 ? halfAnAnswer('cut', { 'x-goog-generation': '1' }) : whole);
  const patient = withRetries(store, { requestTimeout: 500, bytesPerSecond: 1e9 });
  t.equal(Buffer.from((await patient.get('a', { signal })).bytes).toString(), 'whole');
  t.equal(server.seen.length, 2);
  server.answers(halfAnAnswer('hang', { 'x-goog-generation': '1' }));
  await endsAtTheSignal(t, 'get', (options) => store.get('a', options));
});

t.test('an answer that is not complete, or of somebody else, is no success', async (t) => {
  const { server, store } = await scene(t);
  server.answers({});
  await rejects(t, 'BUSY', store.put('a', x, { signal }));
  await rejects(t, 'BUSY', store.get('a', { signal }));
  await rejects(t, 'BUSY', store.multipart!.create('a', { signal }));
  await rejects(t, 'BUSY', store.multipart!.part('a', 'u', 1, x, { signal }));
  await rejects(t, 'BUSY', store.multipart!.complete('a', 'u', ['e'], { signal }));
  server.answers({ body: '<html>Log in to the hotel</html>' });
  await rejects(t, 'REFUSED', store.list('', { signal }));
  server.answers({ body: Buffer.alloc(100), headers: { 'x-goog-generation': '1' } });
  await rejects(t, 'REFUSED', store.get('a', { signal, offset: 10, length: 10 }));
});

t.test('objects get what the options say; those that are soon replaced get no class', async (t) => {
  const { server, store } = await scene(t, { storageClass: 'NEARLINE', kmsKeyName: 'key-1', userProject: 'payer' });
  server.answers({ headers: { 'x-goog-generation': '7' } });
  t.same(await store.put('a', x, { signal, metadata: { writer: 'me' }, ifAbsent: true }), { etag: '7' });
  await store.put('lease', x, { signal, temporary: true, ifMatch: '6' });
  server.answer = () => ({ body: '<R><UploadId>u</UploadId></R>' });
  await store.multipart!.create('b', { signal });
  const [whole, lease, parts] = server.seen.map(({ headers }) => headers);
  for (const headers of [whole, parts]) t.equal(headers?.['x-goog-storage-class'], 'NEARLINE');
  for (const headers of [whole, lease, parts]) {
    t.match(headers, { 'x-goog-encryption-kms-key-name': 'key-1', 'x-goog-user-project': 'payer' });
  }
  t.match(whole, { 'x-goog-meta-writer': 'me', 'x-goog-if-generation-match': '0' });
  t.equal(whole?.['content-md5'], createHash('md5').update(x).digest('base64'), 'Google checks it');
  t.equal(lease?.['x-goog-if-generation-match'], '6');
  t.notOk(lease?.['x-goog-storage-class']);
});

t.test('the library is made from the options', async (t) => {
  const server = await ScriptedServer.start(t);
  const credentials = { client_email: 'tester@example.com', private_key: 'no key at all' };
  const store = gcsStore({ bucket: 'backups', endpoint: server.url, credentials });
  await t.rejects(store.get('a', { signal }), /DECODER|key|PEM/i);
  t.same(server.seen, []);
});

t.test('wrong options are refused', async (t) => {
  const wrong: [object, RegExp][] = [
    [{ bucket: 'B' }, /^bucket must be the name of a bucket, not the string "B"$/],
    [{ bucket: 'backups', storageclass: 'X' }, /no option "storageclass"; did you mean "storageClass"/],
    [
      { bucket: 'backups', credentials: { private_key: 'secret' }, client: {} },
      /^credentials must be left out .* not given$/,
    ],
  ];
  for (const [options, message] of wrong) {
    t.throws(() => gcsStore(options as GcsStoreOptions), { code: 'INVALID_OPTION', message });
  }
});
