// A disk that is really full, and a process that may not open more files.

import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupEngine, BackupManager, Database, type RocksDBError } from '../../lib/index.js';
import { readState, updateState } from '../../lib/manager/state.js';
import { openStorage } from '../../lib/storage/storage.js';
import { contentsAt, contentsOf, fill, settled } from '../fixtures/backups.js';
import { filesBelow } from '../fixtures/files.js';
import { fewFiles } from './disk-files.js';
import type { Experiment, Torture } from './experiment.js';
import { Mounts } from './mounts.js';

const KIB = 1024;
const SIZE = 4096 * KIB;
/** How many keys are in a database at first, and how many are added later. */
const KEYS = 150;

type Failure = RocksDBError & { path?: string };

interface Disk {
  torture: Torture;
  small: string;
  /** Leaves about this many bytes free, to within a page. */
  leave(bytes: number): void;
  free(): void;
  about: string;
}

const isFull = ({ code, subcode, message }: Failure) =>
  code === 'NO_SPACE' ||
  (code === 'ROCKSDB_IO_ERROR' && subcode === 'NO_SPACE') ||
  /No space left|ENOSPC/.test(message);

/** Checks that an error says what is full, which file or directory is affected, and how much space there was if that was checked. */
function checkFailure({ torture, small, about }: Disk, what: string, error: Failure): void {
  const { code, subcode, message } = error;
  const seen = { code, subcode, message };
  torture.check(isFull(error), `${about}: ${what} fails because the disk is full`, seen);
  torture.check(message.includes(small), `${about}: what ${what} fails with names the file or directory`, seen);
  if (code === 'NO_SPACE')
    torture.check(/ (B|kB|MB) are free/.test(message), `${about}: it says how much is free`, seen);
  else torture.check(/^(ROCKSDB_|STATE_)/.test(code), `${about}: ${what} fails with a code of ours`, seen);
}

async function tryCreate(disk: Disk, bytes: number, checkDiskSpace: boolean): Promise<void> {
  const { torture, small, about } = disk;
  const db = await Database.open(torture.path('db'));
  const engine = await BackupEngine.open(join(small, 'backups'));
  await fill(db, 'a', { count: KEYS });
  const { backupId: old } = await engine.createBackup(db);
  await fill(db, 'b', { count: KEYS });
  const before = filesBelow(join(small, 'backups'));
  disk.leave(bytes);
  const { error } = await settled(engine.createBackup(db, { checkDiskSpace }));
  if (error !== undefined) {
    checkFailure(disk, 'create', error as Failure);
    const left = filesBelow(join(small, 'backups'));
    torture.check(left.join() === before.join(), `${about}: nothing of the failed backup is left`, { before, left });
    await torturedVerify(disk, engine, old);
  }
  disk.free();
  const next = await settled(engine.createBackup(db));
  torture.check(next.error === undefined, `${about}: with space the next backup works`, next.error);
  for (const { backupId } of await engine.getBackupInfo()) await torturedVerify(disk, engine, backupId);
  await engine.close();
  await db.close();
}

async function torturedVerify({ torture, about }: Disk, engine: BackupEngine, id: number): Promise<void> {
  const { error } = await settled(engine.verifyBackup(id, { checksum: true }));
  torture.check(error === undefined, `${about}: backup ${id} is whole`, error);
}

async function tryRestore(disk: Disk, bytes: number, checkDiskSpace: boolean): Promise<void> {
  const { torture, small, about } = disk;
  const target = join(small, 'target');
  const db = await Database.open(torture.path('db'));
  const engine = await BackupEngine.open(torture.path('backups'));
  await fill(db, 'a', { count: KEYS });
  const contents = JSON.stringify(await contentsOf(db));
  const { backupId } = await engine.createBackup(db);
  await db.close();
  const there = await Database.open(target);
  await there.put('old', 'value');
  await there.close();
  disk.leave(bytes);
  const { error } = await settled(
    engine.restoreBackup(backupId, target, {
      overwrite: true,
      allowOtherDatabase: true,
      checkDiskSpace,
    }),
  );
  if (error !== undefined) checkFailure(disk, 'restore', error as Failure);
  disk.free();
  const found = JSON.stringify(await contentsAt(target));
  if (error !== undefined) {
    torture.check(
      found.startsWith('{"old"'),
      `${about}: the failed restore left the target as it was`,
      found.slice(0, 80),
    );
    const beside = filesBelow(small).filter((name) => !name.startsWith('target/'));
    torture.check(beside.length === 0, `${about}: nothing of the failed restore is left`, beside);
  }
  const again = await settled(
    engine.restoreBackup(backupId, target, {
      overwrite: true,
      allowOtherDatabase: true,
    }),
  );
  torture.check(again.error === undefined, `${about}: with space the restore works`, again.error);
  torture.check(JSON.stringify(await contentsAt(target)) === contents, `${about}: all of it is restored`);
  await engine.close();
}

/** On a full disk, users delete backups and list them. */
async function tryDelete(disk: Disk): Promise<void> {
  const { torture, small, about } = disk;
  const location = join(small, 'backups');
  const db = await Database.open(torture.path('db'));
  let engine = await BackupEngine.open(location);
  for (const name of ['a', 'b', 'c', 'd']) {
    await fill(db, name, { count: 30 });
    await engine.createBackup(db);
  }
  await engine.close();
  await db.close();
  await updateState(openStorage(location), (state) => {
    state.counters.torture = 1;
  });
  disk.leave(0);
  const step = async (what: string, work: () => Promise<unknown>) => {
    const { error } = await settled(work());
    torture.check(error === undefined, `${about}: on a full disk, ${what}`, error);
  };
  engine = await BackupEngine.open(location);
  await step('backups are listed', () => engine.getBackupInfo({ fileDetails: true }));
  await step('a backup verifies', () => engine.verifyBackup(1, { checksum: true }));
  await step('a backup opens', async () => (await engine.openBackup(1)).close());
  await step('a backup is restored elsewhere', () => engine.restoreBackup(2, torture.path('elsewhere')));
  const { error } = await settled(
    updateState(openStorage(location), (state) => {
      state.counters.torture = 2;
    }),
  );
  if (error === undefined) torture.figure('state on a full disk', 'could be written');
  else checkFailure(disk, 'a change of the state', error as Failure);
  const { counters, pinsLost } = await readState(openStorage(location));
  torture.check(counters.torture === (error ? 1 : 2) && pinsLost === undefined, `${about}: the state is as it was`);
  torture.check(!filesBelow(location).some((name) => name.endsWith('.tmp')), `${about}: no temporary state is left`);
  await step('a backup is deleted', () => engine.deleteBackup(2));
  disk.leave(0);
  await step('old backups are purged', () => engine.purgeOldBackups(1));
  disk.leave(0);
  await step('garbage is collected', () => engine.garbageCollect());
  const ids = (await engine.getBackupInfo()).map(({ backupId }) => backupId);
  torture.check(ids.join() === '4', `${about}: what was deleted is gone, what was not is there`, ids);
  disk.free();
  await torturedVerify(disk, engine, 4);
  await engine.close();
}

/** A database whose disk becomes full while it is written to. */
async function tryWrites(disk: Disk, bytes: number): Promise<void> {
  const { torture, small, about } = disk;
  const path = join(small, 'db');
  const db = await Database.open(path, { writeBufferSize: 128 * KIB });
  disk.leave(bytes);
  let acknowledged = -1;
  let error: Error | undefined;
  for (let n = 0; n < 3000 && error === undefined; n++) {
    error = (await settled(db.put(`key ${n}`, `${n} `.repeat(200), { sync: n % 10 === 0 }))).error;
    if (error === undefined) acknowledged = n;
  }
  if (torture.check(error !== undefined, `${about}: a full disk fails a write`)) {
    checkFailure(disk, 'a write', error as Failure);
  }
  torture.check((await settled(db.get('key 0'))).error === undefined, `${about}: reads go on`);
  disk.free();
  const next = await settled(db.put('after', 'x', { sync: true }));
  torture.figure('a write after space was made, without reopening', next.error === undefined ? 'works' : 'fails');
  if (next.error !== undefined) {
    const { message } = next.error;
    torture.check(/opened again/.test(message), `${about}: a write that fails for good says what to do`, message);
  }
  const closed = await settled(db.close());
  // Writes that were not acknowledged could not be flushed. close() reports that once more, and closes the database.
  if (closed.error !== undefined) {
    const { message } = closed.error;
    torture.check(/closed anyway/.test(message), `${about}: the database closes`, message);
  }
  const again = await Database.open(path, { createIfMissing: false });
  let lost = -1;
  for (let n = 0; n <= acknowledged && lost < 0; n++) {
    if ((await again.get(`key ${n}`, { encoding: 'utf8' })) !== `${n} `.repeat(200)) lost = n;
  }
  torture.check(lost < 0, `${about}: every acknowledged write is there`, { lost, acknowledged });
  const { error: third } = await settled(again.put('again', 'x', { sync: true }));
  torture.check(third === undefined, `${about}: opened again it takes writes`, third);
  await again.close();
}

/** A manager reports the full disk, continues to live, and makes a backup when there is space again. */
async function tryManager(disk: Disk, bytes: number): Promise<void> {
  const { torture, small, about } = disk;
  const db = await Database.open(torture.path('db'));
  await fill(db, 'a', { count: KEYS });
  const manager = new BackupManager({ db, location: join(small, 'backups'), retry: { attempts: 1 } });
  const failures: Error[] = [];
  manager.on('failure', ({ error }) => failures.push(error));
  await manager.backupNow();
  await fill(db, 'b', { count: KEYS });
  disk.leave(bytes);
  const { error } = await settled(manager.backupNow());
  if (torture.check(error !== undefined, `${about}: the manager's backup fails`)) {
    checkFailure(disk, "the manager's backup", error as Failure);
  }
  disk.free();
  const next = await settled(manager.backupNow());
  torture.check(next.error === undefined, `${about}: with space the manager's next backup works`, next.error);
  await manager.stop();
  await db.close();
}

export const disk: Experiment = {
  name: 'disk',
  about: 'a disk that is really full, and 64 open files: errors that say so, nothing lost, and on with the next',
  async run(torture) {
    const mounts = new Mounts(torture);
    const { random } = torture;
    const rounds = torture.rounds(4, 40);
    const outcomes = { rounds: 0 };
    try {
      for (let round = 0; round < rounds; round++) {
        for (const kind of ['create', 'restore', 'delete', 'writes', 'manager'] as const) {
          const small = mounts.tmpfs(torture.path('small'), `size=${SIZE}`, 'a full disk');
          if (small === undefined) break;
          // Leave nothing free, or a part of what is needed.
          const bytes = random.below(5) === 0 ? 0 : random.below(KEYS * 1000);
          const checked = random.below(2) === 0;
          const ballast = join(small, 'ballast');
          const test: Disk = {
            torture,
            small,
            about: `${kind}, round ${round}, ${bytes} bytes free${checked ? '' : ', unchecked'}`,
            leave(bytes) {
              rmSync(ballast, { force: true });
              const { bavail, bsize } = statfsSync(small);
              writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - Math.ceil(bytes / bsize) * bsize)));
            },
            free: () => rmSync(ballast, { force: true }),
          };
          if (kind === 'create') await tryCreate(test, bytes, checked);
          if (kind === 'restore') await tryRestore(test, bytes, checked);
          if (kind === 'delete') await tryDelete(test);
          if (kind === 'writes') await tryWrites(test, bytes);
          if (kind === 'manager') await tryManager(test, bytes);
          mounts.unmount(small);
          for (const name of ['db', 'backups', 'elsewhere']) {
            rmSync(torture.path(name), { recursive: true, force: true });
          }
          outcomes.rounds++;
        }
      }
    } finally {
      mounts.unmountAll();
    }
    if (outcomes.rounds > 0) torture.figure('full disks', outcomes.rounds);
    await fewFiles(torture);
  },
};
