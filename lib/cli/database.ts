import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Database } from '../database.js';
import type { OpenOptions } from '../database-options.js';
import { notFound, UsageError } from './errors.js';

/**
 * Opens a database to back it up: with all the column families it has, and without compacting anything behind its owner's back.
 * Never makes one.
 */
export async function openToBackUp(
  path: string,
  { walDir, mergeOperator }: Pick<OpenOptions, 'walDir' | 'mergeOperator'> = {},
): Promise<Database> {
  if (!existsSync(join(path, 'CURRENT'))) {
    throw notFound(
      'DATABASE_NOT_FOUND',
      existsSync(path)
        ? `there is no database in ${path}: it has no file CURRENT. Check the path.`
        : `there is no database ${path}. Check the path.`,
    );
  }
  if (walDir === undefined) {
    checkLogIsThere(path);
  }
  return Database.open(path, {
    createIfMissing: false,
    walDir,
    mergeOperator,
    rocksdb: { disable_auto_compactions: true },
  });
}

/** RocksDB's own merge operators. */
export const mergeOperators = ['uint64add', 'stringappend', 'put', 'max', 'bytesxor'] as const;

/**
 * A database whose log lies elsewhere opens without it, and without what is only there. RocksDB notes the place in the OPTIONS
 * file; whether that still holds only its owner knows.
 */
function checkLogIsThere(path: string): void {
  const options = readdirSync(path)
    .filter((name) => /^OPTIONS-\d+$/.test(name))
    .sort((a, b) => Number(a.slice(8)) - Number(b.slice(8)))
    .pop();
  if (options === undefined) {
    return;
  }
  const noted = /^\s*wal_dir=(.+)$/m.exec(readFileSync(join(path, options), 'utf8'))?.[1]?.trim();
  if (noted === undefined || !existsSync(noted) || realpathSync(noted) === realpathSync(path)) {
    return;
  }
  if (readdirSync(noted).some((name) => /^\d+\.log$/.test(name))) {
    throw new UsageError(
      `the database ${path} was last opened with its write-ahead log in ${resolve(noted)}; without it, what is only there would be ` +
        `missing from the backup. Pass --wal-dir ${resolve(noted)}, or --wal-dir ${path} if the log has moved.`,
    );
  }
}
