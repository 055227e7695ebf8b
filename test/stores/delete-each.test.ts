import t from 'tap';
import { deleteEach } from '../../lib/stores/delete-each.js';
import { StoreError } from '../../lib/stores/object-store.js';

const keys = Array.from({ length: 50 }, (_, n) => `key ${n}`);

t.test('what the store refuses to delete stops nothing, and is named', async (t) => {
  const gone: string[] = [];
  const locked = ['key 3', 'key 40'];
  const work = deleteEach(keys, 4, async (key) => {
    if (locked.includes(key)) throw new StoreError('REFUSED', `${key} is locked`, { key, storeCode: 'Locked' });
    gone.push(key);
  });
  await t.rejects(work, { kind: 'REFUSED', message: 'key 3 is locked', facts: { keys: locked, storeCode: 'Locked' } });
  t.equal(gone.length, 48);
});

t.test('another failure ends it', async (t) => {
  const begun: string[] = [];
  const work = deleteEach(keys, 4, async (key) => {
    begun.push(key);
    if (key === 'key 3') throw new StoreError('DENIED', 'no right');
  });
  await t.rejects(work, { kind: 'DENIED', message: 'no right' });
  t.ok(begun.length < 50);
  await t.rejects(
    deleteEach(keys, 4, async () => {
      throw new TypeError('a bug');
    }),
    TypeError,
  );
});
