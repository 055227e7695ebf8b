import { describe, invalidOption } from '../base/errors.js';
import { formatDuration, formatSize, parseDuration, parseSize } from '../base/units.js';
import { unknownOption } from '../base/unknown-option.js';
import { byDatabase } from './databases.js';
import { PERIODS, type Period, periodOf } from './periods.js';

/**
 * What is to be kept. Where a directory has backups of several databases, the policy is for each of them: every number in it
 * counts one database's backups. The rules `last`, `within`, `hourly` ... `yearly` are a union: a backup stays if any of them keeps it.
 * Without any such rule all stay. What the caps (`maxBackups`, `maxBytes`) do not allow goes after that, oldest first.
 */
export interface RetentionPolicy {
  /** The newest so many. @default 0 */
  last?: number | undefined;
  /** The newest of each of the last so many hours that have backups. @default 0 */
  hourly?: number | undefined;
  /** The newest of each of the last so many days that have backups. @default 0 */
  daily?: number | undefined;
  /** The newest of each of the last so many weeks (ISO: from Monday) that have backups. @default 0 */
  weekly?: number | undefined;
  /** The newest of each of the last so many months that have backups. @default 0 */
  monthly?: number | undefined;
  /** The newest of each of the last so many years that have backups. @default 0 */
  yearly?: number | undefined;
  /**
   * All that are at most so much older than the newest one: '7d', or milliseconds. Not older than now: a service that stood
   * still for a week does not come back to an empty history. @default 0
   */
  within?: string | number | undefined;
  /** So many backups at most. @default no limit */
  maxBackups?: number | undefined;
  /** So many bytes at most, '50GB' or a number; a file that several backups share counts once. @default no limit */
  maxBytes?: number | string | undefined;
  /** Whose hours, days, weeks, months and years: 'Europe/Vienna'. @default 'UTC' */
  timezone?: string | undefined;
}

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
  /** By which rules: 'last 3', 'daily 2026-11-20', 'pinned'; or for what it goes: 'no rule keeps it', 'over maxBytes 50 GB'. */
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

const COUNTS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
const FIELDS: ReadonlySet<string> = new Set([...COUNTS, 'within', 'maxBackups', 'maxBytes', 'timezone']);

/** A policy that has been checked, in numbers. */
interface Rules {
  last: number;
  periods: { period: Period; count: number }[];
  within: number;
  withinText: string;
  keepsByRule: boolean;
  maxBackups: number;
  maxBytes: number;
  timezone: string;
}

/**
 * Checks a policy: unknown names, wrong values, and one that would keep nothing, are an INVALID_OPTION.
 *
 * @example
 * checkRetentionPolicy({ daily: 7, weekly: 4 });
 */
export function checkRetentionPolicy(policy: RetentionPolicy): void {
  readPolicy(policy);
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
  const forbidden = whyNothingMayGo(ordered, options);
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
    goes.set(candidates.shift() as RetentionBackup, `over maxBackups ${rules.maxBackups}`);
  }
  const count = ordered.length - goes.size;
  if (count > rules.maxBackups) {
    exceeded.push(
      `maxBackups ${rules.maxBackups} is exceeded: ${count} stay that are pinned, newest, last good or corrupt`,
    );
  }
  if (rules.maxBytes === Number.POSITIVE_INFINITY) {
    return exceeded;
  }
  const usage = new Usage(ordered.filter((backup) => !goes.has(backup)));
  while (usage.bytes > rules.maxBytes && candidates[0] !== undefined) {
    const backup = candidates.shift() as RetentionBackup;
    usage.remove(backup);
    goes.set(backup, `over maxBytes ${formatSize(rules.maxBytes)}`);
  }
  if (usage.bytes > rules.maxBytes) {
    exceeded.push(
      `maxBytes ${formatSize(rules.maxBytes)} is exceeded: those that are pinned, newest, last good or corrupt have ${formatSize(usage.bytes)} alone`,
    );
  }
  return exceeded;
}

/** Bytes of the distinct files of backups, and of what tells of them. */
class Usage {
  readonly #users = new Map<string, number>();
  bytes = 0;

  constructor(backups: readonly RetentionBackup[]) {
    for (const { files = [], metaSize = 0 } of backups) {
      this.bytes += metaSize;
      for (const { name, size } of files) {
        const users = this.#users.get(name) ?? 0;
        this.#users.set(name, users + 1);
        this.bytes += users === 0 ? size : 0;
      }
    }
  }

  remove({ files = [], metaSize = 0 }: RetentionBackup): void {
    this.bytes -= metaSize;
    for (const { name, size } of files) {
      const users = (this.#users.get(name) ?? 0) - 1;
      this.#users.set(name, users);
      this.bytes -= users === 0 ? size : 0;
    }
  }
}

/** Why nothing of any database may go: deleting one backup makes RocksDB delete what it takes for nobody's. */
function whyNothingMayGo(ordered: RetentionBackup[], { forbidden }: RetentionOptions): string | undefined {
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

function readPolicy(policy: RetentionPolicy): Rules {
  if (typeof policy !== 'object' || policy === null || Array.isArray(policy)) {
    throw invalidOption(TypeError, 'retention', 'an object such as { daily: 7, weekly: 4 }', describe(policy));
  }
  const unknown = Object.keys(policy).find((name) => !FIELDS.has(name));
  if (unknown !== undefined) {
    throw unknownOption(unknown, [...FIELDS], 'retention');
  }
  const given = COUNTS.filter((name) => policy[name] !== undefined);
  for (const name of given) {
    checkCount(policy[name], name, 0);
  }
  const within = policy.within === undefined ? 0 : parseDuration(policy.within, 'within');
  const keepsByRule = within > 0 || given.some((name) => (policy[name] ?? 0) > 0);
  if (!keepsByRule && (given.length > 0 || policy.within !== undefined)) {
    const expected = 'a policy that keeps something: a rule greater than 0, or no rule at all, which keeps all';
    throw invalidOption(RangeError, 'retention', expected, 'one whose rules are all 0');
  }
  if (policy.maxBackups !== undefined) {
    checkCount(policy.maxBackups, 'maxBackups', 1);
  }
  const maxBytes = policy.maxBytes === undefined ? Number.POSITIVE_INFINITY : parseSize(policy.maxBytes, 'maxBytes');
  if (maxBytes === 0) {
    throw invalidOption(RangeError, 'maxBytes', "greater than 0, such as '50GB'", describe(policy.maxBytes));
  }
  return {
    last: policy.last ?? 0,
    periods: PERIODS.map((period) => ({ period, count: policy[period] ?? 0 })).filter(({ count }) => count > 0),
    within,
    withinText: typeof policy.within === 'string' ? policy.within : formatDuration(within),
    keepsByRule,
    maxBackups: policy.maxBackups ?? Number.POSITIVE_INFINITY,
    maxBytes,
    timezone: checkTimezone(policy.timezone ?? 'UTC'),
  };
}

function checkCount(value: unknown, name: string, least: number): void {
  if (typeof value !== 'number') {
    throw invalidOption(TypeError, name, `a whole number, at least ${least}`, describe(value));
  }
  if (value !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(value) || value < least)) {
    throw invalidOption(RangeError, name, `a whole number, at least ${least}`, describe(value));
  }
}

function checkTimezone(timezone: string): string {
  try {
    periodOf(new Date(0), 'daily', timezone);
    return timezone;
  } catch {
    throw invalidOption(RangeError, 'timezone', "the name of a time zone, such as 'Europe/Vienna'", describe(timezone));
  }
}
