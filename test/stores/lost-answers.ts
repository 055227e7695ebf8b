// A store whose server does its work while the answers are lost.

import type { Test } from 'tap';
import type { ObjectStore } from '../../lib/stores/object-store.js';
import { withRetries } from '../../lib/stores/retries.js';
import { all, rejects } from './object-store-contract.js';
import { LossyProxy } from './servers/lossy-proxy.js';

const { signal } = new AbortController();

/** `open` makes the store at the URL of a proxy before the server at `target`. */
export async function testLostAnswers(t: Test, target: string, open: (endpoint: string) => ObjectStore): Promise<void> {
  const proxy = await LossyProxy.start(t, target);
  const direct = open(target);
  const store = withRetries(open(proxy.url), { random: () => 0 });

  /** The first `count` answers to requests with this method are lost. */
  const loses = async <T>(count: number, method: string, call: () => Promise<T>): Promise<T> => {
    proxy.lost = 0;
    proxy.lose = (request) => request.method === method && proxy.lost < count;
    const result = await call().finally(() => {
      proxy.lose = () => false;
    });
    t.equal(proxy.lost, count, `${count} answers to ${method} were lost`);
    return result;
  };

  await t.test('a put that only creates has created', async (t) => {
    const put = () =>
      store.put('lost/created', Buffer.from('mine'), { signal, ifAbsent: true, metadata: { writer: 'me' } });
    const { etag } = await loses(2, 'PUT', put);
    t.match(await all(direct, 'lost/created'), [{ etag, size: 4 }]);
    t.match((await direct.get('lost/created', { signal })).metadata, { writer: 'me' });
    await rejects(t, 'CONDITION_FAILED', put());
    await t.rejects(
      loses(1, 'PUT', () => store.put('lost/created', Buffer.from('other'), { signal, ifAbsent: true })),
      { name: 'StoreError' },
      'the answer that was lost was that it exists',
    );
    t.equal(Buffer.from((await direct.get('lost/created', { signal })).bytes).toString(), 'mine');
  });

  await t.test('a lease that was renewed is ours', async (t) => {
    const taken = await store.put('lost/lease', Buffer.from('1'), { signal, ifAbsent: true });
    const renew = () => store.put('lost/lease', Buffer.from('2'), { signal, ifMatch: taken.etag });
    const renewed = await loses(1, 'PUT', renew);
    const { bytes, etag } = await direct.get('lost/lease', { signal });
    t.equal(Buffer.from(bytes).toString(), '2');
    t.equal(renewed.etag, etag);
    await rejects(t, 'CONDITION_FAILED', renew());
  });

  await t.test('an object in parts is complete', async (t) => {
    const multipart = store.multipart!;
    const { upload } = await multipart.create('lost/parts', { signal, metadata: { writer: 'me' } });
    const part = await loses(1, 'PUT', () => multipart.part('lost/parts', upload, 1, Buffer.from('part'), { signal }));
    const method = store.name.startsWith('az:') ? 'PUT' : 'POST';
    const { etag } = await loses(1, method, () => multipart.complete('lost/parts', upload, [part.etag], { signal }));
    t.match(await all(direct, 'lost/parts'), [{ key: 'lost/parts', size: 4, etag }]);
    t.match((await direct.get('lost/parts', { signal })).metadata, { writer: 'me' });
  });

  await t.test('what was deleted is gone, and reads and lists are repeated', async (t) => {
    const method = store.name.startsWith('s3:') ? 'POST' : 'DELETE';
    await loses(1, method, () => store.delete(['lost/created'], { signal }));
    await rejects(t, 'NOT_FOUND', direct.get('lost/created', { signal }));
    t.equal((await loses(2, 'GET', () => store.get('lost/lease', { signal }))).bytes.length, 1);
    t.equal((await loses(1, 'GET', () => store.list('lost/', { signal }))).objects.length, 2);
  });
}
