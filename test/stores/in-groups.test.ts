import t from 'tap';
import { inGroups } from '../../lib/stores/in-groups.js';
import { settleAll } from '../fixtures/fake-clock.js';

t.test('so many at the same time, and each once', async (t) => {
  let now = 0;
  let most = 0;
  const done: number[] = [];
  await inGroups([0, 1, 2, 3, 4, 5, 6], 3, async (item) => {
    most = Math.max(most, ++now);
    await settleAll(1);
    done.push(item);
    now--;
  });
  t.equal(most, 3);
  t.same(done.sort(), [0, 1, 2, 3, 4, 5, 6]);
  await inGroups([], 3, async () => t.fail('there is nothing to do'));
});

t.test('after a failure nothing more is begun', async (t) => {
  const begun: number[] = [];
  const items = Array.from({ length: 100 }, (_, n) => n);
  const work = inGroups(items, 3, async (item) => {
    begun.push(item);
    await settleAll(1);
    if (item === 4) throw new Error('four');
  });
  await t.rejects(work, { message: 'four' });
  await settleAll();
  t.ok(begun.length < 10, `${begun}`);
});
