// The process in which `leaks` repeats one kind of work many times and counts the resources it holds meanwhile. It must be started with
// --expose-gc.
//
//   node leaks-child.js '{"work":"opens","directory":"...","rounds":1000,"seed":1}'

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { BackupEngine, Database } from '../../lib/index.js';
import { Random } from '../fixtures/random.js';
import { type Counts, countProcess } from './process-counts.js';

export interface LeaksOrder {
  work: 'opens' | 'backups';
  directory: string;
  rounds: number;
  seed: number;
}

const WINDOWS = 10;

interface Work {
  round(n: number): Promise<void>;
  end(): Promise<void>;
}

/** Opens and closes; nothing stays open after a round. Each round opens one database and one engine. */
function opens(path: (name: string) => string): Work {
  return {
    async round(n) {
      const db = await Database.open(path('db'));
      if (n % 10 === 0) await db.put('key', String(n));
      await db.get('key');
      const engine = await BackupEngine.open(path('backups'));
      if (n === 0) await engine.createBackup(db);
      if (n % 100 === 0) {
        await Database.open(path('db')).catch(() => undefined); // it is in use
        await BackupEngine.open('/dev/null/no').catch(() => undefined);
      }
      await Promise.all([engine.close(), db.close()]);
    },
    async end() {},
  };
}

/** Backups and everything around them, with one database and one engine that stay open. */
async function backups(path: (name: string) => string, random: Random): Promise<Work> {
  const db = await Database.open(path('db'));
  const engine = await BackupEngine.open(path('backups'), { sync: false });
  const value = Buffer.alloc(2000, 'x');
  return {
    async round(n) {
      for (let i = 0; i < 20; i++) await db.put(`key ${random.below(500)}`, value);
      const { backupId } = await engine.createBackup(db, { metadata: `round ${n}`, onProgress: () => undefined });
      await engine.getBackupInfo({ fileDetails: true });
      switch (n % 5) {
        case 0:
          await engine.verifyBackup(backupId, { checksum: true, onProgress: () => undefined });
          break;
        case 1:
          await engine.restoreBackup(backupId, path('restored'), { overwrite: true });
          break;
        case 2: {
          const past = await engine.openBackup(backupId);
          for await (const [key] of past.iterator({ limit: 50 })) await past.get(key);
          await past.close();
          break;
        }
        case 3: {
          const controller = new AbortController();
          const stopped = engine.createBackup(db, { signal: controller.signal }).catch((error) => error);
          const waiting = engine.createBackup(db).catch((error) => error);
          controller.abort();
          engine.stopBackup();
          await Promise.all([stopped, waiting]);
          await engine.restoreBackup(999_999, path('nowhere')).catch(() => undefined);
          break;
        }
        default: {
          const snapshot = db.snapshot();
          const iterator = db.iterator({ snapshot });
          await iterator.next();
          await iterator.close();
          snapshot.release();
          const left = db.iterator(); // never closed: the garbage collector must close it
          await left.next();
          const batch = db.batch();
          batch.put('key', value).delete('other');
          await batch.write();
        }
      }
      await engine.purgeOldBackups(3);
      if (n % 10 === 0) await db.compactRange();
    },
    async end() {
      await engine.close();
      await db.close();
    },
  };
}

async function main({ work, directory, rounds, seed }: LeaksOrder): Promise<void> {
  const path = (name: string) => join(directory, name);
  const doing = work === 'opens' ? opens(path) : await backups(path, new Random(seed));
  const windows: Counts[] = [];
  // The first two windows are for warming up: allocators, thread pools, compiled code.
  const size = Math.max(1, Math.floor(rounds / WINDOWS));
  let n = 0;
  for (let window = 0; window < WINDOWS; window++) {
    for (let i = 0; i < size; i++) await doing.round(n++);
    windows.push(await countProcess(windows[1]));
  }
  await doing.end();
  rmSync(path('restored'), { recursive: true, force: true });
  process.stdout.write(`${JSON.stringify({ rounds: n, windows })}\n`);
}

main(JSON.parse(process.argv[2] as string)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
