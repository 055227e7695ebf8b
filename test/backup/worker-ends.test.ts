// Workers that are terminated during backups, restores and verifies.

import t from 'tap';
import { Agent, ref } from '../fixtures/agent.js';
import { openEngine } from '../fixtures/backups.js';
import { verifyAll } from '../fixtures/running.js';
import { terminateWorkers, workerScene } from '../fixtures/worker-ends.js';

t.test('Workers terminated while they back up, restore and verify leave everything whole', (t) =>
  terminateWorkers(t, 34, ['backups with shared handles', 'a backup of its own database', 'verify and restore']),
);

t.test('terminate() does not wait for a backup, a restore or a verify that would take hours', async (t) => {
  const { path, db } = await workerScene(t);
  const worker = Agent.worker(t);
  await worker.call('agent.limiter', [{ bytesPerSecond: 1000, mode: 'all' }], 'limiter');
  await worker.call('Database.attach', [db.token], 'db');
  const limits = { backupRateLimit: ref('limiter'), restoreRateLimit: ref('limiter') };
  await worker.call('BackupEngine.open', [path('backups'), limits], 'engine');
  await worker.call('BackupEngine.open', [path('others'), limits], 'other');
  const begun = [
    worker.begin('other.createBackup', [ref('db')]),
    worker.begin('other.createBackup', [ref('db')]), // waits for its turn
    worker.begin('engine.restoreBackup', [1, path('restored')]),
    worker.begin('engine.verifyBackup', [2], { checksum: true }),
  ];
  await begun[0]!.begun;
  await begun[2]!.begun;
  const begin = performance.now();
  await worker.terminate();
  t.comment(`${(performance.now() - begin).toFixed(0)} ms`);
  for (const { done } of begun) {
    await t.rejects(done, { code: 'ENDED' });
  }
  const others = await openEngine(t, path('others'));
  t.same(await others.getBackupInfo(), []);
  t.equal((await others.createBackup(db)).backupId, 1);
  t.same(await verifyAll(others), [1]);
  const engine = await openEngine(t, path('backups'));
  await engine.restoreBackup(1, path('restored'));
});
