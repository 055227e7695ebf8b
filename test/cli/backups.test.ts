// What the commands do with backups, both when all is well and when it is not.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { contentsAt } from '../fixtures/backups.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { type CliScene, cliScenes, refused } from '../fixtures/cli-scene.js';

let scene: (t: Test) => CliScene;
t.before(async () => {
  scene = await cliScenes(t);
});

t.test('create, list, verify and restore bring a database from one place to another', async (t) => {
  const { dir, db, contents } = scene(t);
  const target = dir('new', 'backups');
  const made = await cliAnswer<{ backup: { backupId: number }; bytesCopied: number }>(t, [
    'create',
    db,
    target,
    '--metadata',
    'first',
    '--verify',
    'checksum',
  ]);
  t.match(made, {
    code: 0,
    json: { backup: { backupId: 1, metadata: 'first', kind: 'full' }, verified: { checksum: true } },
  });
  t.ok(made.json.bytesCopied > 0);
  const again = await cli(t, ['create', db, target]);
  t.match(again, { code: 0, stdout: /^backup 2 of .*: .* \(incremental\), .* copied in .*\n$/ });
  t.match(await cli(t, ['create', db, target, '--full', '--quiet']), { code: 0, stdout: '3\n', stderr: '' });
  const listed = await cliAnswer<{ backups: { kind: string; lastVerify?: object; state: string }[] }>(t, [
    'list',
    target,
  ]);
  t.match(listed.json.backups, [
    { backupId: 1, state: 'good', lastVerify: { ok: true, checksum: true, trigger: 'cli' } },
    { backupId: 2, kind: 'incremental', state: 'unverified' },
    { backupId: 3, kind: 'full' },
  ]);
  const table = await cli(t, ['list', target]);
  t.match(table.stdout, /^ID +BEGUN \(UTC\) +AGE +KIND +SIZE +FREES +CHECKED +METADATA\n/);
  t.match(table.stdout, / 1 .* checksum \d{4}-\d\d-\d\d +first\n/);
  t.match(table.stdout, /\n3 backups, .* on disk for .* of databases\n$/);
  t.equal((await cli(t, ['list', target, '-q'])).stdout, '1\n2\n3\n');
  t.match((await cliAnswer(t, ['verify', target, '--all', '--checksum'])).json, { ok: true, backups: { length: 3 } });
  t.match(await cli(t, ['verify', target]), {
    code: 0,
    stdout: /^backup 3: names and sizes are right/,
    stderr: '',
  });
  const restored = await cliAnswer(t, ['restore', target, dir('restored'), '--id', '2']);
  t.match(restored, { code: 0, json: { target: dir('restored'), backup: { backupId: 2 } } });
  t.same(await contentsAt(dir('restored')), contents[2]);
});

t.test(
  'restore takes the latest, one by its number, or the latest from before a time; and replaces only when told to',
  async (t) => {
    const { dir, backups, contents } = scene(t);
    const { json } = await cliAnswer<{ backups: { timestamp: string }[] }>(t, ['list', backups]);
    // The three were made within one or two seconds. No backup is older than the first one. Before the last one, there is always one to
    // find.
    const before = await cliAnswer<{ backup: { backupId: number } }>(t, [
      'restore',
      backups,
      dir('before'),
      '--before',
      new Date(Date.parse(json.backups[2]!.timestamp) + 1000).toISOString(),
    ]);
    t.equal(before.json.backup.backupId, 3);
    await refused(
      t,
      ['restore', backups, dir('x'), '--before', json.backups[0]!.timestamp],
      3,
      /no backup from before .*; the oldest is 1/,
    );
    await refused(t, ['restore', backups, dir('x'), '--before', '100d', '--id', '1'], 2, /contradict/);
    t.notOk(existsSync(dir('x')));
    t.equal((await cli(t, ['restore', backups, dir('target'), '--id', '1'])).code, 0);
    t.same(await contentsAt(dir('target')), contents[0]);
    writeFileSync(dir('target', 'notes.txt'), 'mine');
    await refused(t, ['restore', backups, dir('target')], 1, /not empty.* --overwrite/);
    await refused(
      t,
      ['restore', backups, dir('target'), '--overwrite'],
      2,
      /replaces the database in .*nothing was done: pass --yes/,
    );
    t.same(await contentsAt(dir('target')), contents[0]);
    t.equal((await cli(t, ['restore', backups, dir('target'), '--overwrite', '--yes'])).code, 0);
    t.same(await contentsAt(dir('target')), contents[2]);
    t.equal(readFileSync(dir('target', 'notes.txt'), 'utf8'), 'mine');
  },
);

t.test('show tells the files of a backup, who shares them, and what deleting it frees', async (t) => {
  const { backups } = scene(t);
  type Shown = { files: { name: string; shared: boolean; sharedWith: number[] }[]; frees: number };
  const { json } = await cliAnswer<Shown>(t, ['show', backups, '1']);
  const table = json.files.filter(({ shared }) => shared);
  t.match(table, [{ sharedWith: [2, 3] }]);
  t.ok(json.frees > 0);
  const { stdout } = await cli(t, ['show', backups, 'latest']);
  t.match(
    stdout,
    /^Backup +3 in .*\nBegun .* ago\nKind +incremental\nDatabase +[0-9a-f-]{36}\nSize .* files\nFrees .*\nMetadata +after c\n/,
  );
  t.match(stdout, /shared_checksum\/.*\.sst .* 1, 2\n/);
});

t.test('what failed before it began is recorded, too', async (t) => {
  const { db, backups, dir } = scene(t);
  const log = dir('audit.jsonl');
  const records = () =>
    (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []).map((line) => JSON.parse(line));
  await cli(t, ['pin', backups, '1']);
  const failures: [args: string[], code: number, error: string, detail?: object][] = [
    [['delete', backups, '77', '--yes'], 3, 'BACKUP_NOT_FOUND', { asked: ['77'] }],
    [['delete', backups, '1', '--yes'], 1, 'BACKUP_PINNED', { asked: ['1'] }],
    [['purge', backups, '--keep', '1', '--yes'], 1, 'BACKUP_PINNED', { keep: 1 }],
    [['restore', backups, dir('target'), '--id', '77'], 3, 'BACKUP_NOT_FOUND', { target: dir('target'), asked: '77' }],
    [['verify', backups, '77', '--checksum'], 3, 'BACKUP_NOT_FOUND', { asked: '77' }],
    [['drill', backups, '77'], 3, 'BACKUP_NOT_FOUND', { asked: '77' }],
    [['pin', backups, '77'], 3, 'BACKUP_NOT_FOUND', { asked: '77' }],
    [['unpin', backups, '77'], 3, 'BACKUP_NOT_FOUND', { asked: '77' }],
    [['create', dir('nothing'), backups], 3, 'DATABASE_NOT_FOUND', { database: dir('nothing') }],
  ];
  for (const [args, code] of failures)
    t.equal((await cli(t, [...args, '--audit-log', log])).code, code, args.join(' '));
  t.match(
    records(),
    failures.map(([[command], , error, detail]) => ({
      operation: command === 'purge' ? 'prune' : command,
      ok: false,
      error: { code: error },
      detail,
    })),
  );
  const before = records().length;
  for (const args of [
    ['delete', backups, '77', '--dry-run'], // nothing was to be done
    ['delete', backups, '2'], // nobody can be asked
    ['delete', backups, 'x', '--yes'],
    ['restore', dir('nothing'), dir('target')], // no repository
    ['create', dir('nothing'), dir('no-repository')],
    ['create', dir('nothing'), backups, '--dry-run'],
  ]) {
    t.not((await cli(t, [...args, '--audit-log', log])).code, 0, args.join(' '));
  }
  t.equal(records().length, before);
  t.notOk(existsSync(dir('no-repository')));
  t.equal((await cli(t, ['verify', backups, '--all'])).code, 0);
  t.match(await cliAnswer(t, ['list', backups]), { json: { backups: { length: 3 }, corrupt: [] } });
  t.ok(db);
});

t.test('what was done is in the audit log and in the history, failed or not', async (t) => {
  const { db, backups, dir } = scene(t);
  const log = dir('audit.jsonl');
  await cli(t, ['create', db, backups, '--audit-log', log]);
  await cli(t, ['verify', backups, '4', '--checksum', '--audit-log', log]);
  await cli(t, ['restore', backups, db, '--audit-log', log]);
  await cli(t, ['delete', backups, '1', '--yes', '--audit-log', log]);
  const records = readFileSync(log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(records, [
    { operation: 'create', ok: true, backupId: 4, kind: 'incremental', trigger: 'cli', timestamp: String, pid: Number },
    { operation: 'verify', ok: true, backupId: 4, checksum: true },
    { operation: 'restore', ok: false, error: { code: 'TARGET_EXISTS' } },
    { operation: 'delete', ok: true, backupId: 1, bytes: Number },
  ]);
  const unwritable = await cli(t, ['verify', backups, '--audit-log', dir('no', 'such', 'folder')]);
  t.match(unwritable, { code: 0, stderr: /warning: the audit log of .* could not be written/ });
});
