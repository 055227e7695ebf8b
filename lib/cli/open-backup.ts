// What the commands have in common that open a backup in place.

import type { BackupEngine } from '../backup/backup-engine.js';
import type { OpenBackupOptions } from '../backup/backup-options.js';
import type { Database } from '../database/database.js';
import type { BackupInfo } from '../native/backup-info.js';
import type { OptionSpecs, OptionValues } from './command.js';
import type { Context } from './context.js';
import { closing, findBackup, withDirectory } from './directory.js';
import { UsageError } from './errors.js';

export const diskCacheOptions = {
  'disk-cache': {
    type: 'directory',
    summary: 'keep what is read of a store in this directory, for later commands',
  },
  'disk-cache-size': { type: 'size', summary: 'the most that the directory may hold', default: '1GiB' },
} as const satisfies OptionSpecs;

const SMALLEST_BYTES = 16 * 2 ** 20;

export function diskCacheOf(options: OptionValues<typeof diskCacheOptions>): OpenBackupOptions {
  const { 'disk-cache': directory, 'disk-cache-size': maxBytes } = options;
  if (maxBytes !== undefined && directory === undefined) {
    throw new UsageError('--disk-cache-size is the bound of --disk-cache, which says where the cache is');
  }
  if (maxBytes !== undefined && maxBytes < SMALLEST_BYTES) {
    throw new UsageError(`--disk-cache-size must be 16MiB or more, not ${maxBytes} bytes`);
  }
  return directory === undefined ? {} : { diskCache: { directory, maxBytes } };
}

/** Opens a backup in place for reading, does some work and closes it. Warns if the cache could not be used. */
export async function withOpenBackup<T>(
  context: Context,
  engine: BackupEngine,
  backupId: number,
  options: OpenBackupOptions,
  use: (db: Database) => Promise<T>,
): Promise<T> {
  return closing(await engine.openBackup(backupId, options), async (db) => {
    try {
      return await use(db);
    } finally {
      const problem = db.diskCache?.problem;
      if (problem !== undefined) {
        context.warnOnce([problem], `${problem}. What cannot be kept there is read from the store each time`);
      }
    }
  });
}

/** The same for the backup that ID names, in the repository at DIR. */
export async function withBackup<T>(
  context: Context,
  dir: string,
  id: string,
  options: OpenBackupOptions,
  use: (db: Database, info: BackupInfo, engine: BackupEngine) => Promise<T>,
): Promise<T> {
  return withDirectory(dir, async (engine) => {
    const info = await findBackup(context, engine, id);
    return withOpenBackup(context, engine, info.backupId, options, (db) => use(db, info, engine));
  });
}
