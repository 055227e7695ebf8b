// What a process is like that has its repository in a bucket: it ends by itself, and its event loop stays free.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import { SLOW } from '../fixtures/backups.js';
import { environment } from '../fixtures/cli.js';
import { tempDir } from '../fixtures/files.js';
import { signIn, startBucket } from './servers/bucket.js';
import { withoutCeph } from './servers/ceph.js';

const library = join(__dirname, '..', '..', 'lib', 'index.js');
const memoryStore = join(__dirname, 'memory-store.js');

/** Runs a program until it ends by itself. */
function run(
  t: Test,
  dir: string,
  body: string,
  options: readonly string[] = [],
): Promise<{ code: number | null; signal: string | null; text: string }> {
  const file = join(dir, 'program.js');
  writeFileSync(
    file,
    `const { BackupEngine, BackupManager, Database } = require(${JSON.stringify(library)});
     const { MemoryStore } = require(${JSON.stringify(memoryStore)});
     (async () => { ${body} })();`,
  );
  const child = spawn(process.execPath, [...options, file], {
    env: environment(),
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes) => {
      text += bytes;
    });
  }
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, text })));
}

const DATABASE = `const db = await Database.open('db'); for (let i = 0; i < 100; i++) db.put('k' + i, Buffer.alloc(1000, 'v'));`;

t.test('a program with a store object ends by itself', async (t) => {
  const { code, text } = await run(
    t,
    tempDir(t)(),
    `${DATABASE} const engine = await BackupEngine.open(new MemoryStore()); await engine.createBackup(db);
     await engine.verifyBackup(1, { checksum: true }); await engine.close(); await db.close(); console.log('done');`,
  );
  t.match({ code, text }, { code: 0, text: /^done\n$/ });
});

t.test('if the thread of the stores cannot begin, the error says so', async (t) => {
  const dir = tempDir(t)();
  const preload = join(dir, 'preload.js');
  writeFileSync(
    preload,
    `const threads = require('node:worker_threads');
     threads.Worker = class extends threads.Worker {
       constructor(file, options) { super('throw new Error("no threads here")', { ...options, eval: true }); }
     };`,
  );
  const { code, text } = await run(
    t,
    dir,
    `const opened = await BackupEngine.open('s3://backups/one').catch((error) => error);
     console.log(opened.code, opened.message);`,
    ['--require', preload],
  );
  t.match({ code, text }, { code: 0, text: /^STORE_UNUSABLE .*the stores cannot go on: no threads here\n$/ });
});

t.test('a bucket', { skip: withoutCeph() }, async (t) => {
  const { endpoint, credentials } = await startBucket(t);
  signIn(credentials);
  const url = (prefix: string) => `s3://backups/${prefix}?endpoint=${endpoint}`;

  await t.test('a program ends by itself, with its own exit code', async (t) => {
    for (const [name, body, expected] of [
      ['closed', `await engine.close(); await db.close(); process.exitCode = 3; console.log('done');`, 3],
      ['not closed', `console.log('done');`, 0],
      [
        'manager',
        `await engine.close(); const manager = new BackupManager({ db, location: url, schedule: '1h' });
         manager.start(); await manager.backupNow(); await manager.stop(); await db.close(); console.log('done');`,
        0,
      ],
      [
        'exit while it uploads',
        `for (let i = 0; i < 100; i++) db.put('x' + i, require('crypto').randomBytes(1e5));
         engine.createBackup(db, { onProgress() { console.log('done'); process.exit(4); } }).catch(() => {});`,
        4,
      ],
      ['unhandled error', `console.log('done'); setTimeout(() => { throw new Error('mine'); });`, 1],
    ] as const) {
      const { code, signal, text } = await run(
        t,
        tempDir(t)(),
        `const url = ${JSON.stringify(url(name.replaceAll(' ', '-')))};
         ${DATABASE} const engine = await BackupEngine.open(url); await engine.createBackup(db); ${body}`,
      );
      t.match({ code, signal, text }, { code: expected, signal: null, text: /^done/ }, name);
      t.notMatch(text, /[Uu]nhandled/, name);
    }
  });

  await t.test('a failure that nobody handles is the only one', async (t) => {
    const { code, text } = await run(
      t,
      tempDir(t)(),
      `await BackupEngine.open(${JSON.stringify(url('x').replace('backups', 'nowhere'))}, { readOnly: true });`,
    );
    t.equal(code, 1);
    t.equal(text.match(/STORE_NO_BUCKET/g)?.length, 1, text);
  });

  await t.test('a Worker thread uses a bucket, and another stops its backup', async (t) => {
    const dir = tempDir(t);
    const made = await inWorker(
      t,
      `const db = await Database.open(${JSON.stringify(dir('worker'))}); db.put('a', 'b');
       const engine = await BackupEngine.open(${JSON.stringify(url('worker'))});
       const { backupId } = await engine.createBackup(db); await engine.close(); await db.close(); return backupId;`,
    );
    t.equal(made, 1);
    const engine = await BackupEngine.open(url('worker'), { backupRateLimit: SLOW });
    t.equal((await engine.getBackupInfo()).length, 1);

    const db = await Database.open(dir('db'));
    t.teardown(() => db.close());
    for (let i = 0; i < 50; i++) db.put(`k${i}`, randomBytes(10_000));
    let began = () => {};
    const begun = new Promise<void>((resolve) => {
      began = resolve;
    });
    const creating = engine.createBackup(db, { onProgress: () => began(), allowOtherDatabase: true }).then(
      () => undefined,
      (error) => error,
    );
    await begun;
    const stopped = await inWorker(t, `return stopBackup(${JSON.stringify(engine.token)});`);
    t.equal(stopped, true);
    t.match(await creating, { code: 'BACKUP_STOPPED' });
    t.equal((await engine.getBackupInfo()).length, 1);
    await engine.close();
  });

  await t.test("an upload leaves the service's event loop alone", async (t) => {
    const db = await Database.open(tempDir(t)('db'), { compression: 'none' });
    t.teardown(() => db.close());
    for (let i = 0; i < 200; i++) await db.put(`k${i}`, randomBytes(1_000_000));
    await db.flush();
    const engine = await BackupEngine.open(url('large'));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const begin = performance.now();
    const { size } = await engine.createBackup(db);
    const took = performance.now() - begin;
    delay.disable();
    await engine.close();
    t.ok(size > 200_000_000);
    const ms = (ns: number) => (ns / 1e6).toFixed(1);
    t.comment(
      `${(size / 1e6).toFixed(0)} MB in ${took.toFixed(0)} ms; delay p50 ${ms(delay.percentile(50))} ms, p99 ${ms(delay.percentile(99))} ms, max ${ms(delay.max)} ms`,
    );
    t.ok(delay.percentile(99) / 1e6 < took / 10, 'it is nowhere near the time of the upload');
  });
});

/** Runs code in a Worker thread. @returns what it returns */
function inWorker(t: Test, body: string): Promise<unknown> {
  const worker = new Worker(
    `const { BackupEngine, Database, stopBackup } = require(${JSON.stringify(library)});
     const { parentPort } = require('node:worker_threads');
     (async () => { ${body} })().then((value) => parentPort.postMessage({ value }), (error) => parentPort.postMessage({ error: String(error) }));`,
    { eval: true },
  );
  t.teardown(() => worker.terminate());
  return new Promise((resolve, reject) => {
    worker.once('message', ({ value, error }) => (error === undefined ? resolve(value) : reject(new Error(error))));
    worker.once('error', reject);
  });
}
