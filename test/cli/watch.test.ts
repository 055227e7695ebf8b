// `watch`: BackupManager in its own process, configured by a file.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseConfig } from '../../lib/cli/watch-config.js';
import { BackupEngine, BackupManager, Database } from '../../lib/index.js';
import { fill } from '../fixtures/backups.js';
import { cli, cliAnswer, start } from '../fixtures/cli.js';
import { refused } from '../fixtures/cli-scene.js';
import { tempDir } from '../fixtures/files.js';
import { type Schema, violations } from '../fixtures/json-schema.js';

async function twoDatabases(t: Test) {
  const dir = tempDir(t);
  for (const name of ['users', 'orders']) {
    const db = await Database.open(dir(name));
    await fill(db, name, { count: 500 });
    await db.close();
  }
  const configure = (users: object = {}, orders: object = {}) => {
    const databases = [
      { path: 'users', backups: 'backups/users', backupOnStart: true, ...users },
      { path: 'orders', backups: 'backups/orders', backupOnStart: true, ...orders },
    ];
    writeFileSync(dir('config.json'), JSON.stringify({ databases }));
    return dir('config.json');
  };
  return { dir, configure };
}

t.test('watch backs up the databases of its file, as the file says, and ends cleanly with SIGTERM', async (t) => {
  const { dir, configure } = await twoDatabases(t);
  const config = configure(
    {
      schedule: '1s',
      skipUnchanged: false,
      retention: { last: 2 },
      verify: 'checksum',
      auditLog: 'audit.jsonl',
      metadata: { by: 'watch' },
    },
    { name: 'shop' },
  );
  const run = start(t, ['watch', '--config', config]);
  await run.printed(/users: deleted 1; 2 stay/);
  await run.printed(/shop: backup 1 was made: .* copied in .*, verified \(size\)/);
  const beside = await cli(t, ['create', dir('orders'), dir('elsewhere')]);
  t.match(beside, { code: 0 }, 'it has them only while it backs them up');
  run.child.kill('SIGTERM');
  const { code, stdout, stderr } = await run.ended;
  t.match({ code, stderr }, { code: 0, stderr: /stopping, because of SIGTERM/ });
  t.match(stdout, /users: stopped\n/);
  // SIGTERM may come between a backup and its verify. But a backup that was reported as verified is verified.
  const verified = [...stdout.matchAll(/users: backup (\d+) was made: .*, verified \(checksum\)/g)].at(-1)?.[1];
  const { json } = await cliAnswer<{ backups: { backupId: number }[]; corrupt: number[] }>(t, [
    'list',
    dir('backups', 'users'),
  ]);
  const last = json.backups.find(({ backupId }) => backupId === Number(verified));
  t.match(last, { state: 'good', metadata: '{"by":"watch"}', lastVerify: { checksum: true } });
  t.same(json.corrupt, []);
  const records = readFileSync(dir('audit.jsonl'), 'utf8').trimEnd().split('\n');
  t.ok(records.map((line) => JSON.parse(line)).some(({ operation }) => operation === 'prune'));
  for (const name of ['users', 'orders']) await (await Database.open(dir(name), { createIfMissing: false })).close();
});

t.test('with --json each event is a line of the documented form; a failure is told and does not end it', async (t) => {
  const { dir, configure } = await twoDatabases(t);
  const config = configure({ retry: { attempts: 0 } }, { finalBackup: true });
  const engine = await BackupEngine.open(dir('backups', 'users'), { backupRateLimit: 20_000 });
  const other = await Database.open(dir('other'));
  await fill(other, 'x', { count: 2000 });
  const inTheWay = engine.createBackup(other).catch(() => undefined);
  const run = start(t, ['watch', '--config', config, '--json']);
  await run.printed(/"database":"users","event":"failure"/);
  await run.printed(/"database":"orders","event":"backup"/);
  engine.stopBackup();
  await inTheWay;
  await other.close();
  await engine.close();
  run.child.kill('SIGINT');
  const { code, stdout } = await run.ended;
  t.equal(code, 0);
  const page = join(__dirname, '..', '..', '..', 'docs', 'cli-schema.json');
  const defs = JSON.parse(readFileSync(page, 'utf8')).$defs as Record<string, Schema>;
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const line of lines) t.same(violations(line, defs.watch!, defs), []);
  const failure = lines.find(({ event }) => event === 'failure');
  t.match(failure, { detail: { operation: 'create', code: 'BACKUP_LOCKED', consecutiveFailures: 1 } });
  t.ok(
    lines.some(({ event, database }) => event === 'skipped' && database === 'orders'),
    'nothing was written since',
  );
});

t.test(
  'a backup of nothing new is left out, and told so; a database that somebody has open is tried again',
  async (t) => {
    const { dir, configure } = await twoDatabases(t);
    const run = start(t, ['watch', '--config', configure({ schedule: '1s' }, { retry: { delay: '100ms' } })]);
    await run.printed(/users: backup skipped: nothing was written since backup \d/);
    run.child.kill('SIGTERM');
    t.equal((await run.ended).code, 0);
    const { json } = await cliAnswer<{
      operations: { operation: string; ok: number }[];
    }>(t, ['stats', dir('backups', 'users')]);
    t.ok(json.operations.some(({ operation, ok }) => operation === 'skip' && ok > 0));
    const owner = await Database.open(dir('orders'));
    await owner.put('more', '1');
    const again = start(t, ['watch', '--config', configure({}, { retry: { delay: '100ms' } })]);
    await again.printed(/orders: failed, and is tried again in .*: .*orders is open in process/);
    await owner.close();
    await again.printed(/orders: backup \d was made/);
    again.child.kill('SIGTERM');
    t.equal((await again.ended).code, 0);
  },
);

t.test('a running backup is stopped and leaves nothing behind', async (t) => {
  const { dir, configure } = await twoDatabases(t);
  const run = start(t, ['watch', '--config', configure({ rateLimit: '10kB/s' })]);
  await run.printed(/users: a backup begins/);
  run.child.kill('SIGTERM');
  t.equal((await run.ended).code, 0);
  const listed = await cliAnswer<{ backups: object[]; corrupt: number[] }>(t, ['list', dir('backups', 'users')], {
    schema: existsSync(dir('backups', 'users', 'meta')) ? 'list' : 'failure',
  });
  t.match(listed.json.backups ?? [], []);
});

t.test('the example in docs/cli.md is a configuration, and a manager takes it', async (t) => {
  const page = readFileSync(join(__dirname, '..', '..', '..', 'docs', 'cli.md'), 'utf8');
  const example = /```json\n(.*?)```/s.exec(page)![1]!;
  const [watched] = parseConfig(JSON.parse(example), '/etc/rocksdb-backup.json');
  const dir = tempDir(t);
  const db = await Database.open(dir('db'));
  const manager = new BackupManager({ ...watched!.manager, db });
  t.equal(manager.location, '/backups/users');
  await manager.stop();
  await db.close();
});

t.test('what is wrong with the file is told by the name of the key, before anything is opened or made', async (t) => {
  const { dir, configure } = await twoDatabases(t);
  const good = { path: 'db', backups: 'b', schedule: '5m' };
  const cases: [unknown, RegExp][] = [
    [[], /the configuration must be an object/],
    [{}, /databases is missing/],
    [{ databases: [] }, /databases must name at least one/],
    [{ databases: [good], database: 1 }, /there is no key database; did you mean databases\?/],
    [{ databases: [{ path: 'db' }] }, /databases\[0\]\.backups is missing/],
    [
      { databases: [good, { ...good, path: 'other', backups: './b' }] },
      /databases\[1\]\.backups is the same place as databases\[0\]/,
    ],
    [
      { databases: [good, { ...good, path: './db', backups: 'c' }] },
      /databases\[1\]\.path is the same place as databases\[0\]\.path: give each database once/,
    ],
    [{ databases: [{ ...good, backups: 'db' }] }, /databases\[0\]\.backups is a database/],
    [{ databases: [good, { ...good, path: 'other', backups: 'db' }] }, /databases\[1\]\.backups is a database/],
    [{ databases: [{ path: 'db', backups: 'b' }] }, /databases\[0\]\.schedule is missing, so nothing would/],
    [
      { databases: [{ ...good, shedule: '5m' }] },
      /no key databases\[0\]\.shedule; did you mean databases\[0\]\.schedule\?/,
    ],
    [{ databases: [{ ...good, schedule: 5 }] }, /databases\[0\]\.schedule must be an interval such as '5m', .*, not 5/],
    [{ databases: [{ ...good, path: 7 }] }, /databases\[0\]\.path must be a string, not 7/],
    [{ databases: [{ ...good, path: '' }] }, /databases\[0\]\.path must not be empty/],
    [
      { databases: [{ ...good, retention: { dayly: 7 } }] },
      /no key databases\[0\]\.retention\.dayly; did you mean databases\[0\]\.retention\.daily\?/,
    ],
    [
      { databases: [{ ...good, retention: { daily: -1 } }] },
      /retention\.daily must be a whole number, 0 or more, not -1/,
    ],
    [{ databases: [{ ...good, verify: 'all' }] }, /verify must be "size" or "checksum" or false, not "all"/],
    [{ databases: [{ ...good, rateLimit: 'fast' }] }, /databases\[0\]\.rateLimit must be/],
    [{ databases: [{ ...good, drill: { schedule: [{ corn: 'x' }] } }] }, /drill\.schedule/],
    [{ databases: [{ ...good, path: 's3://a/b' }] }, /databases\[0\]\.path must be a path on this machine/],
    [{ databases: [{ ...good, drill: { directory: 's3://a/b' } }] }, /drill\.directory must be a path on this machine/],
    [{ databases: [{ ...good, constructor: 1 }] }, /no key databases\[0\]\.constructor/],
  ];
  for (const [config, message] of cases) {
    t.throws(() => parseConfig(config, 'c.json'), { message, code: 'USAGE' }, JSON.stringify(config));
  }
  await refused(t, ['watch'], 2, /watch needs --config FILE/);
  await refused(t, ['watch', '--config', dir('nothing.json')], 3, /no configuration .*nothing\.json/);
  await refused(t, ['watch', '--config', dir('users')], 2, /--config needs a file, and .*users is a directory/);
  writeFileSync(dir('bad.json'), '{');
  await refused(t, ['watch', '--config', dir('bad.json')], 2, /bad\.json is not JSON/);
  await refused(t, ['watch', '--config', configure({ schedule: 'soon' })], 2, /databases\[0\]\.schedule must be/);
  await refused(t, ['watch', '--config', configure({}, { jitter: 'much' })], 2, /databases\[1\]\.jitter must be/);
  await refused(t, ['watch', '--config', configure({ path: 'nowhere' })], 3, /no database .*nowhere/);
  const service = await Database.open(dir('users'));
  t.match(
    await cli(t, ['watch', '--config', configure({ schedule: '5m', finalBackup: true }), '--check']),
    {
      code: 0,
      stdout: /users goes to .*, on the schedule "5m", at the start, at the end/,
    },
    'while the service runs',
  );
  await service.close();
  const inStore = configure({ backups: 's3://backups/users?endpoint=http://127.0.0.1:1' });
  const checked = await cli(t, ['watch', '--config', inStore, '--check']);
  t.match(checked, { code: 0, stdout: /users goes to s3:\/\/backups\/users, at the start/ });
  t.notMatch(checked.stdout + checked.stderr, /endpoint/, 'no message has the options of a URL');
  t.notOk(existsSync(dir('backups')), 'nothing was made');
});

t.test('what a manager warns of has the form of the command line', async (t) => {
  const { configure } = await twoDatabases(t);
  const run = start(t, ['watch', '--config', configure({ auditLog: 'no/such/log' })]);
  await run.printed(
    /warning: a record is missing: the audit log of .* could not be written, and will be tried again: ENOENT/,
  );
  run.child.kill('SIGTERM');
  const { code, stderr } = await run.ended;
  t.equal(code, 0);
  t.notMatch(stderr, /\(node:|BackupManagerWarning|trace-warnings/);
});
