import { getEventListeners } from 'node:events';
import t from 'tap';
import { type ObjectStore, StoreError } from '../../lib/stores/object-store.js';
import { type RetryLimits, withRetries } from '../../lib/stores/retries.js';
import { onStoreTrouble, type StoreTrouble } from '../../lib/stores/trouble.js';
import { FakeClock, settleAll } from '../fixtures/fake-clock.js';
import { type Fault, MemoryStore, type RequestKind } from './memory-store.js';
import { rejects, testContract, testMultipart } from './object-store-contract.js';

const { signal } = new AbortController();
const x = Buffer.from('x');

/** A store in memory with retries on a clock that the test moves. */
function scene(options: RetryLimits = {}) {
  const memory = new MemoryStore();
  const clock = new FakeClock();
  const store = withRetries(memory, { clock, random: () => 1, ...options });
  /** The first requests of a kind fail so. */
  const failFirst = (kind: RequestKind, ...faults: (Fault | undefined)[]) => {
    memory.fault = (request) => (request.kind === kind ? faults[request.nth - 1] : undefined);
  };
  return { memory, clock, store, failFirst };
}

const busy: Fault = { fail: 'BUSY' };

/** Lets time pass until a promise is settled. */
async function inTime<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = promise.finally(() => {
    settled = true;
  });
  done.catch(() => {});
  for (await settleAll(); !settled; await settleAll()) await clock.advance(clock.nextIn);
  return done;
}

t.test('with retries, a store keeps the contract', async (t) => {
  const hanging = new MemoryStore();
  hanging.fault = () => 'hang';
  const subject = { store: withRetries(new MemoryStore()), hanging: withRetries(hanging) };
  testContract(t, subject);
  testMultipart(t, subject);
  t.equal(withRetries(new MemoryStore({ multipart: false })).multipart, undefined);
});

t.test('a store that is busy is asked again, later each time', async (t) => {
  const { clock, store, failFirst } = scene();
  await store.put('a', x, { signal });
  failFirst('get', busy, busy, busy);
  const read = store.get('a', { signal });
  for (const wait of [200, 400, 800]) {
    await settleAll();
    t.equal(clock.nextIn, wait);
    await clock.advance(wait);
  }
  t.same((await read).bytes, x);
  t.match(store.counts, { put: 1, get: 4, repeated: 3, bytesSent: 1, bytesReceived: 1 });
});

t.test('each wait is random, below its limit, and never longer than 20 s', async (t) => {
  const { clock, store, memory } = scene({ random: () => 0.5 });
  memory.fault = () => busy;
  const read = store.get('a', { signal });
  const waits: number[] = [];
  for (let n = 0; n < 9; n++) {
    await settleAll();
    waits.push(clock.nextIn);
    await clock.advance(clock.nextIn);
  }
  t.same(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  await rejects(t, 'BUSY', inTime(clock, read));
});

t.test('it waits as long as the store asks for', async (t) => {
  const { clock, store, failFirst } = scene();
  failFirst('list', { fail: 'BUSY', facts: { retryAfter: 7000 } });
  const list = store.list('', { signal });
  await settleAll();
  t.equal(clock.nextIn, 7000);
  t.same((await inTime(clock, list)).objects, []);
});

t.test('an operation ends after five minutes, with the last error', async (t) => {
  const { clock, store, memory } = scene();
  memory.fault = ({ nth }) => ({ fail: 'BUSY', facts: { storeCode: `code ${nth}`, status: 503 } });
  const began = clock.monotonic();
  const error = await inTime(clock, store.get('a', { signal })).catch((error) => error);
  t.match(error, { kind: 'BUSY', message: /^get a fails \(given up after 21 tries in 5 min\)$/ });
  t.match(error.facts, { storeCode: 'code 21', status: 503 });
  const passed = clock.monotonic() - began;
  t.ok(passed > 270_000 && passed <= 300_000, `${passed}`);
  t.equal(clock.waiting, 0);

  for (const retryAfter of [400_000, 1e12, Number.POSITIVE_INFINITY]) {
    await clock.advance(60_000);
    memory.fault = () => ({ fail: 'BUSY', facts: { retryAfter } });
    const error = await inTime(clock, store.get('a', { signal })).catch((error) => error);
    t.match(error, { message: /given up after 5 tries in 5 min/ }, 'it is asked again, once a minute');
  }
});

t.test('after a request was given up, the following ones are sent once, until one succeeds', async (t) => {
  const { clock, store, memory } = scene();
  memory.fault = () => busy;
  const early = store.get('early', { signal });
  await settleAll();
  await clock.advance(100_000);
  const late = store.get('late', { signal });
  late.catch(() => {});
  await t.rejects(inTime(clock, early), /given up after 21 tries in 5 min/);
  const end = clock.monotonic();
  await t.rejects(inTime(clock, late), /late fails \(no request has succeeded for [45] min.*\)$/, 'it was under way');
  t.ok(clock.monotonic() - end <= 20_000, 'and ends with its next try');

  const began = clock.monotonic();
  for (let n = 0; n < 50; n++) {
    await t.rejects(store.get(`next ${n}`, { signal }), /next \d+ fails \(no request has succeeded for [45] min.*\)$/);
  }
  t.equal(clock.monotonic(), began, 'no wait');
  memory.fault = () => 'hang';
  await t.rejects(inTime(clock, store.put('a', Buffer.alloc(1_000_000), { signal })), /no answer to a put within 10 s/);
  t.equal(clock.monotonic() - began, 10_000);

  memory.fault = () => ({ fail: 'DENIED' });
  await rejects(t, 'DENIED', store.get('a', { signal }));
  memory.fault = () => busy;
  await t.rejects(inTime(clock, store.get('a', { signal })), /given up after 21 tries in 5 min/, 'it was answered');
  await t.rejects(store.get('a', { signal }), /no request has succeeded for [45] min/);
  await clock.advance(60_000);
  await t.rejects(inTime(clock, store.get('a', { signal })), /given up after 21 tries in 5 min/, 'that was long ago');
});

t.test('trouble with a store is told once, after a quarter of a minute without success', async (t) => {
  const { clock, store, memory } = scene();
  const told: StoreTrouble[] = [];
  t.teardown(onStoreTrouble((trouble) => told.push(trouble)));
  memory.fault = ({ key }) => (key === 'good' ? undefined : { fail: 'BUSY', facts: { reason: 'SlowDown' } });
  await store.put('good', x, { signal });
  for (const since of [10_000, 8_000]) {
    const read = store.get('bad', { signal }).catch((error) => error);
    await settleAll();
    await clock.advance(since);
    await store.get('good', { signal });
    t.same(told, [], `${since} ms`);
    await clock.advance(10_000);
    t.same(told, [], `and a success`);
    const until = clock.now() - since - 10_000 + 300_000;
    await inTime(clock, read);
    t.match(told, [{ store: 'memory://test', why: 'SlowDown', until }], 'once');
    t.ok(told[0]!.lasts <= 15_000, `${told[0]!.lasts} before the wait`);
    told.length = 0;
    await store.get('good', { signal });
  }
});

t.test('a store that does not answer is told, too, and not one that needs the time for the data', async (t) => {
  const { clock, store, memory } = scene();
  const told: StoreTrouble[] = [];
  t.teardown(onStoreTrouble((trouble) => told.push(trouble)));
  memory.fault = () => 'hang';
  const put = store.put('a', Buffer.alloc(1_000_000), { signal }).catch((error) => error);
  const until = clock.now() + 300_000;
  await settleAll();
  await clock.advance(24_000);
  t.same(told, []);
  await clock.advance(1_000);
  t.same(told, [{ store: 'memory://test', why: 'no answer to a put yet', lasts: 25_000, until }]);
  await inTime(clock, put);
  t.equal(told.length, 1, 'once');
  told.length = 0;
  memory.fault = undefined;
  await store.list('', { signal });
  memory.fault = ({ kind }) => (kind === 'get' ? 'hang' : undefined);
  const get = store.get('a', { signal }).catch((error) => error);
  await settleAll();
  await clock.advance(10_000);
  await store.list('', { signal });
  await clock.advance(10_000);
  t.same(told, [], 'others are answered');
  await inTime(clock, get);
  t.equal(told.length, 1);
});

t.test('a store that was never reached is given up sooner', async (t) => {
  const { clock, store, memory } = scene();
  memory.fault = () => ({ fail: 'BUSY', facts: { storeCode: 'ECONNREFUSED' } });
  const error = await inTime(clock, store.list('', { signal })).catch((error) => error);
  t.match(error, { kind: 'BUSY', message: / in 20 s\)$/, facts: { storeCode: 'ECONNREFUSED' } });
  const begin = clock.monotonic();
  await rejects(t, 'BUSY', inTime(clock, store.list('', { signal })));
  t.ok(clock.monotonic() - begin < 20_000, 'the next operation has only what is left of that');

  memory.fault = undefined;
  await store.list('', { signal });
  memory.fault = () => ({ fail: 'BUSY', facts: { storeCode: 'ECONNREFUSED' } });
  const later = await inTime(clock, store.list('', { signal })).catch((error) => error);
  t.match(later, { message: / in 5 min\)$/ }, 'once it was there, it will be again');
});

t.test('only BUSY is repeated', async (t) => {
  for (const kind of ['NOT_FOUND', 'CONDITION_FAILED', 'DENIED', 'NO_BUCKET', 'REFUSED'] as const) {
    const { store, memory } = scene();
    memory.fault = () => ({ fail: kind });
    await rejects(t, kind, store.put('a', x, { signal, ifAbsent: true }));
    t.equal(memory.requests.put, 1);
    t.equal(memory.requests.get, 0);
  }
  const { store, memory } = scene();
  const bug = new TypeError('a bug');
  memory.fault = () => ({ fail: bug });
  await t.rejects(store.put('a', x, { signal }), { message: 'a bug' });
  t.equal(memory.requests.put, 1);
  const throwBug = () => {
    throw bug;
  };
  const throws = { name: 'throws', get: throwBug } as unknown as ObjectStore;
  const clock = new FakeClock();
  await t.rejects(withRetries(throws, { clock }).get('a', { signal }), { message: 'a bug' });
  t.equal(clock.waiting, 0);
});

t.test('a request that is not answered is given up, and sent again', async (t) => {
  const { clock, store, failFirst, memory } = scene();
  failFirst('put', 'hang', 'hang');
  const put = store.put('a', Buffer.alloc(1_000_000), { signal });
  await settleAll();
  await clock.advance(69_999);
  t.equal(memory.requests.put, 1);
  await clock.advance(201);
  t.equal(memory.requests.put, 2, 'after a minute, and the time that the data take at 100 kB/s');
  await inTime(clock, put);
  t.equal(memory.requests.put, 3);
  t.equal(store.counts.bytesSent, 3_000_000);

  failFirst('get', 'hang');
  const get = store.get('a', { signal, offset: 0, length: 500_000 });
  await settleAll();
  await clock.advance(64_999);
  t.equal(memory.requests.get, 1);
  await clock.advance(201);
  t.equal(memory.requests.get, 2);
  t.equal((await inTime(clock, get)).bytes.length, 500_000);
  t.equal(clock.waiting, 0);
});

t.test('a store that never answers costs no more than the budget', async (t) => {
  const { clock, store, memory } = scene({ requestTimeout: 40_000, budget: 100_000 });
  memory.fault = () => 'hang';
  const began = clock.monotonic();
  await t.rejects(inTime(clock, store.list('', { signal })), {
    message: /^memory:\/\/test: no answer to a list within .* \(given up after 3 tries in 1 min 40 s\)$/,
  });
  t.equal(clock.monotonic() - began, 100_000);
});

t.test('the signal ends a request and a wait at once, also if the store does not look at it', async (t) => {
  const deaf = { name: 'deaf', get: () => new Promise(() => {}) } as unknown as ObjectStore;
  const { clock, store, memory } = scene();
  memory.fault = () => busy;
  for (const [name, asked] of Object.entries({ hangs: withRetries(deaf, { clock }), waits: store })) {
    const controller = new AbortController();
    const read = asked.get('a', { signal: controller.signal });
    await settleAll();
    t.equal(clock.waiting, name === 'hangs' ? 2 : 1);
    const why = new Error('stop');
    controller.abort(why);
    t.equal(await read.catch((error) => error), why, name);
    t.equal(clock.waiting, 0);
    t.same(getEventListeners(controller.signal, 'abort'), []);
  }
  t.equal(memory.requests.get, 1);
});

t.test('no listener stays at the signal', async (t) => {
  const controller = new AbortController();
  const { store, clock, failFirst } = scene();
  failFirst('put', busy, 'hang');
  await inTime(clock, store.put('a', x, { signal: controller.signal }));
  t.same(getEventListeners(controller.signal, 'abort'), []);
});

for (const loseAnswer of ['BUSY', 'hang'] as const) {
  t.test(`a conditional put whose answer was lost (${loseAnswer}) has succeeded`, async (t) => {
    const { clock, store, memory, failFirst } = scene();
    failFirst('put', { loseAnswer }, { loseAnswer });
    const metadata = { writer: 'me' };
    const created = await inTime(clock, store.put('lease', x, { signal, ifAbsent: true, metadata }));
    t.equal(created.etag, memory.objects.get('lease')?.etag);
    t.match(memory.objects.get('lease')?.metadata, metadata);
    t.match(store.counts, { put: 2, get: 1, repeated: 1 });

    memory.requests.put = 0;
    const renewed = await inTime(clock, store.put('lease', Buffer.from('y'), { signal, ifMatch: created.etag }));
    t.not(renewed.etag, created.etag);
    t.equal(renewed.etag, memory.objects.get('lease')?.etag);
  });
}

t.test('another writer was first: the condition has failed, whatever was lost', async (t) => {
  const { clock, store, memory, failFirst } = scene();
  await store.put('lease', Buffer.from('theirs'), { signal, ifAbsent: true, metadata: { nonce: 'theirs' } });
  failFirst('put', undefined, busy, busy);
  await rejects(t, 'CONDITION_FAILED', inTime(clock, store.put('lease', x, { signal, ifAbsent: true })));
  t.match(store.counts, { put: 4, get: 1 });
  t.equal(Buffer.from(memory.objects.get('lease')!.bytes).toString(), 'theirs');
});

t.test('an object that is gone again, or whose store keeps no metadata, does not count as ours', async (t) => {
  const { clock, memory, failFirst } = scene();
  const forgetful: ObjectStore = {
    name: 'forgetful',
    put: (...args) => memory.put(...args),
    get: async (...args) => ({ ...(await memory.get(...args)), metadata: undefined }),
    list: (...args) => memory.list(...args),
    delete: (...args) => memory.delete(...args),
  };
  failFirst('put', { loseAnswer: 'BUSY' });
  const put = withRetries(forgetful, { clock }).put('a', x, { signal, ifAbsent: true });
  await rejects(t, 'CONDITION_FAILED', inTime(clock, put));

  memory.fault = ({ kind, nth }) =>
    kind === 'get' ? { fail: 'NOT_FOUND' } : nth === 3 ? busy : nth === 4 ? { fail: 'CONDITION_FAILED' } : undefined;
  const gone = withRetries(memory, { clock }).put('b', x, { signal, ifAbsent: true });
  await rejects(t, 'CONDITION_FAILED', inTime(clock, gone));
});

t.test('the read that settles a put is repeated, and may be denied', async (t) => {
  const { clock, store, memory } = scene();
  const gets: Fault[] = [busy, 'hang'];
  memory.fault = ({ kind, nth }) => (kind === 'get' ? gets[nth - 1] : nth === 1 ? { loseAnswer: 'BUSY' } : undefined);
  await inTime(clock, store.put('a', x, { signal, ifAbsent: true }));
  t.equal(memory.requests.get, 3);

  memory.fault = ({ kind, nth }) =>
    kind === 'get' ? { fail: 'DENIED' } : nth === 3 ? { loseAnswer: 'BUSY' } : undefined;
  await rejects(t, 'DENIED', inTime(clock, store.put('b', x, { signal, ifAbsent: true })));
});

t.test('an object in parts whose last answer was lost is complete', async (t) => {
  const { clock, store, memory, failFirst } = scene();
  const { upload } = await store.multipart!.create('a', { signal, metadata: { writer: 'me' } });
  failFirst('part', { loseAnswer: 'BUSY' });
  const { etag } = await inTime(clock, store.multipart!.part('a', upload, 1, x, { signal }));
  failFirst('complete', { loseAnswer: 'BUSY' });
  const completed = await inTime(clock, store.multipart!.complete('a', upload, [etag], { signal }));
  t.equal(completed.etag, memory.objects.get('a')?.etag);
  t.match(memory.objects.get('a')?.metadata, { writer: 'me' });
  t.match(store.counts, { create: 1, part: 2, complete: 2, get: 1, bytesSent: 2 });
});

t.test('an upload that is gone, and no object of ours, is NOT_FOUND', async (t) => {
  const { clock, store, memory, failFirst } = scene();
  await store.put('a', Buffer.from('theirs'), { signal });
  const { upload } = await store.multipart!.create('a', { signal });
  memory.uploads.clear();
  failFirst('complete', busy);
  await rejects(t, 'NOT_FOUND', inTime(clock, store.multipart!.complete('a', upload, ['x'], { signal })));
  t.equal(store.counts.complete, 2);
});

t.test('deletes, aborts and lists are repeated', async (t) => {
  const { clock, store, memory } = scene();
  await store.put('a', x, { signal });
  const { upload } = await store.multipart!.create('b', { signal });
  memory.fault = ({ kind, nth }) => (nth === 1 && kind !== 'put' ? { loseAnswer: 'BUSY' } : undefined);
  await inTime(clock, store.delete(['a'], { signal }));
  await inTime(clock, store.multipart!.abort('b', upload, { signal }));
  t.same((await inTime(clock, store.list('', { signal }))).objects, []);
  t.same((await inTime(clock, store.multipart!.list('', { signal }))).uploads, []);
  t.match(store.counts, { delete: 2, abort: 2, list: 2, listUploads: 2 });
});

t.test('whatever is lost, of several writers one is told that it has created the object', async (t) => {
  let seed = 1;
  const random = () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const clock = new FakeClock();
  let lost = 0;
  for (let round = 0; round < 100; round++) {
    const memory = new MemoryStore();
    memory.fault = () => {
      const roll = random();
      if (roll < 0.25) lost++;
      return roll < 0.25 ? { loseAnswer: 'BUSY' } : roll < 0.4 ? busy : roll < 0.45 ? 'hang' : undefined;
    };
    const writers = Array.from({ length: 4 }, (_, n) => {
      const store = withRetries(memory, { clock, random, budget: 10_000_000 });
      return store.put('lease', Buffer.from(`${n}`), { signal, ifAbsent: true }).then(
        () => n,
        (error) => error.kind,
      );
    });
    const results = await inTime(clock, Promise.all(writers));
    const winner = Number(Buffer.from(memory.objects.get('lease')!.bytes).toString());
    const expected = Array(4).fill('CONDITION_FAILED');
    expected[winner] = winner;
    t.same(results, expected);
  }
  t.ok(lost > 50, `${lost} answers were lost`);
});

t.test('a StoreError says what it is', async (t) => {
  const error = new StoreError('DENIED', 'no', { status: 403, cause: new Error('why') });
  t.match(error, { name: 'StoreError', kind: 'DENIED', message: 'no', cause: { message: 'why' } });
});
