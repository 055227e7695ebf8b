// Tests single parts of a manager: changes are never lost, backups run one after the other, waits grow.

import { spawn } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BackupQueue, type Job } from '../../lib/manager/backup-queue.js';
import { ChangeWatch } from '../../lib/manager/change-watch.js';
import type { DirectoryState } from '../../lib/manager/directory-state.js';
import { takeTurn } from '../../lib/manager/manager-engines.js';
import type { BackupResult } from '../../lib/manager/manager-events.js';
import { ManagerState, memoryOf } from '../../lib/manager/manager-state.js';
import { backoff, mayPass, toError } from '../../lib/manager/retries.js';
import { openStorage } from '../../lib/storage/storage.js';
import { FakeClock, settleAll } from '../fixtures/fake-clock.js';
import { tempDir } from '../fixtures/files.js';
import { diskOnly, storageOf } from '../fixtures/place.js';
import { Random } from '../fixtures/random.js';

const INTERVAL = 1000;

t.test(
  'whatever the order of changes, backups and failures, every change gets a backup that began after it',
  async (t) => {
    const random = Random.of(t);
    let backups = 0;
    for (let round = 0; round < 200; round++) {
      const clock = new FakeClock();
      let changes = 0;
      let seenTo = 0;
      let began = Number.NEGATIVE_INFINITY;
      let running = false;
      let lastEnd = Number.NEGATIVE_INFINITY;
      let holding = 0;
      const watch = new ChangeWatch({
        clock,
        minInterval: INTERVAL,
        onDue: () => {
          if (running) return;
          if (clock.monotonic() < lastEnd + INTERVAL) t.fail('too soon');
          backup();
        },
      });
      const backup = () => {
        running = true;
        const end = (ok: boolean) => {
          if (ok) seenTo = Math.max(seenTo, holding);
          running = false;
          lastEnd = clock.monotonic();
          watch.ended(ok, 100);
        };
        const take = () => {
          holding = changes;
          began = clock.monotonic();
          backups++;
          watch.begun();
          // Attempts: each takes a new view of the database.
          if (random.below(4) === 0) clock.setTimeout(take, random.below(300));
          else clock.setTimeout(() => end(random.below(3) > 0), random.below(500));
        };
        // Before it takes its view, it may wait or fail.
        clock.setTimeout(() => (random.below(5) === 0 ? end(false) : take()), random.below(200));
      };
      watch.start();
      for (let step = 0; step < 15; step++) {
        for (let n = random.below(4); n > 0; n--) {
          changes++;
          watch.notify();
        }
        if (random.below(6) === 0 && !running) backup();
        // No need to settle promises: only the clock is asynchronous here.
        await clock.advance(random.below(700));
      }
      await clock.advance(60 * INTERVAL);
      t.notOk(running || watch.pending || watch.nextIn() !== undefined, 'it comes to rest');
      if (seenTo !== changes) t.fail(`${changes} changes, ${seenTo} of them in a backup; last began at ${began}`);
    }
    t.ok(backups > 200, `${backups} backups`);
  },
);

t.test('changes after a closed database are due with the next change', async (t) => {
  const clock = new FakeClock();
  let due = 0;
  const watch = new ChangeWatch({ clock, minInterval: INTERVAL, onDue: () => due++ });
  watch.start();
  watch.notify();
  await clock.advance(0);
  watch.begun();
  watch.ended(false, undefined);
  await clock.advance(100 * INTERVAL);
  t.equal(due, 1);
  watch.notify();
  await clock.advance(INTERVAL);
  t.equal(due, 2);
  watch.stop();
  watch.notify();
  await clock.advance(100 * INTERVAL);
  t.equal(due, 2);
  t.equal(clock.waiting, 0);
});

t.test('a change that is due at once keeps a process alive, and one that has to wait does not', async (t) => {
  const clock = new FakeClock();
  const watch = new ChangeWatch({ clock, minInterval: INTERVAL, onDue: () => undefined });
  watch.start();
  t.equal(clock.keepsAlive, false);
  watch.notify();
  t.equal(clock.keepsAlive, true);
  await clock.advance(0);
  watch.begun();
  watch.ended(true);
  watch.notify();
  t.equal(clock.waiting, 1);
  t.equal(clock.keepsAlive, false);
  watch.stop();
});

t.test('damage that others note while a manager cannot write its state is not forgotten', async (t) => {
  const path = tempDir(t)('backups');
  mkdirSync(path);
  const suspect = (backupId: number) => ({
    backupId,
    timestamp: '2026-01-01T00:00:00Z',
    since: '2026-02-01T00:00:00Z',
    isDamaged: true,
  });
  const damage = (backupId: number) => ({ file: `meta/${backupId}`, ...suspect(backupId) });
  const ids = ({ memory }: ManagerState) => {
    t.same(
      memory.damage.map(({ backupId }) => backupId),
      memory.suspects.map(({ backupId }) => backupId),
    );
    return memory.suspects.map(({ backupId }) => backupId);
  };
  const one = new ManagerState(openStorage(path));
  const other = new ManagerState(openStorage(path));
  const obstacle = join(path, 'rocksdb-backup.state.json.tmp');
  mkdirSync(obstacle);
  await one.update((memory) => {
    memory.incrementalsSinceFull = 3;
    memory.suspects.push(suspect(1));
    memory.damage.push(damage(1));
  });
  rmdirSync(obstacle);
  await other.update((memory) => {
    memory.suspects.push(suspect(1), suspect(2));
    memory.damage.push(damage(1), damage(2));
  });
  await one.load();
  t.same(ids(one), [1, 2]);
  t.equal(one.memory.incrementalsSinceFull, 3);
  await one.update(() => undefined);
  await other.load();
  t.same(ids(other), [1, 2]);
  t.equal(other.memory.incrementalsSinceFull, 3);
});

t.test('a queue runs one backup at a time, and shares only those that have not begun', async (t) => {
  const jobs: Job[] = [];
  const ends: (() => void)[] = [];
  const queue = new BackupQueue((job) => {
    jobs.push({ ...job });
    return new Promise((resolve) => ends.push(() => resolve({ kind: job.kind } as BackupResult)));
  });
  const ask = (kind: Job['kind']) => queue.add({ trigger: 'demand', kind });
  const first = ask('auto');
  t.equal(ask('auto'), first, 'in the same turn');
  await settleAll(1);
  const second = ask('auto');
  t.not(second, first);
  t.equal(ask('full'), second, 'which becomes a full one');
  t.equal(ask('full'), second);
  const third = ask('incremental');
  t.equal(ask('incremental'), third);
  t.equal(ask('auto'), second);
  t.equal(queue.waiting, 2);
  t.equal(jobs.length, 1);
  for (let n = 0; n < 3; n++) {
    ends[n]!();
    await settleAll(1);
  }
  await queue.idle();
  t.same(
    jobs.map(({ kind }) => kind),
    ['auto', 'full', 'incremental'],
  );
  t.notOk(queue.busy);
  const running = ask('auto');
  await settleAll(1);
  const waiting = ask('auto');
  queue.clear(new Error('stopped'));
  await t.rejects(waiting, { message: 'stopped' });
  ends[3]!();
  await running;
  await queue.idle();
});

t.test('a queue goes on after a backup that failed', async (t) => {
  let n = 0;
  const queue = new BackupQueue(async () => {
    if (n++ === 0) throw new Error('first');
    return {} as BackupResult;
  });
  const first = queue.add({ trigger: 'demand', kind: 'auto' });
  await t.rejects(first, { message: 'first' });
  await queue.add({ trigger: 'demand', kind: 'auto' });
  t.equal(n, 2);
});

t.test('those who write to one directory take turns, whatever it is called', { skip: diskOnly }, async (t) => {
  const dir = tempDir(t);
  const { mkdirSync, symlinkSync } = await import('node:fs');
  mkdirSync(dir('a'));
  symlinkSync(dir('a'), dir('link'));
  const order: string[] = [];
  const work =
    (name: string, fail = false) =>
    async () => {
      order.push(`${name} begins`);
      await settleAll(3);
      order.push(`${name} ends`);
      if (fail) throw new Error(name);
      return name;
    };
  const [one, two, three] = await Promise.allSettled([
    takeTurn(storageOf(dir('a')), work('one', true)),
    takeTurn(storageOf(dir('link')), work('two')),
    takeTurn(openStorage(dir('a', '..', 'a')), work('three')),
  ]);
  t.equal(one.status, 'rejected');
  t.same([two.status, three.status], ['fulfilled', 'fulfilled']);
  for (let n = 0; n < order.length; n += 2) {
    t.equal(order[n]!.split(' ')[0], order[n + 1]!.split(' ')[0], 'nobody in between');
  }
});

t.test('waits double up to the longest, at random between half and all of it', async (t) => {
  const settings = { delay: 1000, maxDelay: 10_000 };
  const waits = [1, 2, 3, 4, 5, 1000].map((attempt) => [
    backoff(attempt, settings, () => 0),
    backoff(attempt, settings, () => 1),
  ]);
  t.same(waits, [
    [500, 1000],
    [1000, 2000],
    [2000, 4000],
    [4000, 8000],
    [5000, 10_000],
    [5000, 10_000],
  ]);
});

t.test('what may pass is tried again, what cannot is not', async (t) => {
  const error = (code?: string) => Object.assign(new Error('x'), { code });
  for (const code of ['BACKUP_LOCKED', 'NO_SPACE', 'ROCKSDB_IO_ERROR', 'BACKUP_CORRUPT', 'ENOSPC', 'EIO']) {
    t.ok(mayPass(error(code)), code);
  }
  for (const code of [
    'INVALID_OPTION',
    'DATABASE_CLOSED',
    'ENGINE_CLOSED',
    'BACKUP_STOPPED',
    'READ_ONLY',
    'MERGE_OPERATOR_UNKNOWN',
    undefined,
  ]) {
    t.notOk(mayPass(error(code)), String(code));
  }
  for (const odd of [undefined, null, 'text', 5, {}]) t.notOk(mayPass(odd));
  t.match(toError('text'), { message: 'text' });
  t.match(toError(undefined), { message: 'undefined' });
});

t.test('whatever stands in the state, what is remembered has the right form', async (t) => {
  const empty: DirectoryState = { version: 1, pins: [], counters: {}, history: [], last: {}, manager: {} };
  const nothing = { incrementalsSinceFull: undefined, consecutiveFailures: {}, lastRuns: {}, damage: [], suspects: [] };
  t.same(memoryOf(empty), nothing);
  const odd = {
    incrementalsSinceFull: -1,
    consecutiveFailures: 'x',
    lastRuns: { a: 'never' },
    damage: [{}, null, 5, { file: 7, backupId: 1, timestamp: '2026-01-01', since: '2026-01-01' }],
    suspects: [{}, null, 5],
  };
  t.same(memoryOf({ ...empty, manager: odd }), nothing);
});

/** The output of a process that does nothing but what it asks its manager for. */
async function saidByManager(t: Test, ask: string): Promise<string> {
  const dir = tempDir(t);
  const code = `
    const { BackupManager, Database } = require(${JSON.stringify(join(__dirname, '..', '..', 'lib', 'index.js'))});
    (async () => {
      const db = await Database.open(${JSON.stringify(dir('db'))});
      await db.put('a', 'b');
      const manager = new BackupManager({ db, location: ${JSON.stringify(dir('backups'))}, schedule: '1h', drill: { schedule: '1d' } });
      ${ask}
    })();`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [status] = await new Promise<[number | null]>((resolve) => child.on('close', (code) => resolve([code])));
  t.equal(status, 0);
  return said;
}

t.test('a manager keeps no process alive, a backup that was asked for does', async (t) => {
  const asked = `
    manager.start();
    manager.backupNow().then(({ backupId }) => console.log('made', backupId));`;
  t.match(await saidByManager(t, asked), /^made \d/);
});

t.test('so does one that is due when the manager starts', async (t) => {
  for (let round = 0; round < 5; round++) {
    const due = `
      manager.on('backup', ({ info }) => console.log('made', info.backupId));
      manager.start();`;
    t.equal(await saidByManager(t, due), 'made 1\n');
  }
});
