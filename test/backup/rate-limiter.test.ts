// One rate limit for one engine or for several, while they run.

import t from 'tap';
import { BackupEngine, RateLimiter, type RateLimiterOptions } from '../../lib/index.js';
import { begun, fill, openDatabase, openEngine, SLOW } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';

/** How many seconds it takes. */
async function secondsOf(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return (performance.now() - began) / 1000;
}

const RATE = 600_000;

t.test('backups and restores take the time that their rates say', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  for (const prefix of ['a', 'b', 'c']) await fill(db, prefix, { count: 200 });
  let round = 0;
  for (const maxBackgroundOperations of [1, 4]) {
    for (const limit of [RATE, new RateLimiter({ bytesPerSecond: RATE })]) {
      const engine = await openEngine(t, dir(`backups-${round}`), {
        backupRateLimit: limit,
        restoreRateLimit: typeof limit === 'number' ? limit : new RateLimiter({ bytesPerSecond: RATE }),
        maxBackgroundOperations,
      });
      const how = `${maxBackgroundOperations} at a time, ${typeof limit === 'number' ? 'a number' : 'a limiter'}`;
      const backup = await secondsOf(() => engine.createBackup(db));
      const { size } = (await engine.getBackupInfo())[0]!;
      t.ok(backup >= (0.8 * size) / RATE, `backup, ${how}: ${backup} s for ${size} bytes`);
      if (maxBackgroundOperations === 4) {
        const restore = await secondsOf(() => engine.restoreBackup(1, dir(`restored-${round}`)));
        t.ok(restore >= (0.8 * size) / RATE, `restore, ${how}: ${restore} s for ${size} bytes`);
      }
      round++;
    }
  }
});

t.test('engines that share a limiter share its bytes', async (t) => {
  const dir = tempDir(t);
  const limiter = new RateLimiter({ bytesPerSecond: 1_000_000 });
  const sizes: number[] = [];
  const jobs: (() => Promise<unknown>)[] = [];
  for (const name of ['one', 'two', 'three']) {
    const db = await openDatabase(t, dir(name));
    await fill(db, name, { count: 300 });
    const engine = await openEngine(t, dir(`${name}-backups`), { backupRateLimit: limiter });
    jobs.push(async () => sizes.push((await engine.createBackup(db)).size));
  }
  const elapsed = await secondsOf(() => Promise.all(jobs.map((job) => job())));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  t.ok(elapsed >= (0.8 * total) / 1_000_000, `${elapsed} s for ${total} bytes`);
  t.equal(limiter.totalBytes, total, 'every byte went through it');
  t.ok(limiter.totalRequests > 0);
});

t.test('a limit that is raised lets the running backup go, and one that is lowered holds the next', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 600 });
  const limiter = new RateLimiter({ bytesPerSecond: SLOW });
  t.equal(limiter.bytesPerSecond, SLOW);
  const engine = await openEngine(t, dir('backups'), { backupRateLimit: limiter, shareTableFiles: false });
  const began = performance.now();
  const { outcome } = await begun((options) => engine.createBackup(db, options));
  limiter.bytesPerSecond = 2 ** 40;
  const { size } = (await outcome).value!;
  const atTheOldRate = size / SLOW;
  t.ok((performance.now() - began) / 1000 < atTheOldRate / 2, `the old rate would have taken ${atTheOldRate} s`);
  limiter.bytesPerSecond = RATE;
  t.equal(limiter.bytesPerSecond, RATE);
  const elapsed = await secondsOf(() => engine.createBackup(db));
  t.ok(elapsed >= (0.8 * size) / RATE, `${elapsed} s`);
});

t.test('the mode says whether reads, writes or both go through the limiter', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 300 });
  const totals: Record<string, [backup: number, restore: number]> = {};
  for (const mode of ['reads', 'writes', 'all'] as const) {
    const backups = new RateLimiter({ bytesPerSecond: 2 ** 30, mode });
    const restores = new RateLimiter({ bytesPerSecond: 2 ** 30, mode });
    const engine = await openEngine(t, dir(mode), { backupRateLimit: backups, restoreRateLimit: restores });
    const { size } = await engine.createBackup(db);
    t.equal(restores.totalBytes, 0, 'a backup is no restore');
    const backup = backups.totalBytes;
    await engine.restoreBackup(1, dir(`restored-${mode}`));
    t.equal(backups.totalBytes, backup, 'a restore is no backup');
    totals[mode] = [backup, restores.totalBytes];
    if (mode === 'writes') t.same(totals[mode], [size, size], 'every byte that is written, and no other');
  }
  for (const n of [0, 1] as const) {
    // RocksDB requests whole buffers when it reads.
    t.ok(totals.reads![n] >= 0.9 * totals.writes![n], `${totals.reads![n]} bytes read`);
    t.equal(totals.all![n], totals.reads![n] + totals.writes![n]);
  }
});

t.test('a verify reads under the limit of backups, if that counts reads', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 300 });
  const writer = await openEngine(t, dir('backups'));
  const { size } = await writer.createBackup(db);
  const limiter = new RateLimiter({ bytesPerSecond: 2 ** 30, mode: 'all' });
  const engine = await openEngine(t, dir('backups'), { backupRateLimit: limiter });
  const before = limiter.totalBytes;
  await engine.verifyBackup(1, { checksum: true });
  t.ok(limiter.totalBytes - before >= size, `${limiter.totalBytes - before} of ${size} bytes`);
});

t.test('a limiter may be made before its engines and live longer', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const limiter = new RateLimiter({ bytesPerSecond: 2 ** 30 });
  for (const name of ['one', 'two']) {
    const engine = await openEngine(t, dir(name), { backupRateLimit: limiter, restoreRateLimit: limiter });
    await engine.createBackup(db);
    await engine.restoreBackup(1, dir(`restored-${name}`));
    await engine.close();
  }
  t.ok(limiter.totalBytes > 0);
  limiter.bytesPerSecond = 10;
  t.equal(limiter.bytesPerSecond, 10);
});

t.test('a refill period changes the size of requests, and autoTuned starts below the limit', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 300 });
  const requests: number[] = [];
  for (const refillPeriodMicros of [1000, 250_000]) {
    const limiter = new RateLimiter({ bytesPerSecond: 100e6, refillPeriodMicros, fairness: 1 });
    const engine = await openEngine(t, dir(`${refillPeriodMicros}`), { backupRateLimit: limiter });
    await engine.createBackup(db);
    requests.push(limiter.totalRequests);
  }
  t.ok(requests[0]! > requests[1]!, `${requests} requests`);
  const tuned = new RateLimiter({ bytesPerSecond: 100e6, autoTuned: true });
  t.ok(tuned.bytesPerSecond < 100e6, `${tuned.bytesPerSecond}`);
});

t.test(
  'a limit that would give out nothing in a period, for ever, is refused; the least that is taken can be stopped',
  async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'));
    await fill(db, 'a', { count: 300 });
    const tooLow = (least: number) => ({ name: 'RangeError', code: 'INVALID_OPTION', message: `at least ${least},` });
    for (const option of ['backupRateLimit', 'restoreRateLimit']) {
      await t.rejects(BackupEngine.open(dir('refused'), { [option]: 9 }), tooLow(10));
    }
    t.throws(() => new RateLimiter({ bytesPerSecond: 9 }), tooLow(10));
    t.throws(() => new RateLimiter({ bytesPerSecond: 3, refillPeriodMicros: 250_000 }), tooLow(4));
    t.throws(() => new RateLimiter({ bytesPerSecond: 199, autoTuned: true }), tooLow(200));
    const limiter = new RateLimiter({ bytesPerSecond: 4, refillPeriodMicros: 250_000 });
    t.throws(() => {
      limiter.bytesPerSecond = 3;
    }, tooLow(4));
    for (const limit of [10, limiter]) {
      const engine = await openEngine(t, dir('backups'), { backupRateLimit: limit });
      const { outcome } = await begun((options) => engine.createBackup(db, options));
      t.equal(engine.stopBackup(), true);
      t.match((await outcome).error, { code: 'BACKUP_STOPPED' });
    }
  },
);

t.test('wrong options of a limiter are errors with the code INVALID_OPTION', async (t) => {
  const good: RateLimiterOptions = { bytesPerSecond: 1000 };
  const wrong: [object | undefined, typeof TypeError][] = [
    [undefined, TypeError],
    [{}, TypeError],
    [{ ...good, rate: 5 }, TypeError],
    ...(['1000', null, true, {}, () => 1] as unknown[]).map(
      (value) => [{ bytesPerSecond: value }, TypeError] as [object, typeof TypeError],
    ),
    ...([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60] as unknown[]).map(
      (value) => [{ bytesPerSecond: value }, RangeError] as [object, typeof TypeError],
    ),
    ...(['write', '', 1, null] as unknown[]).map(
      (value) => [{ ...good, mode: value }, TypeError] as [object, typeof TypeError],
    ),
    ...([0, 999, 250_001, 1.5] as unknown[]).map(
      (value) => [{ ...good, refillPeriodMicros: value }, RangeError] as [object, typeof TypeError],
    ),
    ...([0, 1001, -1] as unknown[]).map(
      (value) => [{ ...good, fairness: value }, RangeError] as [object, typeof TypeError],
    ),
    [{ ...good, fairness: '10' }, TypeError],
    [{ ...good, autoTuned: 1 }, TypeError],
    [{ ...good, autoTuned: null }, TypeError],
  ];
  for (const [options, Kind] of wrong) {
    const name = JSON.stringify(options);
    try {
      new RateLimiter(options as unknown as RateLimiterOptions);
      t.fail(`${name} was taken`);
    } catch (error) {
      t.ok(error instanceof Kind, `${name}: ${error}`);
      t.equal((error as { code?: string }).code, 'INVALID_OPTION', name);
    }
  }
  const limiter = new RateLimiter(good);
  for (const value of ['1', 0, -1, 1.5, Number.NaN, null, undefined, {}]) {
    t.throws(
      () => {
        limiter.bytesPerSecond = value as number;
      },
      { code: 'INVALID_OPTION' },
      String(value),
    );
  }
  t.equal(limiter.bytesPerSecond, 1000, 'and the limit is what it was');
});
