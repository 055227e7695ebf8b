// If a file may not be read, the error says so, with owner and mode, and only the backups that need the file are affected. Root may read
// everything, so these tests run the commands as another user.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cli, cliAnswer, program, type Ran } from '../fixtures/cli.js';
import { type CliScene, cliScenes } from '../fixtures/cli-scene.js';
import { filesBelow, snapshotOf } from '../fixtures/files.js';

const isRoot = process.getuid?.() === 0;
const who = isRoot ? { uid: 65534, gid: 65534 } : {};
const user = isRoot ? 65534 : process.getuid?.();
const skip =
  spawnSync(process.execPath, [program, '--version'], who).status === 0 ? false : 'needs a user who may run it';

let scene: (t: Test) => CliScene;
t.before(async () => {
  scene = await cliScenes(t);
});

/** Everything belongs to the user, except what a test takes away. */
function own(t: Test): CliScene & { deny(...path: string[]): void } {
  const made = scene(t);
  const root = made.dir();
  const give = (path: string) => isRoot && chownSync(path, 65534, 65534);
  const all = (path: string): string[] => [
    path,
    ...readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? all(join(path, entry.name)) : [join(path, entry.name)],
    ),
  ];
  for (const path of all(root)) give(path);
  return {
    ...made,
    deny: (...path) => {
      const denied = join(...path);
      chmodSync(denied, 0);
      t.teardown(() => existsSync(denied) && chmodSync(denied, 0o700));
    },
  };
}

const denied = (path: string) =>
  new RegExp(
    `Permission denied: ${path} belongs to user ${user} and group \\d+ and has mode 0000; this process is user ${user}`,
  );

const list = (t: Test, dir: string) =>
  cliAnswer<{ backups: { backupId: number }[]; corrupt: number[]; error?: { code: string; message: string } }>(
    t,
    ['list', dir],
    who,
  );

t.test('a private directory that may not be read costs its backup, and no other', { skip }, async (t) => {
  for (const what of ['private/2', 'private/2/CURRENT', 'meta/2']) {
    const { backups, dir, db, deny } = own(t);
    deny(backups, what);
    const path = join(backups, what);
    if (what === 'private/2/CURRENT') {
      // Its name and size can be seen. Only a command that reads it reports that it may not be read.
      const verified = await cli(t, ['verify', backups, '2', '--checksum'], who);
      t.match(verified, { code: 1, stderr: denied(path) });
      const all = ['verify', backups, '--all', '--checksum'];
      t.match(await cli(t, all, who), { code: 1, stderr: denied(path), stdout: /backup 2: could not be checked\n/ });
      const { json } = await cliAnswer<{ backups: { ok: boolean }[] }>(t, all, who);
      t.same(
        json.backups.map(({ ok }) => ok),
        [true, false, true],
        'the others are looked at',
      );
      t.match((await list(t, backups)).json, { damaged: [2] }, 'and it is known from then on');
      t.match(await cli(t, ['show', backups, '2'], who), { stdout: /private\/2\/CURRENT could not be read on / });
      t.match(await cli(t, ['prune', backups, '--keep-last', '1', '--yes'], who), { code: 5 });
      chmodSync(path, 0o600);
      t.match(await cli(t, all, who), { code: 0 });
      t.match((await list(t, backups)).json, { damaged: [], backups: { length: 3 } });
      chmodSync(path, 0);
      t.match((await list(t, backups)).json, { corrupt: [], backups: { length: 3 } });
      continue;
    }
    const { code, json } = await list(t, backups);
    t.equal(code, 0);
    t.same([json.backups.map(({ backupId }) => backupId), json.corrupt], [[1, 3], [2]], what);
    t.match(await cli(t, ['show', backups, '2'], who), { code: 5, stderr: denied(path) });
    const verified = await cli(t, ['verify', backups, '2'], who);
    t.match(verified, { code: 5, stderr: denied(path) });
    t.match(
      verified.stderr,
      /\d\. Make it readable for the user who runs this \(owner, mode; in a store: its rights\), then verify it\.\n/,
    );
    const all = await cli(t, ['verify', backups, '--all'], who);
    t.match(all, { code: 5, stdout: /backup 2: could not be read\n/, stderr: /Make it readable for the user/ });
    t.equal(all.stderr.match(/Make it readable/g)?.length, 1);
    const pruned = await cli(t, ['prune', backups, '--keep-last', '1', '--yes'], who);
    t.match(pruned, { code: 5, stdout: denied(path) });
    t.match(pruned.stdout, /Nothing is deleted: backup 2 cannot be read: make it readable for the user who runs this/);
    t.notMatch(verified.stderr + all.stdout + all.stderr + pruned.stdout, /by hand|delete it|damaged/);
    const reported = await cli(t, ['report', backups, '--html', dir('page.html')], who);
    t.match(reported, { code: 0, stdout: /^Backup 2 cannot be read\. Make it readable for the user who runs this/m });
    t.match(await cli(t, ['verify', backups, '3', '--checksum'], who), { code: 0 });
    t.match(await cli(t, ['restore', backups, dir('target'), '--id', '1'], who), { code: 0 });
    t.match(await cli(t, ['create', db, backups, '-q'], who), { code: 0, stdout: '4\n' });
    const before = snapshotOf(join(backups, 'shared_checksum'));
    for (const [command, ...rest] of [['delete', '1'], ['delete', '2'], ['purge', '--keep', '1'], ['gc']]) {
      for (const options of [['--yes'], ['--dry-run'], ['--force', '--yes'], ['--force', '--dry-run']]) {
        const name = [command, ...rest, ...options].join(' ');
        // Also with --force, because it may be readable again in a moment.
        const ran = await cliAnswer(t, [command as string, backups, ...rest, ...options], who);
        t.match(ran, { code: 5, json: { error: { code: 'BACKUP_CORRUPT', message: denied(path) } } }, name);
        t.match(
          ran.stderr,
          /\. Make it readable for the user who runs this \(owner, mode; in a store: its rights\), then verify it\.\n/,
          name,
        );
      }
    }
    t.same(snapshotOf(join(backups, 'shared_checksum')), before);
  }
});

t.test('shared files that may not be listed cost the backups that have some', { skip }, async (t) => {
  const { backups, db, dir, deny } = own(t);
  t.equal((await cli(t, ['create', db, backups, '--full', '-q'], who)).code, 0);
  deny(backups, 'shared_checksum');
  const { code, json } = await list(t, backups);
  t.equal(code, 0);
  t.same([json.backups.map(({ backupId }) => backupId), json.corrupt], [[4], [1, 2, 3]]);
  const why = denied(join(backups, 'shared_checksum'));
  t.match(await cli(t, ['show', backups, '1'], who), { code: 5, stderr: why });
  t.match(await cli(t, ['restore', backups, dir('target')], who), { code: 0 }, 'the one that shares nothing');
  t.match(await cli(t, ['create', db, backups], who), { code: 1, stderr: why });
  t.match(await cli(t, ['purge', backups, '--keep', '1', '--yes'], who), { code: 5, stdout: why });
  t.match(await cli(t, ['prune', backups, '--keep-last', '1', '--yes'], who), { code: 5, stdout: why });
  t.match((await list(t, backups)).json, { backups: { length: 1 }, corrupt: { length: 3 } });
});

t.test('a repository, or its metas, that may not be read are not missing', { skip }, async (t) => {
  for (const what of ['', 'meta', 'private']) {
    const { backups, dir, db, deny } = own(t);
    deny(backups, what);
    const why = denied(join(backups, what).replace(/\/$/, ''));
    const commands: string[][] = [
      ['list', backups],
      ['show', backups, '1'],
      ['verify', backups],
      ['stats', backups],
      ['restore', backups, dir('target')],
      ['drill', backups],
      ['prune', backups, '--keep-last', '1', '--yes'],
      ['purge', backups, '--keep', '1', '--yes'],
      ['gc', backups, '--yes'],
      ['create', db, backups],
    ];
    for (const command of commands) {
      const ran: Ran = await cli(t, command, who);
      const name = `${command[0]} without ${what || 'the directory'}`;
      if (what === 'private' && ['list', 'stats'].includes(command[0]!)) {
        t.match(ran, { code: 0, stdout: /1, 2, 3/ }, name);
        continue;
      }
      t.ok(ran.code === 1 || (ran.code === 5 && what === 'private'), `${name} ends with ${ran.code}: ${ran.stderr}`);
      t.match(ran.stderr + ran.stdout, why, name);
      t.notMatch(ran.stderr, /not a repository|no meta\/|does not exist|missing/, name);
    }
  }
});

t.test('files that may not be deleted are named, and the command fails', { skip }, async (t) => {
  const { backups } = own(t);
  const shared = join(backups, 'shared_checksum');
  const unwritable = (path: string) => {
    chmodSync(path, 0o555);
    t.teardown(() => existsSync(path) && chmodSync(path, 0o755));
  };
  const mayNotDelete = (path: string) =>
    new RegExp(`could not be deleted: .*Permission denied: ${path} belongs to user ${user} .* mode 0555`);
  writeFileSync(join(shared, '000099_s_4.sst'), 'half');
  unwritable(shared);
  const collected = await cli(t, ['gc', backups, '--yes'], who);
  t.match(collected, { code: 1, stdout: '', stderr: mayNotDelete(shared) });
  t.match(collected.stderr, / is done, but 1 file could not be deleted: shared_checksum\/000099_s_4\.sst/);
  const unwritablePrivate = (id: number) => unwritable(join(backups, 'private', String(id)));
  unwritablePrivate(1);
  const pruned = await cli(t, ['prune', backups, '--keep-last', '2', '--yes'], who);
  t.match(pruned, { code: 1, stderr: / is done, but \d+ files could not be deleted: private\/1\// });
  unwritablePrivate(2);
  const purged = await cli(t, ['purge', backups, '--keep', '1', '--yes'], who);
  t.match(purged, { code: 1, stdout: '', stderr: / is done, but \d+ files could not be deleted: .*private\/2\// });
  unwritablePrivate(3);
  const { code, json } = await cliAnswer(t, ['delete', backups, '3', '--yes'], who);
  t.match({ code, json }, { code: 1, json: { error: { code: 'ROCKSDB_IO_ERROR', message: /private\/3\/CURRENT/ } } });
  t.match((await list(t, backups)).json, { backups: [], corrupt: [] });
  for (const path of [shared, ...[1, 2, 3].map((id) => join(backups, 'private', String(id)))]) chmodSync(path, 0o755);
  t.match(await cli(t, ['gc', backups, '--yes'], who), { code: 0 });
  t.same(
    filesBelow(backups).filter((name) => /^(private|shared)/.test(name)),
    [],
  );
});

t.test('what a database keeps from its reader is not missing', { skip }, async (t) => {
  const files = (db: string, pattern: RegExp) => filesBelow(db).filter((name) => pattern.test(name));
  for (const pattern of [/^CURRENT$/, /^OPTIONS-/, /^MANIFEST-/, /^LOCK$/]) {
    const { backups, db, deny } = own(t);
    const [name] = files(db, pattern).slice(-1);
    deny(db, name!);
    const ran = await cli(t, ['create', db, backups], who);
    t.equal(ran.code, 1, `${name}: ${ran.stderr}`);
    t.match(ran.stderr, denied(join(db, name!)), name);
    t.notMatch(ran.stderr, /no database|open in|another process/);
  }
  const { backups, db, deny } = own(t);
  deny(db);
  const ran = await cli(t, ['create', db, backups], who);
  t.match(ran, { code: 1, stderr: denied(db) });
});

t.test('an OPTIONS file that the disk does not give is named', async (t) => {
  const { backups, db } = scene(t);
  const [options] = filesBelow(db)
    .filter((name) => name.startsWith('OPTIONS-'))
    .slice(-1);
  rmSync(join(db, options!));
  symlinkSync('/proc/self/mem', join(db, options!)); // reading it from the beginning fails with EIO
  const ran = await cli(t, ['create', db, backups]);
  t.match(ran, { code: 1, stderr: new RegExp(`cannot read ${join(db, options!)}: EIO`) });
});
