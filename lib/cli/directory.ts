import { stat } from 'node:fs/promises';
import { BackupEngine, type BackupEngineOptions } from '../backup-engine.js';
import type { BackupInfo } from '../backup-info.js';
import type { Database } from '../database.js';
import { byDatabase } from '../manager/databases.js';
import type { Context } from './context.js';
import { notFound } from './errors.js';
import { parseBackupId } from './parse.js';

/**
 * Opens a directory of backups that is there, does something and closes it. Never makes one: a typing error must not. To read,
 * needs no permission to write.
 */
export async function withDirectory<T>(
  dir: string,
  use: (engine: BackupEngine) => Promise<T>,
  { write = false, ...options }: BackupEngineOptions & { write?: boolean } = {},
): Promise<T> {
  await needDirectory(dir);
  const reader = await BackupEngine.open(dir, { ...options, readOnly: true });
  if (!write) {
    return closing(reader, use);
  }
  await reader.close();
  return closing(await BackupEngine.open(dir, options), use);
}

/** Uses something and closes it, however that ends. */
export async function closing<C extends { close(): Promise<void> }, T>(
  resource: C,
  use: (resource: C) => Promise<T>,
): Promise<T> {
  try {
    return await use(resource);
  } finally {
    await resource.close();
  }
}

async function needDirectory(dir: string): Promise<void> {
  const found = await stat(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      return undefined;
    }
    throw error;
  });
  if (!found?.isDirectory()) {
    throw notFound(
      'DIRECTORY_NOT_FOUND',
      `${dir} ${found === undefined ? 'does not exist' : 'is not a directory'}. Check the path of the directory of backups.`,
    );
  }
}

/** The backup that `ID` names. `latest` is the latest that can be read; what it passes over is said. */
export async function findBackup(context: Context, engine: BackupEngine, id: string, name = 'ID'): Promise<BackupInfo> {
  const wanted = parseBackupId(id, name);
  if (wanted !== 'latest') {
    return engine.getBackupInfo(wanted);
  }
  const latest = await engine.getLatestBackupInfo();
  if (latest === undefined) {
    const corrupt = await engine.getCorruptedBackups();
    throw notFound(
      'BACKUP_NOT_FOUND',
      `${engine.location} has no backup that can be used${corrupt.length === 0 ? '' : `; ${corrupt.join(', ')} cannot be read`}`,
    );
  }
  const newer = await corruptAfter(engine, latest.backupId);
  if (newer.length > 0) {
    context.out.warn(
      `${newer.length === 1 ? 'backup' : 'backups'} ${newer.join(', ')} in ${engine.location} cannot be read; the latest that can is ${latest.backupId}`,
    );
  }
  const databases = byDatabase(await engine.getBackupInfo());
  if (databases.length > 1) {
    context.out.warn(
      `${engine.location} has backups of ${databases.length} databases; the latest, ${latest.backupId}, is of ${latest.databaseId ?? 'one that is not known'}`,
    );
  }
  return latest;
}

/** Numbers of the backups that cannot be read and came after this one. */
export async function corruptAfter(engine: BackupEngine, backupId: number): Promise<number[]> {
  return (await engine.getCorruptedBackups()).filter((id) => id > backupId);
}

/** Opens a backup in place, for reading, does something and closes it. */
export async function withBackup<T>(
  context: Context,
  dir: string,
  id: string,
  use: (db: Database, info: BackupInfo, engine: BackupEngine) => Promise<T>,
): Promise<T> {
  return withDirectory(dir, async (engine) => {
    const info = await findBackup(context, engine, id);
    return closing(await engine.openBackup(info.backupId), (db) => use(db, info, engine));
  });
}
