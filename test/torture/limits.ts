// Thousands of backups in a repository, and tens of thousands of table files in a database: the time for operations must grow in
// proportion, and no more.

import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { BackupEngine, Database } from '../../lib/index.js';
import type { Experiment, Torture } from './experiment.js';

/**
 * The cost of some work: processor time in the program itself, all processor time, and time by the clock. Each is the best of several
 * attempts.
 */
interface Cost {
  user: number;
  cpu: number;
  clock: number;
}

type Costs = Record<string, Cost>;

/**
 * If there are twice as many, an operation may take twice as long, times 1.5, because they fit less well into caches, and other programs
 * are running too. The measure is processor time, with or without the system's part. The system's part in deleting a file varies by a
 * factor of ten, and short times cannot be measured well. SLACK, in milliseconds, is for the part that does not grow.
 */
const FACTOR = 1.5;
const SLACK = 5;

async function best(attempts: number, work: () => Promise<unknown>): Promise<Cost> {
  const never = Number.POSITIVE_INFINITY;
  const cost = { user: never, cpu: never, clock: never };
  for (let i = 0; i < attempts; i++) {
    const clock = performance.now();
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    cost.user = Math.min(cost.user, user / 1000);
    cost.cpu = Math.min(cost.cpu, (user + system) / 1000);
    cost.clock = Math.min(cost.clock, performance.now() - clock);
  }
  return cost;
}

function tell(torture: Torture, what: string, count: number, costs: Costs): void {
  const text = Object.entries(costs).map(([name, { cpu, clock }]) => `${name} ${clock.toFixed(0)} (${cpu.toFixed(0)})`);
  torture.figure(`${count} ${what}, ms (of processor time)`, text.join(', '));
}

/**
 * Compares the two ends of the range, so that a single disturbance in the middle does not matter. At its end, quadratic cost would be 16
 * times as high.
 */
function compare(torture: Torture, what: string, measured: { count: number; costs: Costs }[]): void {
  const [few, many] = [measured.at(0), measured.at(-1)] as [(typeof measured)[0], (typeof measured)[0]];
  const times = (many.count / few.count) ** (1 + Math.log2(FACTOR));
  for (const [name, cost] of Object.entries(many.costs)) {
    const before = few.costs[name] as Cost;
    const inProportion = (kind: 'user' | 'cpu') => cost[kind] <= times * before[kind] + SLACK;
    torture.check(
      inProportion('cpu') || inProportion('user'),
      `${name} with ${many.count} ${what} takes at most ${times.toFixed(1)} times as long as with ${few.count}`,
      { [many.count]: cost, [few.count]: before },
    );
  }
}

const ATTEMPTS = 5;
const COMPACTED_EVERY = 20;

/** A service's repository: each backup has one or two new table files, and shares the others with its neighbours. */
async function manyBackups(torture: Torture, counts: number[]): Promise<void> {
  const path = torture.path('backups');
  const db = await Database.open(torture.path('database'), { rocksdb: { disable_auto_compactions: true } });
  const engine = await BackupEngine.open(path, { sync: false });
  const measured: { count: number; costs: Costs }[] = [];
  let made = 0;
  for (const count of counts) {
    while (made < count) {
      await db.put(`key ${made}`, randomBytes(100));
      await db.flush();
      if (made % COMPACTED_EVERY === 0) await db.compactRange();
      await engine.createBackup(db, { metadata: `number ${++made}` });
    }
    let extra = 0;
    const costs = {
      open: await best(ATTEMPTS, async () => (await BackupEngine.open(path)).close()),
      list: await best(ATTEMPTS, () => engine.getBackupInfo()),
      'list with files': await best(ATTEMPTS, () => engine.getBackupInfo({ fileDetails: true })),
      'one of them': await best(ATTEMPTS, () => engine.getBackupInfo(made >> 1)),
      create: await best(ATTEMPTS, async () => {
        extra = (await engine.createBackup(db)).backupId;
      }),
      delete: await best(ATTEMPTS, () => engine.deleteBackup(extra--)),
    };
    tell(torture, 'backups', count, costs);
    measured.push({ count, costs });
    const list = await engine.getBackupInfo();
    torture.check(list.length === count, `all ${count} backups are listed`, list.length);
    const files = list.reduce((sum, backup) => sum + backup.numberFiles, 0);
    torture.figure(
      `${count} backups: list, for each file of each`,
      `${((costs.list.cpu * 1000) / files).toFixed(1)} µs of processor time (${files} files)`,
    );
    torture.check(
      costs.list.cpu <= 2 * costs.open.cpu + SLACK,
      `a list of ${count} backups takes at most twice as long as opening the directory`,
      costs,
    );
  }
  compare(torture, 'backups', measured);
  const purge = await best(1, () => engine.purgeOldBackups(1));
  tell(torture, 'backups but one', made, { purge });
  torture.check((await engine.getBackupInfo()).length === 1, 'one is left of them');
  await engine.close();
  await db.close();
}

/** Two keys for each table file. */
async function fillTables(path: string, count: number): Promise<void> {
  const db = await Database.open(path, {
    maxOpenFiles: 200,
    compression: 'none',
    rocksdb: {
      disable_auto_compactions: true,
      target_file_size_base: 1024,
      block_size: 512,
      write_buffer_size: 2 ** 27,
    },
  });
  for (let n = 0; n < 2 * count; ) {
    const batch = db.batch();
    for (let i = 0; i < 1000; i++, n++) batch.put(`key ${String(n).padStart(8, '0')}`, randomBytes(1000));
    await batch.write();
  }
  await db.flush();
  await db.compactRange({ bottommostLevelCompaction: 'force' });
  await db.close();
}

async function manyTables(torture: Torture, counts: number[]): Promise<void> {
  const measured: { count: number; costs: Costs }[] = [];
  for (const count of counts) {
    const path = torture.path(`tables-${count}`);
    const target = torture.path('restored');
    await fillTables(path, count);
    const opened = await best(3, async () => (await Database.open(path, { maxOpenFiles: 200 })).close());
    const db = await Database.open(path, { maxOpenFiles: 200, rocksdb: { disable_auto_compactions: true } });
    const backups = torture.path(`backups-of-${count}`);
    const engine = await BackupEngine.open(backups, { sync: false });
    // Each time into a new directory.
    let other = 0;
    const first = await best(2, async () => {
      const into = await BackupEngine.open(torture.path(`others-${count}`, String(other++)), { sync: false });
      await into.createBackup(db);
      await into.close();
    });
    rmSync(torture.path(`others-${count}`), { recursive: true, force: true });
    await engine.createBackup(db);
    const [backup] = await engine.getBackupInfo({ fileDetails: true });
    torture.check(
      backup !== undefined && backup.numberFiles >= count && backup.fileDetails?.length === backup.numberFiles,
      `a database of ${count} table files is backed up whole`,
      backup?.numberFiles,
    );
    let latest = 1;
    const costs: Costs = {
      'open the database': opened,
      'first backup': first,
      'next backup': await best(3, async () => {
        latest = (await engine.createBackup(db)).backupId;
      }),
      open: await best(3, async () => (await BackupEngine.open(backups)).close()),
      list: await best(3, () => engine.getBackupInfo()),
      'list with files': await best(3, () => engine.getBackupInfo({ fileDetails: true })),
      verify: await best(2, () => engine.verifyBackup(1, { checksum: true })),
      restore: await best(2, async () => {
        rmSync(target, { recursive: true, force: true });
        await engine.restoreBackup(1, target);
      }),
      'restore over it': await best(3, () => engine.restoreBackup(1, target, { overwrite: true })),
      'delete one': await best(3, () => engine.deleteBackup(latest--)),
      'delete the last': await best(1, () => engine.deleteBackup(1)),
    };
    tell(torture, 'table files', count, costs);
    measured.push({ count, costs });
    const restored = await Database.open(target, { maxOpenFiles: 200 });
    torture.check((await restored.get('key 00000000')) !== undefined, `${count} table files are restored`);
    await restored.close();
    await engine.close();
    await db.close();
    for (const done of [path, target, backups]) rmSync(done, { recursive: true, force: true });
  }
  compare(torture, 'table files', measured);
}

export const limits: Experiment = {
  name: 'limits',
  about: 'with more backups, or more table files, everything takes longer in proportion and no more',
  async run(torture) {
    const most = torture.rounds(400, 2000);
    await manyBackups(torture, [most / 4, most / 2, most].map(Math.floor));
    const tables = torture.full ? 20_000 : 2000;
    await manyTables(torture, [tables / 4, tables / 2, tables]);
    torture.figure('memory at most', `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
  },
};
