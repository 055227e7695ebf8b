// npm run bench:status: how long `rocksdb-backup status --recursive` takes for many repositories, in a directory and in a bucket of a Ceph on
// this machine.

import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { BackupEngine, Database } from '../lib/index.js';
import { startCeph, withoutCeph } from '../test/stores/servers/ceph.js';
import { atOnce, clientFor } from './stores-bare.js';

const HELP = `npm run bench:status -- [options]

  --repositories N   how many                                       default 1000
  --backups N        of each                                        default 5
  --runs N           of the command, for each place                 default 3
  --dir PATH         where the repositories lie                     default build/bench/status`;

const root = join(__dirname, '..', '..');
const { values: options } = parseArgs({
  options: {
    repositories: { type: 'string', default: '1000' },
    backups: { type: 'string', default: '5' },
    runs: { type: 'string', default: '3' },
    dir: { type: 'string', default: join(root, 'build', 'bench', 'status') },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

const positive = (name: 'repositories' | 'backups' | 'runs') => {
  const value = Number(options[name]);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`--${name} is a positive integer`);
  return value;
};
const [repositories, backups, runs] = [positive('repositories'), positive('backups'), positive('runs')];
const directory = resolve(options.dir);
const BUCKET = 'backups';
const run = promisify(execFile);
const say = (text: string) => process.stderr.write(`${text}\n`);

/** A repository with some tables in each backup. @returns its files */
async function makeRepository(path: string): Promise<string[]> {
  const source = join(directory, 'source');
  const db = await Database.open(source, { disableAutoCompactions: true });
  const engine = await BackupEngine.open(path);
  for (let backup = 0; backup < backups; backup++) {
    for (let table = 0; table < 4; table++) {
      await db.put(`${backup}-${table}`, Buffer.alloc(1000));
      await db.flush();
    }
    await engine.createBackup(db);
  }
  await engine.close();
  await db.close();
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(path, name)).isFile());
}

/** Runs the command. @returns how long it took, in seconds */
async function measure(place: string): Promise<number> {
  const begin = performance.now();
  const { stdout } = await run(
    process.execPath,
    [join(root, 'dist', 'lib', 'cli', 'main.js'), 'status', place, '--recursive', '--json'],
    { maxBuffer: 1 << 28 },
  );
  const seconds = (performance.now() - begin) / 1000;
  const { repositories: found } = JSON.parse(stdout) as { repositories: { backups: number; state: string }[] };
  const good = found.filter((each) => each.state === 'good' && each.backups === backups).length;
  if (found.length !== repositories || good !== repositories) throw new Error(`${good} of ${found.length} are good`);
  return seconds;
}

async function report(place: string, url: string): Promise<void> {
  const times: number[] = [];
  for (let n = 0; n < runs; n++) {
    say(`${place}: ${n + 1} of ${runs}`);
    times.push(await measure(url));
  }
  times.sort((a, b) => a - b);
  const [median, least, most] = [times[Math.floor(runs / 2)]!, times[0]!, times[runs - 1]!];
  console.log(`| ${place} | **${median.toFixed(1)}** (${least.toFixed(1)} – ${most.toFixed(1)}) |`);
}

async function main() {
  const why = withoutCeph();
  if (why !== false) throw new Error(why);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const model = join(directory, 'model');
  const files = await makeRepository(model);
  const before = loadavg()[0]!;
  console.log(`${repositories} repositories with ${backups} backups and ${files.length} files each. Seconds.\n`);
  console.log('| place | seconds |\n| --- | ---: |');
  const all = join(directory, 'all');
  const names = Array.from({ length: repositories }, (_, n) => `team-${n % 20}/service-${n}`);
  for (const name of names) cpSync(model, join(all, name), { recursive: true });
  await report('directories of this machine', all);

  const ends: (() => unknown)[] = [];
  const server = await startCeph({ teardown: (end: () => unknown) => void ends.unshift(end) } as never, {
    diskBytes: 2 ** 32,
  });
  try {
    process.env.AWS_ACCESS_KEY_ID = server.credentials.accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = server.credentials.secretAccessKey;
    const client = clientFor(server.endpoint);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    say('putting the repositories into the bucket');
    const bodies = files.map((file) => ({ file, body: readFileSync(join(model, file)) }));
    const objects = names.flatMap((name) => bodies.map(({ file, body }) => ({ key: `${name}/${file}`, body })));
    await atOnce(objects, 32, ({ key, body }) =>
      client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body })),
    );
    client.destroy();
    await report(`a bucket of Ceph, ${objects.length} objects`, `s3://${BUCKET}?endpoint=${server.endpoint}`);
  } finally {
    for (const end of ends) await end();
  }
  console.log(`\nLoad ${before.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after.`);
  rmSync(directory, { recursive: true, force: true });
}

main().catch((error: Error) => {
  console.error(error);
  process.exitCode = 1;
});
