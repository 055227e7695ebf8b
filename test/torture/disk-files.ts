// A process that may open at most 64 files. Node itself needs about twenty of them.

import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { BackupEngine, Database } from '../../lib/index.js';
import { fill, keyOf, settled } from '../fixtures/backups.js';
import { ended } from './ended.js';
import type { Torture } from './experiment.js';

const LIMIT = 64;
const TABLES = 120;
const prefix = (n: number) => `${String(n).padStart(3, '0')} `;

interface Step {
  step: string;
  code?: string | undefined;
  message?: string | undefined;
  keys?: number | undefined;
}

/** Each of these operations succeeds, or fails with an error that says what to do. The process continues in both cases. */
async function child(path: string): Promise<void> {
  const tell = (step: Step) => void writeSync(1, `${JSON.stringify(step)}\n`);
  const attempt = async <T>(step: string, work: () => Promise<T>): Promise<T | undefined> => {
    const { value, error } = await settled(work());
    tell({ step, code: error && String(error.code), message: error?.message });
    return value;
  };
  const all = await attempt('open as it comes', () => Database.open(`${path}/db`, { createIfMissing: false }));
  await all?.close();
  const db = await attempt('open with maxOpenFiles', () =>
    Database.open(`${path}/db`, { createIfMissing: false, maxOpenFiles: 10 }),
  );
  const engine = await attempt('open the engine', () => BackupEngine.open(`${path}/backups`));
  if (db === undefined || engine === undefined) return;
  await attempt('write', () => db.put('one more', 'x'));
  const made = await attempt('create', () => engine.createBackup(db));
  await attempt('list', () => engine.getBackupInfo({ fileDetails: true }));
  if (made !== undefined) {
    await attempt('verify', () => engine.verifyBackup(made.backupId, { checksum: true }));
    await attempt('restore', () => engine.restoreBackup(made.backupId, `${path}/restored`));
    const backup = await attempt('open the backup', () => engine.openBackup(made.backupId));
    await backup?.close();
  }
  // Use up all remaining files, and then give them back.
  const taken: Database[] = [];
  for (let n = 0; n < 20; n++) {
    const { value, error } = await settled(Database.open(`${path}/more ${n}`));
    if (value !== undefined) taken.push(value);
    if (error !== undefined) {
      tell({ step: 'open yet another', code: String(error.code), message: error.message });
      break;
    }
  }
  await attempt('create without descriptors', () => engine.createBackup(db));
  await attempt('verify without descriptors', () => engine.verifyBackup(1, { checksum: true }));
  await attempt('restore without descriptors', () => engine.restoreBackup(1, `${path}/restored too`));
  await attempt('list without descriptors', () => engine.getBackupInfo());
  for (const each of taken) await each.close();
  await attempt('create afterwards', () => engine.createBackup(db));
  await attempt('verify afterwards', () => engine.verifyBackup(1, { checksum: true }));
  await attempt('restore afterwards', () => engine.restoreBackup(1, `${path}/restored afterwards`));
  // Read single keys: an iterator would keep every table file open.
  let keys = 0;
  for (let n = 0; n < TABLES; n++) {
    for (const key of [keyOf(prefix(n), 0), keyOf(prefix(n), 1)]) {
      if ((await db.get(key)) !== undefined) keys++;
    }
  }
  tell({ step: 'read', keys });
  await engine.close();
  await db.close();
  tell({ step: 'closed' });
}

export async function fewFiles(torture: Torture): Promise<void> {
  const path = torture.path('few');
  const db = await Database.open(`${path}/db`, { rocksdb: { disable_auto_compactions: true } });
  for (let n = 0; n < TABLES; n++) await fill(db, prefix(n), { count: 2, valueSize: 50 });
  await db.close();
  const command = `ulimit -n ${LIMIT} && exec "$0" "$@"`;
  const process_ = spawn('sh', ['-c', command, process.execPath, __filename, path], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { code, signal, out, err } = await ended(process_);
  const steps = out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Step);
  torture.check(code === 0, `with ${LIMIT} files the process ends well`, { code, signal, err, steps });
  for (const step of steps) {
    const about = `with ${LIMIT} files, '${step.step}'`;
    if (step.code === undefined) torture.check(true, 'it works');
    else {
      torture.check(
        /^(ROCKSDB_IO_ERROR|TOO_MANY_OPEN_FILES)$/.test(step.code),
        `${about} fails with a code of ours`,
        step,
      );
      torture.check(/too many open files/i.test(step.message ?? ''), `${about} says what there is too much of`, step);
      torture.check(/ulimit|maxOpenFiles/.test(step.message ?? ''), `${about} says what to do`, step);
    }
    if (/with maxOpenFiles|the engine|^write|^create$|^list$|^verify$|^restore$|afterwards/.test(step.step)) {
      torture.check(step.code === undefined, `${about} works`, step);
    }
  }
  torture.check(steps.at(-1)?.step === 'closed', 'the process does all its steps', steps.at(-1));
  const keys = steps.find(({ step }) => step === 'read')?.keys;
  torture.check(keys === TABLES * 2, 'the database has all its keys', keys);
  const refused = steps.filter((step) => step.code !== undefined).map(({ step, code }) => `${step}: ${code}`);
  torture.figure(`with ${LIMIT} files, refused`, refused.join('; '));
}

if (require.main === module) void child(process.argv[2] as string);
