import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Database } from '../database.js';
import type { OpenOptions } from '../database-options.js';
import { notFound, UsageError } from './errors.js';

/** How a database is opened to be backed up. */
export type OpeningOptions = Pick<OpenOptions, 'walDir' | 'mergeOperator' | 'maxOpenFiles'>;

/**
 * Opens a database to back it up: with all the column families it has, and without compacting anything, or noting other options,
 * behind its owner's back. Never makes one.
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
 * Throws what can be told of a database without opening it: also while another process has it open.
 *
 * @returns its noted options
 */
export function checkDatabase(path: string, walDir: string | undefined): string {
  if (!existsSync(join(path, 'CURRENT'))) {
    throw notFound(
      'DATABASE_NOT_FOUND',
      existsSync(path)
        ? `there is no database in ${path}: ${existsSync(join(path, 'meta')) ? 'it holds backups. Did you swap the arguments?' : 'it has no file CURRENT. Check the path.'}`
        : `there is no database ${path}. Check the path.`,
    );
  }
  const options = newestOptions(path);
  if (walDir === undefined) {
    checkLogIsThere(path, options);
  }
  return options;
}

/** What RocksDB noted of the options that the database was last opened with; empty if there is nothing. */
function newestOptions(path: string): string {
  const newest = readdirSync(path)
    .filter((name) => /^OPTIONS-\d+$/.test(name))
    .sort((a, b) => Number(a.slice(8)) - Number(b.slice(8)))
    .pop();
  return newest === undefined ? '' : readFileSync(join(path, newest), 'utf8');
}

/** A database with more levels than RocksDB's default of 7 opens with as many only. */
function levelsOf(options: string): number | undefined {
  const most = Math.max(0, ...[...options.matchAll(/^\s*num_levels=(\d+)/gm)].map(([, levels]) => Number(levels)));
  return most > 7 ? most : undefined;
}

/** RocksDB's own merge operators. */
export const mergeOperators = ['uint64add', 'stringappend', 'put', 'max', 'bytesxor'] as const;

/**
 * A database whose log lies elsewhere opens without it, and without what is only there. RocksDB notes the place in the OPTIONS
 * file; whether that still holds only its owner knows.
 */
function checkLogIsThere(path: string, options: string): void {
  const noted = /^\s*wal_dir=(.+)$/m.exec(options)?.[1]?.trim();
  if (noted === undefined || (existsSync(noted) && realpathSync(noted) === realpathSync(path))) {
    return;
  }
  if (hasLogs(noted) || !hasLogs(path)) {
    const place = resolve(noted);
    throw new UsageError(
      `the database ${path} was last opened with its write-ahead log in ${place}${existsSync(noted) ? '' : ', which is not there'}; ` +
        'without it, what is only there would be missing from the backup. ' +
        `Pass --wal-dir with the directory where it is now: ${path} if there is no other.`,
    );
  }
}

function hasLogs(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => /^\d+\.log$/.test(name));
}
