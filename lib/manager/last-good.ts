import { ownBackups } from '../retention/databases.js';
import type { DirectoryState } from './directory-state.js';
import { recordsNewestFirst, suspicionOf } from './health.js';
import { memoryOf } from './manager-state.js';
import { type BackupRef, isRecordOf } from './operation-record.js';

/** A backup that was made, and verified if that was asked for. */
export interface GoodBackup extends BackupRef {
  /** When it was made, in milliseconds since 1970. */
  at: number;
}

/**
 * The last backup that was made and verified, if that was asked for, and is good for all that is known since. With `databaseId`
 * of this database, as far as that was written down.
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

/** Whether a backup is gone, or was found damaged, or may be. */
export function isBad(state: DirectoryState, backup: BackupRef): boolean {
  return (
    suspicionOf(backup, memoryOf(state).suspects) !== undefined ||
    recordsNewestFirst(state).some((record) => record.operation === 'delete' && record.ok && isRecordOf(record, backup))
  );
}
