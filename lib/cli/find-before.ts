import type { BackupEngine } from '../backup/backup-engine.js';
import type { BackupInfo } from '../native/backup-info.js';
import { backupsNamed } from './backup-text.js';
import type { Context } from './context.js';
import { knownDamaged, noneUsable, warnOfPassed } from './directory.js';
import { notFound } from './errors.js';
import { localTime } from './time.js';

type Timed = Pick<BackupInfo, 'backupId' | 'timestamp'>;

/**
 * The latest backup that was begun before a time, according to the timestamps. The ids say in which order the backups were made. If the two
 * disagree, a clock was wrong; `contradicting` are the backups that would lead to another choice by their ids.
 */
export function latestBefore<T extends Timed>(
  backups: readonly T[],
  before: Date,
): { found: T; contradicting: T[] } | undefined {
  const isBefore = ({ timestamp }: T) => timestamp.getTime() < before.getTime();
  const found = backups
    .filter(isBefore)
    .reduce<T | undefined>(
      (latest, each) => (latest === undefined || isLater(each, latest) ? each : latest),
      undefined,
    );
  return (
    found && {
      found,
      contradicting: backups.filter((each) => each !== found && isBefore(each) === each.backupId > found.backupId),
    }
  );
}

function isLater(a: Timed, b: Timed): boolean {
  return (
    a.timestamp.getTime() - b.timestamp.getTime() > 0 || (+a.timestamp === +b.timestamp && a.backupId > b.backupId)
  );
}

/**
 * Finds the backup that `--before` means, and warns if that choice may be wrong. With `wholeOnly`, it skips backups that are known to be
 * damaged.
 */
export async function findBefore(
  context: Context,
  engine: BackupEngine,
  before: Date,
  wholeOnly: boolean,
): Promise<BackupInfo> {
  const { backups: infos, corrupt: unreadable } = await engine.survey();
  const corrupt = unreadable.map(({ backupId }) => backupId);
  const damaged = wholeOnly ? await knownDamaged(engine) : [];
  const whole = infos.filter(({ backupId }) => !damaged.includes(backupId));
  const latest = latestBefore(whole, before);
  if (latest === undefined) {
    if (infos.length === 0 || latestBefore(infos, before) !== undefined) {
      throw noneUsable(engine.location, unreadable, damaged);
    }
    const oldest = [...infos].sort((a, b) => Number(isLater(a, b)) - Number(isLater(b, a)))[0];
    throw notFound(
      'BACKUP_NOT_FOUND',
      `${engine.location} has no backup from before ${localTime(before)}` +
        (oldest === undefined
          ? ': it has none that can be used'
          : `; the oldest is ${oldest.backupId}, begun ${localTime(oldest.timestamp)}`),
      { path: engine.location },
    );
  }
  const { found, contradicting } = latest;
  const next = infos.find(({ backupId }) => backupId > found.backupId)?.backupId ?? Number.POSITIVE_INFINITY;
  const passed = corrupt.filter((id) => id > found.backupId && id < next);
  if (passed.length > 0) {
    context.out.warn(`${backupsNamed(passed)} cannot be read, and may be nearer to ${localTime(before)}`);
  }
  const meant = latestBefore(infos, before)?.found.backupId ?? found.backupId;
  warnOfPassed(
    context,
    engine,
    damaged.filter((id) => id > found.backupId && id <= meant),
    found.backupId,
  );
  if (contradicting.length > 0) {
    const those = contradicting.map(({ backupId, timestamp }) => `${backupId} (${localTime(timestamp)})`).join(', ');
    context.out.warn(
      `a clock was wrong: the ids of the backups do not follow their times. By the times, it is backup ${found.backupId} ` +
        `(${localTime(found.timestamp)}); by the ids, ${those} would be earlier too. Pass --id to choose another one`,
    );
  }
  return found;
}
