import { BackupEngine, type CopyOrder } from '../backup/backup-engine.js';
import {
  damageInWords,
  damageLookup,
  type KnownDamage,
  readKnownDamage,
  whatIsDamaged,
} from '../backup/known-damage.js';
import type { RateLimiter } from '../backup/rate-limiter.js';
import { checkOptions } from '../base/check-object.js';
import { describe, errorCode, invalidOption, RocksDBError } from '../base/errors.js';
import { mayShare } from '../manager/damage.js';
import { ManagerState } from '../manager/manager-state.js';
import { pinOf } from '../manager/pins.js';
import { lookAtState, updateState } from '../manager/state.js';
import type { CopiedBackup, LongOperation } from '../native/backup-info.js';
import type { RepositoryLocation } from '../storage/storage.js';

/** Options of {@link copyBackups}. */
export interface CopyBackupsOptions extends LongOperation {
  /** Only these backups. @default all */
  backupIds?: readonly number[] | undefined;
  /** Only says what would be copied, and changes nothing. The target is not made. @default false */
  dryRun?: boolean | undefined;
  /** Also if the target has only backups of other databases. @default false */
  allowOtherDatabase?: boolean | undefined;
  /** Writes no faster than this, in bytes a second. */
  rateLimit?: number | RateLimiter | undefined;
}

const NAMES = [
  'backupIds',
  'dryRun',
  'allowOtherDatabase',
  'rateLimit',
  'signal',
  'onProgress',
] as const satisfies readonly (keyof CopyBackupsOptions)[];

/** The result of {@link copyBackups}. */
export interface CopyResult {
  /** What messages call the two repositories. */
  from: string;
  to: string;
  /** Each backup that was asked for, in the order of their ids. */
  backups: CopiedBackup[];
  /** What was copied, or would be: the files that the target did not have. Lists of files and records do not count. */
  files: number;
  bytes: number;
  /** The backups whose pins were copied. */
  pinned: number[];
  dryRun: boolean;
}

/**
 * Copies backups from one repository to another, under the ids that they have: between directories and stores in any direction. The backups
 * stay what they are, with their records and their pins.
 *
 * Only files that the target does not have, by name and size, are copied. So a copy that was stopped or killed continues when it is called
 * again, and copying every night copies what is new. A backup exists in the target from the moment when all its files are there. Each file is
 * read through the checksum that its backup has of it: a backup with a damaged file is not copied, and has the state `failed` and an `error`
 * in the result. The other backups are copied. So fails a backup of which a file is known to be damaged in the target.
 *
 * Rejects with BACKUP_EXISTS if the target has another backup under one of the ids, with DATABASE_DIFFERS if it has only backups of other
 * databases, with BACKUP_LOCKED while somebody writes to it, with NO_SPACE, or with BACKUP_NOT_FOUND. In these cases nothing was copied.
 *
 * @example
 * const { backups } = await copyBackups('/backups/users', 's3://backups/users');
 * const failed = backups.filter(({ state }) => state === 'failed');
 */
export function copyBackups(
  from: RepositoryLocation,
  to: RepositoryLocation,
  options: CopyBackupsOptions = {},
): Promise<CopyResult> {
  return copyWith(from, to, options, (_target, copy) => copy());
}

/** Like {@link copyBackups}. `around` does the copy, which is not called in a dry run, and gets the opened target. */
export async function copyWith(
  from: RepositoryLocation,
  to: RepositoryLocation,
  options: CopyBackupsOptions,
  around: (target: BackupEngine, copy: () => Promise<CopyResult>) => Promise<CopyResult>,
): Promise<CopyResult> {
  const {
    backupIds,
    dryRun = false,
    allowOtherDatabase = false,
    rateLimit,
    ...long
  } = checkOptions('options', options, NAMES);
  if (backupIds !== undefined && (!Array.isArray(backupIds) || backupIds.length === 0)) {
    throw invalidOption(TypeError, 'backupIds', 'an array with at least one id', describe(backupIds));
  }
  for (const [name, flag] of Object.entries({ dryRun, allowOtherDatabase })) {
    if (typeof flag !== 'boolean') throw invalidOption(TypeError, name, 'true or false', describe(flag));
  }
  const source = await BackupEngine.open(from, { readOnly: true });
  try {
    const target = dryRun ? await openIfThere(to) : await BackupEngine.open(to, { backupRateLimit: rateLimit });
    try {
      const what = { backupIds: backupIds ?? [], allowOtherDatabase, ...long };
      const result = (backups: CopiedBackup[], pinned: number[]): CopyResult => ({
        from: source.location,
        to: target?.location ?? (typeof to === 'string' ? to : to.name),
        backups,
        files: backups.reduce((sum, { files }) => sum + files, 0),
        bytes: backups.reduce((sum, { bytes }) => sum + bytes, 0),
        pinned,
        dryRun,
      });
      if (target === undefined || dryRun) {
        const damage = target === undefined ? [] : await damageThere(target);
        return result(await passing(source, target, damage, what, (some) => source.planCopyTo(target, some)), []);
      }
      return await around(target, async () => {
        const { damage } = await mayShare(new ManagerState(target.storage), target);
        const backups = await passing(source, target, damage, what, (some) => target.copyFrom(source, some));
        return result(backups, await copyPins(source, target, backups));
      });
    } finally {
      await target?.close();
    }
  } finally {
    await source.close();
  }
}

/** The known damage of a repository that is only looked at. */
async function damageThere(target: BackupEngine): Promise<KnownDamage[]> {
  const known = await readKnownDamage(target.storage);
  return known.length === 0 ? [] : whatIsDamaged(known, await target.getBackupInfo({ fileDetails: true })).damage;
}

/**
 * Copies all backups but those of which a file is known to be damaged in the target. Files that are there are not copied, so these backups would
 * be damaged, or are. They fail.
 */
async function passing(
  source: BackupEngine,
  target: BackupEngine | undefined,
  damage: readonly KnownDamage[],
  what: CopyOrder,
  copy: (some: CopyOrder) => Promise<CopiedBackup[]>,
): Promise<CopiedBackup[]> {
  if (target === undefined || damage.length === 0) return copy(what);
  const damageOf = damageLookup(damage);
  const { backups, corrupt } = await source.survey({ fileDetails: true });
  const isAsked = ({ backupId }: { backupId: number }) =>
    what.backupIds.length === 0 || what.backupIds.includes(backupId);
  const there = new Set((await target.getBackupInfo()).map(({ backupId }) => backupId));
  const failed = backups.filter(isAsked).flatMap((backup): CopiedBackup[] => {
    const { backupId, timestamp } = backup;
    const known = damageOf(backup);
    if (known.length === 0) return [];
    const which = there.has(backupId)
      ? `backup ${backupId} in ${target.location} is known to be damaged`
      : `backup ${backupId} in ${source.location} was not copied, because ${target.location} has a damaged file of it`;
    const error = new RocksDBError(`${which}: ${damageInWords(known)}`, 'BACKUP_CORRUPT', {
      path: target.location,
      backupId,
      damagedFiles: known.flatMap(({ file }) => file ?? []),
      why: 'damaged',
      advice: 'copyAgain',
    });
    return [{ backupId, timestamp, state: 'failed', files: 0, bytes: 0, error }];
  });
  const asked = what.backupIds.length > 0 ? what.backupIds : [...backups, ...corrupt].map(({ backupId }) => backupId);
  const rest = asked.filter((id) => !failed.some(({ backupId }) => backupId === id));
  const copied = rest.length === 0 ? [] : await copy({ ...what, backupIds: rest });
  return [...failed, ...copied].sort((a, b) => a.backupId - b.backupId);
}

/** Undefined if there is no repository yet. */
async function openIfThere(location: RepositoryLocation): Promise<BackupEngine | undefined> {
  try {
    return await BackupEngine.open(location, { readOnly: true });
  } catch (error) {
    if (errorCode(error) === 'DIRECTORY_NOT_FOUND' || errorCode(error) === 'ROCKSDB_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Backups that are pinned in the source are pinned in the target, too. A pin that the target has stays as it is. */
async function copyPins(
  source: BackupEngine,
  target: BackupEngine,
  backups: readonly CopiedBackup[],
): Promise<number[]> {
  const theirs = await lookAtState(source.storage);
  const pins = backups
    .filter(({ state }) => state !== 'failed')
    .map((backup) => backup.timestamp && pinOf(theirs, { ...backup, timestamp: backup.timestamp.toISOString() }))
    .filter((pin) => pin !== undefined);
  if (pins.length === 0) {
    return [];
  }
  const ours = await lookAtState(target.storage);
  const missing = pins.filter((pin) => pinOf(ours, pin) === undefined);
  if (missing.length > 0) {
    await updateState(target.storage, (state) => {
      for (const pin of missing) {
        if (pinOf(state, pin) === undefined) state.pins.push({ ...pin });
      }
    });
  }
  return missing.map(({ backupId }) => backupId);
}
