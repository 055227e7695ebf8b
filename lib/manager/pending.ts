import type { BackupEngine } from '../backup-engine.js';
import type { Database } from '../database.js';
import type { RetentionPolicy } from './retention.js';

export interface DrillOptions {
  sample?: number;
  directory?: string;
  signal?: AbortSignal;
  onProgress?: () => void;
}
export interface DrillResult {
  backupId: number;
}
export async function drillBackup(engine: BackupEngine, backupId: number, options: DrillOptions): Promise<DrillResult> {
  options.signal?.throwIfAborted();
  await engine.verifyBackup(backupId);
  return { backupId };
}
export async function createSnapshot(db: Database): Promise<{ path: string }> {
  const path = `${db.path}.snapshots/x`;
  await db.checkpoint(path);
  return { path };
}
export async function pruneSnapshots(_path: string, _policy: RetentionPolicy, _now: Date): Promise<void> {}
