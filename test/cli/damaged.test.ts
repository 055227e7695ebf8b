// Damaged backups and states: the commands report them, do not make them worse, and clean up when the user says so.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readState } from '../../lib/manager/state.js';
import { openStorage } from '../../lib/storage/storage.js';
import { contentsAt } from '../fixtures/backups.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { type CliScene, cliScenes, refused } from '../fixtures/cli-scene.js';
import { damages, filesBelow } from '../fixtures/files.js';

let scene: (t: Test) => CliScene;
t.before(async () => {
  scene = await cliScenes(t);
});

t.test('a damaged backup ends verify with 5, names the file, and the others are told apart', async (t) => {
  const { backups, dir } = scene(t);
  const shared = (await cliAnswer<{ files: { name: string; sharedWith: number[] }[] }>(t, ['show', backups, '3'])).json;
  const own = shared.files.find(({ name, sharedWith }) => name.endsWith('.sst') && sharedWith.length === 0)!;
  damages.changed(join(backups, own.name));
  t.equal((await cli(t, ['verify', backups])).code, 0, 'sizes are as they were');
  const { code, json, stderr } = await cliAnswer(t, ['verify', backups, '--all', '--checksum']);
  t.equal(code, 5);
  t.match(json, { ok: false, backups: [{ ok: true }, { ok: true }, { ok: false, error: { code: 'BACKUP_CORRUPT' } }] });
  t.ok(stderr.includes(own.name), 'stderr names the file');
  t.match((await cli(t, ['list', backups])).stdout, / 3 .* DAMAGED \d{4}-/);
  await refused(t, ['restore', backups, dir('target'), '--id', '3'], 5, /warning: backup 3 is known to be damaged/);
  await refused(t, ['restore', backups, dir('target'), '--include-damaged'], 5, new RegExp(own.name));
  t.notOk(existsSync(dir('target')));
  const prune = await cli(t, ['prune', backups, '--keep-last', '1', '--yes']);
  t.match(prune, { code: 5, stdout: /Nothing is deleted: / }, 'nothing is pruned while one is damaged');
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
});

/** Backup 3 has a damaged table that no other backup has, and the state knows of it. */
async function knownDamaged3(t: Test, { backups }: CliScene): Promise<void> {
  const { files } = (await cliAnswer<{ files: { name: string; sharedWith: number[] }[] }>(t, ['show', backups, '3']))
    .json;
  damages.changed(
    join(backups, files.find(({ name, sharedWith }) => name.endsWith('.sst') && !sharedWith.length)!.name),
  );
  t.equal((await cli(t, ['verify', backups, '--all', '--checksum'])).code, 5);
}

t.test('purge does not exchange whole backups for one that is known to be damaged, but with --force', async (t) => {
  const one = scene(t);
  const { backups, dir, contents } = one;
  await knownDamaged3(t, one);
  const purge = ['purge', backups, '--keep', '1'];
  const why =
    /nothing was deleted in .*: backup 3, which would be kept, is known to be damaged.*verify --checksum.*--force/;
  const done = await refused(t, [...purge, '--yes'], 5, why);
  const dry = await refused(t, [...purge, '--dry-run'], 5, why);
  t.equal(dry.stderr, done.stderr);
  t.match(await cliAnswer(t, [...purge, '--yes']), {
    code: 5,
    json: { error: { code: 'BACKUP_CORRUPT', backupId: 3 } },
  });
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n', 'all are there');
  t.equal((await cli(t, ['purge', backups, '--keep', '3', '--yes'])).code, 0, 'it has nothing to delete');
  t.equal((await cli(t, ['restore', backups, dir('target')])).code, 0);
  t.same(await contentsAt(dir('target')), contents[1]);
  t.equal((await cli(t, [...purge, '--yes', '--force'])).code, 0);
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '3\n');
});

t.test('purge deletes damaged backups, if all that it keeps are whole', async (t) => {
  const one = scene(t);
  await knownDamaged3(t, one);
  t.equal((await cli(t, ['create', one.db, one.backups])).code, 0);
  t.equal((await cli(t, ['purge', one.backups, '--keep', '1', '--yes'])).code, 0);
  t.equal((await cli(t, ['list', one.backups, '-q'])).stdout, '4\n');
});

t.test('delete does not take the last whole backups while a damaged one stays, but with it', async (t) => {
  const one = scene(t);
  const { backups } = one;
  await knownDamaged3(t, one);
  t.equal((await cli(t, ['delete', backups, '1', '--yes'])).code, 0, 'another one is whole');
  const why = /backup 2 is the last whole one, and backup 3 is known to be damaged.*--force/;
  for (const how of ['--yes', '--dry-run']) await refused(t, ['delete', backups, '2', how], 5, why);
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '2\n3\n');
  t.match(await cliAnswer(t, ['delete', backups, '2', '3', '--yes']), { code: 0, json: { deleted: [2, 3], kept: [] } });
  const other = scene(t);
  await knownDamaged3(t, other);
  await refused(t, ['delete', other.backups, '1', '2', '--yes'], 5, /backups 1, 2 are the last whole ones/);
  t.equal((await cli(t, ['list', other.backups, '-q'])).stdout, '1\n2\n3\n', 'none of them was deleted');
  t.equal((await cli(t, ['delete', other.backups, '1', '2', '--yes', '--force'])).code, 0);
});

t.test('a backup that cannot be read is listed, is not the latest, and keeps others from being deleted', async (t) => {
  const { backups, dir, contents } = scene(t);
  damages.removed(join(backups, 'private', '3', 'CURRENT'));
  const listed = await cliAnswer(t, ['list', backups]);
  t.match(listed, { code: 0, json: { corrupt: [3], backups: { length: 2 } } });
  t.match((await cli(t, ['list', backups])).stdout, / 3 +cannot be read\n.*Backup 3 cannot be read/s);
  t.match(await cli(t, ['verify', backups]), { code: 5, stderr: /CURRENT/, stdout: /backup 3: damaged/ });
  await refused(t, ['delete', backups, '1', '--yes'], 5, /3 cannot be read.*pass --force/);
  await refused(t, ['purge', backups, '--keep', '1', '--force'], 2, /gives up backup 3 .* deletes backup 1 /s);
  await refused(t, ['gc', backups, '--force'], 2, /Files of backup 3, which cannot be read, are among them/);
  t.match(
    (await cli(t, ['gc', backups, '--dry-run', '--force'])).stdout,
    /Files of backup 3, which cannot be read, are among them/,
  );
  // What the deed would refuse, its dry run refuses in the same way.
  for (const command of [
    ['gc', backups],
    ['delete', backups, '1'],
    ['delete', backups, '3'],
    ['purge', backups, '--keep', '1'],
  ]) {
    const done = await refused(t, [...command, '--yes'], 5, /3 cannot be read.*pass --force/);
    const dry = await refused(t, [...command, '--dry-run'], 5, /3 cannot be read/);
    t.equal(dry.stderr, done.stderr, command.join(' '));
  }
  const prune = ['prune', backups, '--keep-last', '1'];
  t.equal((await cli(t, [...prune, '--dry-run'])).code, 5);
  t.equal((await cli(t, [...prune, '--yes'])).code, 5);
  await refused(
    t,
    ['delete', backups, '3', '--force'],
    2,
    /gives up backup 3 .*: the files that only it had are deleted/,
  );
  const restored = await cli(t, ['restore', backups, dir('target')]);
  t.match(restored, { code: 0, stderr: /warning: backup 3 .* cannot be read; the latest readable backup is 2/ });
  t.same(await contentsAt(dir('target')), contents[1]);
  t.match(await cli(t, ['delete', backups, '3', '--force', '--yes']), { code: 0 });
  t.match((await cliAnswer(t, ['list', backups])).json, { corrupt: [], backups: { length: 2 } });
});

t.test('damage that verify finds is shared by no later backup, whoever makes it', async (t) => {
  const { backups, db } = scene(t);
  const files = (await cliAnswer<{ files: { name: string }[] }>(t, ['show', backups, '1'])).json.files;
  damages.changed(join(backups, files.find(({ name }) => name.startsWith('shared'))!.name));
  t.equal((await cli(t, ['verify', backups, '1', '--checksum'])).code, 5);
  t.match((await readState(openStorage(backups))).manager, {
    damage: [{ backupId: 1, file: /^shared_checksum/ }],
    suspects: [{ backupId: 1 }, { backupId: 2 }, { backupId: 3 }],
  });
  const made = await cli(t, ['create', db, backups, '--verify', 'checksum']);
  t.match(made, {
    code: 0,
    stdout: /^backup 4 .*\(full\)/,
    stderr: /backups 1, 2, 3 are damaged, or share a damaged file/,
  });
  t.equal((await cli(t, ['delete', backups, '1', '2', '3', '--yes'])).code, 0);
  // Backup 4 shares no files. So 5 copies everything again, and 6 shares with it.
  t.match(await cli(t, ['create', db, backups]), { code: 0, stdout: /^backup 5 .*\(full\)/ });
  t.match(await cli(t, ['create', db, backups]), { code: 0, stdout: /^backup 6 .*\(incremental\)/ });
});

t.test('known damage is told by every command, for each backup that has the file, until it is read', async (t) => {
  const { backups, db, dir, contents } = scene(t);
  const files = (await cliAnswer<{ files: { name: string; sharedWith: number[] }[] }>(t, ['show', backups, '2'])).json
    .files;
  const { name } = files.find(({ sharedWith }) => sharedWith.length === 1)!;
  damages.changed(join(backups, name));
  t.equal((await cli(t, ['verify', backups, '2', '--checksum'])).code, 5);

  const listed = await cliAnswer(t, ['list', backups]);
  t.match(listed.json, {
    damaged: [2, 3],
    backups: [{ state: 'unverified' }, { state: 'corrupt', damage: [{ file: name }] }, { damage: [{ file: name }] }],
  });
  t.match(
    (await cli(t, ['list', backups])).stdout,
    / 2 .*DAMAGED.*\n +3 .*DAMAGED.*Backups 2, 3 are known to be damaged/s,
  );
  t.match((await cliAnswer(t, ['show', backups, '3'])).json, {
    backup: { state: 'corrupt', damage: [{ file: name }] },
  });
  t.match((await cli(t, ['show', backups, '3'])).stdout, new RegExp(`Damaged +${name} was found damaged on `));
  t.match((await cliAnswer(t, ['stats', backups])).json, { damaged: [2, 3] });
  const report = await cli(t, ['report', backups, '--html', dir('report.html')]);
  t.equal(report.code, 0, report.stderr);
  t.match(readFileSync(dir('report.html'), 'utf8'), new RegExp(`Backups 2–3 are known to be damaged: ${name}`));
  const sizes = await cliAnswer(t, ['verify', backups, '--all']);
  t.match(sizes, { code: 5, stderr: /names and sizes are right, but .* was found damaged on .*--checksum|checksums/ });
  t.match(sizes.json, { backups: [{ ok: true }, { ok: false }, { ok: false }] });
  t.match(await cli(t, ['create', db, backups]), { code: 0, stdout: /\(full\)/, stderr: /backups 2, 3 are damaged/ });
  t.equal((await cli(t, ['delete', backups, '4', '--yes'])).code, 0);

  const restored = await cli(t, ['restore', backups, dir('target')]);
  t.match(restored, { code: 0, stderr: /backups 2, 3 in .* are known to be damaged; 1 is used instead/ });
  t.same(await contentsAt(dir('target')), contents[0]);
  const before = await cli(t, ['restore', backups, dir('before'), '--before', '2099-01-01']);
  t.match(before, { code: 0, stdout: /restored backup 1/, stderr: /; 1 is used instead/ });

  damages.changed(join(backups, name));
  t.match((await cliAnswer(t, ['list', backups])).json, { damaged: [2, 3] }, 'that it is whole again nobody knows');
  t.equal((await cli(t, ['verify', backups, '3', '--checksum'])).code, 0);
  t.match((await cliAnswer(t, ['list', backups])).json, { damaged: [] });
  t.match(await cli(t, ['restore', backups, dir('latest')]), {
    code: 0,
    stdout: /restored backup 3/,
    stderr: /^(?!.*warning)/s,
  });
});

t.test('where all backups are damaged every command ends with 5, and says why', async (t) => {
  for (const damage of ['metas', 'a shared file'] as const) {
    const { backups, dir } = scene(t);
    if (damage === 'metas') {
      for (const id of [1, 2, 3]) writeFileSync(join(backups, 'meta', `${id}`), 'x');
    } else {
      const files = (await cliAnswer<{ files: { name: string; sharedWith: number[] }[] }>(t, ['show', backups, '1']))
        .json;
      damages.removed(join(backups, files.files.find(({ name }) => name.startsWith('shared'))!.name));
    }
    const why = damage === 'metas' ? /meta/ : /shared_checksum/;
    for (const command of [
      ['verify', backups],
      ['verify', backups, '--all'],
      ['restore', backups, dir('target')],
      ['restore', backups, dir('target'), '--before', '1s'],
      ['drill', backups],
      ['show', backups, 'latest'],
      ['prune', backups, '--keep-last', '1', '--yes'],
      ['purge', backups, '--keep', '1', '--yes'],
    ]) {
      const ran = await cli(t, command);
      t.equal(ran.code, 5, `${damage}: ${command.join(' ')}: ${ran.stderr}`);
      t.match(ran.stdout + ran.stderr, /3/);
      t.match(ran.stdout + ran.stderr, why, `${command[0]} says why`);
      t.notMatch(ran.stderr, /\(\)|Corruption: Corruption|: true/);
    }
    t.notOk(existsSync(dir('target')));
  }
});

t.test('sizes that are not known are not called right, and a prune reads instead', async (t) => {
  const { backups } = scene(t);
  const record = (id: number) => join(backups, 'private', `${id}`, 'rocksdb-backup.files');
  rmSync(record(3));
  t.match(await cli(t, ['verify', backups, '--all']), {
    code: 0,
    stdout:
      /^backup 1: names and sizes are right; .*\nbackup 2: names and sizes are right; .*\nbackup 3: names are right, sizes are not known: there is no record of them; --checksum reads every byte\n$/,
  });
  const { json } = await cliAnswer(t, ['verify', backups, '--all']);
  t.match(json, { ok: true, backups: [{ sizesKnown: true }, { sizesKnown: true }, { ok: true, sizesKnown: false }] });
  const listed = async () => (await cliAnswer(t, ['list', backups])).json;
  t.match(await listed(), { backups: [{ state: 'good' }, { state: 'good' }, { state: 'unverified' }] });
  t.equal((await cli(t, ['prune', backups, '--keep-last', '1', '--yes'])).code, 0);
  t.match(await listed(), { backups: [{ backupId: 3, state: 'good', lastVerify: { checksum: true } }] });

  writeFileSync(record(3), 'hello');
  t.match(await cli(t, ['verify', backups]), {
    code: 5,
    stdout: /^backup 3: damaged\n$/,
    stderr: /rocksdb-backup.files, the record of its files, is not as it was written. Verify it with --checksum/,
  });
  t.match(await cli(t, ['verify', backups, '--checksum']), { code: 5, stderr: /delete the damaged record/ });
  t.match(await listed(), { backups: [{ backupId: 3, state: 'corrupt' }] });
  rmSync(record(3));
  t.equal((await cli(t, ['verify', backups, '--checksum'])).code, 0);
  t.match(await listed(), { backups: [{ backupId: 3, state: 'good' }] });
});

t.test('gc says and deletes what belongs to no backup', async (t) => {
  const { backups } = scene(t);
  writeFileSync(
    join(backups, 'shared_checksum', filesBelow(join(backups, 'shared_checksum'))[0]!.replace(/^\d+/, '999999')),
    'left over',
  );
  mkdirSync(join(backups, 'private', '77'));
  writeFileSync(join(backups, 'private', '77', 'CURRENT'), 'x');
  writeFileSync(join(backups, 'private', '1', '.rocksdb-backup.files.tmp'), 'ab');
  mkdirSync(join(backups, 'private', '78'));
  execFileSync('mkfifo', [join(backups, 'shared_checksum', 'fifo')]);
  symlinkSync('nowhere', join(backups, 'shared_checksum', 'link'));
  const before = filesBelow(backups).filter((name) => !name.startsWith('rocksdb-backup.'));
  const dry = await cliAnswer<{ files: { name: string }[] }>(t, ['gc', backups, '--dry-run']);
  t.match(dry.json, { files: { length: 6 }, bytesFreed: 12, dryRun: true });
  const listed = dry.json.files.map(({ name }) => name);
  await refused(t, ['gc', backups], 2, /5 files and 1 empty directory in .* that belong to no backup/);
  t.match(await cli(t, ['gc', backups, '--yes']), {
    code: 0,
    stdout: /^deleted 5 files and 1 empty directory; 12 B freed\n$/,
  });
  t.same(
    filesBelow(backups).filter((name) => !name.startsWith('rocksdb-backup.')),
    before.filter((name) => !listed.includes(name)),
    'what is listed is what is deleted',
  );
  t.ok(listed.includes('private/78/') && !existsSync(join(backups, 'private', '78')));
  t.match((await cliAnswer(t, ['gc', backups, '--dry-run'])).json, { files: [] });
});

t.test(
  'while it is not known what was pinned nothing is pruned, until somebody says that the pins are right',
  async (t) => {
    const { backups } = scene(t);
    await cli(t, ['pin', backups, '1']);
    for (const name of ['rocksdb-backup.state.json', 'rocksdb-backup.state.previous.json']) {
      writeFileSync(join(backups, name), '{"version":');
    }
    t.match((await cliAnswer(t, ['list', backups])).json, { backups: { length: 3 }, pinsLost: String });
    t.match((await cli(t, ['stats', backups])).stdout, /Pins +.*not known/);
    const refusedToPrune = await cli(t, ['prune', backups, '--keep-last', '1', '--yes']);
    t.match(refusedToPrune.stdout, /Nothing is deleted: .*not known.*--acknowledge-lost-pins/);
    await refused(t, ['purge', backups, '--keep', '1', '--yes'], 1, /nothing was deleted: .*not known.*--acknowledge/);
    await refused(t, ['delete', backups, '1'], 1, /nothing was deleted: .*not known.*--acknowledge/);
    t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
    await refused(t, ['unpin', backups], 2, /unpin needs ID/);
    t.equal((await cli(t, ['pin', backups, '2'])).code, 0);
    t.match((await cliAnswer(t, ['unpin', backups, '--acknowledge-lost-pins'])).json, { pinned: false });
    t.match((await cliAnswer(t, ['prune', backups, '--keep-last', '1', '--yes'])).json, { deleted: [1] });
  },
);
