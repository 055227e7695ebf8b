import { ownBackups } from '../retention/databases.js';
import type { DirectoryState } from './directory-state.js';
import { recordsNewestFirst, suspicionOf } from './health.js';
import { memoryOf } from './manager-state.js';
import { type BackupRef, isRecordOf } from './operation-record.js';

/** A backup that was made and, if that was requested, verified. */
export interface GoodBackup extends BackupRef {
  /** When it was made, in milliseconds since 1970. */
  at: number;
}

/**
 * The last backup that was made, verified if that was requested, and not known to be damaged or deleted since. With `databaseId`, only
 * backups of this database, and those whose database was not recorded.
 */
export function lastGoodOf(
  state: DirectoryState,
  verify: 'size' | 'checksum' | false,
  databaseId?: string,
): GoodBackup | undefined {
  const { history, last } = state;
  const known = [...Object.values(last), ...history];
  const created = ownBackups(known, databaseId).filter(({ operation, ok }) => operation === 'create' && ok);
  const verified = known.filter(({ operation, ok }) => operation === 'verify' && ok);
  for (const record of created.reverse()) {
    const { backupId, timestamp, at } = record;
    if (backupId !== undefined && timestamp !== undefined) {
      const good = { backupId, timestamp, at: Date.parse(at) };
      if ((verify === false || verified.some((other) => isRecordOf(other, good))) && !isBad(state, good)) {
        return good;
      }
    }
  }
  return undefined;
}

/** Whether a backup was deleted, is damaged, or may be damaged. */
export function isBad(state: DirectoryState, backup: BackupRef): boolean {
  return (
    suspicionOf(backup, memoryOf(state).suspects) !== undefined ||
    recordsNewestFirst(state).some((record) => record.operation === 'delete' && record.ok && isRecordOf(record, backup))
  );
}
