import { lstat, stat } from 'node:fs/promises';
import { BackupEngine } from '../backup/backup-engine.js';
import type { BackupEngineOptions } from '../backup/backup-options.js';
import { damageLookup, readKnownDamage } from '../backup/known-damage.js';
import { adviceOn } from '../base/advice.js';
import { RocksDBError } from '../base/errors.js';
import type { Entry } from '../manager/recorder.js';
import type { BackupInfo, UnreadableBackup } from '../native/backup-info.js';
import { byDatabase } from '../retention/databases.js';
import { isStoreUrl } from '../storage/storage.js';
import { backupsNamed } from './backup-text.js';
import type { Context } from './context.js';
import { capital, notFound } from './errors.js';
import { parseBackupId } from './parse.js';
import { unreadable } from './unreadable.js';

/**
 * Opens an existing repository, does some work and closes it. Never creates one, so that a typing error does not. If it only reads, it
 * needs no permission to write.
 */
export async function withDirectory<T>(
  dir: string,
  use: (engine: BackupEngine) => Promise<T>,
  { write = false, ...options }: BackupEngineOptions & { write?: boolean } = {},
): Promise<T> {
  await needDirectory(dir);
  return closing(
    await BackupEngine.open(dir, { ...options, ...(write ? { createIfMissing: false } : { readOnly: true }) }),
    use,
  );
}

/**
 * The same for a command that is recorded: also records a failure that comes before its operation begins. `entry` is what would be done; without
 * it, as in a dry run, nothing is recorded.
 */
export function withRecordedDirectory<T>(
  context: Context,
  dir: string,
  entry: Entry | undefined,
  use: (engine: BackupEngine) => Promise<T>,
  options: BackupEngineOptions & { write?: boolean } = {},
): Promise<T> {
  return withDirectory(dir, (engine) => context.recordingFailure(engine, entry, () => use(engine)), options);
}

/** Works with a resource and then closes it, also after an error. */
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

export async function needDirectory(dir: string): Promise<void> {
  if (isStoreUrl(dir)) {
    return; // an engine that only reads makes nothing there
  }
  const found = await stat(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      return undefined;
    }
    throw unreadable(dir, error);
  });
  if (!found?.isDirectory()) {
    const isLink = await lstat(dir).then(
      (there) => there.isSymbolicLink(),
      () => false,
    );
    const missing = isLink ? 'is a link that leads nowhere' : 'does not exist';
    throw notFound(
      'DIRECTORY_NOT_FOUND',
      `${dir} ${found === undefined ? missing : 'is not a directory'}. Check the path of the repository.`,
      { path: dir },
    );
  }
}

/**
 * Finds the backup that `ID` names. `latest` means the latest backup that can be read; with `wholeOnly`, the latest that is also not known
 * to be damaged. A warning names the backups that were skipped.
 */
export async function findBackup(
  context: Context,
  engine: BackupEngine,
  id: string,
  name = 'ID',
  { wholeOnly = false } = {},
): Promise<BackupInfo> {
  const wanted = parseBackupId(id, name);
  if (wanted !== 'latest') {
    return engine.getBackupInfo(wanted);
  }
  const { backups, corrupt } = await engine.survey();
  const damaged = wholeOnly ? await knownDamaged(engine) : [];
  const latest = backups.filter(({ backupId }) => !damaged.includes(backupId)).pop();
  if (latest === undefined) {
    throw noneUsable(engine.location, corrupt, damaged);
  }
  const { backupId } = latest;
  const unreadable = corrupt.map((backup) => backup.backupId).filter((other) => other > backupId);
  if (unreadable.length > 0) {
    context.out.warn(
      `${backupsNamed(unreadable)} in ${engine.location} cannot be read; the latest readable backup is ${backupId}`,
    );
  }
  const databases = byDatabase(backups);
  if (databases.length > 1) {
    context.out.warn(
      `${engine.location} has backups of ${databases.length} databases; the latest, ${latest.backupId}, is of ${latest.databaseId ?? 'one that is not known'}`,
    );
  }
  warnOfPassed(
    context,
    engine,
    damaged.filter((other) => other > backupId),
    backupId,
  );
  return latest;
}

/** Ids of the readable backups that are known to be damaged. */
export async function knownDamaged(engine: BackupEngine): Promise<number[]> {
  const damage = await readKnownDamage(engine.storage);
  const damageOf = damageLookup(damage);
  const backups = damage.length === 0 ? [] : await engine.getBackupInfo({ fileDetails: true });
  return backups.filter((backup) => damageOf(backup).length > 0).map(({ backupId }) => backupId);
}

/** Warns which damaged backups were skipped, and which backup was taken instead. */
export function warnOfPassed(
  context: Context,
  { location }: BackupEngine,
  passed: readonly number[],
  chosen: number,
): void {
  if (passed.length > 0) {
    context.out.warn(
      `${backupsNamed(passed)} in ${location} ${passed.length === 1 ? 'is' : 'are'} known to be damaged; ${chosen} is used instead. ` +
        'verify --checksum checks whether the damage still exists; --include-damaged uses the latest anyway.',
    );
  }
}

/** The error if no backup can be used: there is none, or all are damaged. */
export function noneUsable(
  location: string,
  corrupt: readonly UnreadableBackup[],
  damaged: readonly number[] = [],
): RocksDBError {
  if (corrupt.length + damaged.length === 0) {
    return notFound('BACKUP_NOT_FOUND', `${location} has no backups`, { path: location });
  }
  const unreadable = corrupt.map(({ backupId }) => backupId);
  const latest = corrupt.at(-1);
  return new RocksDBError(
    `${location} has no backup that can be used.` +
      (damaged.length === 0
        ? ''
        : ` ${capital(backupsNamed(damaged))} ${damaged.length === 1 ? 'is' : 'are'} known to be damaged: --include-damaged uses the latest anyway.`) +
      (latest === undefined
        ? ''
        : ` ${capital(backupsNamed(unreadable))} cannot be read. Backup ${latest.backupId}: ${latest.reason}`),
    'BACKUP_CORRUPT',
    {
      path: location,
      ...(latest === undefined
        ? { backupId: damaged.at(-1), why: 'damaged' }
        : { backupId: latest.backupId, why: latest.why, advice: adviceOn(latest.why, 'listUnreadable') }),
    },
  );
}
