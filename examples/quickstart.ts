// The main job from one end to the other, on a database of its own in a temporary directory: `npm run quickstart`.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import {
  BackupEngine,
  Database,
  engineInfo,
  type Progress,
  RateLimiter,
  RocksDBError,
  stopBackup,
} from '../lib/index.js';

const USERS = 40_000;
const CHANGED = 400;

const userKey = (n: number) => `user:${String(n).padStart(6, '0')}`;
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function step(text: string): void {
  console.log(`\n\u25b8 ${text}`);
}

/** A bar that redraws itself on a terminal, and one line for each tenth elsewhere. */
function progressBar(): (progress: Progress) => void {
  let shown = -1;
  return ({ phase, bytesDone, bytesTotal, bytesPerSecond }) => {
    const share = bytesTotal === 0 ? 0 : bytesDone / bytesTotal;
    const bar = '\u2588'.repeat(Math.round(share * 30)).padEnd(30, '\u2591');
    const line = `  ${phase.padEnd(7)} ${bar} ${(share * 100).toFixed(0).padStart(3)} %  ${mebibytes(bytesDone)} of ${mebibytes(bytesTotal)}  ${mebibytes(bytesPerSecond)}/s`;
    if (process.stdout.isTTY) {
      process.stdout.write(`\r\x1b[2K${line}${share === 1 ? '\n' : ''}`);
    } else if (Math.floor(share * 10) !== shown) {
      shown = Math.floor(share * 10);
      console.log(line);
    }
  };
}

async function writeUsers(db: Database, count: number): Promise<void> {
  for (let first = 0; first < count; first += 1000) {
    const batch = db.batch();
    for (let n = first; n < Math.min(first + 1000, count); n++) {
      batch.put(userKey(n), randomBytes(1024));
    }
    await batch.write();
  }
}

async function compare(a: Database, b: Database): Promise<number> {
  const others = b.iterator()[Symbol.asyncIterator]();
  let keys = 0;
  for await (const [key, value] of a.iterator()) {
    const other = await others.next();
    if (other.done || !key.equals(other.value[0]) || !value.equals(other.value[1])) {
      throw new Error(`the restored database differs at ${key.toString()}`);
    }
    keys++;
  }
  if (!(await others.next()).done) {
    throw new Error('the restored database has more keys');
  }
  return keys;
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'rocksdb-backup-quickstart-'));
  const databasePath = join(directory, 'users');
  const backupPath = join(directory, 'backups');
  const restoredPath = join(directory, 'restored');
  try {
    const { rocksdb, compressions } = engineInfo();
    console.log(`rocksdb-backup on RocksDB ${rocksdb} (${compressions.join(', ')}), in ${directory}`);

    step(`Open a database and write ${USERS} users`);
    const db = await Database.open(databasePath);
    await writeUsers(db, USERS);

    step('Full backup, while the database is open');
    const limiter = new RateLimiter({ bytesPerSecond: 2 ** 40 });
    const engine = await BackupEngine.open(backupPath, { backupRateLimit: limiter });
    const full = await engine.createBackup(db, { flushBeforeBackup: true, onProgress: progressBar() });
    console.log(`  backup ${full.backupId}: ${full.numberFiles} files, ${mebibytes(full.size)}`);

    step(`Change ${CHANGED} users, then an incremental backup`);
    await writeUsers(db, CHANGED);
    let copied = 0;
    const incremental = await engine.createBackup(db, {
      flushBeforeBackup: true,
      onProgress: ({ bytesDone }) => {
        copied = bytesDone;
      },
    });
    console.log(
      `  backup ${incremental.backupId}: ${mebibytes(incremental.size)}, of which ${mebibytes(copied)} were copied ` +
        `(${((100 * copied) / incremental.size).toFixed(1)} %)`,
    );

    step('A third backup at 100 kB/s, stopped by a Worker');
    limiter.bytesPerSecond = 100_000;
    await writeUsers(db, CHANGED);
    const stopper = new Worker(__filename, { workerData: engine.token });
    const stopped = await engine.createBackup(db, { flushBeforeBackup: true }).catch((error: unknown) => error);
    if (!(stopped instanceof RocksDBError) || stopped.code !== 'BACKUP_STOPPED') {
      throw new Error('the backup was not stopped', { cause: stopped });
    }
    console.log(`  ${stopped.code}: ${stopped.message}`);
    await stopper.terminate();
    limiter.bytesPerSecond = 2 ** 40;

    step('Verify both backups, every byte');
    for (const { backupId } of await engine.getBackupInfo()) {
      await engine.verifyBackup(backupId, { checksum: true, onProgress: progressBar() });
    }

    step(`Restore backup ${full.backupId} to a new directory`);
    await engine.restoreBackup(full.backupId, restoredPath, { onProgress: progressBar() });

    step('Open the same backup in place and compare every key with what was restored');
    const inPlace = await engine.openBackup(full.backupId);
    const restored = await Database.open(restoredPath);
    console.log(`  ${await compare(inPlace, restored)} keys and values are equal`);

    await inPlace.close();
    await restored.close();
    await engine.close();
    await db.close();
    console.log('\nDone. Next: README.md.');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The Worker: it has the engine's token and nothing else. */
async function stopWhenRunning(token: string): Promise<void> {
  while (!stopBackup(token)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

if (isMainThread) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
} else {
  void stopWhenRunning(workerData as string);
}
