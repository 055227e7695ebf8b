import { describe, invalidOption } from '../base/errors.js';
import { formatSize } from '../base/units.js';
import { byDatabase } from './databases.js';
import { type Period, periodOf } from './periods.js';
import { type RetentionPolicy, type Rules, readPolicy } from './policy.js';
import { Usage } from './usage.js';

export { checkRetentionPolicy, type RetentionPolicy } from './policy.js';

/** What {@link planRetention} has to know of a backup. The records of {@link readInventory} have it. */
export interface RetentionBackup {
  /** The order in which they were made. Timestamps are no order: a clock may have been set back. */
  backupId: number;
  /** Not known of backups that cannot be read. */
  timestamp?: Date | undefined;
  /** `good`: verified. `corrupt`: cannot be read, or did not verify. */
  state: 'good' | 'unverified' | 'corrupt';
  /** Whether it is kept until it is unpinned. */
  pinned: boolean;
  /** Which database it is of. Where that is not known, it counts with the only database there is, or else for itself. */
  databaseId?: string | undefined;
  /** Its files, by names that tell which are the same. Needed for `maxBytes`. */
  files?: readonly { name: string; size: number }[] | undefined;
  /** Bytes that it takes beside its files. @default 0 */
  metaSize?: number | undefined;
}

/** Options of {@link planRetention}. */
export interface RetentionOptions {
  /** Deletes nothing of a database unless its newest backup has verified. @default true */
  requireVerified?: boolean | undefined;
  /** Deletes backups of this database only. @default of all */
  databaseId?: string | undefined;
  /** Why nothing may be deleted at the moment, for a reason that is not in the backups. @default none */
  forbidden?: string | undefined;
}

/** What becomes of one backup, and why. */
export interface RetentionDecision {
  backupId: number;
  timestamp: Date | undefined;
  action: 'keep' | 'delete';
  /** By which rules: 'last 3', 'daily 2026-11-20', 'pinned'; or for what it goes: 'no rule keeps it', 'over the limit of 50 GB'. */
  rules: string[];
}

/** What {@link planRetention} decided. */
export interface RetentionPlan {
  /** One for every backup, oldest first. */
  decisions: RetentionDecision[];
  /** Ids of the backups that stay, oldest first. */
  keep: number[];
  /** Ids of the backups that go, oldest first. */
  delete: number[];
  /** Why nothing is deleted that the policy does not keep, or nothing of one database: one sentence. */
  blocked?: string;
  /** Backups, each the newest of its database, that must verify before others of theirs are deleted. */
  verifyFirst: number[];
  /** Which caps are exceeded all the same, and why: a sentence for each. */
  exceeded: string[];
  /** Bytes of all files now, those that are shared counted once. */
  bytesBefore: number;
  /** The same afterwards. */
  bytesAfter: number;
}

/**
 * Says for every backup whether it stays or goes, and by which rule. Decides only; deletes nothing, reads nothing.
 *
 * Whatever the policy says: pinned backups, the newest one and the last good one stay; nothing goes while any backup is
 * corrupt, nor while the newest one is not verified. Backups whose timestamps lie in the future are kept by the rules that go
 * by time, and take no older one's place.
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
      'given with their files where maxBytes is set',
      `without, as ${withoutFiles.backupId}`,
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

/** What becomes of the backups of one database. */
interface DatabasePlan {
  reasons: Map<RetentionBackup, string[]>;
  /** What no rule keeps, and why it would go. */
  wanted: Map<RetentionBackup, string>;
  /** Why none of these go. */
  blocked: string | undefined;
  /** Whether it goes once the newest has verified. */
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
  for (const [backup, why] of protectedOnes(own).reverse()) {
    reasons.get(backup)?.unshift(why);
  }
  const wanted = new Map<RetentionBackup, string>();
  for (const backup of own) {
    if (reasons.get(backup)?.length === 0) {
      wanted.set(backup, 'no rule keeps it');
    }
  }
  const exceeded = applyCaps(own, rules, wanted);
  const newest = own.at(-1);
  const unverified = requireVerified && newest !== undefined && newest.state !== 'good' ? newest.backupId : undefined;
  // A corrupt one stays until somebody has looked at it; it would have gone, unless all stay.
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

/** By which keep-rules each one stays. */
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
  // False for an invalid Date as well.
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

/** Periods are in the order of their newest backups' ids, as everything is: a clock that was set back does not matter. */
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

/** What stays whatever the policy says. */
function protectedOnes(ordered: RetentionBackup[]): [RetentionBackup, string][] {
  const found: [RetentionBackup, string][] = [];
  const readable = ordered.filter(({ state }) => state !== 'corrupt');
  const lastGood = readable.filter(({ state }) => state === 'good').at(-1);
  const newest = readable.at(-1);
  if (newest !== undefined) {
    // Its id would be given again.
    found.push([newest, 'newest']);
  }
  if (lastGood !== undefined) {
    found.push([lastGood, 'last good']);
  }
  for (const backup of ordered) {
    if (backup.pinned) {
      found.push([backup, 'pinned']);
    }
    if (backup.state === 'corrupt') {
      found.push([backup, 'corrupt']);
    }
  }
  return found;
}

/** Adds to what goes, oldest first, until the caps hold. @returns a sentence for each cap that cannot be made to hold */
function applyCaps(ordered: RetentionBackup[], rules: Rules, goes: Map<RetentionBackup, string>): string[] {
  const kept = protectedOnes(ordered).map(([backup]) => backup);
  const untouchable = new Set(kept);
  const candidates = ordered.filter((backup) => !goes.has(backup) && !untouchable.has(backup));
  const exceeded: string[] = [];

  while (ordered.length - goes.size > rules.maxBackups && candidates[0] !== undefined) {
    goes.set(candidates.shift() as RetentionBackup, `over ${limitOf(rules.maxBackups)}`);
  }
  const count = ordered.length - goes.size;
  if (count > rules.maxBackups) {
    exceeded.push(
      `${limitOf(rules.maxBackups)} is exceeded: ${count} stay that are pinned, newest, last good or corrupt`,
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
      `the limit of ${formatSize(rules.maxBytes)} is exceeded: those that are pinned, newest, last good or corrupt have ${formatSize(usage.bytes)} alone`,
    );
  }
  return exceeded;
}

function limitOf(backups: number): string {
  return `the limit of ${backups} ${backups === 1 ? 'backup' : 'backups'}`;
}

/** Why nothing of any database may go: deleting one backup makes RocksDB delete what it takes for nobody's. */
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
