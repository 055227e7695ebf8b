// What the commands delete, and what they do not.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PREVIOUS_STATE_FILE, STATE_FILE } from '../../lib/backup/state-file.js';
import { contentsAt, openDatabase, openEngine } from '../fixtures/backups.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { type CliScene, cliScenes, refused } from '../fixtures/cli-scene.js';
import { filesBelow } from '../fixtures/files.js';

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
        /deletes 2 backups, 1 \(begun .*\), 2 \(begun .*\) in .*, and frees .*B\. 1 is left afterwards\./,
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
      t.match(inWords, { code: 0, stdout: /^This deletes 2 backups, 1 .*frees .*B\.\n1 is left afterwards\.\n$/ });
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
    const mars = ['--keep-last', '1', '--timezone', 'Mars/X'];
    await refused(t, ['prune', backups, ...mars], 2, / --timezone must be the name of a time zone, .* not 'Mars\/X'/);
    const small = await cli(t, ['prune', backups, '--max-bytes', '1kB', '--max-backups', '2', '--dry-run']);
    t.match(small.stdout, / 1 .* delete +over the limit of 2 backups\n/);
    t.match(small.stdout, / 2 .* delete +over the limit of 1 kB\n/);
    t.match(small.stdout, /\nthe limit of 1 kB is exceeded: /);
    const dry = await cli(t, ['prune', backups, '--keep-last', '1', '--dry-run']);
    t.equal(dry.code, 0);
    t.match(dry.stdout, / 1 .* delete +no rule keeps it\n/);
    t.match(dry.stdout, / 3 .* keep +.*last 1\n/);
    t.match(dry.stdout, /2 of 3 are deleted, which frees .*\n.*would be verified first/);
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

t.test(
  'a pinned backup that is not there any more is told, and gc leaves its files alone until it is unpinned',
  async (t) => {
    const { backups } = scene(t);
    await cli(t, ['pin', backups, '2', '--note', 'for the audit']);
    rmSync(join(backups, 'meta', '2'));
    const gone = /Backup 2, pinned, is missing: its meta file was removed/;
    t.match((await cli(t, ['list', backups])).stdout, gone);
    t.match((await cliAnswer(t, ['list', backups])).json, { missingPins: [2] });
    const before = filesBelow(backups).filter((name) => name.startsWith('private/2/'));
    t.not(before.length, 0);
    t.match(await cli(t, ['gc', backups, '--yes']), { code: 1, stderr: gone });
    t.match((await cliAnswer(t, ['gc', backups, '--dry-run'])).json, { error: { code: 'BACKUP_PINNED' } });
    t.same(
      filesBelow(backups).filter((name) => name.startsWith('private/2/')),
      before,
    );
    t.match(await cli(t, ['unpin', backups, '2']), { code: 0, stdout: /backup 2, which does not exist any more/ });
    t.notMatch((await cli(t, ['list', backups])).stdout, gone);
    t.match(await cli(t, ['gc', backups, '--yes']), { code: 0 });
  },
);

t.test('while the pins cannot be read, backups are listed all the same, and nothing is deleted', async (t) => {
  const { backups } = scene(t);
  await cli(t, ['pin', backups, '2']);
  rmSync(join(backups, STATE_FILE));
  mkdirSync(join(backups, STATE_FILE)); // nobody can read it, not even root
  const told = /Which backups are pinned is not known until it can be read/;
  const { code, stderr } = await cli(t, ['verify', backups, '--all', '--checksum']);
  t.equal(code, 0);
  t.match(
    stderr,
    /^warning: the state of .*backups cannot be read, and nothing is added to it: .*it is a directory\. .* Move it away/m,
  );
  t.equal(stderr.match(/warning/gi)?.length, 1, 'once, and not for each backup');
  for (const command of ['list', 'show latest', 'stats', 'report --html page.html']) {
    const [name = '', ...options] = command.split(' ');
    const { code, stdout } = await cli(t, [name, backups, ...options], { cwd: join(backups, '..') });
    t.equal(code, 0, name);
    if (name === 'list' || name === 'stats') t.match(stdout, told, name);
  }
  const ids = async () =>
    (await cliAnswer<{ backups: { backupId: number }[] }>(t, ['list', backups])).json.backups.length;
  const before = await ids();
  for (const args of [
    ['delete', backups, '1', '--yes'],
    ['purge', backups, '--keep', '1', '--yes'],
    ['prune', backups, '--keep-last', '1', '--yes'],
  ]) {
    t.not((await cli(t, args)).code, 0, args[0]);
  }
  t.equal(await ids(), before);
});

t.test('while the pins are lost, delete, purge and prune alike delete nothing and say so', async (t) => {
  const { backups } = scene(t);
  await cli(t, ['verify', backups]);
  writeFileSync(join(backups, STATE_FILE), 'nothing of sense');
  rmSync(join(backups, PREVIOUS_STATE_FILE), { force: true });
  const lost = /pinned is not known any more.*--acknowledge-lost-pins/;
  await refused(t, ['delete', backups, '1', '--yes'], 1, lost);
  await refused(t, ['delete', backups, '1', '--force', '--yes'], 1, lost);
  await refused(t, ['purge', backups, '--keep', '1', '--yes'], 1, lost);
  const prune = ['prune', backups, '--keep-last', '1', '--yes'];
  t.match(await cli(t, prune), { code: 1, stdout: lost });
  t.match(await cli(t, [...prune, '--quiet']), {
    code: 1,
    stdout: '',
    stderr: lost,
  });
  t.match(await cliAnswer(t, prune), {
    code: 1,
    json: { blocked: lost, deleted: [] },
  });
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
  await cli(t, ['unpin', backups, '--acknowledge-lost-pins']);
  t.equal((await cli(t, ['delete', backups, '1', '--yes'])).code, 0);
  t.match(await cliAnswer(t, prune), { code: 0, json: { deleted: [2] } });
});

t.test('with both files of the state the pins are gone, as the docs say', async (t) => {
  const { backups } = scene(t);
  await cli(t, ['pin', backups, '1']);
  rmSync(join(backups, STATE_FILE));
  await refused(t, ['delete', backups, '1', '--yes'], 1, /pinned/);
  for (const file of [STATE_FILE, PREVIOUS_STATE_FILE]) rmSync(join(backups, file), { force: true });
  t.match((await cliAnswer(t, ['list', backups])).json, { backups: [{ pinned: false }, {}, {}], pinsLost: undefined });
  t.equal((await cli(t, ['delete', backups, '1', '--yes'])).code, 0);
  const docs = (name: string) =>
    readFileSync(join(__dirname, '..', '..', '..', 'docs', name), 'utf8').replace(/\s+/g, ' ');
  for (const name of ['cli.md', 'operating.md']) {
    t.match(docs(name), /If both files are removed, all pins are lost, and no command can notice it/, name);
  }
});

t.test('a prune that could not delete what it was asked to ends with another code than 0', async (t) => {
  const { backups } = scene(t);
  const engine = await openEngine(t, backups);
  const open = await engine.openBackup(1);
  const prune = ['prune', backups, '--keep-last', '1', '--yes'];
  const ran = await cli(t, [...prune, '--quiet']);
  t.match(ran, { code: 4, stderr: /backup 1 .* is being read/ });
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n3\n', 'and deletes what it can');
  t.match(await cli(t, prune), { code: 4, stdout: /nothing was deleted\n$/ });
  await open.close();
  t.equal((await cli(t, prune)).code, 0);
});

t.test('what failed is told in the options of the command line, also later', async (t) => {
  const { backups, dir } = scene(t);
  const other = await openDatabase(t, dir('other'));
  await other.put('key', 'value');
  await other.close();
  await refused(t, ['create', dir('other'), backups], 1, /pass --allow-other-database once/);
  t.match((await cli(t, ['stats', backups])).stdout, / ago: .*pass --allow-other-database once/);
});
