// Ctrl-C and SIGTERM while a store does not answer: each command ends soon, as one that was stopped.

import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Database } from '../../lib/index.js';
import { fill } from '../fixtures/backups.js';
import { cli, type Ran, type Started, start } from '../fixtures/cli.js';
import { tempDir } from '../fixtures/files.js';
import { startBucket } from '../stores/servers/bucket.js';
import { withoutCeph } from '../stores/servers/ceph.js';
import { LossyProxy } from '../stores/servers/lossy-proxy.js';
import { startSilentServer } from '../stores/servers/silent.js';

/** The time limit of one request is a minute, and it is repeated for five. */
const HANGS = 30_000;

/** How a command ends that is asked to. If it does not end, it is killed, and has no exit code. */
async function stopped(t: Test, run: Started, signal: NodeJS.Signals): Promise<Ran> {
  const begin = performance.now();
  run.child.kill(signal);
  const timer = new AbortController();
  const ran = await Promise.race([
    run.ended,
    after(HANGS, undefined, { signal: timer.signal }).then(() => {
      run.child.kill('SIGKILL');
      return run.ended;
    }),
  ]);
  timer.abort();
  t.comment(`${Math.round(performance.now() - begin)} ms after ${signal}`);
  return ran;
}

const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key', AWS_EC2_METADATA_DISABLED: 'true' };

t.test('a store that never answers', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'));
  await fill(db, 'a');
  await db.close();
  await cli(t, ['create', dir('db'), dir('backups')]);
  cpSync(dir('db'), dir('other'), { recursive: true });
  const asked = new Map<string, () => void>();
  const server = await startSilentServer(t, (url) => asked.get(/repository-\d+/.exec(url)?.[0] ?? '')?.());
  const commands: ((url: string) => string[])[] = [
    (url) => ['create', dir('db'), url],
    (url) => ['create', dir('other'), url, '--dry-run'],
    (url) => ['list', url],
    (url) => ['show', url, 'latest'],
    (url) => ['verify', url],
    (url) => ['restore', url, dir('restored')],
    (url) => ['delete', url, '1', '--yes'],
    (url) => ['prune', url, '--keep-last', '1', '--yes'],
    (url) => ['purge', url, '--keep', '1', '--yes'],
    (url) => ['gc', url, '--yes'],
    (url) => ['stats', url],
    (url) => ['report', url, '--html', dir('report.html')],
    (url) => ['drill', url, '--directory', dir()],
    (url) => ['diff', url, '1', '2'],
    (url) => ['pin', url, '1'],
    (url) => ['unpin', url, '1'],
    (url) => ['get', url, '1', 'key'],
    (url) => ['scan', url, '1'],
    (url) => ['copy', url, dir('copied')],
    (url) => ['copy', dir('backups'), url],
    (url) => ['probe', url],
    (url) => ['status', url],
    (url) => ['status', url, '--recursive'],
    (url) => {
      const database = { path: dir('db'), backups: url, schedule: '1h', backupOnStart: true };
      writeFileSync(dir('watch.json'), JSON.stringify({ databases: [database] }));
      return ['watch', '--config', dir('watch.json')];
    },
  ];
  const stop = async (at: number) => {
    const place = `repository-${at}`;
    const wasAsked = new Promise<void>((resolve) => {
      asked.set(place, resolve);
    });
    const args = commands[at]!(`s3://backups/${place}?endpoint=${server}`);
    const run = start(t, args, { env });
    await Promise.race([wasAsked, run.ended]);
    const { code, stderr } = await stopped(t, run, at % 2 === 0 ? 'SIGINT' : 'SIGTERM');
    t.equal(code, args[0] === 'watch' ? 0 : 6, `${args.join(' ')}: ${stderr}`);
    if (args[0] !== 'watch') {
      t.match(
        stderr,
        /rocksdb-backup: stopped by (Ctrl-C|SIGTERM)(: .* did not answer when the program was asked to end)?\n$/,
      );
    }
  };
  for (let at = 0; at < commands.length; at += 4) {
    await Promise.all([0, 1, 2, 3].map((more) => stop(at + more)));
  }
});

t.test('a store that hangs in the middle', { skip: withoutCeph() }, async (t) => {
  const ceph = await startBucket(t);
  const proxy = await LossyProxy.start(t, ceph.endpoint);
  const dir = tempDir(t);
  const env = {
    AWS_ACCESS_KEY_ID: ceph.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ceph.credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const url = `s3://backups/users?endpoint=${proxy.url}`;
  const backUp = async (prefix: string) => {
    const db = await Database.open(dir('db'));
    await fill(db, prefix);
    await db.close();
    t.equal((await cli(t, ['create', dir('db'), url], { env })).code, 0);
  };
  for (const prefix of ['a', 'b', 'c']) await backUp(prefix);
  const hangs = async (t: Test, args: string[], answers: number) => {
    let left = answers;
    let isHeld = () => {};
    const held = new Promise<void>((resolve) => {
      isHeld = resolve;
    });
    proxy.hold = () => {
      if (left-- > 0) return false;
      isHeld();
      return true;
    };
    const run = start(t, args, { env });
    const ended = await Promise.race([held.then(() => undefined), run.ended]);
    const ran = ended ?? (await stopped(t, run, 'SIGINT'));
    proxy.hold = () => false;
    return { ...ran, wasHeld: ended === undefined };
  };
  for (const args of [
    ['list', url],
    ['verify', url, '--checksum'],
    ['restore', url, dir('restored')],
    ['create', dir('db'), url],
    ['pin', url, '1'],
    ['delete', url, '2', '--yes'],
    ['gc', url, '--yes'],
    ['copy', url, dir('copied')],
  ]) {
    await t.test(args[0]!, async (t) => {
      for (const answers of [3, 9]) {
        for (const place of ['restored', 'copied']) rmSync(dir(place), { recursive: true, force: true });
        const { code, stdout, stderr, wasHeld } = await hangs(t, args, answers);
        if (!wasHeld) break;
        if (code === 0 && args[0] === 'list') {
          // Which RocksDB wrote a backup is told only if that can be read.
          t.match(stdout, /3 backups/);
          continue;
        }
        t.equal(code, 6, `after ${answers} answers: ${stderr}`);
        t.match(stderr, /rocksdb-backup: .*stopped by Ctrl-C/);
        const checked = await cli(t, ['verify', url, '--all', '--checksum'], { env });
        t.equal(checked.code, 0, checked.stderr);
      }
    });
  }
});
