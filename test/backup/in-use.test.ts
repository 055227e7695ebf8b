// A database or backup that is in use is not replaced and not deleted: if it is used here, in a Worker, or in another process.

import t, { type Test } from 'tap';
import { type BackupEngine, Database, type OpenOptions } from '../../lib/index.js';
import { Agent, ref } from '../fixtures/agent.js';
import { openDatabase, openEngine } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { fillFiles, listing, verifyAll } from '../fixtures/running.js';

interface Scene {
  path: (...parts: string[]) => string;
  engine: BackupEngine;
}

/** Three backups of a database that is closed. Its `key` has changed since. */
async function scene(t: Test, { restoreRateLimit = 0 } = {}): Promise<Scene> {
  const path = tempDir(t);
  const engine = await openEngine(t, path('backups'), { restoreRateLimit });
  const db = await Database.open(path('db'));
  await db.put('key', 'backed up');
  for (let n = 0; n < 3; n++) {
    await fillFiles(db, `part ${n}`, { files: 1, keys: 100, valueSize: 1000 });
    await engine.createBackup(db);
  }
  await db.compactRange(); // an open database with more than one file may start to compact them by itself
  await db.put('key', 'newer');
  await db.close();
  return { path, engine };
}

/** A restore over the database is refused, and does not change a byte of it. */
async function assertRefused(t: Test, { path, engine }: Scene): Promise<void> {
  const before = listing(path('db'));
  await t.rejects(engine.restoreBackup(1, path('db'), { overwrite: true }), { code: 'DATABASE_IN_USE' });
  await t.rejects(engine.restoreLatestBackup(path('db', '..', 'db', '.'), { overwrite: true }), {
    code: 'DATABASE_IN_USE',
  });
  t.same(listing(path('db')), before, 'nothing has changed');
}

async function assertRestores(t: Test, { path, engine }: Scene): Promise<void> {
  await engine.restoreBackup(1, path('db'), { overwrite: true });
  const db = await openDatabase(t, path('db'), { createIfMissing: false });
  t.equal(String(await db.get('key')), 'backed up');
  t.equal(await db.get('part 2:0:0'), undefined);
}

const MODES: Record<string, (set: Scene) => OpenOptions> = {
  'to write': () => ({}),
  'for reading': () => ({ mode: 'readOnly' }),
  'as a secondary': ({ path }) => ({ mode: { secondary: path('secondary') } }),
};

for (const [mode, options] of Object.entries(MODES)) {
  t.test(`a restore over a database that is open here ${mode} is refused, and works once it is closed`, async (t) => {
    const set = await scene(t);
    const db = await Database.open(set.path('db'), options(set));
    await assertRefused(t, set);
    t.equal(String(await db.get('key')), 'newer', 'the database is as it was');
    await db.close();
    await assertRestores(t, set);
  });

  t.test(
    `a restore over a database that a Worker has open ${mode} is refused, until the Worker has ended`,
    async (t) => {
      const set = await scene(t);
      const worker = Agent.worker(t);
      await worker.call('Database.open', [set.path('db'), options(set)], 'db');
      await assertRefused(t, set);
      t.equal(String(Buffer.from(await worker.call<Uint8Array>('db.get', ['key']))), 'newer');
      await worker.terminate();
      await assertRestores(t, set);
    },
  );
}

t.test('a restore over a database that another process writes to is refused, until it was killed', async (t) => {
  const set = await scene(t);
  const other = Agent.process(t);
  await other.call('Database.open', [set.path('db')], 'db');
  await assertRefused(t, set);
  await other.call('db.put', ['key', 'newer still']);
  await other.terminate();
  await assertRestores(t, set);
});

t.test('a database cannot be opened, here or in another process, while a restore replaces it', async (t) => {
  const set = await scene(t);
  // It is chance whether an open happens before, during or after the replacement. In every case it must see one of the two databases.
  const other = Agent.process(t);
  await other.call('process.cwd');
  const seen = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const restore = set.engine.restoreBackup(round % 2 === 0 ? 1 : 3, set.path('db'), { overwrite: true }).then(
      () => 'restored',
      (error: { code: string }) => error.code,
    );
    const open = async () => {
      if (round % 4 < 2) {
        await other.call('Database.open', [set.path('db'), { createIfMissing: false }], 'db');
        const value = await other.call<Uint8Array | undefined>('db.get', ['part 2:0:0']);
        await other.call('db.close');
        return value === undefined ? 'the first' : 'the third';
      }
      const db = await Database.open(set.path('db'), { createIfMissing: false });
      const value = await db.get('part 2:0:0');
      await db.close();
      return value === undefined ? 'the first' : 'the third';
    };
    const opened = await open().catch((error: { code: string; message: string }) => `${error.code} ${error.message}`);
    seen.add(`${await restore}, ${opened.replace(/ the database.*/, '')}`);
    t.match(opened, /^(the first|the third|DATABASE_IN_USE .*)$/);
    t.match(await restore, /^(restored|DATABASE_IN_USE)$/);
  }
  t.comment([...seen].join('; '));
  await assertRestores(t, set);
});

/** A delete of backup 2 is refused, and so is a purge that would delete it. A purge that would not is allowed. */
async function assertKept(t: Test, { path, engine }: Scene): Promise<void> {
  const before = listing(path('backups'));
  await t.rejects(engine.deleteBackup(2), { code: 'BACKUP_IN_USE', message: /2/ });
  await t.rejects(engine.purgeOldBackups(1), { code: 'BACKUP_IN_USE', message: /2/ });
  t.same(listing(path('backups')), before, 'nothing was deleted');
  await engine.purgeOldBackups(2);
  t.same(await verifyAll(engine), [2, 3], 'another backup can go');
}

async function assertDeletes(t: Test, { engine }: Scene): Promise<void> {
  await engine.deleteBackup(2);
  t.same(await verifyAll(engine), [3]);
}

/** Opens an engine of another user, who reads as slowly as that. */
async function openSlowly(other: Agent, { path }: Scene): Promise<void> {
  await other.call('agent.limiter', [{ bytesPerSecond: 5000, mode: 'all' }], 'limiter');
  const limits = { backupRateLimit: ref('limiter'), restoreRateLimit: ref('limiter') };
  await other.call('BackupEngine.open', [path('backups'), { readOnly: true, ...limits }], 'engine');
}

for (const [who, start] of [
  ['a Worker', Agent.worker],
  ['another process', Agent.process],
] as const) {
  t.test(`a backup that ${who} is restoring is not deleted`, async (t) => {
    const set = await scene(t);
    const other = start(t);
    await openSlowly(other, set);
    const restore = other.begin('engine.restoreBackup', [2, set.path('restored')]);
    await restore.begun;
    await assertKept(t, set);
    await other.terminate();
    await t.rejects(restore.done, { code: 'ENDED' });
    await assertDeletes(t, set);
  });

  t.test(`a backup that ${who} is verifying is not deleted`, async (t) => {
    const set = await scene(t);
    const other = start(t);
    await openSlowly(other, set);
    const verify = other.begin('engine.verifyBackup', [2], { checksum: true });
    await verify.begun;
    await assertKept(t, set);
    await other.terminate();
    await t.rejects(verify.done, { code: 'ENDED' });
    await assertDeletes(t, set);
  });

  t.test(`a backup that ${who} has open is not deleted`, async (t) => {
    const set = await scene(t);
    const other = start(t);
    await other.call('BackupEngine.open', [set.path('backups'), { readOnly: true }], 'engine');
    await other.call('engine.openBackup', [2], 'db');
    await other.call('engine.close');
    await assertKept(t, set);
    t.equal(String(Buffer.from(await other.call<Uint8Array>('db.get', ['key']))), 'backed up');
    await other.call('db.close');
    await assertDeletes(t, set);
  });
}
