import { type Database, type DatabaseSource, nativeDatabase } from '../database/database.js';
import type { BackupKind, PlannedFile } from '../native/backup-info.js';
import { native } from '../native/binding.js';
import type { BackupEngineOptions, CreateBackupOptions } from './backup-engine.js';

/** Options of {@link planBackup}: those of the engine and of the backup that matter for what is copied. */
export interface PlanBackupOptions
  extends Pick<BackupEngineOptions, 'shareTableFiles' | 'shareFilesWithChecksum' | 'backupLogFiles'>,
    Pick<CreateBackupOptions, 'full' | 'allowOtherDatabase'> {}

/** What {@link planBackup} found out. */
export interface BackupPlan {
  files: PlannedFile[];
  /** What the backup would be. */
  kind: BackupKind;
  bytesToCopy: number;
  bytesShared: number;
  /** Of `bytesToCopy`, what is write-ahead log. */
  logBytes: number;
  /** Where the directory is, or would be made; undefined where that cannot be told. */
  bytesFree?: number;
  /** Whether there is room for it, as far as that can be told. */
  fits: boolean;
  /** The database's own id. */
  databaseId?: string;
}

/**
 * Says what a backup of a database to a directory would copy now. Changes nothing, and does not make the directory. Also of a
 * database that is open for reading only.
 *
 * Files are taken for shared by their numbers and sizes; a backup looks at their contents' identity as well, so that it may copy
 * one of another database's that looks alike. Rejects with DATABASE_DIFFERS where the backup would.
 *
 * @example
 * const { bytesToCopy, fits } = await planBackup(db, '/backups/users');
 */
export async function planBackup(
  db: Database | DatabaseSource,
  location: string,
  options: PlanBackupOptions = {},
): Promise<BackupPlan> {
  const { full, allowOtherDatabase, ...engine } = options;
  const plan = await native.planBackup(nativeDatabase(db), location, engine, { full, allowOtherDatabase });
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
