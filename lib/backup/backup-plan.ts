import { type Database, type DatabaseSource, nativeDatabase } from '../database/database.js';
import type { BackupKind, PlannedFile } from '../native/backup-info.js';
import { native } from '../native/binding.js';
import { openStorage, type RepositoryLocation } from '../storage/storage.js';
import type { BackupEngineOptions, CreateBackupOptions } from './backup-options.js';

/** Options of {@link planBackup}: those options of the engine and of the backup that decide what is copied. */
export interface PlanBackupOptions
  extends Pick<BackupEngineOptions, 'shareTableFiles' | 'shareFilesWithChecksum' | 'backupLogFiles'>,
    Pick<CreateBackupOptions, 'full' | 'allowOtherDatabase'> {}

/** The result of {@link planBackup}. */
export interface BackupPlan {
  files: PlannedFile[];
  /** Which kind of backup it would be. */
  kind: BackupKind;
  bytesToCopy: number;
  bytesShared: number;
  /** The part of `bytesToCopy` that is write-ahead log. */
  logBytes: number;
  /** Free space where the repository is, or where it would be created. Undefined if it cannot be found out. */
  bytesFree?: number;
  /** Whether the backup fits into the free space. True if the free space is not known. */
  fits: boolean;
  /** The id of the database. */
  databaseId?: string;
}

/**
 * Says what a backup of a database to a repository would copy now. Changes nothing, and does not create the repository. Also works for a
 * database that is open for reading only.
 *
 * It decides by file numbers and sizes which files are shared. A real backup also compares the identity of their contents. So it may copy a
 * file that looks shared here, if another database has one with the same number and size. Rejects with DATABASE_DIFFERS if the backup
 * would.
 *
 * @param location as for {@link BackupEngine.open}: a directory, the URL of a store, or a store
 * @example
 * const { bytesToCopy, fits } = await planBackup(db, '/backups/users');
 */
export async function planBackup(
  db: Database | DatabaseSource,
  location: RepositoryLocation,
  options: PlanBackupOptions = {},
): Promise<BackupPlan> {
  const { full, allowOtherDatabase, ...engine } = options;
  const plan = await native.planBackup(nativeDatabase(db), openStorage(location), engine, { full, allowOtherDatabase });
  const { files, bytesFree } = plan;
  const bytesOf = (chosen: (file: PlannedFile) => boolean) =>
    files.filter(chosen).reduce((sum, { size }) => sum + size, 0);
  const bytesToCopy = bytesOf(({ copied }) => copied);
  return {
    ...plan,
    kind: files.every(({ copied }) => copied) ? 'full' : 'incremental',
    bytesToCopy,
    bytesShared: bytesOf(({ copied }) => !copied),
    logBytes: bytesOf(({ log }) => log),
    fits: bytesFree === undefined || bytesFree >= bytesToCopy,
  };
}
