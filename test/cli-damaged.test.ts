// Backups and states that are damaged: told, not made worse, and cleaned up when somebody says so.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readState } from '../lib/manager/state.js';
import { contentsAt } from './fixtures/backups.js';
import { cli, cliAnswer } from './fixtures/cli.js';
import { type CliScene, cliScenes, refused } from './fixtures/cli-scene.js';
import { damages, filesBelow } from './fixtures/files.js';

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
  t.match((await cli(t, ['list', backups])).stdout, / 3 .* checksum FAILED /);
  await refused(t, ['restore', backups, dir('target')], 5, /3/);
  t.notOk(existsSync(dir('target')));
  const prune = await cli(t, ['prune', backups, '--keep-last', '1', '--yes']);
  t.match(prune, { code: 5, stdout: /Nothing goes: / }, 'nothing is pruned while one is damaged');
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
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
    (await cli(t, ['gc', backups, '--dry-run'])).stdout,
    /Files of backup 3, which cannot be read, are among them/,
  );
  await refused(t, ['gc', backups, '--yes'], 5, /3 cannot be read.*pass --force/);
  await refused(t, ['delete', backups, '3'], 2, /about backup 3 .* cannot be read: without --force nothing is deleted/);
  await refused(
    t,
    ['delete', backups, '3', '--force'],
    2,
    /gives up backup 3 .*: the files that only it had are deleted/,
  );
  const restored = await cli(t, ['restore', backups, dir('target')]);
  t.match(restored, { code: 0, stderr: /warning: backup 3 .* cannot be read; the latest that can is 2/ });
  t.same(await contentsAt(dir('target')), contents[1]);
  t.match(await cli(t, ['delete', backups, '3', '--force', '--yes']), { code: 0 });
  t.match((await cliAnswer(t, ['list', backups])).json, { corrupt: [], backups: { length: 2 } });
});

t.test('damage that verify finds is shared by no later backup, whoever makes it', async (t) => {
  const { backups, db } = scene(t);
  const files = (await cliAnswer<{ files: { name: string }[] }>(t, ['show', backups, '1'])).json.files;
  damages.changed(join(backups, files.find(({ name }) => name.startsWith('shared'))!.name));
  t.equal((await cli(t, ['verify', backups, '1', '--checksum'])).code, 5);
  t.match((await readState(backups)).manager, { suspects: [{ backupId: 1 }, { backupId: 2 }, { backupId: 3 }] });
  const made = await cli(t, ['create', db, backups, '--verify', 'checksum']);
  t.match(made, { code: 0, stdout: /^backup 4 .*\(full\)/, stderr: /backups 1, 2, 3 are damaged, or share a file/ });
  t.equal((await cli(t, ['delete', backups, '1', '2', '3', '--yes'])).code, 0);
  t.match(await cli(t, ['create', db, backups]), { code: 0, stdout: /^backup 5 .*\(incremental\)/ });
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
  const dry = await cliAnswer(t, ['gc', backups, '--dry-run']);
  t.match(dry.json, { files: { length: 3 }, bytesFreed: 12, dryRun: true });
  await refused(t, ['gc', backups], 2, /3 files .* belong to no backup/);
  t.match(await cli(t, ['gc', backups, '--yes']), { code: 0, stdout: /^deleted 3 files; 12 B freed\n$/ });
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
    t.match(refusedToPrune.stdout, /Nothing goes: .*not known.*--acknowledge-lost-pins/);
    await refused(t, ['purge', backups, '--keep', '1', '--yes'], 1, /nothing was deleted: .*not known.*--acknowledge/);
    await refused(t, ['delete', backups, '1'], 1, /nothing was deleted: .*not known.*--acknowledge/);
    t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
    await refused(t, ['unpin', backups], 2, /unpin needs ID/);
    t.equal((await cli(t, ['pin', backups, '2'])).code, 0);
    t.match((await cliAnswer(t, ['unpin', backups, '--acknowledge-lost-pins'])).json, { pinned: false });
    t.match((await cliAnswer(t, ['prune', backups, '--keep-last', '1', '--yes'])).json, { deleted: [1] });
  },
);
