import { createHash } from 'node:crypto';
import { type Database, type DatabaseSource, nativeDatabase } from '../database/database.js';
import type { BackupInfo } from '../native/backup-info.js';

/**
 * Identifies what a database contains, so that two moments can be compared. The details are in binding/core/database/database_content.h. A
 * part that is not known counts as different from everything.
 */
export interface DatabaseContent {
  /** Digest of its last write, its column families, their files and its options. */
  state: string;
  /**
   * Digest of the tables' identities. File numbers alone are not enough: after restarts and restores, other files may have the same
   * numbers.
   */
  tables: string | undefined;
  /** Whether some data is only in memory, perhaps also in a log, but not in a table. */
  inMemory: boolean;
}

/** Finds out what a database contains, without reading its data. */
async function contentOf(source: Database | DatabaseSource, { tables }: { tables: boolean }): Promise<DatabaseContent> {
  const content = await nativeDatabase(source).content(tables);
  return {
    state: digest(content.state),
    tables: content.tables.length === 0 ? undefined : digest(content.tables),
    inMemory: content.inMemory,
  };
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * What a database contains right before a backup. Undefined if that cannot be found out, or if the backup would not contain all of it. The
 * next backup is then made in any case.
 */
export async function contentToBackUp(
  db: Database | DatabaseSource,
  flushBeforeBackup: boolean | undefined,
): Promise<DatabaseContent | undefined> {
  try {
    const content = await contentOf(db, { tables: true });
    if (!content.inMemory) {
      return content;
    }
    if (flushBeforeBackup === true) {
      // The backup would flush too, and that would change what we have seen.
      await nativeDatabase(db).flush();
      return await contentOf(db, { tables: true });
    }
    return flushBeforeBackup === false ? undefined : content;
  } catch {
    return undefined;
  }
}

/**
 * What a backup contains. Only known if the backup has everything that its database contained when it began, and nothing was written while
 * it was made.
 */
export interface BackedUpContent {
  backupId: number;
  timestamp: string;
  state: string;
  tables: string;
}

/** Whether a database contains exactly what a backup contains. */
export function isSameContent(content: DatabaseContent | undefined, backedUp: BackedUpContent | undefined): boolean {
  return (
    content !== undefined &&
    backedUp !== undefined &&
    content.state === backedUp.state &&
    content.tables === backedUp.tables
  );
}

/** What a backup contains. Undefined if the database changed while the backup was made. */
export async function contentBackedUp(
  db: Database | DatabaseSource,
  before: DatabaseContent | undefined,
  { backupId, timestamp }: BackupInfo,
): Promise<BackedUpContent | undefined> {
  if (before?.tables === undefined) {
    return undefined;
  }
  const after = await contentOf(db, { tables: false }).catch(() => undefined);
  return after?.state === before.state
    ? {
        backupId,
        timestamp: timestamp.toISOString(),
        state: before.state,
        tables: before.tables,
      }
    : undefined;
}
