import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { RocksDBError } from '../base/errors.js';
import { readPlainFile } from '../base/plain-file.js';
import { isAlive } from '../base/process-alive.js';
import { native } from '../native/binding.js';

const NAME = /^rocksdb-backup-drill-(\d+)-([0-9a-f]{16})$/;
const MARKER = 'rocksdb-backup.drill.json';

/** A directory of a drill, which is this process's as long as it is not removed. */
export interface DrillDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Makes a directory for one drill. Its name has the process in it, a marker says what it is, and a lock that its owner's death ends
 * says that it is in use.
 */
export async function makeDrillDirectory(parent: string): Promise<DrillDirectory> {
  const id = randomBytes(8).toString('hex');
  const path = join(parent, `rocksdb-backup-drill-${process.pid}-${id}`);
  try {
    await mkdir(parent, { recursive: true });
    await mkdir(path, { mode: 0o700 });
  } catch (cause) {
    throw Object.assign(
      new RocksDBError(
        `a restore drill needs a temporary directory in ${parent}: ${(cause as Error).message}. Nothing was restored; name ` +
          'another place, with as much free space as the database is large',
        'DRILL_DIRECTORY_UNUSABLE',
        { path: parent },
      ),
      { cause },
    );
  }
  let lock: { release(): void } | undefined;
  const remove = async () => {
    try {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    } catch (cause) {
      const { message } = cause as Error;
      throw Object.assign(
        new RocksDBError(
          `the temporary directory ${path} of a restore drill could not be removed: ${message}. The next drill there tries again`,
          'DRILL_DIRECTORY_UNUSABLE',
          { path },
        ),
        { cause },
      );
    } finally {
      lock?.release();
    }
  };
  try {
    lock = native.tryLockState(path);
    await writeFile(join(path, MARKER), JSON.stringify({ drill: id, pid: process.pid, host: hostname() }));
  } catch (error) {
    await remove();
    throw error;
  }
  return { path, remove };
}

/** Does something in a directory of its own, which is removed however that ends. What went wrong in it is not hidden by what goes wrong then. */
export async function inDrillDirectory<T>(parent: string, work: (path: string) => Promise<T>): Promise<T> {
  const directory = await makeDrillDirectory(parent);
  let result: T;
  try {
    result = await work(directory.path);
  } catch (error) {
    await directory.remove().catch((problem: Error) => process.emitWarning(problem));
    throw error;
  }
  await directory.remove();
  return result;
}

/**
 * Removes what drills left whose process was killed: directories of exactly such a name, with the marker that belongs to it, made on
 * this machine, whose owner is gone. @returns their paths
 */
export async function removeAbandonedDrills(parent: string): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await namesIn(parent)) {
    const path = join(parent, name);
    try {
      if (await isAbandoned(path, name)) {
        await rm(path, { recursive: true, force: true });
        removed.push(path);
      }
    } catch {
      // Somebody else's, or somebody else is removing it: no reason not to drill.
    }
  }
  return removed;
}

async function isAbandoned(path: string, name: string): Promise<boolean> {
  const [, pid, id] = NAME.exec(name) ?? [];
  if (id === undefined || !(await lstat(path)).isDirectory()) {
    return false;
  }
  const marker = await readMarker(join(path, MARKER));
  if (marker?.drill !== id || marker.pid !== Number(pid) || marker.host !== hostname()) {
    return false;
  }
  // A process may have the pid of a dead one: in a container it is the same after every start.
  if (marker.pid !== process.pid && isAlive(marker.pid)) {
    return false;
  }
  // Pids of another container on this machine mean nothing here; the lock does.
  const lock = native.tryLockState(path);
  lock?.release();
  return lock !== undefined;
}

async function readMarker(
  path: string,
): Promise<({ drill?: unknown; pid?: unknown; host?: unknown } & { pid?: number }) | undefined> {
  try {
    return JSON.parse(await readPlainFile(path));
  } catch {
    return undefined; // not ours, or not yet
  }
}

async function namesIn(parent: string): Promise<string[]> {
  // Who needs to make a directory there will be told what is wrong with it.
  return readdir(parent).catch(() => []);
}
