// Every operation in every state: open, busy, closing, closed. For engines, and for databases that are being backed up.

import t, { type Test } from 'tap';
import { BackupEngine, Database, RateLimiter } from '../../lib/index.js';
import { Agent } from '../fixtures/agent.js';
import { openDatabase, openEngine } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { codeOrValue, fillFiles, listing, running, runningBackup, UNLIMITED, verifyAll } from '../fixtures/running.js';

interface Scene {
  path: (...parts: string[]) => string;
  db: Database;
  engine: BackupEngine;
  limiter: RateLimiter;
}

/** Two old backups and much new data. At the limiter's speed, which applies to reading too, each operation would take a minute. */
async function scene(t: Test): Promise<Scene> {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  const limiter = new RateLimiter({ bytesPerSecond: UNLIMITED, mode: 'all' });
  const engine = await openEngine(t, path('backups'), { backupRateLimit: limiter, restoreRateLimit: limiter });
  await db.put('old', 'value');
  await fillFiles(db, 'also old', { files: 1, keys: 1000, valueSize: 1000 });
  await engine.createBackup(db);
  await engine.createBackup(db);
  await fillFiles(db, 'new', { files: 20, keys: 100, valueSize: 1000 });
  limiter.bytesPerSecond = 20_000;
  return { path, db, engine, limiter };
}

type Operation = (set: Scene, engine: BackupEngine) => unknown;

const READS: Record<string, Operation> = {
  getBackupInfo: (_, engine) => engine.getBackupInfo(),
  'getBackupInfo of one': (_, engine) => engine.getBackupInfo(1),
  getLatestBackupInfo: (_, engine) => engine.getLatestBackupInfo(),
  getCorruptedBackups: (_, engine) => engine.getCorruptedBackups(),
  verifyBackup: (_, engine) => engine.verifyBackup(1),
  openBackup: async (_, engine) => (await engine.openBackup(2)).close(),
  token: (_, engine) => engine.token,
  location: (_, engine) => engine.location,
  readOnly: (_, engine) => engine.readOnly,
};
const RESTORES: Record<string, Operation> = {
  restoreBackup: ({ path }, engine) => engine.restoreBackup(1, path('restored')),
  restoreLatestBackup: ({ path }, engine) => engine.restoreLatestBackup(path('restored, the latest')),
};
const WRITES: Record<string, Operation> = {
  createBackup: ({ db }, engine) => engine.createBackup(db),
  deleteBackup: (_, engine) => engine.deleteBackup(1),
  purgeOldBackups: (_, engine) => engine.purgeOldBackups(1),
  garbageCollect: (_, engine) => engine.garbageCollect(),
};
const STOP: Record<string, Operation> = { stopBackup: (_, engine) => engine.stopBackup() };
const ALL = { ...READS, ...RESTORES, ...WRITES, ...STOP };

/** The result as a promise, whether the operation throws or rejects. */
const perform = async (operation: Operation, set: Scene, engine: BackupEngine = set.engine) => operation(set, engine);

t.test('every operation works on an open engine', async (t) => {
  const set = await scene(t);
  set.limiter.bytesPerSecond = UNLIMITED;
  for (const [name, operation] of Object.entries(ALL)) {
    await t.resolves(perform(operation, set), name);
  }
});

t.test('on a busy engine reads and restores work, and writes wait for their turn', async (t) => {
  const set = await scene(t);
  const backup = runningBackup(set.engine, set.db);
  await backup.begun;
  for (const [name, operation] of Object.entries(READS)) {
    await t.resolves(perform(operation, set), name);
  }
  const restores = Object.entries(RESTORES).map(([name, operation]) => ({
    name,
    done: codeOrValue(perform(operation, set)),
  }));
  const { createBackup, ...removals } = WRITES;
  const waiting = Object.entries(removals).map(([name, operation]) => ({
    name,
    done: codeOrValue(perform(operation, set)),
  }));
  t.equal((await set.engine.getBackupInfo()).length, 2, 'nothing was deleted so far');
  t.notOk(backup.ended(), 'it is busy all the while');
  t.equal(set.engine.stopBackup(), true);
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  set.limiter.bytesPerSecond = UNLIMITED;
  for (const { name, done } of restores) {
    // Backup 1 may be deleted before its restore begins, or while it begins.
    t.match(String(await done), /object|BACKUP_NOT_FOUND|BACKUP_IN_USE/, name);
  }
  for (const { name, done } of waiting) {
    // While a restore reads backup 1, it is not deleted. After one of the two has deleted it, the other does not find it.
    t.match(String(await done), /undefined|object|BACKUP_IN_USE|BACKUP_NOT_FOUND/, name);
  }
  await t.resolves(perform(createBackup!, set));
  await verifyAll(set.engine);
});

t.test('every operation on a closing engine, and on a closed one, is ENGINE_CLOSED', async (t) => {
  const set = await scene(t);
  const before = listing(set.path('backups'));
  const backup = runningBackup(set.engine, set.db);
  await backup.begun;
  const { token } = set.engine;
  const closed = set.engine.close();
  for (const state of ['closing', 'closed']) {
    for (const [name, operation] of Object.entries(ALL)) {
      await t.rejects(
        perform(operation, set),
        { name: 'RocksDBError', code: 'ENGINE_CLOSED' },
        `${name} while ${state}`,
      );
    }
    t.throws(() => BackupEngine.attach(token), { code: 'ENGINE_CLOSED' }, `attach while ${state}`);
    await t.resolves(set.engine.close(), `close while ${state}`);
    await closed;
  }
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  t.same(listing(set.path('backups')), before);
});

t.test(
  'close() ends what runs and what waits, each with its own code, and resolves when nothing runs any more',
  async (t) => {
    const set = await scene(t);
    const { path, db, engine, limiter } = set;
    const before = listing(path('backups'));
    const operations = {
      create: runningBackup(engine, db),
      'waiting create': runningBackup(engine, db),
      verify: running((operation) => engine.verifyBackup(2, { checksum: true, ...operation })),
      restore: running((operation) => engine.restoreBackup(1, path('restored'), operation)),
    };
    await Promise.all([operations.create.begun, operations.verify.begun, operations.restore.begun]);
    const order: string[] = [];
    for (const [name, { done }] of Object.entries(operations)) {
      done.then(
        () => order.push(`${name} resolved`),
        ({ code }) => order.push(`${name} ${code}`),
      );
    }
    await Promise.all([engine.close(), engine.close(), engine[Symbol.asyncDispose]()]).then(() => order.push('closed'));
    t.same(order.pop(), 'closed', 'close comes last');
    t.same(order.sort(), [
      'create BACKUP_STOPPED',
      'restore RESTORE_STOPPED',
      'verify VERIFY_STOPPED',
      'waiting create BACKUP_STOPPED',
    ]);
    t.same(listing(path('backups')), before);
    t.notOk(
      listing(path()).some((entry) => entry.includes('restored')),
      'nothing of the restore is left',
    );
    limiter.bytesPerSecond = UNLIMITED;
    const again = await openEngine(t, path('backups'));
    await again.createBackup(db);
    t.same(await verifyAll(again), [1, 2, 3]);
  },
);

t.test('closing one of two handles stops nothing; closing the last one does', async (t) => {
  const set = await scene(t);
  const attached = BackupEngine.attach(set.engine.token);
  const attachedDb = Database.attach(set.db.token);
  const backup = runningBackup(set.engine, attachedDb);
  await backup.begun;
  await set.engine.close();
  await attachedDb.close();
  t.notOk(backup.ended());
  t.equal((await attached.getBackupInfo()).length, 2);
  await attached.close();
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  await t.resolves(set.db.put('key', 'the database is not closed'));
});

t.test('closing a database stops its backups, and no other', async (t) => {
  const set = await scene(t);
  const { path, db, engine, limiter } = set;
  const before = listing(path('backups'));
  const other = await openDatabase(t, path('other db'));
  await fillFiles(other, 'key', { files: 2, keys: 10, valueSize: 1000 });
  const backup = runningBackup(engine, db);
  await backup.begun;
  const { done: waiting } = runningBackup(engine, db);
  const others = running((operation) => engine.createBackup(other, { ...operation, allowOtherDatabase: true }));
  const closed = db.close();
  for (const use of [db.get('old'), db.put('x', 'x'), db.flush(), engine.createBackup(db)]) {
    await t.rejects(use as Promise<unknown>, { code: 'DATABASE_CLOSED' });
  }
  t.throws(() => db.getSync('old'), { code: 'DATABASE_CLOSED' });
  await t.rejects(backup.done, { code: 'BACKUP_STOPPED' });
  await t.rejects(waiting, { code: 'BACKUP_STOPPED' });
  await closed;
  await Promise.all([db.close(), db[Symbol.asyncDispose]()]);
  await t.rejects(engine.createBackup(db), { code: 'DATABASE_CLOSED' });
  t.same(
    listing(path('backups')).filter((entry) => before.includes(entry)),
    before,
  );
  limiter.bytesPerSecond = UNLIMITED;
  t.equal((await others.done).backupId, 3, 'the backup of another database gets its turn');
  const again = await openDatabase(t, path('db'), { createIfMissing: false });
  t.ok(await again.get('new:19:99'), 'the database opens again');
  t.equal((await engine.createBackup(again)).backupId, 4);
  t.same(await verifyAll(engine), [1, 2, 3, 4]);
});

t.test('a backup that is open in place outlives its engine, and closes by itself', async (t) => {
  const { engine, path } = await scene(t);
  const backup = await engine.openBackup(1);
  await engine.close();
  t.equal(String(await backup.get('old')), 'value');
  const again = await openEngine(t, path('backups'));
  await t.rejects(again.deleteBackup(1), { code: 'BACKUP_IN_USE' });
  await Promise.all([backup.close(), backup.close()]);
  await t.rejects(backup.get('old'), { code: 'DATABASE_CLOSED' });
  await again.deleteBackup(1);
});

t.test('handles that nobody keeps are closed with the garbage, and what they began is not harmed', async (t) => {
  const path = tempDir(t);
  const agent = Agent.process(t, { execArgv: ['--expose-gc'] });
  for (let round = 1; round <= 3; round++) {
    const { tokens, backupId } = await agent.call<{ tokens: string[]; backupId: number }>('agent.abandon', [
      path('db'),
      path('backups'),
      100_000,
    ]);
    t.equal(backupId, round, 'the backup that was under way finished');
    t.comment(
      `${await agent.call('agent.collectUntilClosed', [tokens, path('db')])} collections until both were closed`,
    );
    // They are really closed: the database can be opened in this process.
    const db = await Database.open(path('db'));
    await fillFiles(db, `round ${round}`, { files: 1, keys: 100, valueSize: 300 });
    await db.close();
  }
  const engine = await openEngine(t, path('backups'));
  t.same(await verifyAll(engine), [1, 2, 3]);
});
