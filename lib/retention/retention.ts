import { describe, invalidOption } from '../base/errors.js';
import { formatSize } from '../base/units.js';
import { byDatabase } from './databases.js';
import { type Period, periodOf } from './periods.js';
import { type RetentionPolicy, type Rules, readPolicy } from './policy.js';
import { Usage } from './usage.js';

export { isTimezone } from './periods.js';
export { checkRetentionPolicy, type RetentionPolicy } from './policy.js';

/** The information about a backup that {@link planRetention} needs. The entries of {@link readInventory} contain it. */
export interface RetentionBackup {
  /** Gives the order in which the backups were made. Timestamps do not, because a clock may have been set back. */
  backupId: number;
  /** Undefined for backups that cannot be read. */
  timestamp?: Date | undefined;
  /** `good`: verified. `corrupt`: cannot be read, or failed a verify. `unverified`: neither of these. */
  state: 'good' | 'unverified' | 'corrupt';
  /** Whether it is kept until it is unpinned. */
  pinned: boolean;
  /** The object store does not delete it before this. @default no lock */
  lockedUntil?: Date | undefined;
  /**
   * The id of the backup's database. If it is not known, the backup counts as one of the only database; if there are several databases, all
   * such backups form a group of their own.
   */
  databaseId?: string | undefined;
  /** Its files. Equal names mean the same file. Needed for `maxBytes`. */
  files?: readonly { name: string; size: number }[] | undefined;
  /** Bytes that the backup takes in addition to its files. @default 0 */
  metaSize?: number | undefined;
}

/** Options of {@link planRetention}. */
export interface RetentionOptions {
  /** Deletes no backups of a database unless its newest backup is verified. @default true */
  requireVerified?: boolean | undefined;
  /** Deletes only backups of this database. @default all databases */
  databaseId?: string | undefined;
  /** Why nothing may be deleted at the moment, if the reason is not in the backups themselves. @default none */
  forbidden?: string | undefined;
}

/** The decision about one backup, with its reasons. */
export interface RetentionDecision {
  backupId: number;
  timestamp: Date | undefined;
  action: 'keep' | 'delete';
  /**
   * If the backup is kept, the rules that keep it: 'last 3', 'daily 2026-11-20', 'pinned', 'locked until 2026-12-01T10:00:00Z'. If it is
   * deleted, the reason: 'no rule keeps
   * it', 'over the limit of 50 GB'.
   */
  rules: string[];
}

/** The result of {@link planRetention}. */
export interface RetentionPlan {
  /** One decision for every backup, oldest first. */
  decisions: RetentionDecision[];
  /** Ids of the backups that stay, oldest first. */
  keep: number[];
  /** Ids of the backups to delete, oldest first. */
  delete: number[];
  /** Why backups that the policy does not keep are not deleted, in one sentence. It may apply to all databases or only to one. */
  blocked?: string;
  /**
   * Ids of backups that must be verified before other backups of the same database are deleted. Each is the newest backup of its database.
   */
  verifyFirst: number[];
  /** The caps that are still exceeded afterwards, and why: one sentence for each. */
  exceeded: string[];
  /** Total size of all files now, in bytes. Shared files count once. */
  bytesBefore: number;
  /** Total size of all files afterwards. */
  bytesAfter: number;
}

/**
 * Decides for every backup whether it stays or is deleted, and by which rule. It only decides: it deletes nothing and reads nothing.
 *
 * These rules apply whatever the policy says. Pinned backups, the newest backup and the last good backup of each database stay. A backup
 * that the object store has locked stays until the lock has ended. Nothing is deleted while any backup is corrupt. No backups of a database are deleted while its newest backup is not verified. A backup whose
 * timestamp is in the future is kept by all rules about time, but does not take the place of an older one.
 *
 * @example
 * const plan = planRetention(backups, { daily: 7, weekly: 4, maxBytes: '100GB' }, new Date());
 * for (const { backupId, action, rules } of plan.decisions) console.log(backupId, action, rules.join(', '));
 */
export function planRetention(
  backups: readonly RetentionBackup[],
  policy: RetentionPolicy,
  now: Date,
  options: RetentionOptions = {},
): RetentionPlan {
  const rules = readPolicy(policy);
  if (!(now instanceof Date) || Number.isNaN(now.getTime())) {
    throw invalidOption(TypeError, 'now', 'a valid Date', describe(now));
  }
  const ordered = inOrder(backups);
  const withoutFiles = ordered.find(({ files, state }) => files === undefined && state !== 'corrupt');
  if (rules.maxBytes !== Number.POSITIVE_INFINITY && withoutFiles !== undefined) {
    throw invalidOption(
      TypeError,
      'backups',
      'given with their files if maxBytes is set',
      `${withoutFiles.backupId} without files`,
    );
  }
  const forbidden = pruneBlocker(ordered, options);
  const databases = byDatabase(ordered);
  const isMeant = (databaseId: string | undefined) =>
    options.databaseId === undefined ||
    databaseId === options.databaseId ||
    (databaseId === undefined && databases.length === 1);
  const plans = databases.map(([databaseId, own]) =>
    isMeant(databaseId) ? planOne(own, rules, now, options, forbidden) : leaveAlone(own),
  );
  return resultOf(ordered, plans);
}

/** The decisions about the backups of one database. */
interface DatabasePlan {
  reasons: Map<RetentionBackup, string[]>;
  /** The backups that no rule keeps, and why they would be deleted. */
  wanted: Map<RetentionBackup, string>;
  /** Why none of them is deleted. */
  blocked: string | undefined;
  /** The id of the newest backup, if it must be verified before others are deleted. */
  verifyFirst: number | undefined;
  exceeded: string[];
}

function planOne(
  own: RetentionBackup[],
  rules: Rules,
  now: Date,
  { requireVerified = true }: RetentionOptions,
  forbidden: string | undefined,
): DatabasePlan {
  const reasons = keptByRules(own, rules, now);
  for (const [backup, why] of protectedOnes(own, now).reverse()) {
    reasons.get(backup)?.unshift(why);
  }
  const wanted = new Map<RetentionBackup, string>();
  for (const backup of own) {
    if (reasons.get(backup)?.length === 0) {
      wanted.set(backup, 'no rule keeps it');
    }
  }
  const exceeded = applyCaps(own, rules, wanted, now);
  const newest = own.at(-1);
  const unverified = requireVerified && newest !== undefined && newest.state !== 'good' ? newest.backupId : undefined;
  // A corrupt backup stays until somebody has looked at it. Otherwise the policy would delete it, unless no keep-rule is set and all
  // backups stay.
  const isHeld = rules.keepsByRule && own.some(({ state }) => state === 'corrupt');
  const blocked =
    wanted.size === 0 && !isHeld
      ? undefined
      : (forbidden ??
        (unverified === undefined ? undefined : `the newest backup, ${unverified}, is not verified: verify it first`));
  const verifyFirst = blocked !== undefined && forbidden === undefined ? unverified : undefined;
  return { reasons, wanted, blocked, verifyFirst, exceeded };
}

function leaveAlone(backups: RetentionBackup[]): DatabasePlan {
  const reasons = new Map(backups.map((backup) => [backup, ['of another database']]));
  return { reasons, wanted: new Map(), blocked: undefined, verifyFirst: undefined, exceeded: [] };
}

function inOrder(backups: readonly RetentionBackup[]): RetentionBackup[] {
  const ordered = [...backups].sort((a, b) => a.backupId - b.backupId);
  ordered.forEach(({ backupId }, index) => {
    if (!Number.isSafeInteger(backupId) || backupId === ordered[index + 1]?.backupId) {
      throw invalidOption(RangeError, 'backups', 'of distinct backupIds', `one with ${describe(backupId)} among them`);
    }
  });
  return ordered;
}

/** Finds the rules that keep each backup. */
function keptByRules(ordered: RetentionBackup[], rules: Rules, now: Date): Map<RetentionBackup, string[]> {
  const reasons = new Map<RetentionBackup, string[]>(ordered.map((backup) => [backup, []]));
  const newestFirst = ordered.filter(({ state }) => state !== 'corrupt').reverse();
  if (!rules.keepsByRule) {
    for (const backup of newestFirst) {
      reasons.get(backup)?.push('no keep-rule is set');
    }
    return reasons;
  }
  for (const backup of newestFirst.slice(0, rules.last)) {
    reasons.get(backup)?.push(`last ${rules.last}`);
  }
  const byTime = rules.within > 0 || rules.periods.length > 0;
  const past: Dated[] = [];
  for (const backup of newestFirst) {
    if (isPast(backup, now)) {
      past.push(backup);
    } else if (byTime) {
      reasons.get(backup)?.push(backup.timestamp === undefined ? 'of unknown time' : 'in the future');
    }
  }
  keepWithin(past, rules, reasons);
  for (const { period, count } of rules.periods) {
    keepPeriods(past, period, count, rules.timezone, reasons);
  }
  return reasons;
}

type Dated = RetentionBackup & { timestamp: Date };

function isPast(backup: RetentionBackup, now: Date): backup is Dated {
  // This is also false for an invalid Date.
  return backup.timestamp !== undefined && backup.timestamp.getTime() <= now.getTime();
}

function keepWithin(newestFirst: Dated[], rules: Rules, reasons: Map<RetentionBackup, string[]>): void {
  const [newest] = newestFirst;
  if (rules.within === 0 || newest === undefined) {
    return;
  }
  const since = newest.timestamp.getTime() - rules.within;
  for (const backup of newestFirst) {
    if (backup.timestamp.getTime() >= since) {
      reasons.get(backup)?.push(`within ${rules.withinText}`);
    }
  }
}

/** Periods are ordered by the ids of their newest backups, not by time. So it does not matter if the clock was set back. */
function keepPeriods(
  newestFirst: Dated[],
  period: Period,
  count: number,
  timezone: string,
  reasons: Map<RetentionBackup, string[]>,
): void {
  const seen = new Set<string>();
  for (const backup of newestFirst) {
    const key = periodOf(backup.timestamp, period, timezone);
    if (!seen.has(key)) {
      if (seen.size === count) {
        return;
      }
      seen.add(key);
      reasons.get(backup)?.push(`${period} ${key}`);
    }
  }
}

/** Whether the object store has locked a backup against deletion, as far as that is known. */
export function isLocked<B extends Pick<RetentionBackup, 'lockedUntil'>>(
  backup: B,
  now: Date,
): backup is B & { lockedUntil: Date } {
  return backup.lockedUntil !== undefined && backup.lockedUntil.getTime() > now.getTime();
}

/** Rounded up: a lock does not end before. */
function inSeconds(date: Date): string {
  return new Date(Math.ceil(date.getTime() / 1000) * 1000).toISOString().replace('.000', '');
}

/** The backups that stay whatever the policy says. */
function protectedOnes(ordered: RetentionBackup[], now: Date): [RetentionBackup, string][] {
  const found: [RetentionBackup, string][] = [];
  const readable = ordered.filter(({ state }) => state !== 'corrupt');
  const lastGood = readable.filter(({ state }) => state === 'good').at(-1);
  const newest = readable.at(-1);
  if (newest !== undefined) {
    // If it were deleted, its id would be given again.
    found.push([newest, 'newest']);
  }
  if (lastGood !== undefined) {
    found.push([lastGood, 'last good']);
  }
  for (const backup of ordered) {
    if (backup.pinned) {
      found.push([backup, 'pinned']);
    }
    if (isLocked(backup, now)) {
      found.push([backup, `locked until ${inSeconds(backup.lockedUntil)}`]);
    }
    if (backup.state === 'corrupt') {
      found.push([backup, 'corrupt']);
    }
  }
  return found;
}

/** Adds backups to those to delete, oldest first, until the caps hold. @returns a sentence for each cap that cannot be kept */
function applyCaps(ordered: RetentionBackup[], rules: Rules, goes: Map<RetentionBackup, string>, now: Date): string[] {
  const kept = protectedOnes(ordered, now).map(([backup]) => backup);
  const untouchable = new Set(kept);
  const candidates = ordered.filter((backup) => !goes.has(backup) && !untouchable.has(backup));
  const exceeded: string[] = [];

  while (ordered.length - goes.size > rules.maxBackups && candidates[0] !== undefined) {
    goes.set(candidates.shift() as RetentionBackup, `over ${limitOf(rules.maxBackups)}`);
  }
  const count = ordered.length - goes.size;
  if (count > rules.maxBackups) {
    exceeded.push(
      `${limitOf(rules.maxBackups)} is exceeded: ${count} stay because they are pinned, locked, newest, last good or corrupt`,
    );
  }
  if (rules.maxBytes === Number.POSITIVE_INFINITY) {
    return exceeded;
  }
  const usage = new Usage(ordered.filter((backup) => !goes.has(backup)));
  while (usage.bytes > rules.maxBytes && candidates[0] !== undefined) {
    const backup = candidates.shift() as RetentionBackup;
    usage.remove(backup);
    goes.set(backup, `over the limit of ${formatSize(rules.maxBytes)}`);
  }
  if (usage.bytes > rules.maxBytes) {
    exceeded.push(
      `the limit of ${formatSize(rules.maxBytes)} is exceeded: the pinned, locked, newest, last good and corrupt backups alone have ${formatSize(usage.bytes)}`,
    );
  }
  return exceeded;
}

function limitOf(backups: number): string {
  return `the limit of ${backups} ${backups === 1 ? 'backup' : 'backups'}`;
}

/** Why nothing of any database may be deleted. When one backup is deleted, RocksDB also deletes all files that no readable backup uses. */
function pruneBlocker(ordered: RetentionBackup[], { forbidden }: RetentionOptions): string | undefined {
  if (forbidden !== undefined) {
    return forbidden;
  }
  const corrupt = ordered.filter(({ state }) => state === 'corrupt').map(({ backupId }) => backupId);
  if (corrupt.length > 0) {
    const [what, them] = corrupt.length === 1 ? ['backup', 'it'] : ['backups', 'them'];
    return `corrupt backups forbid deleting: ${what} ${corrupt.join(', ')} cannot be read or did not verify. Repair ${them}, or delete ${them}, first`;
  }
  return undefined;
}

function resultOf(ordered: RetentionBackup[], plans: DatabasePlan[]): RetentionPlan {
  const goes = new Map(plans.flatMap(({ wanted, blocked }) => (blocked === undefined ? [...wanted] : [])));
  const kept = new Map(plans.flatMap(({ wanted }) => [...wanted]));
  const reasons = new Map(plans.flatMap((plan) => [...plan.reasons]));
  const decisions = ordered.map((backup): RetentionDecision => {
    const { backupId, timestamp } = backup;
    const why = goes.get(backup);
    if (why !== undefined) {
      return { backupId, timestamp, action: 'delete', rules: [why] };
    }
    const rules = kept.has(backup) ? [`deleting is blocked (${kept.get(backup)})`] : (reasons.get(backup) ?? []);
    return { backupId, timestamp, action: 'keep', rules };
  });
  const stay = ordered.filter((backup) => !goes.has(backup));
  const blocked = [...new Set(plans.map((plan) => plan.blocked).filter((sentence) => sentence !== undefined))];
  const bytesBefore = new Usage(ordered).bytes;
  return {
    decisions,
    keep: stay.map(({ backupId }) => backupId),
    delete: [...goes.keys()].map(({ backupId }) => backupId).sort((a, b) => a - b),
    ...(blocked.length === 0 ? {} : { blocked: blocked.join('; ') }),
    verifyFirst: plans.map(({ verifyFirst }) => verifyFirst).filter((id) => id !== undefined),
    exceeded: plans.flatMap(({ exceeded }) => exceeded),
    bytesBefore,
    bytesAfter: goes.size === 0 ? bytesBefore : new Usage(stay).bytes,
  };
}
