// The part of the experiment `environment` that runs in a process with another umask or another user: it does everything and reports the
// results.

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BackupEngine, createSnapshot, Database } from '../../lib/index.js';
import { pin } from '../../lib/manager/pins.js';
import { readState, updateState } from '../../lib/manager/state.js';
import { openStorage } from '../../lib/storage/storage.js';
import { contentsAt, contentsOf, fill, settled } from '../fixtures/backups.js';
import { type Ended, ended } from './ended.js';

export interface Places {
  db: string;
  backups: string;
  target: string;
}

/** A whole cycle from the first write to the last delete. Rejects if something is wrong. */
export async function wholeCycle({ db: path, backups, target }: Places): Promise<void> {
  const db = await Database.open(path);
  await fill(db, 'a');
  const engine = await BackupEngine.open(backups);
  const first = await engine.createBackup(db, { metadata: 'first' });
  await fill(db, 'b', { flush: false });
  const contents = JSON.stringify(await contentsOf(db));
  const { backupId } = await engine.createBackup(db);
  await updateState(openStorage(backups), (state) => pin(state, first));
  if ((await readState(openStorage(backups))).pins.length !== 1) throw new Error('the pin is not there');
  await db.close();
  for (const { backupId } of await engine.getBackupInfo()) await engine.verifyBackup(backupId, { checksum: true });
  const same = async (what: string, found: Promise<Record<string, string>>) => {
    if (JSON.stringify(await found) !== contents) throw new Error(`${what} is not what was backed up`);
  };
  await engine.restoreBackup(backupId, target);
  await same('what was restored', contentsAt(target));
  await engine.restoreBackup(first.backupId, target, { overwrite: true });
  await engine.restoreBackup(backupId, target, { overwrite: true });
  await same('what was restored over it', contentsAt(target));
  const backup = await engine.openBackup(backupId);
  await same(
    'the backup opened in place',
    contentsOf(backup).finally(() => backup.close()),
  );
  await engine.deleteBackup(first.backupId);
  await engine.purgeOldBackups(1);
  await engine.garbageCollect();
  await engine.verifyBackup(backupId, { checksum: true });
  await engine.close();
}

export interface Step {
  step: string;
  name?: string | undefined;
  code?: string | undefined;
  message?: string | undefined;
}

/** Every operation on a repository that may not be written to. */
export async function readOnlySteps({ db: path, backups, target }: Places, elsewhere: string): Promise<Step[]> {
  const steps: Step[] = [];
  const attempt = async <T>(step: string, work: () => Promise<T>): Promise<T | undefined> => {
    const { value, error } = await settled(work());
    steps.push({ step, name: error?.name, code: error?.code, message: error?.message });
    return value;
  };
  const reading = await attempt('open readOnly', () => BackupEngine.open(backups, { readOnly: true }));
  const writing = await attempt('open', () => BackupEngine.open(backups));
  for (const [how, engine] of Object.entries({ 'read-only': reading, 'read-write': writing })) {
    if (engine === undefined) continue;
    await attempt(`list, ${how}`, () => engine.getBackupInfo({ fileDetails: true }));
    await attempt(`verify, ${how}`, () => engine.verifyBackup(1, { checksum: true }));
    await attempt(`restore, ${how}`, () => engine.restoreBackup(1, join(elsewhere, `restored ${how}`)));
    const backup = await attempt(`open in place, ${how}`, () => engine.openBackup(1));
    await backup?.close();
    await attempt(`corrupt ones, ${how}`, () => engine.getCorruptedBackups());
  }
  await attempt('read state', () => readState(openStorage(backups)));
  const db = await Database.open(join(elsewhere, 'db'));
  await fill(db, 'a');
  if (writing !== undefined) {
    await attempt('REFUSED create', () => writing.createBackup(db));
    await attempt('REFUSED delete', () => writing.deleteBackup(1));
    await attempt('REFUSED purge', () => writing.purgeOldBackups(1));
    await attempt('REFUSED collect', () => writing.garbageCollect());
    await attempt('REFUSED restore there', () => writing.restoreBackup(1, target));
  }
  await attempt('REFUSED state', () =>
    updateState(openStorage(backups), (state) => {
      state.counters.x = 1;
    }),
  );
  await attempt('REFUSED database', () => Database.open(path));
  await attempt('REFUSED new engine', () => BackupEngine.open(join(backups, 'new')));
  const there = await attempt('read database', () => Database.open(path, { mode: 'readOnly' }));
  await there?.close();
  await writing?.close();
  await reading?.close();
  await db.close();
  return steps;
}

async function main(what: string, root: string): Promise<void> {
  const places = { db: join(root, 'db'), backups: join(root, 'backups'), target: join(root, 'target') };
  if (what === 'cycle') {
    await wholeCycle(places);
    const db = await Database.open(places.db);
    await createSnapshot(db);
    await db.checkpoint(join(root, 'checkpoint'));
    await db.close();
  } else {
    const elsewhere = process.argv[4] as string;
    mkdirSync(elsewhere, { recursive: true });
    console.log(JSON.stringify(await readOnlySteps(places, elsewhere)));
  }
}

/** Runs this file in its own process. */
export function inProcess(args: string[], { umask, uid }: { umask?: string; uid?: number } = {}): Promise<Ended> {
  const command = `${umask === undefined ? '' : `umask ${umask} && `}exec "$0" "$@"`;
  return ended(
    spawn('sh', ['-c', command, process.execPath, __filename, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(uid !== undefined && { uid, gid: uid }),
    }),
  );
}

if (require.main === module) void main(process.argv[2] as string, process.argv[3] as string);
