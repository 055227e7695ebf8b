import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errorCode, RocksDBError } from '../base/errors.js';
import { readPlainFile } from '../base/plain-file.js';
import { isAlive } from '../base/process-alive.js';
import { native } from '../native/binding.js';

const NAME = /^rocksdb-backup-drill-(\d+)-([0-9a-f]{16})$/;
const MARKER = 'rocksdb-backup.drill.json';

/** A directory of a drill. It belongs to this process until it is removed. */
interface DrillDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Makes a directory for one drill. Its name contains the process id. A marker file says what it is. A lock shows that it is in use; the
 * lock ends when its owner dies.
 */
export async function makeDrillDirectory(parent: string): Promise<DrillDirectory> {
  const id = randomBytes(8).toString('hex');
  const path = join(parent, `rocksdb-backup-drill-${process.pid}-${id}`);
  try {
    await mkdir(parent, { recursive: true });
    await mkdir(path, { mode: 0o700 });
  } catch (cause) {
    throw unusable(parent, cause);
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
    lock = native.tryLockDirectory(path);
    await writeFile(join(path, MARKER), JSON.stringify({ drill: id, pid: process.pid, host: hostname() }));
  } catch (cause) {
    await remove();
    throw unusable(parent, cause);
  }
  return { path, remove };
}

/** The error that a drill cannot have its directory. */
function unusable(parent: string, cause: unknown): RocksDBError {
  const isFull = ['ENOSPC', 'EDQUOT'].includes(errorCode(cause) ?? '');
  const happened = `a restore drill needs a temporary directory in ${parent}: ${(cause as Error).message}. Nothing was restored`;
  const error = isFull
    ? new RocksDBError(happened, 'NO_SPACE', { path: parent, advice: 'drillElsewhere' })
    : new RocksDBError(
        `${happened}; choose another place with enough free space for the database`,
        'DRILL_DIRECTORY_UNUSABLE',
        { path: parent },
      );
  return Object.assign(error, { cause });
}

/**
 * Runs `work` in a directory of its own and removes the directory afterwards, also after an error. If both the work and the removal fail,
 * the error of the work is thrown.
 */
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
 * Removes the directories of drills whose processes were killed. A directory must have exactly such a name and the right marker, it must
 * have been made on this machine, and its owner must be gone. @returns the paths of the removed directories
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
      // It belongs to somebody else, or somebody else is removing it. That is no reason to refuse the drill.
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
  // Another process may have the pid of a dead one: in a container, the pid is the same after every start.
  if (marker.pid !== process.pid && isAlive(marker.pid)) {
    return false;
  }
  // The pid may come from another container on this machine and then means nothing here. The lock works in any case.
  const lock = native.tryLockDirectory(path);
  lock?.release();
  return lock !== undefined;
}

async function readMarker(
  path: string,
): Promise<({ drill?: unknown; pid?: unknown; host?: unknown } & { pid?: number }) | undefined> {
  try {
    return JSON.parse(await readPlainFile(path));
  } catch {
    return undefined; // not one of ours, or not written yet
  }
}

async function namesIn(parent: string): Promise<string[]> {
  // If there is a problem with the directory, making the drill's directory in it will report it.
  return readdir(parent).catch(() => []);
}
