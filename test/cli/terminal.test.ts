// The commands at a terminal: questions, progress, colours, Ctrl-C.

import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import { pinBackup } from '../../lib/manager/guarded-delete.js';
import { CTRL_C, cli, noTerminal, type Started, start, startInTerminal } from '../fixtures/cli.js';
import { type CliScene, cliScenes } from '../fixtures/cli-scene.js';
import { filesBelow, tempDir } from '../fixtures/files.js';

let scene: (t: Test) => CliScene;
/** A database whose backup takes long at the rate of `slowly`. */
let large: string;
const slowly = ['--rate-limit', '1MB/s'];

t.before(async () => {
  scene = await cliScenes(t);
  large = tempDir(t)('large');
  const db = await Database.open(large);
  for (let n = 0; n < 20; n++) await db.put(`key ${n}`, randomBytes(1_000_000));
  await db.close();
});

const ESCAPE = '\x1b';

t.test('a question is asked on a terminal, and only yes is yes', { skip: noTerminal }, async (t) => {
  const { backups } = scene(t);
  for (const answer of ['n\n', '\n', 'maybe\n']) {
    const run = startInTerminal(t, ['delete', backups, '1']);
    await run.printed(/Delete\? \[y\/N\] /);
    run.type(answer);
    const { code, stdout } = await run.ended;
    t.equal(code, 6, JSON.stringify(answer));
    t.match(stdout, /This deletes backup 1 .*frees .*nothing was done/s);
  }
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
  const run = startInTerminal(t, ['delete', backups, '1']);
  await run.printed(/Delete\? \[y\/N\] /);
  run.type('y\n');
  t.match(await run.ended, { code: 0, stdout: /deleted backup 1; .* freed, 2 left/ });
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '2\n3\n');
});

t.test('prune shows its plan in colours and asks', { skip: noTerminal }, async (t) => {
  const { backups } = scene(t);
  const run = startInTerminal(t, ['prune', backups, '--keep-last', '2']);
  await run.printed(/Delete\? \[y\/N\] /);
  run.type('yes\n');
  const { code, stdout } = await run.ended;
  t.equal(code, 0);
  t.match(stdout, `${ESCAPE}[31mdelete${ESCAPE}[39m`);
  t.match(stdout, / 1 .*delete.* +no rule keeps it/);
  t.match(stdout, /deleted backup 1; .* freed/);
  const refused = await cli(t, ['prune', backups, '--keep-last', '1', '--color', 'always']);
  t.match(refused, { code: 2, stderr: / 2 .* delete +no rule keeps it/ });
});

t.test(
  'what became another one, or was pinned, while a question was open is not deleted',
  { skip: noTerminal },
  async (t) => {
    const pinFirst = async (engine: BackupEngine) => pinBackup(engine, await engine.getBackupInfo(1));
    const replaceLast = async (engine: BackupEngine, source: string) => {
      await engine.deleteBackup(3);
      const db = await Database.open(source);
      await engine.createBackup(db);
      await db.close();
    };
    for (const { command, meanwhile, code, says, left } of [
      { command: ['delete', '1'], meanwhile: pinFirst, code: 1, says: /backup 1 .* was not deleted/, left: [1, 2, 3] },
      { command: ['delete', '2', '3'], meanwhile: replaceLast, code: 1, says: /deleted before that: 2/, left: [1, 3] },
      { command: ['purge', '--keep', '2'], meanwhile: pinFirst, code: 1, says: /nothing was deleted/, left: [1, 2, 3] },
      {
        command: ['prune', '--keep-last', '2'],
        meanwhile: pinFirst,
        code: 1,
        says: /was not deleted/,
        left: [1, 2, 3],
      },
    ]) {
      const { backups, db } = scene(t);
      const engine = await BackupEngine.open(backups);
      if (command[0] === 'prune') await cli(t, ['verify', backups]);
      const run = startInTerminal(t, [command[0]!, backups, ...command.slice(1)]);
      await run.printed(/Delete\? \[y\/N\] /);
      await meanwhile(engine, db);
      run.type('y\n');
      const ended = await run.ended;
      t.equal(ended.code, code, `${command.join(' ')}: ${ended.stdout}`);
      t.match(ended.stdout, says);
      t.same(
        (await engine.getBackupInfo()).map(({ backupId }) => backupId),
        left,
      );
      await engine.close();
    }
  },
);

t.test('Ctrl-C at a question is no', { skip: noTerminal }, async (t) => {
  const { backups } = scene(t);
  const run = startInTerminal(t, ['purge', backups, '--keep', '1']);
  await run.printed(/Delete\? \[y\/N\] /);
  run.type(CTRL_C);
  t.match(await run.ended, { code: 6, stdout: /nothing was done/ });
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '1\n2\n3\n');
});

t.test(
  'a terminal has colours and a bar that gives the cursor back; NO_COLOR has no colours',
  { skip: noTerminal },
  async (t) => {
    const { db, dir } = scene(t);
    const made = await startInTerminal(t, ['create', db, dir('new'), '--verify', 'checksum']).ended;
    t.equal(made.code, 0);
    t.match(made.stdout, /\[[#.]+\] +\d+% copying .* of .*B/);
    t.match(made.stdout, /\[[#.]+\] +\d+% reading /);
    t.ok(made.stdout.lastIndexOf(`${ESCAPE}[?25h`) > made.stdout.lastIndexOf(`${ESCAPE}[?25l`), 'the cursor is there');
    t.match((await startInTerminal(t, ['list', dir('new')]).ended).stdout, `${ESCAPE}[32mchecksum`);
    const plain = await startInTerminal(t, ['list', dir('new')], { env: { NO_COLOR: '1' } }).ended;
    t.notOk(plain.stdout.includes(ESCAPE), 'NO_COLOR');
    const never = await startInTerminal(t, ['list', dir('new'), '--color', 'never']).ended;
    t.notOk(never.stdout.includes(ESCAPE), '--color never');
    t.match(
      (await cli(t, ['list', dir('new'), '--color=always'])).stdout,
      `${ESCAPE}[32mchecksum`,
      '--color always in a pipe',
    );
    const quiet = await startInTerminal(t, ['create', db, dir('new'), '--quiet']).ended;
    t.equal(quiet.stdout, '2\r\n', 'and --quiet has no bar');
  },
);

t.test('in a pipe there are plain lines of progress and no escape codes', async (t) => {
  const { db, dir } = scene(t);
  const made = await cli(t, ['create', db, dir('new')]);
  t.match(made.stderr, /^backup: \d+%, copying .* of .*B/);
  t.match(await cli(t, ['verify', dir('new'), '--checksum', '-q']), { code: 0, stdout: '', stderr: '' });
  t.equal((await cli(t, ['create', db, dir('new'), '--json'])).stderr, '', '--json');
  const all = [made, await cli(t, ['list', dir('new')]), await cli(t, ['restore', dir('new'), db])];
  for (const { stdout, stderr } of all) t.notOk(`${stdout}${stderr}`.includes(ESCAPE));
});

/** Waits until a slow backup has begun to copy. */
async function copying(run: Started): Promise<void> {
  await run.printed(/copying \d/);
}

async function assertNothingLeft(t: Test, backups: string): Promise<void> {
  t.same(filesBelow(join(backups, 'shared_checksum')), [], 'no table');
  t.same(filesBelow(join(backups, 'private')), [], 'nothing private');
  t.same(filesBelow(join(backups, 'meta')), [], 'no meta');
  const engine = await BackupEngine.open(backups, { readOnly: true });
  t.same([await engine.getBackupInfo(), await engine.getCorruptedBackups()], [[], []]);
  await engine.close();
}

t.test('the first Ctrl-C stops a backup cleanly and says so', { skip: noTerminal }, async (t) => {
  const dir = tempDir(t);
  const run = startInTerminal(t, ['create', large, dir('backups'), ...slowly]);
  await copying(run);
  run.type(CTRL_C);
  const { code, stdout } = await run.ended;
  t.equal(code, 6);
  t.match(stdout, /stopping; press Ctrl-C again to exit at once/);
  t.match(stdout, /rocksdb-backup: stopped by Ctrl-C/);
  t.ok(stdout.lastIndexOf(`${ESCAPE}[?25h`) > stdout.lastIndexOf(`${ESCAPE}[?25l`), 'the cursor is there');
  await assertNothingLeft(t, dir('backups'));
  const db = await Database.open(large, { createIfMissing: false });
  t.equal((await db.get('key 0'))?.length, 1_000_000, 'and the database is as it was');
  await db.close();
});

t.test('SIGTERM stops a backup as well, and the answer to a machine says so', async (t) => {
  const dir = tempDir(t);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    const run = start(t, ['create', large, dir('backups'), ...slowly]);
    await copying(run);
    run.child.kill(signal);
    const { code, stderr } = await run.ended;
    t.equal(code, 6, signal);
    t.match(stderr, /rocksdb-backup: stopp/);
  }
  await assertNothingLeft(t, dir('backups'));
});

t.test('a second signal ends the process at once', async (t) => {
  // It is chance whether the process has already stopped cleanly when it gets the second signal.
  const dir = tempDir(t);
  const run = start(t, ['create', large, dir('backups'), '--rate-limit', '1kB/s']);
  await copying(run);
  run.child.kill('SIGTERM');
  run.child.kill('SIGINT');
  const { code } = await run.ended;
  t.ok([6, 130, 143].includes(code ?? -1), `ended with ${code}`);
  t.ok(existsSync(dir('backups')) && readdirSync(dir('backups')).length > 0);
  t.equal((await cli(t, ['gc', dir('backups'), '--yes'])).code, 0, 'what it left is cleaned up');
  await assertNothingLeft(t, dir('backups'));
});

t.test('a restore and a verify that are stopped leave all as it was', async (t) => {
  const dir = tempDir(t);
  t.equal((await cli(t, ['create', large, dir('backups'), '-q'])).code, 0);
  const restore = start(t, ['restore', dir('backups'), dir('target'), ...slowly]);
  await restore.printed(/restoring \d/);
  restore.child.kill('SIGINT');
  t.equal((await restore.ended).code, 6);
  t.notOk(existsSync(dir('target')), 'no target');
  t.same(readdirSync(dir()).sort(), ['backups'], 'and nothing beside it');
  // At this rate it would take five hours.
  const verify = start(t, ['verify', dir('backups'), '--checksum', '--rate-limit', '1kB/s']);
  await verify.printed(/reading \d/);
  verify.child.kill('SIGINT');
  t.equal((await verify.ended).code, 6);
});

t.test('a long place does not widen the table of status on a terminal', { skip: noTerminal }, async (t) => {
  const dir = tempDir(t);
  const long = dir('x'.repeat(200), 'y'.repeat(200));
  await (await BackupEngine.open(long)).close();
  const shown = await startInTerminal(t, ['status', dir(), '--recursive']).ended;
  t.match(shown.stdout, /\S\.\.\.y+ .*empty/);
  t.match((await cli(t, ['status', dir(), '--recursive'])).stdout, long);
});
