import { formatDuration } from '../../base/units.js';
import type { BackupRecord } from '../../manager/inventory.js';
import type { OperationRecord } from '../../manager/operation-record.js';
import { byReason, toReadAgain } from '../../manager/unreadable-backups.js';
import { capital } from '../errors.js';
import { newerRocksDB } from '../newer-rocksdb.js';
import { missingPinsLine } from '../removal.js';
import type { ReportInput } from './gather.js';
import { showAge, showCount, showRanges } from './words.js';

/** A problem that somebody should look at. */
export interface Finding {
  level: 'bad' | 'warn';
  /** What is wrong. */
  what: string;
  /** What to do about it. */
  todo: string;
}

const DAY = 24 * 60 * 60 * 1000;

/** Everything that needs attention, the worst first. */
export function findings(input: ReportInput): Finding[] {
  const all = [...ofBackups(input), ...ofDrills(input), ...ofRecords(input), ...ofRetention(input)];
  return [...all.filter(({ level }) => level === 'bad'), ...all.filter(({ level }) => level === 'warn')];
}

function* ofBackups({ inventory, now }: ReportInput): Generator<Finding> {
  const { backups, corrupt, state } = inventory;
  if (corrupt.length > 0) {
    const [one, ids] = [corrupt.length === 1, showRanges(corrupt.map(({ backupId }) => backupId))];
    yield {
      level: 'bad',
      what: `${one ? 'Backup' : 'Backups'} ${ids} cannot be read.`,
      todo: `${byReason(corrupt)
        .map(([why, ids]) =>
          why === 'damaged' ? 'Verify says which file is missing or damaged' : capital(toReadAgain(why, ids.length)),
        )
        .join('. ')}. Nothing is deleted automatically until that is settled.`,
    };
  }
  const damaged = backups.filter((backup) => backup.state === 'corrupt').map(({ backupId }) => backupId);
  if (damaged.length > 0) {
    yield {
      level: 'bad',
      what: `${damaged.length === 1 ? 'Backup' : 'Backups'} ${showRanges(damaged)} ${damaged.length === 1 ? 'is' : 'are'} known to be damaged${ofFiles(backups)}.`,
      todo: 'Do not rely on it. Make a full backup, then delete the damaged ones. If it was repaired, verify it with checksums.',
    };
  }
  const newer = newerRocksDB(backups);
  if (newer !== '') {
    yield {
      level: 'warn',
      what: `${newer[0]!.toUpperCase()}${newer.slice(1)}.`,
      todo: 'Keep such a program ready for a restore.',
    };
  }
  if (state.pinsLost !== undefined) {
    yield {
      level: 'bad',
      what: `Pins may have been lost: ${state.pinsLost}.`,
      todo: 'Nothing is pruned until then. Pin again the backups to keep, then run rocksdb-backup unpin --acknowledge-lost-pins.',
    };
  }
  const missing = missingPinsLine(inventory);
  if (missing !== undefined) {
    yield { level: 'bad', what: `${missing}.`, todo: 'Find out who removed it.' };
  }
  const newest = backups.at(-1);
  if (newest === undefined) {
    yield { level: 'warn', what: 'There is no backup that can be read.', todo: 'Make one.' };
    return;
  }
  if (newest.state === 'unverified') {
    yield {
      level: 'warn',
      what: `The newest backup, ${newest.backupId}, has not been verified.`,
      todo: 'Verify it with checksums.',
    };
  }
  const usual = usualInterval(backups.map(({ timestamp }) => timestamp.getTime()));
  const age = now.getTime() - newest.timestamp.getTime();
  if (usual !== undefined && age > 3 * usual && age > 2 * 60 * 60 * 1000) {
    yield {
      level: 'warn',
      what: `The newest backup was made ${showAge(newest.timestamp, now)}. Earlier backups were made about every ${formatDuration(usual)}.`,
      todo: 'Check whether the service that makes them is running.',
    };
  }
  if (age < -60_000) {
    yield {
      level: 'warn',
      what: `The newest backup is from the future (${showAge(newest.timestamp, now)}).`,
      todo: 'The clock was wrong then, or is wrong now.',
    };
  }
}

/** The names of the first damaged files. */
function ofFiles(backups: readonly BackupRecord[]): string {
  const files = new Set(backups.flatMap(({ damage }) => damage.flatMap(({ file }) => file ?? [])));
  const shown = [...files].slice(0, 3).join(', ');
  return files.size === 0 ? '' : `: ${shown}${files.size > 3 ? ` and ${files.size - 3} more` : ''}`;
}

/** The median of the times between the latest backups. */
function usualInterval(times: readonly number[]): number | undefined {
  const last = times.slice(-11);
  const gaps = last.slice(1).map((time, n) => time - (last[n] as number));
  const median = gaps.sort((a, b) => a - b)[gaps.length >> 1];
  return gaps.length >= 3 && median !== undefined && median > 0 ? median : undefined;
}

function* ofDrills({ records, inventory, now }: ReportInput): Generator<Finding> {
  if (inventory.backups.length === 0) {
    return;
  }
  const drills = records.filter(({ operation }) => operation === 'drill');
  const last = drills.at(-1);
  const lastOk = drills.filter(({ ok }) => ok).at(-1);
  if (last === undefined) {
    yield {
      level: 'warn',
      what: 'There is no record of a restore drill.',
      todo: 'Only a restore proves that a backup works: run rocksdb-backup drill.',
    };
  } else if (!last.ok) {
    yield {
      level: 'bad',
      what: `The last restore drill failed, ${showAge(last.at, now)}${failureOf(last)}.`,
      todo: 'Run another drill, and drill an older backup too.',
    };
  } else if (lastOk !== undefined && now.getTime() - Date.parse(lastOk.at) > 31 * DAY) {
    yield { level: 'warn', what: `The last restore drill was ${showAge(lastOk.at, now)}.`, todo: 'Drill again.' };
  }
}

function failureOf({ backupId, error }: OperationRecord): string {
  return `${backupId === undefined ? '' : ` (backup ${backupId})`}${error?.code === undefined ? '' : `: ${error.code}`}`;
}

function* ofRecords({ records, unreadableLines, now }: ReportInput): Generator<Finding> {
  const creates = records.filter(({ operation }) => operation === 'create');
  const sinceSuccess = creates.slice(creates.map(({ ok }) => ok).lastIndexOf(true) + 1);
  const last = sinceSuccess.at(-1);
  if (last !== undefined) {
    yield {
      level: 'bad',
      what: `${sinceSuccess.length === 1 ? 'The last backup' : `The last ${sinceSuccess.length} backups`} failed, most recently ${showAge(last.at, now)}${failureOf(last)}.`,
      todo: 'The failures below say why.',
    };
  }
  if (unreadableLines > 0) {
    yield {
      level: 'warn',
      what: `${showCount(unreadableLines, 'line')} of the audit log cannot be read.`,
      todo: 'A crash or a full disk may have damaged them.',
    };
  }
}

function* ofRetention({ plan }: ReportInput): Generator<Finding> {
  if (plan?.blocked !== undefined) {
    yield {
      level: 'warn',
      what: `Nothing can be pruned: ${plan.blocked}.`,
      todo: 'The repository grows until this is resolved.',
    };
  }
  for (const sentence of plan?.exceeded ?? []) {
    yield { level: 'warn', what: `${sentence}.`, todo: 'Raise the limit, or unpin backups that you do not need.' };
  }
}
