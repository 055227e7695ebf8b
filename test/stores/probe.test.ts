import t from 'tap';
import type { ObjectStore } from '../../lib/stores/object-store.js';
import { type ProbeCheck, probeStore } from '../../lib/stores/probe.js';
import { MemoryStore, type StoreRequest } from './memory-store.js';

const names = (checks: readonly ProbeCheck[], state: ProbeCheck['state']) =>
  checks.filter((check) => check.state === state).map(({ name }) => name);

t.test('a store that does everything', async (t) => {
  for (const store of [new MemoryStore(), new MemoryStore({ multipart: false })]) {
    store.objects.clear();
    const result = await probeStore(store);
    t.strictSame(
      names(result.checks, 'passed'),
      result.checks.map(({ name }) => name),
    );
    t.match(result, {
      location: 'memory://test',
      canRead: true,
      canWrite: true,
      severalWriters: true,
      needsSingleWriter: false,
    });
    t.notHas(result, 'left');
    t.equal(store.objects.size + store.uploads.size, 0, 'nothing is left');
  }
});

/** What is found if a store fails all these requests. */
async function probed(fails: (request: StoreRequest) => boolean, kind: 'DENIED' | 'BUSY' | 'NO_BUCKET' = 'DENIED') {
  const store = new MemoryStore();
  store.fault = (request) => (fails(request) ? { fail: kind } : undefined);
  const result = await probeStore(store, { patience: 50 });
  return { store, result, failed: names(result.checks, 'failed') };
}

t.test('rights that are missing', async (t) => {
  const noPut = await probed(({ kind }) => kind === 'put');
  t.strictSame(noPut.failed, ['put']);
  t.match(noPut.result, { canWrite: false, severalWriters: false });
  const noList = await probed(({ kind }) => kind === 'list');
  t.match(noList.failed, ['list']);
  t.match(noList.result, { canRead: false, canWrite: false });
  const noGet = await probed(({ kind }) => kind === 'get');
  t.match(noGet.failed, ['get']);
  t.equal(noGet.store.objects.size, 0);
  const noDelete = await probed(({ kind }) => kind === 'delete');
  t.strictSame(noDelete.failed, ['delete']);
  t.match(noDelete.result, { canRead: true, canWrite: false, left: /^rocksdb-backup\.probe\/.+\/$/ });
  const noParts = await probed(({ kind }) => kind === 'create');
  t.strictSame(noParts.failed, ['multipart']);
  const noAbort = await probed(({ kind }) => kind === 'abort');
  t.strictSame(noAbort.failed, ['abortUpload']);
});

t.test('a store that does not answer is not asked again', async (t) => {
  const { store, result } = await probed(() => true, 'NO_BUCKET');
  t.strictSame(names(result.checks, 'failed'), ['list']);
  t.equal(store.requests.put, 0);
  const busy = await probed(() => true, 'BUSY');
  t.strictSame(busy.failed, ['list']);
  t.equal(busy.store.requests.put, 0);
});

t.test('stores that do not keep the contract', async (t) => {
  const wrong = async (change: (store: MemoryStore) => Partial<ObjectStore>) => {
    const store = new MemoryStore();
    Object.assign(store, change(store));
    const result = await probeStore(store);
    t.equal(store.objects.size, 0);
    return { ...result, failed: names(result.checks, 'failed') };
  };
  const unconditional = await wrong((store) => {
    const put = store.put.bind(store);
    return { put: (key, bytes, { signal }) => put(key, bytes, { signal }) };
  });
  t.strictSame(unconditional.failed, ['putIfAbsent', 'putIfMatch']);
  t.match(unconditional, { canWrite: false, severalWriters: false, needsSingleWriter: true });
  const promised = await wrong((store) => {
    const put = store.put.bind(store);
    return { singleWriter: true, put: (key, bytes, { signal }) => put(key, bytes, { signal }) };
  });
  t.match(promised, { canWrite: true, severalWriters: false, needsSingleWriter: true });
  const noRanges = await wrong((store) => {
    const get = store.get.bind(store);
    return { get: (key, { signal }) => get(key, { signal }) };
  });
  t.ok(noRanges.failed.includes('ranges'));
  t.equal(noRanges.canRead, false);
  const late = await wrong((store) => {
    store.listsLate = 3;
    return {};
  });
  t.strictSame(late.failed, ['listAfterWrite']);
});

t.test('what is there stays, and a reader can be probed', async (t) => {
  const store = new MemoryStore();
  await store.put('meta/1', Buffer.from('backup'), { signal: new AbortController().signal });
  store.fault = ({ kind }) => (kind === 'put' || kind === 'create' ? { fail: 'DENIED' } : undefined);
  const { checks, ...result } = await probeStore(store);
  t.notHas(result, 'left', 'nothing was written');
  t.equal(store.requests.delete, 0);
  t.match(
    checks.find(({ name }) => name === 'get'),
    { state: 'passed' },
  );
  t.strictSame([...store.objects.keys()], ['meta/1']);
});

t.test('an abort cleans up', async (t) => {
  const store = new MemoryStore();
  const controller = new AbortController();
  store.fault = ({ key, nth }) => {
    if (key.endsWith('/once') && nth > 2) controller.abort(new Error('enough'));
    return undefined;
  };
  await t.rejects(probeStore(store, { signal: controller.signal }), { message: 'enough' });
  t.equal(store.objects.size, 0);
  await t.rejects(probeStore('/a/directory'), { code: 'INVALID_OPTION' });
  await t.rejects(probeStore(7 as never), { code: 'INVALID_OPTION' });
});
