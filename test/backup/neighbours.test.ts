// The lock of another program: rocksdb-js takes flock on .backup.lock in the repository, exclusive for writing, shared for restoring.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type BackupEngine, type Database, RateLimiter } from '../../lib/index.js';
import { begun, fill, openDatabase, openEngine, settled } from '../fixtures/backups.js';
import { cli } from '../fixtures/cli.js';
import { tempDir } from '../fixtures/files.js';
import { fillFiles, runningBackup, UNLIMITED, verifyAll } from '../fixtures/running.js';

const skip =
  spawnSync('flock', ['--version']).error === undefined ? false : 'needs flock of util-linux: apt install util-linux';

type Mode = 'exclusive' | 'shared';

/** Another program that holds the lock until it is ended. */
async function neighbour(t: Test, file: string, mode: Mode): Promise<{ end(): Promise<void> }> {
  const child: ChildProcess = spawn('flock', [`--${mode}`, '--nonblock', file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [said] = (await once(child.stdout!, 'data')) as [Buffer];
  t.equal(String(said), 'held\n');
  return {
    async end() {
      child.stdin!.end();
      await once(child, 'close');
    },
  };
}

/** Whether another program can get the lock at this moment. */
const isFree = (file: string, mode: Mode) => spawnSync('flock', [`--${mode}`, '--nonblock', file, 'true']).status === 0;

interface Scene {
  path: (...parts: string[]) => string;
  db: Database;
  engine: BackupEngine;
  lock: string;
}

async function scene(t: Test): Promise<Scene> {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  const engine = await openEngine(t, path('backups'));
  await fill(db, 'a');
  await engine.createBackup(db);
  await engine.createBackup(db);
  return { path, db, engine, lock: path('backups', '.backup.lock') };
}

t.test('what writes is refused while another program writes or restores there', { skip }, async (t) => {
  const { path, db, engine, lock } = await scene(t);
  for (const mode of ['exclusive', 'shared'] as const) {
    const other = await neighbour(t, lock, mode);
    const writes: Record<string, () => Promise<unknown>> = {
      create: () => engine.createBackup(db),
      delete: () => engine.deleteBackup(1),
      purge: () => engine.purgeOldBackups(1),
      gc: () => engine.garbageCollect(),
    };
    for (const [what, write] of Object.entries(writes)) {
      await t.rejects(write(), { code: 'BACKUP_LOCKED', message: /\.backup\.lock/ }, `${what}, ${mode}`);
    }
    const restore = settled(engine.restoreBackup(1, path(`restored ${mode}`)));
    t.match(await restore, mode === 'shared' ? { value: { backupId: 1 } } : { error: { code: 'BACKUP_LOCKED' } });
    t.same(await verifyAll(engine), [1, 2], 'it lists and verifies');
    await (await engine.openBackup(1)).close();
    t.equal((await cli(t, ['delete', path('backups'), '1', '--yes'])).code, 4);
    await other.end();
  }
  await engine.deleteBackup(1);
  t.equal((await engine.createBackup(db)).backupId, 3);
});

t.test(
  'while this writes, another program can neither write nor restore; while it restores, not write',
  { skip },
  async (t) => {
    const { path, db, lock } = await scene(t);
    await fillFiles(db, 'new', { files: 4, keys: 100, valueSize: 1000 });
    const limiter = new RateLimiter({ bytesPerSecond: 1000 });
    const engine = await openEngine(t, path('backups'), {
      backupRateLimit: limiter,
      restoreRateLimit: limiter,
    });
    const backup = runningBackup(engine, db);
    await backup.begun;
    t.same([isFree(lock, 'shared'), isFree(lock, 'exclusive')], [false, false], 'a create');
    limiter.bytesPerSecond = UNLIMITED;
    await backup.done;
    t.ok(isFree(lock, 'exclusive'), 'and holds nothing afterwards');
    limiter.bytesPerSecond = 1000;
    const restore = await begun((operation) => engine.restoreBackup(3, path('restored'), operation), 'restore');
    t.same([isFree(lock, 'shared'), isFree(lock, 'exclusive')], [true, false], 'a restore');
    limiter.bytesPerSecond = UNLIMITED;
    t.match(await restore.outcome, { value: { backupId: 3 } });
    t.ok(isFree(lock, 'exclusive'));
  },
);

t.test('a restore and a create of this program run beside each other, as ever', async (t) => {
  const { path, db } = await scene(t);
  await fillFiles(db, 'new', { files: 4, keys: 100, valueSize: 1000 });
  const limiter = new RateLimiter({ bytesPerSecond: UNLIMITED });
  const slow = await openEngine(t, path('backups'), {
    backupRateLimit: limiter,
    restoreRateLimit: limiter,
  });
  await slow.createBackup(db);
  await fillFiles(db, 'newer', { files: 4, keys: 100, valueSize: 1000 });
  limiter.bytesPerSecond = 1000;
  const restore = await begun((operation) => slow.restoreBackup(3, path('first'), operation), 'restore');
  const other = await openEngine(t, path('backups'));
  t.equal((await other.createBackup(db)).backupId, 4, 'a create during a restore');
  await other.deleteBackup(1);
  await t.rejects(other.deleteBackup(3), { code: 'BACKUP_IN_USE' });
  await fillFiles(db, 'newest', { files: 4, keys: 100, valueSize: 1000 });
  const backup = runningBackup(slow, db);
  await backup.begun;
  t.equal((await other.restoreBackup(2, path('second'))).backupId, 2, 'a restore during a create');
  limiter.bytesPerSecond = UNLIMITED;
  t.match(await restore.outcome, { value: { backupId: 3 } });
  t.equal((await backup.done).backupId, 5);
});

t.test('reading a directory makes no lock file in it', async (t) => {
  const { path, lock } = await scene(t);
  rmSync(lock);
  const reader = await openEngine(t, path('backups'), { readOnly: true });
  await reader.restoreBackup(1, path('restored'));
  await reader.verifyBackup(1);
  t.notOk(existsSync(lock));
});

t.test('a lock file that may only be read, or is none, is dealt with', { skip }, async (t) => {
  const { path, db, engine, lock } = await scene(t);
  chmodSync(lock, 0o444);
  t.equal((await engine.createBackup(db)).backupId, 3);
  rmSync(lock);
  spawnSync('mkfifo', [lock]);
  await t.rejects(engine.createBackup(db), {
    code: 'ROCKSDB_IO_ERROR',
    message: /\.backup\.lock/,
  });
  t.equal((await engine.restoreBackup(1, path('restored'))).backupId, 1, 'data is given back all the same');
  rmSync(lock);
  writeFileSync(lock, '');
  t.equal((await engine.createBackup(db)).backupId, 4);
});
