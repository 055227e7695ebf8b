// What the commands delete, and what they do not.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { contentsAt } from './fixtures/backups.js';
import { cli, cliAnswer } from './fixtures/cli.js';
import { type CliScene, cliScenes, refused } from './fixtures/cli-scene.js';
import { damages, filesBelow } from './fixtures/files.js';

let scene: (t: Test) => CliScene;
t.before(async () => {
  scene = await cliScenes(t);
});

t.test(
  'delete, purge, prune and gc refuse without --yes where nobody can be asked, and say what they would have done',
  async (t) => {
    const { backups } = scene(t);
    const before = filesBelow(backups);
    for (const args of [
      ['delete', backups, '1', '2'],
      ['purge', backups, '--keep', '1'],
    ]) {
      const { stderr } = await refused(
        t,
        args,
        2,
        /deletes 2 backups, 1 \(begun .*\), 2 \(begun .*\) in .*, and frees .*B\. 1 is left then\./,
      );
      t.match(stderr, /pass --yes/);
    }
    await cli(t, ['verify', backups]);
    const withHistory = filesBelow(backups);
    await refused(t, ['prune', backups, '--keep-last', '1'], 2, /delete +no rule keeps it.*pass --yes/s);
    t.same(
      withHistory.filter((name) => !name.includes('state')),
      before.filter((name) => !name.includes('state')),
    );
    const json = await cliAnswer(t, ['delete', backups, '1']);
    t.match(json, { code: 2, json: { error: { code: 'USAGE', message: /--json/ } } });
    for (const args of [
      ['delete', backups, '1', '2'],
      ['purge', backups, '--keep', '1'],
    ]) {
      const { json } = await cliAnswer(t, [...args, '--dry-run']);
      t.match(json, { deleted: [1, 2], kept: [3], dryRun: true });
      const inWords = await cli(t, [...args, '--dry-run']);
      t.match(inWords, { code: 0, stdout: /^This deletes 2 backups, 1 .*frees .*B\.\n1 is left then\.\n$/ });
    }
    t.match((await cli(t, ['gc', backups, '--dry-run'])).stdout, 'nothing is left over\n');
    t.same((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n', 'all are there');
  },
);

t.test('delete and purge delete with --yes, and what they freed is what they had said', async (t) => {
  const { backups, dir, contents } = scene(t);
  const dry = await cliAnswer<{ bytesFreed: number }>(t, ['delete', backups, '1', 'latest', '--dry-run']);
  const gone = await cliAnswer<{ bytesFreed: number }>(t, ['delete', backups, '1', 'latest', '--yes']);
  t.match(gone.json, { deleted: [1, 3], kept: [2] });
  t.equal(gone.json.bytesFreed, dry.json.bytesFreed);
  await cli(t, ['restore', backups, dir('restored')]);
  t.same(await contentsAt(dir('restored')), contents[1], 'the other one is whole');
  const purged = scene(t);
  t.match(await cli(t, ['purge', purged.backups, '--keep', '1', '-y']), {
    code: 0,
    stdout: /^deleted backups 1, 2; .* freed, 1 left\n$/,
  });
  t.match(await cli(t, ['purge', purged.backups, '--keep', '1', '-y']), { code: 0, stdout: /^nothing to delete/ });
  await cli(t, ['restore', purged.backups, purged.dir('restored')]);
  t.same(await contentsAt(purged.dir('restored')), contents[2]);
});

t.test(
  'prune says for each backup whether it stays and why, verifies the newest first, and deletes the rest',
  async (t) => {
    const { backups } = scene(t);
    await refused(t, ['prune', backups], 2, /prune needs to know what to keep/);
    const dry = await cli(t, ['prune', backups, '--keep-last', '1', '--dry-run']);
    t.equal(dry.code, 0);
    t.match(dry.stdout, / 1 .* delete +no rule keeps it\n/);
    t.match(dry.stdout, / 3 .* keep +.*last 1\n/);
    t.match(dry.stdout, /2 of 3 go, which frees .*\n.*would be verified first/);
    t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
    t.equal((await cli(t, ['pin', backups, '1', '--note', 'the first'])).code, 0);
    const pruned = await cliAnswer(t, ['prune', backups, '--keep-last', '1', '--yes']);
    t.match(pruned, {
      code: 0,
      json: { deleted: [2], decisions: [{ action: 'keep', rules: [/pinned/] }, { action: 'delete' }, {}] },
    });
    t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n3\n');
    const { json } = await cliAnswer<{ backups: { lastVerify?: { ok: boolean } }[] }>(t, ['list', backups]);
    t.match(json.backups[1]?.lastVerify, { ok: true }, 'the newest was verified for it');
  },
);

t.test('a pinned backup is not deleted until it is unpinned', async (t) => {
  const { backups } = scene(t);
  t.match((await cliAnswer(t, ['pin', backups, '1', '--note', 'before\x1b[2J'])).json, { pinned: true });
  const { stdout } = await cli(t, ['list', backups]);
  t.match(stdout, /before\\x1b\[2J/, 'the note is safe to show');
  await refused(t, ['delete', backups, '1', '2', '--yes'], 1, /backup 1 .* is pinned, and nothing was deleted/);
  await refused(t, ['purge', backups, '--keep', '1', '--yes'], 1, /backup 1 .* is pinned.*prune --keep-last 1/);
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
  t.match((await cliAnswer(t, ['unpin', backups, '1'])).json, { wasPinned: true });
  t.match((await cliAnswer(t, ['unpin', backups, '1'])).json, { wasPinned: false });
  t.equal((await cli(t, ['delete', backups, '1', '--yes'])).code, 0);
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

t.test('gc says and deletes what belongs to no backup', async (t) => {
  const { backups } = scene(t);
  writeFileSync(
    join(backups, 'shared_checksum', filesBelow(join(backups, 'shared_checksum'))[0]!.replace(/^\d+/, '999999')),
    'left over',
  );
  mkdirSync(join(backups, 'private', '77'));
  writeFileSync(join(backups, 'private', '77', 'CURRENT'), 'x');
  const dry = await cliAnswer(t, ['gc', backups, '--dry-run']);
  t.match(dry.json, { files: { length: 2 }, bytesFreed: 10, dryRun: true });
  await refused(t, ['gc', backups], 2, /2 files .* belong to no backup/);
  t.match(await cli(t, ['gc', backups, '--yes']), { code: 0, stdout: /^deleted 2 files; 10 B freed\n$/ });
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
    await refused(t, ['delete', backups, '1'], 2, /This deletes backup 1 .*which backups were pinned is not known/);
    t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
    await refused(t, ['unpin', backups], 2, /unpin needs ID/);
    t.equal((await cli(t, ['pin', backups, '2'])).code, 0);
    t.match((await cliAnswer(t, ['unpin', backups, '--acknowledge-lost-pins'])).json, { pinned: false });
    t.match((await cliAnswer(t, ['prune', backups, '--keep-last', '1', '--yes'])).json, { deleted: [1] });
  },
);
