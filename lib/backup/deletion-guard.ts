// A backup that is known to be damaged is no reason to go without the whole ones: a deletion that would leave damaged backups in their place
// is refused. All deletions ask here, of the library and of the command line.

import { RocksDBError } from '../base/errors.js';
import type { BackupInfo } from '../native/backup-info.js';
import { byDatabase } from '../retention/databases.js';
import { isLocked } from '../retention/retention.js';
import { type KnownDamage, whatIsDamaged } from './known-damage.js';

/** What is to be deleted: some backups, or all but the latest of each database. */
export type Removal = { backupIds: readonly number[] } | { keep: number };

/**
 * All backups but the latest `keep` of each database, oldest first, without those that the store has locked. purgeOldBackups() deletes
 * them.
 */
export function deletableOld<B extends BackupInfo>(backups: readonly B[], keep: number, now: Date): B[] {
  return olderThanLatest(backups, keep).filter((backup) => !isLocked(backup, now));
}

/** The same, with those that the store has locked. */
export function olderThanLatest<B extends BackupInfo>(backups: readonly B[], keep: number): B[] {
  return byDatabase(backups)
    .flatMap(([, own]) => own.slice(0, Math.max(0, own.length - keep)))
    .sort((a, b) => a.backupId - b.backupId);
}

/**
 * Throws BACKUP_CORRUPT if a purge would keep a backup that is damaged or may be, or if a delete would take the last whole backup of a
 * database and leave damaged ones. The infos must have `fileDetails`.
 */
export function refuseToKeepDamaged(
  location: string,
  backups: readonly BackupInfo[],
  damage: readonly KnownDamage[],
  removal: Removal,
): void {
  const suspects = new Set(whatIsDamaged(damage, backups).suspects.map(({ backupId }) => backupId));
  if (suspects.size === 0) return;
  const isWhole = ({ backupId }: BackupInfo) => !suspects.has(backupId);
  const goes =
    'keep' in removal
      ? deletableOld(backups, removal.keep, new Date())
      : backups.filter(({ backupId }) => removal.backupIds.includes(backupId));
  for (const [, own] of byDatabase(backups)) {
    const going = own.filter((backup) => goes.includes(backup));
    const left = own.filter((backup) => !goes.includes(backup));
    const damaged = left.filter((backup) => !isWhole(backup));
    const lostWhole = going.filter(isWhole);
    if (damaged.length === 0 || going.length === 0) continue;
    if ('keep' in removal) {
      throw refusal(location, damaged, `${named(damaged)}, which would be kept, ${areDamaged(damaged)}`);
    }
    if (lostWhole.length > 0 && !left.some(isWhole)) {
      const last = lostWhole.length === 1 ? 'is the last whole one' : 'are the last whole ones';
      throw refusal(location, damaged, `${named(lostWhole)} ${last}, and ${named(damaged)} ${areDamaged(damaged)}`);
    }
  }
}

const named = (backups: readonly BackupInfo[]) =>
  `${backups.length === 1 ? 'backup' : 'backups'} ${backups.map(({ backupId }) => backupId).join(', ')}`;

const areDamaged = ({ length }: readonly BackupInfo[]) =>
  length === 1
    ? 'is known to be damaged, or shares a damaged file'
    : 'are known to be damaged, or share a damaged file';

function refusal(location: string, damaged: readonly BackupInfo[], why: string): RocksDBError {
  return new RocksDBError(`nothing was deleted in ${location}: ${why}`, 'BACKUP_CORRUPT', {
    path: location,
    backupId: damaged.at(-1)!.backupId,
    why: 'damaged',
    advice: 'keepsDamaged',
  });
}
