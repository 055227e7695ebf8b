// Restore drills and checkpoints of a manager: on schedule, on demand, and with their events.

import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import { Database } from '../../lib/index.js';
import { contentsOf, settled } from '../fixtures/backups.js';
import { until } from '../fixtures/fake-clock.js';
import { damages, filesBelow } from '../fixtures/files.js';
import { DAY, HOUR, managerScene, start } from '../fixtures/managers.js';

t.test('drills hold their own schedule, and are told and remembered', async (t) => {
  const { manager, told, advance, another, clock } = await managerScene(t, { drill: { schedule: '1d' } });
  await start(manager);
  await advance(0);
  await until(() => told.count('skipped') === 1, 'the first drill');
  t.match(told.of('skipped'), [{ operation: 'drill', reason: 'empty' }], 'there is nothing to drill yet');
  await manager.backupNow();
  await advance(DAY, HOUR);
  await until(() => told.count('drilled') === 1, 'a drill');
  t.match(told.of('drilled'), [{ backupId: 1, ok: true, keys: 20 }]);
  t.equal(manager.status().nextDrillAt?.getTime(), clock.now() + DAY);
  t.equal((await manager.list())[0]!.lastDrill?.ok, true);
  const drilledAt = manager.status().lastDrill!;
  await manager.stop();
  const second = another();
  await start(second.manager);
  t.ok(Math.abs(second.manager.status().lastDrill!.getTime() - drilledAt.getTime()) < 1000);
  t.ok(second.manager.status().nextDrillAt!.getTime() > clock.now() + 23 * HOUR);
});

t.test('a drill that fails is a failure like any other', async (t) => {
  const failures: [number, string][] = [];
  const { manager, told, dir } = await managerScene(t, {
    onFailure: (_error, count, { operation }) => failures.push([count, operation]),
  });
  await manager.backupNow();
  damages.changed(dir('backups', 'shared_checksum', filesBelow(dir('backups', 'shared_checksum'))[0]!));
  t.ok((await settled(manager.drill())).error);
  t.ok((await settled(manager.drill(1))).error);
  t.same(failures, [
    [1, 'drill'],
    [2, 'drill'],
  ]);
  t.equal(told.count('drilled'), 0);
  t.equal(manager.consecutiveFailures, 0, 'backups themselves went well');
  t.equal((await manager.list())[0]!.lastDrill?.ok, false);
  t.equal((await settled(manager.drill(99))).error?.code, 'BACKUP_NOT_FOUND');
  t.same(
    manager.status().suspects.map(({ backupId }) => backupId),
    [1],
    'it is remembered: the next backup shares nothing with it',
  );
  await manager.backupNow();
  t.equal(told.of('backup')[1]!.kind, 'full');
  t.same(
    readdirSync(dir()).filter((name) => /drill/.test(name)),
    [],
    'nothing is left',
  );
});

t.test('drills one at a time; one that is due meanwhile is skipped, and stop ends them', async (t) => {
  const { manager, told } = await managerScene(t);
  await manager.backupNow();
  const both = await Promise.all([manager.drill(), manager.drill()]);
  t.same(
    both.map(({ backupId }) => backupId),
    [1, 1],
  );
  const last = settled(manager.drill());
  await manager.stop();
  const { error } = await last;
  if (error !== undefined) {
    t.equal(error.code, 'MANAGER_STOPPED');
    t.match(told.of('skipped').at(-1), { operation: 'drill', reason: 'stopping' });
  }
  t.equal(told.count('failure'), 0);
});

t.test(
  'snapshots are made by schedule and on demand, and those that retention does not keep are deleted',
  async (t) => {
    const { manager, told, advance, dir, db } = await managerScene(t, {
      snapshots: { schedule: '1h', retention: { last: 2 } },
    });
    await start(manager);
    for (let n = 1; n <= 3; n++) {
      await advance(n === 1 ? 0 : HOUR, HOUR);
      await until(() => told.count('snapshot') === n, 'a snapshot');
    }
    const path = await manager.snapshot();
    const names = readdirSync(dir('db.snapshots')).filter((name) => /^\d/.test(name));
    t.equal(names.length, 2);
    t.same(
      (await manager.listSnapshots()).map(({ name }) => name),
      names.sort(),
    );
    t.ok(path.endsWith(names.sort().at(-1)!));
    const contents = await contentsOf(db);
    const copy = await Database.open(path);
    t.same(await contentsOf(copy), contents);
    await copy.close();
    await db.close();
    await t.rejects(manager.snapshot(), { code: 'DATABASE_CLOSED' });
    t.match(told.of('failure'), [{ operation: 'snapshot' }]);
    t.ok(existsSync(path));
  },
);
