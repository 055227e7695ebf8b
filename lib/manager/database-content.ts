import { createHash } from 'node:crypto';
import { type Database, type DatabaseSource, nativeDatabase } from '../database/database.js';
import type { BackupInfo } from '../native/backup-info.js';

/**
 * What a database holds, as far as two moments can be compared by it: binding/core/database/database_content.h says what is in it. Where
 * something is not known, it differs from everything.
 */
export interface DatabaseContent {
  /** Its last write, its column families, their files, its options. */
  state: string;
  /** Which tables the files are: over restarts and restores, file numbers alone do not tell. */
  tables: string | undefined;
  /** Whether some of it is in memory, and in a log or nowhere else. */
  inMemory: boolean;
}

/** Looks at what a database holds, without reading any of it. */
export async function contentOf(
  source: Database | DatabaseSource,
  { tables }: { tables: boolean },
): Promise<DatabaseContent> {
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
 * What a database holds before it is backed up. Undefined where that cannot be told, or would not all be in the backup: then the
 * next backup is made whatever was written.
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
      // The backup would do so, and change what we have seen.
      await nativeDatabase(db).flush();
      return await contentOf(db, { tables: true });
    }
    return flushBeforeBackup === false ? undefined : content;
  } catch {
    return undefined;
  }
}

/** What a backup has: all that its database held when it was begun, and nothing was written while it was made. */
export interface BackedUpContent {
  backupId: number;
  timestamp: string;
  state: string;
  tables: string;
}

/** Whether a database holds just what a backup has. */
export function isSameContent(content: DatabaseContent | undefined, backedUp: BackedUpContent | undefined): boolean {
  return (
    content !== undefined &&
    backedUp !== undefined &&
    content.state === backedUp.state &&
    content.tables === backedUp.tables
  );
}

/** What a backup has, if that is what the database held before and after it was made: nothing was written meanwhile. */
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
