// npm run bench:stores: repositories in object storage, against one Ceph on this machine. Uploads and downloads are compared with a loop of
// the AWS SDK that sends the same files in the same parts.

import { execFile } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { CreateBucketCommand, DeleteObjectsCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { BackupEngine, Database } from '../lib/index.js';
import { type CephServer, startCeph, withoutCeph } from '../test/stores/servers/ceph.js';
import { conditions } from './report.js';
import { atOnce, clientFor } from './stores-bare.js';
import type { StoreMeasured } from './stores-child.js';
import { type LoopRun, markdown, type StoreResults, type StoreRound } from './stores-report.js';
import { countRequests } from './stores-requests.js';

const MEASUREMENTS = ['large', 'small', 'loop', 'list', 'requests'];

const HELP = `npm run bench:stores -- [options]

  --mib N          size of the database of large tables           default 1024
  --tables N       number of tables of the other one              default 10000
  --backups N      of the repository that is listed               default 2000
  --runs N         counted runs of each program                   default 5
  --only LIST      of ${MEASUREMENTS}             default all
  --dir PATH       where databases lie                            default build/bench/stores
  --write          writes docs/benchmarks/stores.md and stores.json`;

const root = join(__dirname, '..', '..');
const { values: options } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    tables: { type: 'string', default: '10000' },
    backups: { type: 'string', default: '2000' },
    runs: { type: 'string', default: '5' },
    only: { type: 'string', default: String(MEASUREMENTS) },
    dir: { type: 'string', default: join(root, 'build', 'bench', 'stores') },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

const positive = (name: 'mib' | 'tables' | 'backups' | 'runs') => {
  const value = Number(options[name]);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`--${name} is a positive integer`);
  return value;
};
const [mib, tables, backups, runs] = [positive('mib'), positive('tables'), positive('backups'), positive('runs')];
const wanted = new Set(options.only.split(','));
for (const name of wanted) {
  if (!MEASUREMENTS.includes(name)) throw new RangeError(`--only is a list of ${MEASUREMENTS}, not ${name}`);
}
const directory = resolve(options.dir);
const restored = join(directory, 'restored');
const BUCKET = 'backups';

const remove = (path: string) => rmSync(path, { recursive: true, force: true });
const say = (text: string) => process.stderr.write(`${text}\n`);

const run = promisify(execFile);
const profile = process.env.STORES_BENCH_NODE_OPTIONS?.split(' ') ?? [];

async function child<T = StoreMeasured>(...args: (string | number)[]): Promise<T> {
  const program = join(__dirname, 'stores-child.js');
  const { stdout } = await run(
    process.execPath,
    ['--expose-gc', '--no-warnings', ...profile, program, ...args.map(String)],
    {
      maxBuffer: 1 << 28,
    },
  );
  return JSON.parse(stdout.slice(stdout.trimEnd().lastIndexOf('\n') + 1));
}

/** Written once and kept for later runs. */
async function made(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = join(directory, name);
  if (!existsSync(path)) {
    say(`making ${name}`);
    remove(`${path}.unfinished`);
    await make(`${path}.unfinished`);
    renameSync(`${path}.unfinished`, path);
  }
  return path;
}

/** Without compression, and so that no table is merged with others. */
const OPEN = {
  compression: 'none',
  disableAutoCompactions: true,
  rocksdb: { level0_slowdown_writes_trigger: 1e6, level0_stop_writes_trigger: 1e6 },
} as const;

const largeTables = () =>
  made(`large-${mib}`, async (path) => {
    await using db = await Database.open(path, { ...OPEN, writeBufferSize: 2 ** 30 });
    const value = Buffer.alloc(1000);
    for (let table = 0; table < mib / 64; table++) {
      for (let n = 0; n < 64 * 1024; n++) {
        randomFillSync(value);
        const done = db.put(`${table}-${n}`, value);
        if (n % 1000 === 0) await done;
      }
      await db.flush();
    }
  });

const smallTables = () =>
  made(`small-${tables}`, async (path) => {
    await using db = await Database.open(path, OPEN);
    for (let table = 0; table < tables; table++) {
      await db.put(`key-${table}`, `${table}`);
      await db.flush();
    }
  });

const manyBackups = () =>
  made(`repository-${backups}`, async (path) => {
    const source = join(directory, 'source');
    remove(source);
    await using db = await Database.open(source, OPEN);
    await using engine = await BackupEngine.open(path, { sync: false });
    for (let n = 0; n < backups; n++) {
      await db.put(`key-${n % 20}`, `${n}`);
      if (n % 100 === 0) await db.flush();
      await engine.createBackup(db);
    }
  });

async function empty(server: CephServer): Promise<void> {
  const client = clientFor(server.endpoint);
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET }));
    if (Contents.length === 0) break;
    const Objects = Contents.map(({ Key }) => ({ Key }));
    await client.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects, Quiet: true } }));
  }
  client.destroy();
  server.collectGarbage();
}

const urlOf = ({ endpoint }: CephServer, prefix: string) => `s3://${BUCKET}/${prefix}?endpoint=${endpoint}`;

/** Uploads and downloads of a database, by both programs in turns. `width`: how many files at the same time. */
async function transfers(server: CephServer, db: string, width: number): Promise<Record<string, StoreRound[]>> {
  const name = relative(directory, db);
  const uploads: StoreRound[] = [];
  const downloads: StoreRound[] = [];
  for (let n = 0; n <= runs; n++) {
    say(`${name}, ${width} at a time: ${n === 0 ? 'warm-up' : `${n} of ${runs}`}`);
    await empty(server);
    const up: [keyof StoreRound, () => Promise<StoreMeasured>][] = [
      ['baseline', () => child('bareUpload', db, server.endpoint, BUCKET, width)],
      ['ours', () => child('upload', db, urlOf(server, 'ours'), width)],
    ];
    const down: typeof up = [
      ['baseline', () => child('bareDownload', server.endpoint, BUCKET, join(restored, 'baseline'), width)],
      ['ours', () => child('download', urlOf(server, 'ours'), join(restored, 'ours'), width)],
    ];
    for (const [turns, rounds] of [
      [up, uploads],
      [down, downloads],
    ] as const) {
      remove(restored);
      const round = {} as StoreRound;
      for (const [program, measure] of n % 2 === 0 ? turns : [...turns].reverse()) round[program] = await measure();
      if (n > 0) rounds.push(round);
    }
  }
  remove(restored);
  await empty(server);
  const files = width === 1 ? '1 file at a time' : `${width} files at a time`;
  return { [`upload, ${files}`]: uploads, [`download, ${files}`]: downloads };
}

async function loopDelay(server: CephServer): Promise<LoopRun[]> {
  const db = await largeTables();
  const results: LoopRun[] = [];
  for (let n = 0; n < runs; n++) {
    say(`event loop: ${n + 1} of ${runs}`);
    await empty(server);
    results.push(await child<LoopRun>('loop', db, urlOf(server, 'loop')));
  }
  await empty(server);
  return results;
}

async function lists(server: CephServer): Promise<StoreResults['lists']> {
  const repository = await manyBackups();
  say('putting the backups into the bucket');
  const client = clientFor(server.endpoint);
  const files = readdirSync(repository, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(repository, name)).isFile(),
  );
  await atOnce(files, 16, (name) =>
    client.send(
      new PutObjectCommand({ Bucket: BUCKET, Key: `list/${name}`, Body: readFileSync(join(repository, name)) }),
    ),
  );
  client.destroy();
  const results: StoreResults['lists'] = [];
  for (let n = 0; n < runs; n++) {
    say(`list: ${n + 1} of ${runs}`);
    results.push({ objects: files.length, ...(await child<object>('list', urlOf(server, 'list'))) } as never);
  }
  await empty(server);
  remove(join(directory, 'source'));
  return results;
}

async function main() {
  const why = withoutCeph();
  if (why !== false) throw new Error(why);
  mkdirSync(directory, { recursive: true });
  const ends: (() => unknown)[] = [];
  const server = await startCeph({ teardown: (end: () => unknown) => void ends.unshift(end) } as never, {
    diskBytes: Math.max(2 ** 31, 3.5 * mib * 2 ** 20),
  });
  process.env.AWS_ACCESS_KEY_ID = server.credentials.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = server.credentials.secretAccessKey;
  const results: StoreResults = {
    conditions: conditions(directory, { pageCache: 'warm', threads: [1], mib, runs }),
    tables,
    backups,
    large: {},
    small: {},
    loop: [],
    lists: [],
    requests: [],
  };
  const load = () => loadavg()[0] ?? 0;
  results.conditions.load.before = load();
  try {
    const client = clientFor(server.endpoint);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    client.destroy();
    if (wanted.has('large')) {
      const db = await largeTables();
      results.large = { ...(await transfers(server, db, 1)), ...(await transfers(server, db, 2)) };
    }
    if (wanted.has('small')) {
      const db = await smallTables();
      results.small = { ...(await transfers(server, db, 1)), ...(await transfers(server, db, 16)) };
    }
    if (wanted.has('loop')) results.loop = await loopDelay(server);
    if (wanted.has('list')) results.lists = await lists(server);
    if (wanted.has('requests')) {
      remove(join(directory, 'requests'));
      remove(join(directory, 'requests-restored'));
      results.requests = await countRequests({ endpoint: server.endpoint, bucket: BUCKET, directory, tables: 50 });
    }
  } finally {
    for (const end of ends) await end();
  }
  results.conditions.load.after = load();
  const text = markdown(results);
  console.log(text);
  if (options.write) {
    const folder = join(root, 'docs', 'benchmarks');
    writeFileSync(join(folder, 'stores.md'), text);
    writeFileSync(join(folder, 'stores.json'), `${JSON.stringify(results, null, 2)}\n`);
  }
}

main().catch((error: Error) => {
  console.error(error);
  process.exitCode = 1;
});
