// Places for backups, and rights: read-only directories, odd names, file systems, umasks.

import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BackupEngine, Database } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, settled } from '../fixtures/backups.js';
import { inProcess, type Places, readOnlySteps, type Step, wholeCycle } from './environment-child.js';
import type { Experiment, Torture } from './experiment.js';
import { Mounts } from './mounts.js';

const NOBODY = 65534;

const placesIn = (root: string): Places => ({
  db: join(root, 'db'),
  backups: join(root, 'backups'),
  target: join(root, 'target'),
});

/** Two backups and a state file, of a database that is closed. */
async function makeBackups({ db: path, backups }: Places): Promise<void> {
  const db = await Database.open(path);
  const engine = await BackupEngine.open(backups);
  for (const name of ['a', 'b']) {
    await fill(db, name);
    await engine.createBackup(db);
  }
  await engine.close();
  await db.close();
}

function checkSteps(torture: Torture, about: string, steps: Step[]): void {
  for (const seen of steps) {
    const { step, name, code, message } = seen;
    if (!step.startsWith('REFUSED')) {
      torture.check(code === undefined, `${about}, '${step}' works`, seen);
      continue;
    }
    const what = `${about}, '${step.slice(8)}'`;
    if (!torture.check(message !== undefined, `${what} is refused`, seen)) continue;
    torture.check(name === 'RocksDBError' && /^[A-Z_]+$/.test(code ?? ''), `${what} fails with a code of ours`, seen);
    torture.check(/(backups|target|db)/.test(message ?? ''), `${what} names the file or directory`, seen);
    torture.check(/[Rr]ead-only|[Pp]ermission denied|READ_ONLY/.test(message ?? ''), `${what} says why`, seen);
  }
}

async function readOnly(torture: Torture, mounts: Mounts): Promise<void> {
  const mounted = mounts.tmpfs(torture.path('frozen'), 'size=32m', 'read-only file system');
  if (mounted !== undefined) {
    const places = placesIn(mounted);
    await makeBackups(places);
    mounts.remount(mounted, 'ro');
    checkSteps(torture, 'on a read-only file system', await readOnlySteps(places, torture.path('elsewhere')));
    mounts.remount(mounted, 'rw');
    const engine = await BackupEngine.open(places.backups);
    torture.check((await engine.getBackupInfo()).length === 2, 'what could not be written is as it was');
    await engine.close();
    mounts.unmount(mounted);
    torture.figure('read-only file system', 'a tmpfs');
  }
  if (process.getuid?.() !== 0) {
    torture.figure('another user', 'skipped: needs root to become one');
    return;
  }
  const root = torture.path('others');
  await makeBackups(placesIn(root));
  for (const path of [torture.directory, root]) chmodSync(path, 0o755);
  const own = torture.path('own');
  mkdirSync(own);
  chownSync(own, NOBODY, NOBODY);
  const { code, out, err } = await inProcess(['read-only', root, own], { uid: NOBODY });
  if (torture.check(code === 0, 'another user works with a directory it may only read', { code, err })) {
    checkSteps(torture, 'without the right to write', JSON.parse(out) as Step[]);
  }
}

async function cycle(torture: Torture, about: string, places: Places): Promise<void> {
  const { error } = await settled(wholeCycle(places));
  torture.check(error === undefined, `${about}: everything works`, error);
}

async function names(torture: Torture): Promise<void> {
  const odd = [
    'with space',
    ' leading and trailing ',
    `quote ' and " and \``,
    'new\nline\ttab',
    'ünïcödé 漢字 🙂',
    '-dash',
    '--',
    '$HOME $(false) %s%n',
    'back\\slash',
    '*?[a-z]{b,c}',
    '...',
    '.hidden',
    'a'.repeat(255),
    '漢'.repeat(85),
    'archive',
    'lost',
    'meta',
    'MANIFEST-000001',
    '.restoring-1',
  ];
  for (const [n, name] of odd.entries()) {
    const root = torture.path('names', String(n));
    await cycle(torture, `with ${JSON.stringify(name.slice(0, 40))} in all paths`, placesIn(join(root, name)));
    const last = join(root, 'last');
    await cycle(torture, `with ${JSON.stringify(name.slice(0, 40))} at the end of all paths`, {
      db: join(last, 'db', name),
      backups: join(last, 'backups', name),
      target: join(last, 'target', name),
    });
  }
  const slashed = torture.path('slashed');
  await cycle(torture, 'with slashes at the end, and in twos', {
    db: `${slashed}//db//`,
    backups: `${slashed}/./backups///`,
    target: `${slashed}/x/../target/`,
  });
  const links = torture.path('links');
  for (const name of ['db', 'backups', 'target']) {
    mkdirSync(join(links, 'real', name), { recursive: true });
    symlinkSync(join('real', name), join(links, name));
  }
  await cycle(torture, 'through symlinks', placesIn(links));
  torture.check(lstatSync(join(links, 'target')).isSymbolicLink(), 'a target that is a symlink stays one');

  const before = process.cwd();
  mkdirSync(torture.path('here'));
  process.chdir(torture.path('here'));
  await cycle(torture, 'with relative paths', { db: 'db', backups: './backups', target: '../here/target' });
  process.chdir(before);

  // Paths that are too long or no paths at all must lead to an error, not to a crash.
  const deep = join(torture.path('deep'), ...Array.from({ length: 21 }, () => 'd'.repeat(200)));
  const bad = {
    'a name of 256': torture.path('b'.repeat(256)),
    'a path of 4,000': deep,
    'a zero byte': `${torture.path('x')}\0y`,
    nothing: '',
  };
  const db = await Database.open(torture.path('good'));
  const engine = await BackupEngine.open(torture.path('good backups'));
  await engine.createBackup(db);
  for (const [what, path] of Object.entries(bad)) {
    for (const [call, work] of Object.entries({
      'Database.open': () => Database.open(path),
      'BackupEngine.open': () => BackupEngine.open(path),
      restoreBackup: () => engine.restoreBackup(1, path),
    })) {
      const { error } = await settled<unknown>(work());
      torture.check(
        /^(ROCKSDB_|INVALID_OPTION)/.test(error?.code ?? ''),
        `${call} of ${what} fails with a code of ours`,
        { code: error?.code, message: error?.message.slice(0, 200) },
      );
    }
  }
  await engine.close();
  await db.close();
  torture.figure('odd names', odd.length);
}

async function fileSystems(torture: Torture, mounts: Mounts): Promise<void> {
  const disk = torture.path('disk');
  const tmpfs = mounts.tmpfs(torture.path('tmpfs'), 'size=64m', 'across file systems');
  if (tmpfs === undefined) return;
  await cycle(torture, 'all on tmpfs', placesIn(join(tmpfs, 'all')));
  const layers = torture.path('layers');
  const hindrance = mounts.mount(layers, 'tmpfs', 'size=128m');
  for (const name of ['lower', 'upper', 'work']) mkdirSync(join(layers, name));
  // A directory in the lower layer cannot be renamed.
  const lower = placesIn(join(layers, 'lower'));
  await makeBackups(lower);
  const old = await Database.open(lower.target);
  await old.put('old', 'value');
  await old.close();
  const merged = torture.path('merged');
  const options = ['lower', 'upper', 'work'].map((name) => `${name}dir=${join(layers, name)}`).join(',');
  const refused = hindrance ?? mounts.mount(merged, 'overlay', options);
  if (refused !== undefined) {
    torture.figure('overlayfs', `skipped: cannot be mounted here (${refused})`);
    await cycle(torture, 'across two file systems', { ...placesIn(disk), backups: join(tmpfs, 'backups') });
    return;
  }
  await cycle(torture, 'all on overlayfs', placesIn(join(merged, 'all')));
  await cycle(torture, 'across three file systems', {
    db: join(disk, 'db'),
    backups: join(tmpfs, 'across'),
    target: join(merged, 'across'),
  });
  const places = placesIn(merged);
  const { error } = await settled(
    (async () => {
      const db = await Database.open(places.db);
      await fill(db, 'c');
      const contents = JSON.stringify(await contentsOf(db));
      const engine = await BackupEngine.open(places.backups);
      const { backupId } = await engine.createBackup(db);
      await db.close();
      await engine.deleteBackup(1);
      for (const { backupId } of await engine.getBackupInfo()) await engine.verifyBackup(backupId, { checksum: true });
      await engine.restoreBackup(backupId, places.target, { overwrite: true, allowOtherDatabase: true });
      if (JSON.stringify(await contentsAt(places.target)) !== contents) throw new Error('it is not what was backed up');
      await engine.purgeOldBackups(0);
      await engine.close();
    })(),
  );
  torture.check(
    error === undefined,
    'what lies in the lower layer of an overlayfs is backed up, deleted and replaced',
    error,
  );
  torture.figure('overlayfs', 'upper and lower layer');
}

async function umasks(torture: Torture): Promise<void> {
  for (const umask of ['077', '027', '022', '000']) {
    const root = torture.path('umask', umask);
    const { code, err } = await inProcess(['cycle', root], { umask });
    if (!torture.check(code === 0, `with umask ${umask} everything works`, { code, err })) continue;
    const forbidden = Number.parseInt(umask, 8);
    let files = 0;
    for (const name of ['.', ...readdirSync(root, { recursive: true, encoding: 'utf8' })]) {
      const stat = lstatSync(join(root, name));
      const most = (stat.isDirectory() ? 0o777 : 0o666) & ~forbidden;
      const mode = stat.mode & 0o7777;
      torture.check(
        (mode & ~most) === 0,
        `with umask ${umask}, ${relative('.', name)} has no rights beyond it`,
        mode.toString(8),
      );
      files++;
    }
    torture.figure(`files with umask ${umask}`, files);
  }
}

export const environment: Experiment = {
  name: 'environment',
  about:
    'read-only places, odd names, other file systems, umasks: it works, or says why not, and never gives wider rights',
  async run(torture) {
    const mounts = new Mounts(torture);
    try {
      await readOnly(torture, mounts);
      await names(torture);
      await fileSystems(torture, mounts);
      await umasks(torture);
    } finally {
      mounts.unmountAll();
    }
  },
};
