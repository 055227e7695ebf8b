// Things that are opened and closed many times leave nothing open.

import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { BackupEngine, Database, RateLimiter } from '../../lib/index.js';
import { Agent } from '../fixtures/agent.js';
import { tempDir } from '../fixtures/files.js';
import { runningBackup } from '../fixtures/running.js';

const skip = existsSync('/proc/self/task') ? false : 'there is no /proc to count in';

const count = () => ({
  descriptors: readdirSync('/proc/self/fd').length,
  threads: readdirSync('/proc/self/task').length,
});

/**
 * Returns the counts as soon as they are not higher than allowed, or after ten seconds. A thread ends a moment after the promise that it
 * settled; the scheduler decides when.
 */
async function countDownTo(descriptors: number, threads: number): Promise<ReturnType<typeof count>> {
  const end = performance.now() + 10_000;
  for (;;) {
    const now = count();
    if ((now.descriptors <= descriptors && now.threads < threads) || performance.now() > end) return now;
    await after(20);
  }
}

async function round(path: (...parts: string[]) => string, n: number): Promise<void> {
  const db = await Database.open(path('db'));
  await db.put(`key ${n}`, 'x');
  const limiter = new RateLimiter({ bytesPerSecond: 2 ** 40 });
  const engine = await BackupEngine.open(path('backups'), { backupRateLimit: limiter, sync: false });
  await engine.createBackup(db);
  switch (n % 3) {
    case 0: {
      const inPlace = await engine.openBackup(1 + n);
      await inPlace.get('key 0');
      await inPlace.close();
      break;
    }
    case 1:
      await engine.restoreLatestBackup(path('restored'), { overwrite: true });
      break;
    default: {
      limiter.bytesPerSecond = 1000;
      const backup = runningBackup(engine, db);
      await backup.begun;
      engine.stopBackup();
      await backup.done.catch(() => undefined);
      await engine.purgeOldBackups(1);
    }
  }
  await engine.close();
  await db.close();
}

t.test(
  '300 rounds of open, backup, read, stop and close leave descriptors and threads as they were',
  { skip },
  async (t) => {
    const path = tempDir(t);
    for (let n = 0; n < 30; n++) {
      await round(path, n);
    }
    const before = count();
    for (let n = 30; n < 300; n++) {
      await round(path, n);
    }
    const last = await countDownTo(before.descriptors, before.threads + 10);
    t.comment(`${JSON.stringify(before)} after 30 rounds, ${JSON.stringify(last)} after 300`);
    t.ok(last.descriptors <= before.descriptors, 'descriptors');
    t.ok(last.threads < before.threads + 10, 'threads');
  },
);

t.test(
  '25 Workers that used everything and were terminated leave descriptors and threads as they were',
  { skip },
  async (t) => {
    const path = tempDir(t);
    const use = async (n: number) => {
      const worker = Agent.worker(t);
      await worker.call('Database.open', [path(`db ${n}`)], 'db');
      await worker.call('BackupEngine.open', [path('backups')], 'engine');
      await worker.call('db.put', ['key', 'x']);
      await worker.call('engine.getBackupInfo');
      await worker.terminate();
    };
    for (let n = 0; n < 5; n++) {
      await use(n);
    }
    const before = count();
    for (let n = 5; n < 25; n++) {
      await use(n);
    }
    const last = await countDownTo(before.descriptors, before.threads + 10);
    t.comment(`${JSON.stringify(before)} after 5 Workers, ${JSON.stringify(last)} after 25`);
    t.ok(last.descriptors <= before.descriptors, 'descriptors');
    t.ok(last.threads < before.threads + 10, 'threads');
  },
);
