// The adapter of S3 against answers that no healthy server gives.

import { inspect } from 'node:util';
import { S3Client } from '@aws-sdk/client-s3';
import t, { type Test } from 'tap';
import type { ObjectStore, StoreError, StoreErrorKind } from '../../lib/stores/object-store.js';
import { type S3StoreOptions, s3Store } from '../../lib/stores/s3.js';
import { html, testAnswers } from './answers.js';
import { endsAtTheSignal, rejects } from './object-store-contract.js';
import { freePort } from './servers/daemon.js';
import { type Answer, cutConnection, halfAnAnswer, ScriptedServer } from './servers/scripted.js';

const { signal } = new AbortController();
const x = Buffer.from('x');
const credentials = Object.freeze({
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'very-secret',
  sessionToken: 'session-secret',
});

async function scene(t: Test, options: Partial<S3StoreOptions> = {}) {
  const server = await ScriptedServer.start(t);
  const store = s3Store({ bucket: 'backups', prefix: 'p', endpoint: server.url, credentials, ...options });
  return { server, store };
}

const errorBody = (code: string, message = 'Because.') =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
const xml = (status: number, body: string, headers: Record<string, string> = {}): Answer => ({
  status,
  body,
  headers: { 'content-type': 'application/xml', ...headers },
});
t.test('each failure has its kind', async (t) => {
  const { server, store } = await scene(t);
  await testAnswers(t, server, store, [
    [xml(404, errorBody('NoSuchKey')), 'NOT_FOUND', 'NoSuchKey'],
    [html(404), 'REFUSED'],
    [{ status: 404 }, 'REFUSED'],
    [xml(404, errorBody('SomethingElse')), 'REFUSED', 'SomethingElse'],
    [xml(404, errorBody('NoSuchBucket')), 'NO_BUCKET', 'NoSuchBucket'],
    [xml(301, errorBody('PermanentRedirect')), 'NO_BUCKET', 'PermanentRedirect'],
    [xml(400, errorBody('AuthorizationHeaderMalformed')), 'NO_BUCKET'],
    [xml(403, errorBody('AccessDenied')), 'DENIED', 'AccessDenied'],
    [xml(403, errorBody('SignatureDoesNotMatch')), 'DENIED', 'SignatureDoesNotMatch'],
    [xml(403, errorBody('RequestTimeTooSkewed')), 'DENIED', 'RequestTimeTooSkewed'],
    [xml(400, errorBody('ExpiredToken')), 'DENIED', 'ExpiredToken'],
    [html(401), 'DENIED'],
    [xml(412, errorBody('PreconditionFailed')), 'CONDITION_FAILED', 'PreconditionFailed'],
    [xml(409, errorBody('ConditionalRequestConflict')), 'BUSY', 'ConditionalRequestConflict'],
    [xml(409, errorBody('OperationAborted')), 'BUSY'],
    [xml(400, errorBody('RequestTimeout')), 'BUSY', 'RequestTimeout'],
    [xml(400, errorBody('BadDigest')), 'BUSY'],
    [xml(503, errorBody('SlowDown')), 'BUSY', 'SlowDown'],
    [xml(500, errorBody('InternalError')), 'BUSY'],
    [html(502), 'BUSY'],
    [html(429), 'BUSY'],
    [html(408), 'BUSY'],
    [cutConnection, 'BUSY', 'ECONNRESET'],
    [xml(400, errorBody('InvalidArgument')), 'REFUSED', 'InvalidArgument'],
    [xml(400, errorBody('EntityTooLarge')), 'REFUSED'],
    [xml(405, errorBody('MethodNotAllowed')), 'REFUSED'],
    [xml(501, errorBody('NotImplemented')), 'REFUSED'],
    [xml(403, errorBody('InvalidObjectState')), 'REFUSED'],
  ]);
});

t.test('an error says what was tried, where, and what the store said', async (t) => {
  const { server, store } = await scene(t);
  server.answers(
    xml(503, errorBody('SlowDown', 'Reduce your rate.'), { 'x-amz-request-id': 'R1', 'retry-after': '7' }),
  );
  const error: StoreError = await store.put('meta/1', x, { signal }).catch((error) => error);
  t.equal(error.message, 's3://backups/p: cannot write meta/1: SlowDown: Reduce your rate. (HTTP 503)');
  t.match(error.facts, { key: 'meta/1', status: 503, storeCode: 'SlowDown', requestId: 'R1', retryAfter: 7000 });
  const printed = inspect(error, { depth: 20, showHidden: true });
  t.notMatch(printed, /secret|AKIDEXAMPLE/);
});

t.test('large parts use a connection that is there', async (t) => {
  const { server, store } = await scene(t);
  server.answers({ headers: { etag: '"1"' } });
  const part = Buffer.alloc(3_000_000);
  for (const number of [1, 2, 3]) await store.multipart!.part('a', 'u', number, part, { signal });
  await store.put('b', part, { signal });
  t.equal(server.connections, 1);
  t.same(
    server.seen.filter(({ headers }) => headers.expect !== undefined),
    [],
  );
});

t.test('where nobody listens, the store is BUSY', async (t) => {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  await rejects(t, 'BUSY', s3Store({ bucket: 'backups', credentials, endpoint }).get('a', { signal }));
});

t.test('credentials that cannot be had are DENIED', async (t) => {
  const { server } = await scene(t);
  const nobody = async () => {
    throw Object.assign(new Error('no token'), { name: 'CredentialsProviderError' });
  };
  const store = s3Store({ bucket: 'backups', endpoint: server.url, credentials: nobody });
  await rejects(t, 'DENIED', store.get('a', { signal }));
});

t.test('credentials that are none are DENIED, and the option is named', async (t) => {
  const { server } = await scene(t);
  for (const given of [null, undefined, 'AKIA', {}, { accessKeyId: 'a' }]) {
    const store = s3Store({ bucket: 'backups', endpoint: server.url, credentials: async () => given as never });
    await t.rejects(store.get('a', { signal }), {
      kind: 'DENIED',
      message: /credentials must resolve with an object with the strings accessKeyId/,
    });
  }
  for (const wrong of ['AKIA', {}, { accessKeyId: 'a', secretAccessKey: undefined }]) {
    t.throws(() => s3Store({ bucket: 'backups', credentials: wrong as never }), {
      code: 'INVALID_OPTION',
      message: /^credentials must be an object with the strings accessKeyId and secretAccessKey/,
    });
  }
});

t.test('an error of the program is no StoreError', async (t) => {
  const bug = new TypeError('a bug');
  const store = s3Store({ bucket: 'backups', client: { send: () => Promise.reject(bug) } });
  t.equal(await store.get('a', { signal }).catch((error) => error), bug);
});

t.test('a body that is cut off is not taken for a whole one', async (t) => {
  const { server, store } = await scene(t);
  server.answers(halfAnAnswer('cut'));
  await rejects(t, 'BUSY', store.get('a', { signal }));
  server.answers(halfAnAnswer('cut', {}, 404));
  await rejects(t, 'BUSY', store.get('a', { signal }));
});

t.test('a body that stops coming is left at the signal', { timeout: 30_000 }, async (t) => {
  const { server, store } = await scene(t);
  server.answers(halfAnAnswer('hang'));
  await endsAtTheSignal(t, 'get', (options) => store.get('a', options));
});

t.test('a range that the store does not know is refused, not taken for the bytes', async (t) => {
  const { server, store } = await scene(t);
  server.answers({ body: Buffer.alloc(1000), headers: { etag: '"abc"' } });
  await rejects(t, 'REFUSED', store.get('a', { signal, offset: 10, length: 10 }));
  server.answers({ status: 206, body: 'x', headers: { etag: '"abc"', 'content-range': 'bytes 0-0/1000' } });
  await rejects(t, 'REFUSED', store.get('a', { signal, offset: 10, length: 10 }));
});

t.test('an object is complete only when the store has said so', async (t) => {
  const { server, store } = await scene(t);
  const complete = () => store.multipart!.complete('a', 'upload', ['p1', 'p2'], { signal });
  server.answers(xml(200, errorBody('InternalError')));
  await rejects(t, 'BUSY', complete());
  server.answers(xml(200, ''));
  await rejects(t, 'BUSY', complete());
  server.answers(
    xml(200, `<CompleteMultipartUploadResult><Key>p/a</Key><ETag>"e-2"</ETag></CompleteMultipartUploadResult>`),
  );
  t.same(await complete(), { etag: 'e-2' });
  server.answers(xml(404, errorBody('NoSuchUpload')));
  await rejects(t, 'NOT_FOUND', complete());
  await store.multipart!.abort('a', 'upload', { signal });
});

t.test('a put and a part without an ETag are no success', async (t) => {
  const { server, store } = await scene(t);
  server.answers({});
  await rejects(t, 'BUSY', store.put('a', x, { signal }));
  await rejects(t, 'BUSY', store.multipart!.part('a', 'upload', 1, x, { signal }));
  await rejects(t, 'BUSY', store.multipart!.create('a', { signal }));
});

t.test('what could not be deleted is an error with its key', async (t) => {
  const { server, store } = await scene(t);
  const failed = (...errors: [string, string, string?][]) => {
    const list = errors.map(
      ([key, code, message = '']) =>
        `<Error><Key>p/${key}</Key><Code>${code}</Code><Message>${message}</Message></Error>`,
    );
    return xml(200, `<DeleteResult>${list.join('')}</DeleteResult>`);
  };
  const fails = async (kind: StoreErrorKind, key: string) => {
    const error = await store.delete(['a', 'b', 'c'], { signal }).catch((error) => error);
    t.match(error, { name: 'StoreError', kind, facts: { key } });
    return error.facts.keys;
  };
  server.answers(failed(['a', 'SlowDown'], ['b', 'AccessDenied']));
  t.same(await fails('DENIED', 'b'), ['a', 'b'], 'all that are still there');
  const locked = 'Access Denied because object protected by object lock.';
  server.answers(failed(['a', 'AccessDenied', locked], ['b', 'SlowDown']));
  t.same(await fails('REFUSED', 'a'), ['a', 'b']);
  server.answers(failed(['b', 'ObjectLockedByBucketPolicy']));
  t.same(await fails('REFUSED', 'b'), ['b']);
  server.answers(failed(['a', 'ExpiredToken']));
  t.same(await fails('DENIED', 'a'), ['a']);
  server.answers(xml(403, errorBody('AccessDenied')));
  await rejects(t, 'DENIED', store.delete(['a'], { signal }));
  server.answers(xml(403, `<Error><Code>AccessDenied</Code><Message>${locked}</Message></Error>`));
  await rejects(t, 'REFUSED', store.delete(['a'], { signal }));
  server.answers(failed(['c', 'InternalError']));
  await fails('BUSY', 'c');
  server.answers(failed(['a', 'NoSuchKey']));
  await store.delete(['a'], { signal });
  t.match(server.seen[0]?.body.toString(), /<Key>p\/a<\/Key>/);

  // Ceph does not say that it is the lock.
  const options = { bucket: 'backups', prefix: 'p', endpoint: server.url, credentials };
  const locking = s3Store({ ...options, objectLock: { mode: 'GOVERNANCE', days: 7 } });
  server.answers(failed(['a', 'AccessDenied']));
  await rejects(t, 'REFUSED', locking.delete(['a'], { signal }));
});

t.test('a list that cannot be gone on with is an error', async (t) => {
  const { server, store } = await scene(t);
  server.answers(xml(200, '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>'));
  await rejects(t, 'REFUSED', store.list('', { signal }));
  const next = '<IsTruncated>true</IsTruncated><NextContinuationToken>T+/1</NextContinuationToken>';
  server.answers(xml(200, `<ListBucketResult>${next}</ListBucketResult>`));
  t.same(await store.list('', { signal }), { objects: [], next: 'T+/1' });
  await store.list('', { signal, after: 'T+/1' });
  t.match(server.seen[1]?.url, /continuation-token=T%2B%2F1/);
});

t.test('the uploads of a bucket come in pages', async (t) => {
  const { server, store } = await scene(t);
  const upload = '<Upload><Key>p/a</Key><UploadId>u1</UploadId><Initiated>2026-01-02T03:04:05Z</Initiated></Upload>';
  const more =
    '<IsTruncated>true</IsTruncated><NextKeyMarker>p/a</NextKeyMarker><NextUploadIdMarker>u1</NextUploadIdMarker>';
  server.answers(xml(200, `<ListMultipartUploadsResult>${upload}${more}</ListMultipartUploadsResult>`));
  const { uploads, next } = await store.multipart!.list('', { signal });
  t.same(uploads, [{ key: 'a', upload: 'u1', started: Date.parse('2026-01-02T03:04:05Z') }]);
  await store.multipart!.list('', { signal, after: next });
  t.match(server.seen[1]?.url, /key-marker=p%2Fa/);
  t.match(server.seen[1]?.url, /upload-id-marker=u1/);
});

const written = { headers: { etag: '"e1"' } };

t.test('objects get what the options say; those that are soon replaced get no class and no lock', async (t) => {
  const { server, store } = await scene(t, {
    storageClass: 'STANDARD_IA',
    serverSideEncryption: 'aws:kms',
    kmsKeyId: 'key-1',
    tags: { team: 'a & b' },
    objectLock: { mode: 'GOVERNANCE', days: 7 },
  });
  server.answers(written);
  await store.put('a', x, { signal, metadata: { writer: 'me' } });
  await store.put('lease', x, { signal, temporary: true });
  server.answer = () =>
    xml(200, '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>');
  await store.multipart!.create('b', { signal });
  const [whole, lease, parts] = server.seen.map(({ headers }) => headers);
  for (const headers of [whole, parts]) {
    t.match(headers, {
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'key-1',
      'x-amz-tagging': 'team=a%20%26%20b',
      'x-amz-object-lock-mode': 'GOVERNANCE',
    });
    const days = (Date.parse(String(headers?.['x-amz-object-lock-retain-until-date'])) - Date.now()) / 86_400_000;
    t.ok(days > 6.9 && days < 7.1);
  }
  t.equal(whole?.['x-amz-meta-writer'], 'me');
  t.ok(whole?.['x-amz-checksum-crc32c'], 'S3 takes a lock only with a checksum');
  t.match(lease, { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-tagging': 'team=a%20%26%20b' });
  t.notOk(lease?.['x-amz-storage-class'] || lease?.['x-amz-object-lock-mode']);
});

t.test('with crc32c, the store checks every object and every part', async (t) => {
  const { server, store } = await scene(t, { checksums: 'crc32c' });
  server.answers({ headers: { etag: '"e1"', 'x-amz-checksum-crc32c': 'TESTED==' } });
  await store.put('a', Buffer.from('123456789'), { signal });
  t.equal(server.seen[0]?.headers['x-amz-checksum-crc32c'], '4waSgw==', 'the CRC32C of 123456789 is e3069283');
  const { etag } = await store.multipart!.part('a', 'u', 1, Buffer.from('123456789'), { signal });
  t.equal(server.seen[1]?.headers['x-amz-checksum-crc32c'], '4waSgw==');
  server.answers(xml(200, `<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>`));
  await store.multipart!.complete('a', 'u', [etag], { signal });
  t.match(server.seen[0]?.body.toString(), /<ChecksumCRC32C>TESTED==<\/ChecksumCRC32C>/);
  t.match(server.seen[0]?.body.toString(), /<ETag>e1<\/ETag>/);
});

t.test('a client of the caller may check what it reads', async (t) => {
  const { server } = await scene(t);
  const config = {
    endpoint: server.url,
    credentials: { ...credentials },
    region: 'r',
    forcePathStyle: true,
    maxAttempts: 1,
  };
  const client = new S3Client(config);
  server.answers({ body: 'damaged', headers: { etag: '"e1"', 'x-amz-checksum-crc32c': '4waSgw==' } });
  await rejects(t, 'BUSY', s3Store({ bucket: 'backups', client }).get('a', { signal }));
});

t.test('against another store than Amazon, no checksum is sent that it may not know', async (t) => {
  const { server, store } = await scene(t);
  server.answers(written);
  await store.put('a', x, { signal });
  t.same(
    Object.keys(server.seen[0]!.headers).filter(
      (name) => name.startsWith('x-amz-checksum') || name === 'x-amz-trailer',
    ),
    [],
  );
});

t.test(
  'an ETag has quotes where the standard wants them, but not in a put, where Ceph does not take them',
  async (t) => {
    const { server, store } = await scene(t);
    server.answers(written);
    t.same(await store.put('a', x, { signal, ifMatch: 'e0' }), { etag: 'e1' });
    t.equal((await store.get('a', { signal, ifMatch: 'e1' })).etag, 'e1');
    t.same(
      server.seen.map(({ headers }) => headers['if-match']),
      ['e0', '"e1"'],
    );
  },
);

t.test('a client of the caller is used as it is', async (t) => {
  const sent: { name: string; input: object }[] = [];
  const client = {
    async send(command: { constructor: { name: string }; input: object }) {
      sent.push({ name: command.constructor.name, input: command.input });
      return { ETag: 'W/"weak"' };
    },
  };
  const store: ObjectStore = s3Store({ bucket: 'backups', prefix: '/a//b/', client });
  t.equal(store.name, 's3://backups/a/b');
  t.same(await store.put('c', x, { signal, ifMatch: 'e0' }), { etag: 'weak' });
  t.match(sent, [{ name: 'PutObjectCommand', input: { Bucket: 'backups', Key: 'a/b/c', IfMatch: 'e0' } }]);
});

t.test('wrong options are refused', async (t) => {
  const wrong: [object, RegExp][] = [
    [{ bucket: '' }, /^bucket must be the name of a bucket, not the string ""$/],
    [{ bucket: 'backups', prefixx: 'a' }, /no option "prefixx"; did you mean "prefix"/],
    [{ bucket: 'backups', checksums: 'md5' }, /checksums must be 'crc32c' or 'none'/],
    [
      { bucket: 'backups', storageClass: 'DEEP_ARCHIVE' },
      /storageClass must be a class whose objects can be read at once/,
    ],
    [{ bucket: 'backups', objectLock: { mode: 'governance', days: 1 } }, /objectLock.mode must be 'GOVERNANCE'/],
    [
      { bucket: 'backups', objectLock: { mode: 'GOVERNANCE' } },
      /objectLock must be with until or with days, not neither/,
    ],
    [{ bucket: 'backups', objectLock: { mode: 'GOVERNANCE', days: 0.5 } }, /objectLock.days must be a whole number/],
    [
      { bucket: 'backups', objectLock: { mode: 'GOVERNANCE', until: new Date(0) } },
      /objectLock.until must be a Date in/,
    ],
    [{ bucket: 'backups', singleWriter: 'true' }, /^singleWriter must be true or false, not the string "true"$/],
    [{ bucket: 'backups', region: 'r', client: {} }, /region must be left out where client is given/],
  ];
  for (const [options, message] of wrong) {
    t.throws(() => s3Store(options as S3StoreOptions), { code: 'INVALID_OPTION', message });
  }
});
