// Things that do not exist: a typing error finds nothing and creates nothing.

import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cliAnswer } from '../fixtures/cli.js';
import { type CliScene, cliScenes, refused } from '../fixtures/cli-scene.js';
import { snapshotOf } from '../fixtures/files.js';

let scene: (t: Test) => CliScene;
t.before(async () => {
  scene = await cliScenes(t);
});

t.test('what is not there is not found, and nothing is made in its place', async (t) => {
  const { dir, db, backups } = scene(t);
  mkdirSync(dir('empty'));
  const before = snapshotOf(dir('empty'));
  const commands: [string, ...string[]][] = [
    ['list'],
    ['show', 'latest'],
    ['verify'],
    ['restore', dir('target')],
    ['delete', '1', '--yes'],
    ['purge', '--keep', '1', '--yes'],
    ['prune', '--keep-last', '1', '--yes'],
    ['gc', '--yes'],
    ['pin', '1'],
    ['unpin', '1'],
    ['get', '1', 'key'],
    ['scan', '1'],
  ];
  for (const [name, ...rest] of commands) {
    await refused(t, [name, dir('nowhere'), ...rest], 3, /nowhere does not exist\. Check the path/);
  }
  symlinkSync(dir('nowhere'), dir('link'));
  await refused(t, ['list', dir('link')], 3, /link is a link that leads nowhere\. Check the path/);
  await refused(
    t,
    ['create', db, dir('link')],
    1,
    /link is a link that leads nowhere\. Bring back what the link leads to/,
  );
  for (const place of [dir('empty'), join(db, 'CURRENT')]) {
    for (const [name, ...rest] of commands.slice(-2)) {
      await refused(t, [name, place, ...rest], 3, /Check the path/);
    }
  }
  await refused(t, ['create', dir('nowhere'), dir('made')], 3, /no database .*nowhere/);
  await refused(t, ['create', dir('empty'), dir('made')], 3, /no file CURRENT/);
  for (const args of [
    ['show', backups, '9'],
    ['verify', backups, '9'],
    ['restore', backups, dir('target'), '--id', '9'],
    ['delete', backups, '1', '9', '--yes'],
    ['pin', backups, '9'],
    ['get', backups, '9', 'key'],
    ['scan', backups, '9'],
  ]) {
    await refused(t, args, 3, /there is no backup 9 .*It has 1, 2 and 3/);
  }
  await refused(t, ['get', backups, 'latest', 'nothing'], 3, /backup 3 .* has no key 'nothing'/);
  await refused(t, ['scan', backups, '1', '--column-family', 'x'], 3, /no column family 'x'; it has default/);
  await refused(t, ['create', backups, db], 3, /no database in .*: it holds backups\. Did you swap/);
  await refused(t, ['list', db], 3, / is not a repository: it holds a database\. Did you swap/);
  await refused(t, ['create', '-dash/db', dir('made')], 2, /no option '-dash\/db'/);
  for (const name of ['nowhere', 'made', 'target']) t.notOk(existsSync(dir(name)), `${name} was not made`);
  t.same(snapshotOf(dir('empty')), before);
  const { json, code } = await cliAnswer(t, ['list', dir('nowhere')]);
  t.match({ json, code }, { code: 3, json: { error: { code: 'DIRECTORY_NOT_FOUND', exitCode: 3 } } });
});
