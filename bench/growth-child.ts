// The measurements of bench/growth.ts in node, in their own process: DB BACKUPS. Prints a line of JSON with milliseconds by name.

import { BackupEngine, Database } from '../lib/index.js';
import { median } from './measurements.js';

const [path = '', backups = ''] = process.argv.slice(2);
const RUNS = 9;
const KEPT = 10;

async function milliseconds(operation: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint();
  await operation();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

async function repeated(operation: (run: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) times.push(await milliseconds(() => operation(run)));
  return median(times);
}

async function main() {
  await using db = await Database.open(path, { createIfMissing: false, disableAutoCompactions: true });
  const times: Record<string, number> = {};
  const openAndClose = async () => (await BackupEngine.open(backups)).close();
  times.openFirst = await milliseconds(openAndClose);
  times.open = await repeated(openAndClose);
  await using engine = await BackupEngine.open(backups);
  times.list = await repeated(() => engine.getBackupInfo());
  times.listFiles = await repeated(() => engine.getBackupInfo({ fileDetails: true }));
  times.latest = await repeated(() => engine.getLatestBackupInfo());
  const { backupId } = (await engine.getLatestBackupInfo())!;
  times.details = await repeated(() => engine.getBackupInfo(backupId, { fileDetails: true }));
  times.verify = await repeated(() => engine.verifyBackup(backupId));
  // The first create in a process also reads the records beside the meta files.
  times.createFirst = await milliseconds(() => engine.createBackup(db));
  times.createNothingNew = await repeated(() => engine.createBackup(db));
  const creates: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    await db.put(`new-${run}`, 'v'.repeat(100));
    await db.flush();
    creates.push(await milliseconds(() => engine.createBackup(db)));
  }
  times.create = median(creates);
  await engine.deleteBackup(1);
  times.delete = await repeated((run) => engine.deleteBackup(run + 2));
  times.purge = await milliseconds(() => engine.purgeOldBackups(KEPT));
  console.log(JSON.stringify(times));
}

void main();
