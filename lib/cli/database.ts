import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Database } from '../database/database.js';
import type { OpenOptions } from '../database/database-options.js';
import { notFound, UsageError } from './errors.js';
import { unreadable } from './unreadable.js';

/** How a database is opened for a backup. */
export type OpeningOptions = Pick<OpenOptions, 'walDir' | 'mergeOperator' | 'maxOpenFiles'>;

/**
 * Opens a database to back it up, with all its column families. Nothing changes without its owner's knowledge: no compactions, no new
 * OPTIONS file. Never creates a database.
 */
export async function openToBackUp(
  path: string,
  { walDir, mergeOperator, maxOpenFiles, mode }: OpeningOptions & Pick<OpenOptions, 'mode'> = {},
): Promise<Database> {
  const options = checkDatabase(path, walDir);
  return Database.open(path, {
    createIfMissing: false,
    keepOptionsFile: true,
    mode,
    walDir,
    mergeOperator,
    maxOpenFiles,
    numLevels: levelsOf(options),
    rocksdb: { disable_auto_compactions: true },
  });
}

/**
 * Throws the errors that can be found without opening the database. So it also works while another process has the database open.
 *
 * @returns the contents of its OPTIONS file
 */
export function checkDatabase(path: string, walDir: string | undefined): string {
  if (!isThere(join(path, 'CURRENT'))) {
    throw notFound(
      'DATABASE_NOT_FOUND',
      isThere(path)
        ? `there is no database in ${path}: ${isThere(join(path, 'meta')) ? 'it holds backups. Did you swap the arguments?' : 'it has no file CURRENT. Check the path.'}`
        : `there is no database ${path}. Check the path.`,
      { path },
    );
  }
  const options = newestOptions(path);
  checkLogIsThere(path, options, walDir);
  return options;
}

/** Whether something exists at a path. If it cannot be examined, this throws, because something may exist there. */
function isThere(path: string): boolean {
  return looking(path, () => statSync(path, { throwIfNoEntry: false }) !== undefined);
}

/**
 * Runs a function that reads a path. Its errors are extended with the path, because Node's messages about failed reads do not contain it.
 */
function looking<T>(path: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The newest OPTIONS file, in which RocksDB stored the options of the last open. Empty if there is none. */
function newestOptions(path: string): string {
  const newest = looking(path, () => readdirSync(path))
    .filter((name) => /^OPTIONS-\d+$/.test(name))
    .sort((a, b) => Number(a.slice(8)) - Number(b.slice(8)))
    .pop();
  if (newest === undefined) {
    return '';
  }
  const file = join(path, newest);
  return looking(file, () => readFileSync(file, 'utf8'));
}

/** A database with more levels than RocksDB's default of 7 must be opened with at least that many. */
function levelsOf(options: string): number | undefined {
  const most = Math.max(0, ...[...options.matchAll(/^\s*num_levels=(\d+)/gm)].map(([, levels]) => Number(levels)));
  return most > 7 ? most : undefined;
}

/** The merge operators that are part of RocksDB. */
export const mergeOperators = ['uint64add', 'stringappend', 'put', 'max', 'bytesxor'] as const;

/**
 * If the write-ahead log is in another directory, RocksDB opens the database without it, and the data that is only in the log is missing.
 * RocksDB stores that directory in the OPTIONS file. Only the owner of the database knows whether it is still the right one.
 */
function checkLogIsThere(path: string, options: string, walDir: string | undefined): void {
  const noted = /^\s*wal_dir=(.+)$/m.exec(options)?.[1]?.trim().replace(/\\(.)/g, '$1');
  if (walDir !== undefined) {
    checkGivenLog(path, walDir, noted);
    return;
  }
  if (noted === undefined || (isThere(noted) && realpathSync(noted) === realpathSync(path))) {
    return;
  }
  if (hasLogs(noted) || !hasLogs(path)) {
    const place = resolve(noted);
    throw new UsageError(
      `the database ${path} was last opened with its write-ahead log in ${place}${isThere(noted) ? '' : ', which does not exist'}; ` +
        'without that log, its data would be missing from the backup. ' +
        `Pass --wal-dir with the directory of the log: ${path} if there is no other.`,
    );
  }
}

/** If the given directory of the log does not exist, RocksDB creates it and opens the database without the data that is only in the log. */
function checkGivenLog(path: string, walDir: string, noted: string | undefined): void {
  if (!isThere(walDir)) {
    throw new UsageError(
      `there is no directory ${walDir}, in which the write-ahead log of ${path} should be. Without its log, its newest data would be missing`,
    );
  }
  const given = realpathSync(walDir);
  const other = [noted, path].find(
    (place) => place !== undefined && isThere(place) && realpathSync(place) !== given && hasLogs(place),
  );
  if (other !== undefined && !hasLogs(walDir)) {
    throw new UsageError(
      `there is no write-ahead log in ${walDir}, but there is one in ${other}; ` +
        `without it, the newest data of ${path} would be missing. Pass the directory where it is`,
    );
  }
}

function hasLogs(directory: string): boolean {
  return isThere(directory) && looking(directory, () => readdirSync(directory)).some((name) => /^\d+\.log$/.test(name));
}
