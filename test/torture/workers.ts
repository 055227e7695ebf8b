// Workers that end in every way while everything they began is still running.

import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { BackupEngine, Database } from '../../lib/index.js';
import { Agent } from '../fixtures/agent.js';
import type { Teardown } from '../fixtures/files.js';
import { verifyAll } from '../fixtures/running.js';
import { WORK, type WorkerScene, workerScene } from '../fixtures/worker-ends.js';
import type { Experiment, Torture } from './experiment.js';

const ENDS = ['terminate', 'exit', 'throw', 'naturally'] as const;
const AT_A_TIME = 3;

interface Held {
  threads: number;
  descriptors: number;
}

/** Threads and descriptors of this process. Those of the shared database are left out, because its number of files grows. */
function held(database: string): Held {
  const files = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return !readlinkSync(`/proc/self/fd/${fd}`).startsWith(database);
    } catch {
      return false; // the descriptor of the listing itself
    }
  });
  return { threads: readdirSync('/proc/self/task').length, descriptors: files.length };
}

/** What is still held when everything that ends has ended: the smallest values seen for a while. */
async function heldInTheEnd(database: string, enough: Held): Promise<Held> {
  let least = held(database);
  for (let turn = 0; turn < 200; turn++) {
    const now = held(database);
    least = {
      threads: Math.min(least.threads, now.threads),
      descriptors: Math.min(least.descriptors, now.descriptors),
    };
    if (least.threads <= enough.threads && least.descriptors <= enough.descriptors) break;
    await after(25);
  }
  return least;
}

/** The life of one Worker: it works with shared objects and with its own, and ends while it is busy. */
async function live(torture: Torture, t: Teardown, scene: WorkerScene, n: number): Promise<string> {
  const { random } = torture;
  const work = random.pick(Object.keys(WORK));
  const end = random.pick(ENDS);
  const delay = random.below(60);
  const worker = Agent.worker(t);
  if (random.next() < 0.9) await worker.call('process.cwd'); // otherwise it is still loading
  const started = (WORK[work] as (typeof WORK)[string])(worker, scene, n).catch(() => undefined);
  await (delay === 0 ? new Promise((resolve) => setImmediate(resolve)) : after(delay));
  const what = `Worker ${n}, which ends by '${end}' in the middle of '${work}',`;
  if (end === 'terminate') await worker.terminate();
  else worker.call('agent.end', [end, 0]);
  const stuck = after(120_000, 'stuck' as const, { ref: false });
  const ended = await Promise.race([worker.ended, stuck]);
  if (!torture.check(ended !== 'stuck', `${what} ends within two minutes`) || ended === 'stuck') return end;
  const { code, error } = ended;
  // A Worker that is still loading, or has already finished, has nothing to terminate.
  const expected = { terminate: [0, 1], exit: [7], throw: [1], naturally: [0] }[end];
  torture.check(
    expected.includes(code as number) && (error === undefined || /on purpose/.test(error.message)),
    `${what} ends so`,
    {
      code,
      error: error?.message,
    },
  );
  await started;
  try {
    const own = await Database.open(scene.path(`own ${n}`));
    await own.put('key', 'x');
    await own.close();
    torture.check(true, 'its own database opens');
  } catch (error) {
    torture.check(false, `${what} leaves its own database so that it opens at once`, error);
  }
  return end;
}

export const workers: Experiment = {
  name: 'workers',
  about: 'Workers end in every way in the middle of backups, verifies and restores: nothing leaks, everything goes on',
  async run(torture) {
    const undo: (() => unknown)[] = [];
    const t: Teardown = { teardown: (handler) => void undo.unshift(handler as () => unknown) };
    const scene = await workerScene(t);
    const { db, engine } = scene;
    const total = torture.rounds(100, 500);
    const ways = new Map<string, number>();
    let warm: Held | undefined;
    const database = `${scene.path('db')}/`;
    let last = held(database);
    const samples: string[] = [];
    try {
      for (let n = 0; n < total && torture.failed < 20; n += AT_A_TIME) {
        const workersUndo: (() => unknown)[] = [];
        const own: Teardown = { teardown: (handler) => void workersUndo.push(handler as () => unknown) };
        const lives = Array.from({ length: Math.min(AT_A_TIME, total - n) }, (_, i) =>
          live(torture, own, scene, n + i),
        );
        for (const end of await Promise.all(lives)) ways.set(end, (ways.get(end) ?? 0) + 1);
        for (const each of workersUndo) await each();
        try {
          const { backupId } = await engine.createBackup(db);
          await engine.verifyBackup(backupId, { checksum: true });
          await engine.purgeOldBackups(3);
          torture.check((await db.get('second')) !== undefined, 'the shared database works');
        } catch (error) {
          torture.check(false, `after Worker ${n} the shared engine and database go on`, error);
        }
        if (n >= total / 4) {
          last = await heldInTheEnd(database, warm ?? { threads: 0, descriptors: 0 });
          warm ??= last;
          samples.push(`${last.threads}/${last.descriptors}`);
        }
      }
      const before = warm ?? last;
      torture.check(last.threads <= before.threads, 'no thread is left of a Worker', { before, last, samples });
      torture.check(last.descriptors <= before.descriptors, 'no descriptor is left of a Worker', {
        before,
        last,
        samples,
      });
      torture.check((await verifyAll(engine)).length === 3, 'the backups verify');
      await db.close();
      await engine.close();
      const again = await Database.open(scene.path('db'));
      torture.check((await again.get('second')) !== undefined, 'the database closes, and opens again');
      await again.close();
      const other = await BackupEngine.open(scene.path('backups'));
      await other.close();
      for (const [end, times] of [...ways].sort()) torture.figure(`ended by ${end}`, times);
      torture.figure('threads, after a quarter and in the end', `${before.threads}, ${last.threads}`);
      torture.figure('descriptors, after a quarter and in the end', `${before.descriptors}, ${last.descriptors}`);
    } finally {
      for (const each of undo) await each();
    }
  },
};
