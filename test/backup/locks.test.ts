// A repository has only one writer at a time: among engines, threads and processes, alive and dead.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type BackupEngine, type BackupInfo, type Database, RateLimiter } from '../../lib/index.js';
import { Agent, ref } from '../fixtures/agent.js';
import { openDatabase, openEngine } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { fillFiles, listing, runningBackup, UNLIMITED, verifyAll } from '../fixtures/running.js';

interface Scene {
  path: (...parts: string[]) => string;
  db: Database;
  engine: BackupEngine;
  limiter: RateLimiter;
}

/** A database with one old backup, and so much new data that a backup would take half an hour at the limiter's speed. */
async function scene(t: Test): Promise<Scene> {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  const limiter = new RateLimiter({ bytesPerSecond: UNLIMITED });
  const engine = await openEngine(t, path('backups'), { backupRateLimit: limiter });
  await db.put('old', 'value');
  await engine.createBackup(db, { flushBeforeBackup: true });
  await fillFiles(db, 'new', { files: 20, keys: 100, valueSize: 1000 });
  limiter.bytesPerSecond = 1000;
  return { path, db, engine, limiter };
}

/** A write must fail with BACKUP_LOCKED. The message must say which process has the lock. */
async function assertLocked(t: Test, pid: number, what: string, write: Promise<unknown>): Promise<void> {
  await t.rejects(write, { code: 'BACKUP_LOCKED', message: new RegExp(`process ${pid} `) }, `${what} is refused`);
}

/** Everything that writes is refused to this engine, and everything that reads is allowed. */
async function assertReadsOnly(t: Test, { path, db }: Scene, engine: BackupEngine, pid: number): Promise<void> {
  await assertLocked(t, pid, 'createBackup', engine.createBackup(db));
  await assertLocked(t, pid, 'deleteBackup', engine.deleteBackup(1));
  await assertLocked(t, pid, 'purgeOldBackups', engine.purgeOldBackups(0));
  await assertLocked(t, pid, 'garbageCollect', engine.garbageCollect());
  t.same(
    (await engine.getBackupInfo()).map(({ backupId }) => backupId),
    [1],
    'it lists',
  );
  await engine.verifyBackup(1, { checksum: true });
  await engine.restoreBackup(1, path('restored'));
  const inPlace = await engine.openBackup(1);
  t.equal(String(await inPlace.get('old')), 'value', 'it opens in place');
  await inPlace.close();
}

/** A process that is making such a backup of its own database in the same repository. */
async function otherProcess(t: Test, { path }: Scene) {
  const other = Agent.process(t);
  await other.call('Database.open', [path('other db')], 'db');
  await other.call('agent.fillFiles', [ref('db'), 'theirs', { files: 20, keys: 100, valueSize: 1000 }]);
  await other.call('BackupEngine.open', [path('backups'), { backupRateLimit: 1000 }], 'engine');
  const backup = other.begin<BackupInfo>('engine.createBackup', [ref('db')], { allowOtherDatabase: true });
  await backup.begun;
  return { other, backup };
}

t.test('of two engines of one thread the second is refused to write, and reads', async (t) => {
  const set = await scene(t);
  const second = await openEngine(t, set.path('backups'));
  const backup = runningBackup(set.engine, set.db);
  await backup.begun;
  await assertReadsOnly(t, set, second, process.pid);
  t.notOk(backup.ended(), 'the first was at work all the while');
  t.equal(second.stopBackup(), false, 'an engine stops its own backups');
  t.equal(set.engine.stopBackup(), true);
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  t.equal((await second.createBackup(set.db)).backupId, 2, 'then the second writes');
  t.same(await verifyAll(set.engine), [1, 2]);
});

t.test('of the engines of two Workers the second is refused to write', async (t) => {
  const set = await scene(t);
  const [first, second] = [Agent.worker(t), Agent.worker(t)];
  for (const worker of [first, second]) {
    await worker.call('Database.attach', [set.db.token], 'db');
    await worker.call('BackupEngine.open', [set.path('backups'), { backupRateLimit: 1000 }], 'engine');
  }
  const backup = first.begin('engine.createBackup', [ref('db')]);
  await backup.begun;
  await assertLocked(t, process.pid, 'createBackup in a Worker', second.call('engine.createBackup', [ref('db')]));
  await assertReadsOnly(t, set, set.engine, process.pid);
  t.equal(await first.call('engine.stopBackup'), true);
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  set.limiter.bytesPerSecond = UNLIMITED;
  t.equal((await set.engine.createBackup(set.db)).backupId, 2);
  t.same(await verifyAll(set.engine), [1, 2]);
});

t.test('while another process writes, this one is refused to write, and reads', async (t) => {
  const set = await scene(t);
  const { other, backup } = await otherProcess(t, set);
  await assertReadsOnly(t, set, set.engine, other.pid!);
  t.equal(await other.call('engine.stopBackup'), true);
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  set.limiter.bytesPerSecond = UNLIMITED;
  t.equal((await set.engine.createBackup(set.db)).backupId, 2, 'when it has ended, this one writes');
});

t.test('a writer that was killed with SIGKILL holds nothing, and what it left is cleaned up', async (t) => {
  const set = await scene(t);
  const before = listing(set.path('backups'));
  const { other } = await otherProcess(t, set);
  t.not(listing(set.path('backups')).length, before.length, 'it had written');
  const { signal } = await other.terminate();
  t.equal(signal, 'SIGKILL');
  t.same(await verifyAll(set.engine), [1]);
  await set.engine.garbageCollect();
  t.same(listing(set.path('backups')), before);
  set.limiter.bytesPerSecond = UNLIMITED;
  t.equal((await set.engine.createBackup(set.db)).backupId, 2);
  t.same(await verifyAll(set.engine), [1, 2]);
});

t.test('a process started during a backup inherits neither the lock nor a file of the backup', async (t) => {
  const set = await scene(t);
  const backup = runningBackup(set.engine, set.db);
  await backup.begun;
  // This child lives until its stdin closes.
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  t.equal(set.engine.stopBackup(), true);
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  await set.engine.close();

  const other = Agent.process(t);
  await other.call('Database.open', [set.path('other db')], 'db');
  await other.call('BackupEngine.open', [set.path('backups')], 'engine');
  const { backupId } = await other.call<BackupInfo>('engine.createBackup', [ref('db'), { allowOtherDatabase: true }]);
  t.equal(backupId, 2, 'another process writes while the child lives');
  if (existsSync(`/proc/${child.pid}/fd`)) {
    const files = readdirSync(`/proc/${child.pid}/fd`).map((fd) => readlinkSync(`/proc/${child.pid}/fd/${fd}`));
    t.same(
      files.filter((file) => file.startsWith(set.path())),
      [],
      'it has no file of ours open',
    );
  }
  child.stdin.end();
  await once(child, 'close');
});

t.test(
  'two processes and two Workers fight for one directory, and every backup that was reported is there',
  async (t) => {
    const path = tempDir(t);
    const db = await openDatabase(t, path('db'));
    const engine = await openEngine(t, path('backups'));
    const COUNT = 12;
    const fighters = [Agent.worker(t), Agent.worker(t), Agent.process(t), Agent.process(t)];
    await Promise.all(
      fighters.map(async (agent, i) => {
        if (agent.pid === undefined) {
          await agent.call('Database.attach', [db.token], 'db');
        } else {
          await agent.call('Database.open', [path(`db ${i}`)], 'db');
        }
        await agent.call('BackupEngine.open', [path('backups')], 'engine');
      }),
    );
    // They begin while a backup that would take an hour is running. Otherwise it would be chance whether they ever meet.
    await fillFiles(db, 'much', { files: 1, keys: 500, valueSize: 1000 });
    const first = await openEngine(t, path('backups'), { backupRateLimit: 100 });
    const inTheWay = runningBackup(first, db);
    await inTheWay.begun;
    const fights = fighters.map((agent, i) =>
      agent.begin<{ made: { backupId: number; metadata: string }[]; refused: number }>('agent.fight', [
        ref('engine'),
        ref('db'),
        `fighter ${i}`,
        COUNT,
      ]),
    );
    await Promise.all(fights.map(({ begun }) => begun));
    t.equal(first.stopBackup(), true);
    await t.rejects(inTheWay.done, { code: 'BACKUP_STOPPED' });
    const results = await Promise.all(fights.map(({ done }) => done));
    t.comment(`refused: ${results.map(({ refused }) => refused).join(', ')} times`);
    t.ok(
      results.every(({ refused }) => refused > 0),
      'each was refused while another wrote',
    );
    const made = results.flatMap((result) => result.made).sort((a, b) => a.backupId - b.backupId);
    t.equal(made.length, fighters.length * COUNT);
    t.equal(new Set(made.map(({ backupId }) => backupId)).size, made.length, 'no id was given twice');
    const infos = await engine.getBackupInfo();
    t.same(
      infos.map(({ backupId, appMetadata }) => ({ backupId, metadata: appMetadata })),
      made,
      'each is there as it was reported',
    );
    t.equal((await verifyAll(engine)).length, made.length, 'each verifies');
    // What a fighter put before a backup is in that backup.
    const last = made.at(-1)!;
    const inPlace = await engine.openBackup(last.backupId);
    t.equal(String(await inPlace.get(last.metadata)), last.metadata);
    await inPlace.close();
  },
);
