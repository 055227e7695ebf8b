// How long it takes to stop a backup, for all sizes and speeds.

import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import type { BackupInfo } from '../../lib/index.js';
import { openEngine } from '../fixtures/backups.js';
import { distribution, Random } from '../fixtures/random.js';
import { codeOrValue, listing, runningBackup, UNLIMITED } from '../fixtures/running.js';
import { assertUsable, type Shape, stopScene } from '../fixtures/stop-scene.js';

const RATES = { '1 KB/s': 1000, '1 MB/s': 1_000_000, 'no limit': UNLIMITED };
type Rate = keyof typeof RATES;

t.test('the time from a stop to BACKUP_STOPPED does not depend on size and rate', async (t) => {
  const random = Random.of(t);
  for (const shape of ['three keys', '300 files', 'one file of 256 MiB'] satisfies Shape[]) {
    await t.test(shape, async (t) => {
      const set = await stopScene(t, shape);
      const { path, db, engine, limiter, before } = set;
      // How long a backup takes without a limit. It goes elsewhere, so that every backup here has everything to copy.
      const elsewhere = await openEngine(t, path('elsewhere'));
      const begin = performance.now();
      await elsewhere.createBackup(db);
      const whole = performance.now() - begin;

      for (const [rate, bytesPerSecond] of Object.entries(RATES) as [Rate, number][]) {
        limiter.bytesPerSecond = bytesPerSecond;
        const latencies: number[] = [];
        let finished = 0;
        for (let attempt = 0; attempt < 20; attempt++) {
          const backup = runningBackup(engine, db);
          await after(random.next() * Math.min(whole, rate === 'no limit' ? 5000 : 300));
          const stopped = performance.now();
          const answer = engine.stopBackup();
          const result = await codeOrValue(backup.done);
          if (result === 'BACKUP_STOPPED') {
            t.ok(answer, 'the stop told so');
            latencies.push(performance.now() - stopped);
          } else {
            t.notOk(answer, 'the stop came too late, and told so');
            await engine.deleteBackup((result as BackupInfo).backupId);
            finished++;
          }
          t.same(listing(path('backups')), before, 'nothing is left');
        }
        const { median, p95, worst } = distribution(latencies);
        t.comment(
          `${shape}, ${rate}: ${latencies.length} stopped, ${finished} were faster; ` +
            `median ${median.toFixed(1)} ms, 95 % ${p95.toFixed(1)} ms, worst ${worst.toFixed(1)} ms ` +
            `(a whole backup without limit: ${whole.toFixed(0)} ms)`,
        );
        // On a slow or busy disk, it may take as long as a whole backup to write out what was already copied.
        t.ok(worst < 10_000 + (rate === 'no limit' ? 2 * whole : 0), 'far from what is left to copy');
      }
      await assertUsable(t, set);
    });
  }
});
