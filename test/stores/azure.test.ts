// The adapter of Azure against answers that no healthy server gives.

import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { inspect } from 'node:util';
import { BlobServiceClient } from '@azure/storage-blob';
import t, { type Test } from 'tap';
import { type AzureStoreOptions, azureStore } from '../../lib/stores/azure.js';
import type { StoreError } from '../../lib/stores/object-store.js';
import { withRetries } from '../../lib/stores/retries.js';
import { html, testAnswers } from './answers.js';
import { endsAtTheSignal, rejects } from './object-store-contract.js';
import { type Answer, cutConnection, halfAnAnswer, ScriptedServer } from './servers/scripted.js';

const { signal } = new AbortController();
setMaxListeners(100, signal); // a delete sends many requests with it
const x = Buffer.from('x');
const credential = { accountKey: Buffer.from('very-secret').toString('base64') };

async function scene(t: Test, options: Partial<AzureStoreOptions> = {}) {
  const server = await ScriptedServer.start(t);
  const endpoint = `${server.url}/acme`;
  return { server, store: azureStore({ account: 'acme', container: 'backups', endpoint, credential, ...options }) };
}

const fails = (status: number, code: string, headers: Record<string, string> = {}): Answer => ({
  status,
  body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>Because.</Message></Error>`,
  headers: { 'content-type': 'application/xml', 'x-ms-error-code': code, 'x-ms-request-id': 'R1', ...headers },
});

t.test('each failure has its kind', async (t) => {
  const { server, store } = await scene(t);
  await testAnswers(t, server, store, [
    [fails(404, 'BlobNotFound'), 'NOT_FOUND', 'BlobNotFound'],
    [html(404), 'REFUSED'],
    [{ status: 404 }, 'REFUSED'],
    [fails(404, 'SomethingElse'), 'REFUSED', 'SomethingElse'],
    [fails(404, 'ContainerNotFound'), 'NO_BUCKET', 'ContainerNotFound'],
    [fails(404, 'ResourceNotFound'), 'NO_BUCKET'],
    [fails(403, 'AuthenticationFailed'), 'DENIED', 'AuthenticationFailed'],
    [fails(403, 'AuthorizationPermissionMismatch'), 'DENIED'],
    [fails(401, 'InvalidAuthenticationInfo'), 'DENIED'],
    [html(403), 'DENIED'],
    [fails(409, 'PublicAccessNotPermitted'), 'DENIED'],
    [fails(412, 'ConditionNotMet'), 'CONDITION_FAILED', 'ConditionNotMet'],
    [fails(409, 'BlobAlreadyExists'), 'CONDITION_FAILED', 'BlobAlreadyExists'],
    [fails(412, 'LeaseIdMissing'), 'REFUSED', 'LeaseIdMissing'],
    [fails(409, 'BlobImmutableDueToPolicy'), 'REFUSED', 'BlobImmutableDueToPolicy'],
    [fails(400, 'InvalidInput'), 'REFUSED'],
    [fails(400, 'Md5Mismatch'), 'BUSY'],
    [fails(503, 'ServerBusy'), 'BUSY', 'ServerBusy'],
    [fails(500, 'OperationTimedOut'), 'BUSY'],
    [html(502), 'BUSY'],
    [html(429), 'BUSY'],
    [cutConnection, 'BUSY'],
  ]);
});

t.test('an error says what was tried, where, and what the store said', async (t) => {
  const { server, store } = await scene(t, { credential: { sasToken: '?sv=2024&sig=very-secret' } });
  server.answers(fails(503, 'ServerBusy', { 'retry-after': '7' }));
  const error: StoreError = await store.put('meta/1', x, { signal }).catch((error) => error);
  t.equal(error.message, 'az://acme/backups: cannot write meta/1: ServerBusy: Because. (HTTP 503)');
  t.match(error.facts, { key: 'meta/1', status: 503, storeCode: 'ServerBusy', requestId: 'R1', retryAfter: 7000 });
  t.match(server.seen[0]?.url, /sig=very-secret/);
  t.notMatch(inspect(error, { depth: 20, showHidden: true }), /very-secret/);
});

t.test('a body that is cut off, or stops coming', { timeout: 30_000 }, async (t) => {
  const { server, store } = await scene(t);
  // Some versions of the SDK do not notice that a body was cut off: then the time limit ends the request.
  const whole = { body: 'whole', headers: { etag: '"e1"' } };
  server.answer = () => (server.seen.length === 1 ? halfAnAnswer('cut') : whole);
  const patient = withRetries(store, { requestTimeout: 500, bytesPerSecond: 1e9 });
  t.equal(Buffer.from((await patient.get('a', { signal })).bytes).toString(), 'whole');
  t.equal(server.seen.length, 2);
  server.answers(halfAnAnswer('hang'));
  await endsAtTheSignal(t, 'get', (options) => store.get('a', options));
});

t.test('an object is complete only when the store has said so', async (t) => {
  const { server, store } = await scene(t);
  const { upload } = await store.multipart!.create('a', { signal, metadata: { writer: 'me' } });
  server.answers({ status: 201 });
  const { etag } = await store.multipart!.part('a', upload, 1, x, { signal });
  await rejects(t, 'BUSY', store.multipart!.complete('a', upload, [etag], { signal }));
  t.equal(server.seen[1]?.headers['x-ms-meta-writer'], 'me');
  t.match(server.seen[1]?.body.toString(), `<Latest>${etag}</Latest>`);
  server.answers(fails(400, 'InvalidBlockList'));
  await rejects(t, 'NOT_FOUND', store.multipart!.complete('a', upload, [etag], { signal }));
});

t.test('what could not be deleted is an error with its key', async (t) => {
  const { server, store } = await scene(t);
  server.answer = ({ url }) => (url.includes('k00') ? fails(409, 'BlobImmutableDueToPolicy') : { status: 202 });
  const keys = Array.from({ length: 100 }, (_, n) => `k${String(n).padStart(2, '0')}`);
  const error = await store.delete(keys, { signal }).catch((error) => error);
  t.match(error, { kind: 'REFUSED', facts: { key: 'k00', storeCode: 'BlobImmutableDueToPolicy' } });
});

t.test('objects get the tier; those that are soon replaced do not. Each is checked when it arrives', async (t) => {
  const { server, store } = await scene(t, { accessTier: 'Cool' });
  server.answers({ status: 201, headers: { etag: '"e1"' } });
  await store.put('a', x, { signal });
  await store.put('lease', x, { signal, temporary: true, ifMatch: 'e0' });
  const { upload } = await store.multipart!.create('b', { signal });
  const { etag } = await store.multipart!.part('b', upload, 1, x, { signal });
  await store.multipart!.complete('b', upload, [etag], { signal });
  const headers = server.seen.map(({ headers }) => headers);
  t.same(
    headers.map((headers) => headers['x-ms-access-tier']),
    ['Cool', undefined, undefined, 'Cool'],
  );
  t.equal(headers[1]?.['if-match'], '"e0"', 'Azure wants the quotes');
  const md5 = createHash('md5').update(x).digest('base64');
  t.equal(headers[0]?.['x-ms-blob-content-md5'], md5);
  t.equal(headers[2]?.['content-md5'], md5);
});

t.test('credentials come from the options, then from the environment', async (t) => {
  const { server } = await scene(t);
  const endpoint = `${server.url}/acme`;
  server.answers(fails(404, 'BlobNotFound'));
  const asked = async (options: Partial<AzureStoreOptions>) => {
    await rejects(t, 'NOT_FOUND', azureStore({ container: 'backups', endpoint, ...options }).get('a', { signal }));
    return server.seen.at(-1)!;
  };
  const getToken = async () => ({ token: 'T', expiresOnTimestamp: Date.now() + 3_600_000 });
  const names = ['CONNECTION_STRING', 'ACCOUNT', 'KEY', 'SAS_TOKEN'].map((name) => `AZURE_STORAGE_${name}`);
  for (const name of names) t.teardown(() => delete process.env[name]);

  t.match((await asked({ account: 'acme', credential })).headers.authorization, /^SharedKey acme:/);
  const byToken = azureStore({ account: 'acme', container: 'backups', endpoint, credential: { getToken } });
  await t.rejects(byToken.get('a', { signal }), /not permitted for non-TLS/);
  process.env.AZURE_STORAGE_ACCOUNT = 'acme';
  process.env.AZURE_STORAGE_SAS_TOKEN = 'sv=1&sig=S';
  t.match((await asked({})).url, /sv=1&sig=S/);
  process.env.AZURE_STORAGE_KEY = credential.accountKey;
  t.match((await asked({})).headers.authorization, /^SharedKey acme:/);
  const connectionString = [
    'DefaultEndpointsProtocol=http',
    'AccountName=other',
    `AccountKey=${credential.accountKey}`,
    `BlobEndpoint=${server.url}/other`,
  ].join(';');
  process.env.AZURE_STORAGE_CONNECTION_STRING = connectionString;
  const store = azureStore({ container: 'backups' });
  t.equal(store.name, 'az://other/backups');
  await rejects(t, 'NOT_FOUND', store.get('a', { signal }));
});

t.test('wrong options are refused, without their secrets', async (t) => {
  const wrong: [object, RegExp][] = [
    [{ container: 'B' }, /^container must be the name of a container, not the string "B"$/],
    [{ container: 'backups', acount: 'a' }, /no option "acount"; did you mean "account"/],
    [{ container: 'backups', account: 'a', accessTier: 'Archive' }, /accessTier must be 'Hot', 'Cool' or 'Cold'/],
    [{ container: 'backups' }, /account must be the name of a storage account, not undefined/],
    [
      { container: 'backups', client: {}, connectionString: 'secret' },
      /connectionString must be left out where client/,
    ],
    [
      { container: 'backups', connectionString: 'secret', account: 'a' },
      /account must be left out where connectionString/,
    ],
    [
      { container: 'backups', client: { containerName: 'others' } },
      /container must be .*others.*, as the client has it/,
    ],
    [{ container: 'backups', account: 'a/b' }, /account must be the name of a storage account/],
    [{ container: 'backups', account: 'a', endpoint: 'a.example.com', credential }, /endpoint must be a URL/],
    [
      { container: 'backups', account: 'a', credential: { accountKey: undefined } },
      /credential\.accountKey must be the access key of the account, not undefined/,
    ],
    [{ container: 'backups', account: 'a', credential: { sasToken: 7 } }, /credential\.sasToken must be a SAS token/],
    [{ container: 'backups', account: 'a', credential: 'very-secret' }, /credential must be an object with accountKey/],
    [{ container: 'backups', account: 'a', credential: null }, /credential must be an object with accountKey/],
    [{ container: 'backups', connectionString: 'very-secret' }, /connectionString must be the connection string/],
    [
      { container: 'backups', connectionString: 'AccountName=a;AccountKey=very-secret;BlobEndpoint=none' },
      /connectionString must be the connection string/,
    ],
  ];
  for (const [options, message] of wrong) {
    const error = t.throws(() => azureStore(options as AzureStoreOptions)) as Error;
    t.notMatch(inspect(error, { depth: 20, showHidden: true }), /very-secret/);
    t.throws(() => azureStore(options as AzureStoreOptions), { code: 'INVALID_OPTION', message });
  }
  t.throws(() => azureStore({ container: 'backups', account: 'acme' }), {
    code: 'PACKAGE_MISSING',
    message: 'this store needs the package @azure/identity: run `npm install @azure/identity`',
  });
});

t.test('a client knows its container', async (t) => {
  const { server } = await scene(t);
  const service = new BlobServiceClient(`${server.url}/acme`);
  const client = service.getContainerClient('backups');
  t.equal(azureStore({ client, prefix: 'p' }).name, 'az://acme/backups/p');
  t.equal(azureStore({ client, container: 'backups' }).name, 'az://acme/backups');
});
