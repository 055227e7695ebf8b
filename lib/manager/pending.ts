import type { Database } from '../database.js';
import type { RetentionPolicy } from './retention.js';

/** Makes a checkpoint beside the database, named by the time. */
export async function createSnapshot(db: Database): Promise<{ path: string }> {
  const path = `${db.path}.snapshots/${new Date().toISOString().replaceAll(':', '')}`;
  await db.checkpoint(path);
  return { path };
}

export async function pruneSnapshots(_path: string, _policy: RetentionPolicy, _now: Date): Promise<void> {}
