// A full disk. In this situation, something must be deleted.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { STATE_FILE } from '../../lib/backup/state-file.js';
import { BackupManager, drillBackup } from '../../lib/index.js';
import { readState } from '../../lib/manager/state.js';
import { openStorage } from '../../lib/storage/storage.js';
import { openDatabase, openEngine } from '../fixtures/backups.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { type CliScene, cliScenes } from '../fixtures/cli-scene.js';
import { damages } from '../fixtures/files.js';
import { verifyAll } from '../fixtures/running.js';

const MIB = 1024 * 1024;

/** Mounts a separate file system of this many bytes. Returns why, if that is not possible. */
function smallDisk(t: Test, path: string, bytes: number): string | undefined {
  mkdirSync(path);
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], {
    encoding: 'utf8',
  });
  if (status === 0) {
    t.teardown(() => spawnSync('umount', ['-l', path]));
    return undefined;
  }
  if (process.env.CI_CHECKS) throw new Error(`CI needs to mount a tmpfs: ${error?.message ?? stderr}`);
  return 'needs root to mount a tmpfs';
}

/** Fills the disk to the last byte. @returns a function that makes room again */
function fillUp(path: string): () => void {
  const filler = `${path}/filler`;
  const { bavail, bsize } = statfsSync(path);
  writeFileSync(filler, Buffer.alloc(bavail * bsize));
  t.throws(() => writeFileSync(`${path}/more`, 'x'.repeat(5000)), {
    code: 'ENOSPC',
  });
  rmSync(`${path}/more`, { force: true });
  return () => rmSync(filler);
}

let scene: (t: Test) => CliScene;
t.before(async () => {
  scene = await cliScenes(t);
});

/** The backups of the scene on a full disk. */
function fullDisk(t: Test): { db: string; backups: string; makeRoom: () => void } | undefined {
  const { db, dir, backups } = scene(t);
  const hindrance = smallDisk(t, dir('disk'), 4 * MIB);
  if (hindrance !== undefined) {
    t.plan(0, hindrance);
    return undefined;
  }
  cpSync(backups, dir('disk', 'backups'), {
    recursive: true,
    preserveTimestamps: true,
  });
  return { db, backups: dir('disk', 'backups'), makeRoom: fillUp(dir('disk')) };
}

t.test('prune verifies and deletes on a full disk, and writes that down as soon as there is room', async (t) => {
  const disk = fullDisk(t);
  if (disk === undefined) return;
  const { backups } = disk;
  const pruned = await cliAnswer(t, ['prune', backups, '--keep-last', '1', '--yes']);
  t.match(pruned, { code: 0, json: { deleted: [1, 2] } });
  t.match(pruned.stderr, /the history of .* could not be written/, 'what could not be written down is told');
  t.equal((await cli(t, ['list', backups, '-q'])).stdout, '3\n');
  const { history } = await readState(openStorage(backups));
  t.same(
    history.map(({ operation, backupId }) => [operation, backupId]),
    [
      ['verify', 3],
      ['delete', 1],
      ['delete', 2],
      ['prune', undefined],
    ],
    'deleting made room for what was done before, too',
  );
});

for (const [command, ...args] of [
  ['purge', '--keep', '1'],
  ['delete', '1', '2'],
] as const) {
  t.test(`${command} deletes on a full disk`, async (t) => {
    const disk = fullDisk(t);
    if (disk === undefined) return;
    t.equal((await cli(t, [command, disk.backups, ...args, '--yes'])).code, 0);
    t.equal((await cli(t, ['list', disk.backups, '-q'])).stdout, '3\n');
  });
}

t.test('a manager prunes on a full disk', async (t) => {
  const disk = fullDisk(t);
  if (disk === undefined) return;
  const db = await openDatabase(t, disk.db);
  const manager = new BackupManager({
    db,
    location: disk.backups,
    retention: { last: 1 },
    verify: 'size',
  });
  t.teardown(() => manager.stop());
  t.match(await manager.prune(), { delete: [1, 2] });
  const engine = await openEngine(t, disk.backups);
  t.same(await verifyAll(engine), [3]);
});

t.test('where the lock of other programs cannot be made for want of space, deleting goes on without', async (t) => {
  const disk = fullDisk(t);
  if (disk === undefined) return;
  rmSync(`${disk.backups}/.backup.lock`);
  t.equal((await cli(t, ['delete', disk.backups, '1', '--yes'])).code, 0);
  disk.makeRoom();
  t.equal((await cli(t, ['pin', disk.backups, '2'])).code, 0);
  t.match(await readState(openStorage(disk.backups)), { pins: [{ backupId: 2 }] }, STATE_FILE);
});

t.test('a drill for which there is no room says how much it needs, and advises an option that it has', async (t) => {
  const { backups, dir } = scene(t);
  const hindrance = smallDisk(t, dir('small'), 16 * 1024);
  if (hindrance !== undefined) return t.plan(0, hindrance);
  const engine = await openEngine(t, backups);
  await t.rejects(drillBackup(engine, 3, { directory: dir('small') }), {
    code: 'NO_SPACE',
    message: /^the drill of backup 3 restores .*B to .*small, where .*B are free\. .* or drill in another directory\.$/,
  });
  t.same(readdirSync(dir('small')), []);
  const { code, stderr } = await cli(t, ['drill', backups, '--directory', dir('small')]);
  t.equal(code, 1);
  t.match(stderr, / Nothing was restored\. Free some space, or choose another place with --directory\.\n$/);
  t.notMatch(stderr, /no-space-check|checkDiskSpace/);
});

t.test('a drill onto a disk that is full to the last byte says so', async (t) => {
  const { backups, dir } = scene(t);
  const hindrance = smallDisk(t, dir('full'), 16 * 1024);
  if (hindrance !== undefined) return t.plan(0, hindrance);
  fillUp(dir('full'));
  const before = readdirSync(dir('full'));
  const engine = await openEngine(t, backups);
  const error = await drillBackup(engine, 3, { directory: dir('full') }).catch((error) => error);
  t.match(error, { name: 'RocksDBError', code: 'NO_SPACE', path: dir('full'), advice: 'drillElsewhere' });
  t.same(readdirSync(dir('full')), before);
  const { code, stderr } = await cli(t, ['drill', backups, '--directory', dir('full')]);
  t.equal(code, 1);
  t.match(stderr, /full: .* Nothing was restored\. Free some space, or choose another place with --directory\.\n$/);
});

t.test('damage that is found on a full disk and cannot be written down is told once, with what to do', async (t) => {
  for (const sharing of [2, 0]) {
    const disk = fullDisk(t);
    if (disk === undefined) return;
    const { backups, makeRoom } = disk;
    const files = (
      await cliAnswer<{ files: { name: string; sharedWith: number[] }[] }>(t, ['show', backups, '3'])
    ).json.files.filter(({ name, sharedWith }) => name.endsWith('.sst') && sharedWith.length === sharing);
    damages.changed(`${backups}/${files[0]!.name}`);
    const { code, stderr } = await cli(t, ['verify', backups, '--all', '--checksum']);
    t.equal(code, 5);
    const warnings = stderr.split('\n').filter((line) => line.startsWith('warning: '));
    const damage =
      /^warning: a backup in .*backups was found damaged, but that could not be saved: .*No space left on device.*\. Free some space, and verify again$/;
    // The intact one is read first, and only its history entry is missing.
    t.match(warnings, sharing === 2 ? [damage] : [/^warning: the history of .*backups could not be written: /, damage]);
    t.equal(warnings.length, sharing === 2 ? 1 : 2);
    t.notMatch(stderr, /tried again|restart|\(node:|\.\. |\.:/);
    makeRoom();
    t.equal((await cli(t, ['verify', backups, '--all', '--checksum'])).code, 5);
    t.match((await cliAnswer(t, ['list', backups])).json, { damaged: sharing === 2 ? [1, 2, 3] : [3] });
  }
});
