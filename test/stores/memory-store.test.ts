import t from 'tap';
import { MemoryStore } from './memory-store.js';
import { all, rejects, testContract, testMultipart } from './object-store-contract.js';

const hanging = new MemoryStore();
hanging.fault = () => 'hang';

t.test('the store in memory keeps the contract', async (t) => testContract(t, { store: new MemoryStore(), hanging }));

t.test('and in small pages', async (t) => {
  const store = new MemoryStore();
  store.pageSize = 7;
  testContract(t, { store });
  testMultipart(t, { store });
});

t.test('it fails when a test says so', async (t) => {
  const store = new MemoryStore();
  const { signal } = new AbortController();
  store.fault = ({ kind, nth }) => (kind === 'put' && nth === 2 ? { fail: 'BUSY' } : undefined);
  await store.put('a', Buffer.from('1'), { signal });
  await rejects(t, 'BUSY', store.put('b', Buffer.from('1'), { signal }));
  t.notOk(store.objects.has('b'));
  store.fault = () => ({ loseAnswer: 'BUSY' });
  await rejects(t, 'BUSY', store.put('b', Buffer.from('1'), { signal }));
  t.ok(store.objects.has('b'));
  t.equal(store.requests.put, 3);

  store.fault = undefined;
  store.pageSize = 1;
  store.dropPage = 0;
  t.match(await all(store, ''), [{ key: 'b' }]);
  store.dropPage = undefined;
  store.pageSize = 10;
  store.listsLate = 1;
  await store.put('c', Buffer.from('1'), { signal });
  t.equal(store.requests.put, 4, 'counted also while no fault is asked for');
  t.equal((await all(store, '')).length, 2);
  t.equal((await all(store, '')).length, 3);
});
