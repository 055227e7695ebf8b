// Processes that end while operations are running, in every way in which a process can end.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { BackupEngine, Database } from '../../lib/index.js';
import { Agent, type End, ref } from '../fixtures/agent.js';
import { openDatabase, openEngine } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { Random } from '../fixtures/random.js';
import { fillFiles, listing, verifyAll } from '../fixtures/running.js';

interface Scene {
  path: (...parts: string[]) => string;
  db: Database;
  engine: BackupEngine;
}

/** Four backups of two megabytes each. Three quarters of the data are shared. */
async function scene(t: Test): Promise<Scene> {
  const path = tempDir(t);
  const db = await openDatabase(t, path('db'));
  const engine = await openEngine(t, path('backups'));
  for (let n = 0; n < 4; n++) {
    await fillFiles(db, `part ${n}`, { files: 5, keys: 100, valueSize: 1000 });
    await engine.createBackup(db);
  }
  return { path, db, engine };
}

type Way = (agent: Agent, delay: number) => void;

/** How a process ends, and how that looks from outside. */
const WAYS: Record<string, { end: Way; expected: Pick<End, 'code' | 'signal'> }> = {
  'process.exit()': { end: (agent, ms) => agent.call('agent.end', ['exit', ms]), expected: { code: 7, signal: null } },
  'a natural end': {
    end: (agent, ms) => agent.call('agent.end', ['naturally', ms]),
    expected: { code: 0, signal: null },
  },
  'an uncaught exception': {
    end: (agent, ms) => agent.call('agent.end', ['throw', ms]),
    expected: { code: 1, signal: null },
  },
  'an unhandled rejection': {
    end: (agent, ms) => agent.call('agent.end', ['reject', ms]),
    expected: { code: 1, signal: null },
  },
  SIGTERM: {
    end: (agent, ms) => void setTimeout(() => agent.child?.kill('SIGTERM'), ms),
    expected: { code: null, signal: 'SIGTERM' },
  },
  SIGKILL: {
    end: (agent, ms) => void setTimeout(() => agent.child?.kill('SIGKILL'), ms),
    expected: { code: null, signal: 'SIGKILL' },
  },
};

/** Starts the operations that the process will be busy with: all that can run at the same time. */
async function start(agent: Agent, { path }: Scene, n: number, ids: number[]): Promise<void> {
  await agent.call('Database.open', [path(`db ${n}`)], 'db');
  await agent.call('BackupEngine.open', [path('backups'), { backupRateLimit: 5_000_000 }], 'engine');
  await agent.call('agent.fillFiles', [ref('db'), 'theirs', { files: 2, keys: 100, valueSize: 1000 }]);
  agent.call('db.put', ['key', 'x'.repeat(100_000), { disableWAL: true }]);
  switch (n % 3) {
    case 0:
      agent.begin('engine.createBackup', [ref('db')]);
      agent.begin('engine.createBackup', [ref('db')]);
      break;
    case 1:
      agent.call('engine.deleteBackup', [ids[1]]);
      agent.call('engine.purgeOldBackups', [1]);
      break;
    default:
      agent.begin('engine.createBackup', [ref('db')]);
      agent.call('engine.deleteBackup', [ids[1]]);
  }
  for (const id of ids.slice(-2)) {
    agent.begin('engine.verifyBackup', [id], { checksum: true });
    agent.begin('engine.restoreBackup', [id, path(`restored ${n} ${id}`)]);
  }
  agent.call('db.flush');
  agent.call('db.compactRange');
  agent.call('engine.openBackup', [ids.at(-1)], 'backup');
}

for (const [name, { end, expected }] of Object.entries(WAYS)) {
  t.test(`a process that ends by ${name} at any moment ends so, and leaves backups that verify`, async (t) => {
    const set = await scene(t);
    const { path, db, engine } = set;
    const random = Random.of(t);
    for (let round = 0; round < 5; round++) {
      const ids = (await engine.getBackupInfo()).map(({ backupId }) => backupId);
      await Promise.all(
        [0, 1].map(async (i) => {
          const n = 2 * round + i;
          const agent = Agent.process(t, { env: { ...process.env, UV_THREADPOOL_SIZE: random.pick(['1', '4']) } });
          await agent.call('process.cwd');
          const started = start(agent, set, n, ids).catch(() => undefined); // ends with the process
          if (random.next() < 0.8) {
            await started;
          }
          end(agent, random.below(40));
          const { code, signal, stderr } = await agent.ended;
          await started;
          if (code !== expected.code || signal !== expected.signal) {
            t.fail(`process ${n} ended with ${code ?? signal}: ${stderr}`);
          }
          // Its database is free and intact. Its restore is either complete or not there at all.
          const own = await openDatabase(t, path(`db ${n}`));
          await own.put('key', 'x');
          await own.close();
          for (const restoredPath of ids.map((id) => path(`restored ${n} ${id}`)).filter(existsSync)) {
            const restored = await openDatabase(t, restoredPath, { createIfMissing: false });
            const keys = ['part 0:4:99', 'theirs:1:99']; // from our backups, or from one that such a process made
            t.ok((await restored.getMany(keys)).some(Boolean), 'a restore that is there is whole');
            await restored.close();
          }
        }),
      );
      t.ok((await verifyAll(engine)).length > 0, 'the backups verify');
      const { backupId } = await engine.createBackup(db);
      await engine.verifyBackup(backupId, { checksum: true });
      await engine.purgeOldBackups(4);
    }
    await engine.garbageCollect();
    const before = listing(path('backups'));
    t.equal(before.filter((entry) => entry.includes('.tmp')).length, 0, 'nothing temporary is left');
    t.same(
      await verifyAll(engine),
      (await engine.getBackupInfo()).map(({ backupId }) => backupId),
    );
  });
}

t.test('a process with nothing but open handles ends by itself', async (t) => {
  const { path } = await scene(t);
  const agent = Agent.process(t);
  await agent.call('Database.open', [path('own')], 'db');
  await agent.call('BackupEngine.open', [path('backups')], 'engine');
  await agent.call('engine.openBackup', [1], 'backup');
  await agent.call('db.put', ['key', 'value', { disableWAL: true }]);
  agent.call('agent.end', ['naturally', 0]);
  t.match(await agent.ended, { code: 0, signal: null });
  // Data that is in no log is flushed at the end of the process.
  const own = await openDatabase(t, path('own'), { createIfMissing: false });
  t.equal(String(await own.get('key')), 'value');
});

t.test('a process whose event loop has nothing else to do waits for its backup', async (t) => {
  const { path, engine } = await scene(t);
  const agent = Agent.process(t);
  await agent.call('Database.open', [path('own')], 'db');
  await agent.call('agent.fillFiles', [ref('db'), 'theirs', { files: 2, keys: 100, valueSize: 1000 }]);
  await agent.call('BackupEngine.open', [path('backups'), { backupRateLimit: 400_000 }], 'engine');
  const backup = agent.begin('engine.createBackup', [ref('db')], { allowOtherDatabase: true });
  await backup.begun;
  agent.call('agent.end', ['naturally', 0]);
  t.match(await agent.ended, { code: 0, signal: null });
  t.same(await verifyAll(engine), [1, 2, 3, 4, 5]);
});

t.test('process.exit() does not wait for a backup that would take hours', async (t) => {
  const { path, db, engine } = await scene(t);
  const before = listing(path('backups'));
  const agent = Agent.process(t);
  await agent.call('Database.open', [path('own')], 'db');
  await agent.call('agent.fillFiles', [ref('db'), 'theirs', { files: 2, keys: 100, valueSize: 1000 }]);
  await agent.call('BackupEngine.open', [path('backups'), { backupRateLimit: 100 }], 'engine');
  const backup = agent.begin('engine.createBackup', [ref('db')], { allowOtherDatabase: true });
  await backup.begun;
  agent.call('agent.end', ['exit', 0]);
  t.match(await agent.ended, { code: 7, signal: null });
  t.same(listing(path('backups')), before, 'it cleaned up before it ended');
  t.equal((await engine.createBackup(db)).backupId, 5);
});

/** A script that makes a backup with `excludeFiles`, and does something when it is asked. */
function asked(path: (...parts: string[]) => string, n: number, answer: string): string {
  const library = JSON.stringify(require.resolve('../../lib/index.js'));
  return `
    const { Database, BackupEngine } = require(${library});
    void (async () => {
      const db = await Database.open(${JSON.stringify(path(`asked db ${n}`))});
      await db.put('key', 'value');
      await db.flush();
      const engine = await BackupEngine.open(${JSON.stringify(path(`asked backups ${n}`))}, { schemaVersion: 2 });
      const busy = (ms) => { for (const end = Date.now() + ms; Date.now() < end; ); };
      ${answer}
    })();`;
}

t.test('a process ends also in the middle of the question which files to leave out', async (t) => {
  const path = tempDir(t);
  const answers: [string, number | null][] = [
    ['await engine.createBackup(db, { excludeFiles: () => process.exit(7) });', 7],
    ['await engine.createBackup(db, { excludeFiles: () => { throw new Error("mine"); } });', 1],
    // The question has arrived and waits for its turn.
    ['engine.createBackup(db, { excludeFiles: () => [] }); busy(700); process.exit(7);', 7],
    ['engine.createBackup(db, { excludeFiles: () => [] }); busy(700); throw new Error("mine");', 1],
    [
      `await engine.createBackup(db, { excludeFiles: () => { engine.stopBackup(); return []; } })
         .then(() => process.exit(1), (error) => process.exit(error.code === 'BACKUP_STOPPED' ? 7 : 2));`,
      7,
    ],
  ];
  for (const [n, [answer, code]] of answers.entries()) {
    const child = spawnSync(process.execPath, ['-e', asked(path, n, answer)], { timeout: 120_000, encoding: 'utf8' });
    t.equal(child.signal, null, 'it did not have to be killed');
    t.equal(child.status, code, `${answer}\n${child.stderr}`);
  }
});
