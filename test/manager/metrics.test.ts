// The metrics that Prometheus scrapes.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Counter, Registry } from 'prom-client';
import t from 'tap';
import { STATUS_METRIC_NAMES } from '../../lib/cli/report/status-metrics.js';
import { BackupManager } from '../../lib/index.js';
import { METRIC_NAMES } from '../../lib/manager/metrics.js';
import { openDatabase, settled } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { HOUR, managerScene } from '../fixtures/managers.js';
import { placeOf } from '../fixtures/place.js';

/** Returns the value of a metric by its name and labels, as Prometheus gets it. */
async function scraped(register: Registry): Promise<(sample: string) => number | undefined> {
  const lines = (await register.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const values = new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]),
  );
  return (sample) =>
    values.get(sample) === '+Inf'
      ? Number.POSITIVE_INFINITY
      : values.has(sample)
        ? Number(values.get(sample))
        : undefined;
}

t.test('the metrics tell how many, how long, how large, how old', async (t) => {
  const register = new Registry();
  const { manager, clock, db, dir } = await managerScene(t, { metrics: { register }, fullEvery: 2 });
  const of = `directory="${dir('backups')}"`;
  let value = await scraped(register);
  t.equal(value(`rocksdb_backup_last_good_backup_age_seconds{${of}}`), Number.POSITIVE_INFINITY);
  t.equal(value(`rocksdb_backup_last_drill_age_seconds{${of}}`), undefined, 'nobody is waiting for a drill');
  t.equal(value(`rocksdb_backup_failures_total{${of},operation="create"}`), 0);
  t.equal(value(`rocksdb_backup_backups{${of}}`), 0);

  await manager.backupNow();
  await manager.backupNow();
  await manager.drill();
  await clock.advance(HOUR);
  await db.close();
  await settled(manager.backupNow());
  value = await scraped(register);
  const stats = await manager.stats();
  for (const [sample, expected] of [
    [`last_good_backup_age_seconds{${of}}`, 3600],
    [`last_drill_age_seconds{${of}}`, 3600],
    [`successes_total{${of},kind="incremental"}`, 1],
    [`successes_total{${of},kind="full"}`, 1],
    [`failures_total{${of},operation="create"}`, 1],
    [`consecutive_failures{${of}}`, 1],
    [`running{${of}}`, 0],
    [`backups{${of}}`, 2],
    [`corrupt_backups{${of}}`, 0],
    [`suspect_backups{${of}}`, 0],
    [`pinned_backups{${of}}`, 0],
    [`incrementals_since_full{${of}}`, 1],
    [`disk_bytes{${of}}`, stats.bytesOnDisk],
    [`logical_bytes{${of}}`, stats.logicalBytes],
    [`bytes_copied_total{${of}}`, stats.bytesCopied],
    [`duration_seconds_count{${of},kind="full"}`, 1],
  ] as const) {
    t.equal(value(`rocksdb_backup_${sample}`), expected, sample);
  }
  t.ok(stats.bytesOnDisk > 20_000 && stats.bytesCopied > 20_000);
});

t.test('several managers share a registry, each with its directory and labels', async (t) => {
  const register = new Registry();
  new Counter({ name: 'others', help: 'of somebody else', registers: [register] });
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const make = (name: string, labels = { team: name }) =>
    new BackupManager({ db, location: placeOf(dir(name)), metrics: { register, labels } });
  const [one, two] = [make('one'), make('two')];
  await one.backupNow();
  await two.backupNow();
  await two.backupNow();
  let value = await scraped(register);
  t.equal(value(`rocksdb_backup_successes_total{directory="${dir('one')}",team="one",kind="full"}`), 1);
  t.equal(
    value(`rocksdb_backup_successes_total{directory="${dir('two')}",team="two",kind="full"}`),
    2,
    'it has nothing that could be shared',
  );
  t.equal(value(`rocksdb_backup_backups{directory="${dir('two')}",team="two"}`), 2);
  t.throws(() => make('three', { taem: 'x' } as unknown as { team: string }), {
    code: 'INVALID_OPTION',
    message: /team/,
  });
  await one.stop();
  value = await scraped(register);
  t.equal(
    value(`rocksdb_backup_backups{directory="${dir('one')}",team="one"}`),
    undefined,
    'one that was stopped is gone',
  );
  await two.stop();
  register.clear();
  const again = make('one');
  t.ok((await register.metrics()).includes('rocksdb_backup_backups'), 'a registry that was cleared gets them anew');
  await again.stop();
});

t.test('metrics go to prom-client’s own registry under the prefix that is asked for', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const plain = new BackupManager({ db, location: placeOf(dir('a')), metrics: true });
  const named = new BackupManager({ db, location: placeOf(dir('b')), metrics: { prefix: 'app_backup_' } });
  const { register } = await import('prom-client');
  const names = register.getMetricsAsArray().map(({ name }) => name);
  for (const name of METRIC_NAMES) {
    t.ok(names.includes(`rocksdb_backup_${name}`) && names.includes(`app_backup_${name}`), name);
  }
  t.equal(names.length, 2 * METRIC_NAMES.length, 'and no others');
  await plain.stop();
  await named.stop();
  register.clear();
});

t.test('without prom-client, metrics are refused with the command that installs it', async (t) => {
  const { resolve } = createRequire(__filename);
  const modules = require.cache;
  const path = resolve('prom-client');
  const Module = require('node:module') as { _resolveFilename: (request: string, ...rest: unknown[]) => string };
  const original = Module._resolveFilename;
  const kept = modules[path];
  Module._resolveFilename = (request, ...rest) => {
    if (request === 'prom-client') throw Object.assign(new Error('not found'), { code: 'MODULE_NOT_FOUND' });
    return original(request, ...rest);
  };
  t.teardown(() => {
    Module._resolveFilename = original;
    modules[path] = kept;
  });
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  t.throws(() => new BackupManager({ db, location: placeOf(dir('b')), metrics: true }), {
    code: 'PROM_CLIENT_MISSING',
    message: /npm install prom-client/,
  });
});

t.test(
  'a drill that was never made is infinitely old where drills are scheduled, and is not told elsewhere',
  async (t) => {
    const register = new Registry();
    const scene = await managerScene(t, { metrics: { register }, drill: { schedule: '0 5 * * 0' } });
    const sample = (directory: string) => `rocksdb_backup_last_drill_age_seconds{directory="${directory}"}`;
    const without = scene.another({ location: scene.dir('others'), drill: {} });
    const value = await scraped(register);
    t.equal(value(sample(scene.manager.location)), Number.POSITIVE_INFINITY);
    t.equal(value(sample(without.manager.location)), undefined);
  },
);

t.test('the alerts of docs/prometheus-rules.yml are about metrics that exist', async (t) => {
  const rules = readFileSync(join(__dirname, '..', '..', '..', 'docs', 'prometheus-rules.yml'), 'utf8');
  const used = [...rules.matchAll(/rocksdb_backup_\w+/g)].map(([name]) => name);
  const known = new Set([
    ...METRIC_NAMES.flatMap((name) => [`rocksdb_backup_${name}`, `rocksdb_backup_${name}_bucket`]),
    ...STATUS_METRIC_NAMES,
  ]);
  t.ok(used.length >= 6);
  for (const name of new Set(used)) t.ok(known.has(name), name);
});
