import { checkOptions } from '../base/check-object.js';
import { describe, invalidOption } from '../base/errors.js';
import { formatDuration, parseDuration, parseSize } from '../base/units.js';
import { isTimezone, PERIODS, type Period } from './periods.js';

/**
 * Which backups to keep. If a repository has backups of several databases, the policy applies to each database separately: every number in
 * it counts the backups of one database. The rules `last`, `within`, `hourly` ... `yearly` add up: a backup stays if at least one of them
 * keeps it. If no such rule is given, all backups stay. After that, the caps (`maxBackups`, `maxBytes`) delete the oldest backups until the
 * caps hold.
 */
export interface RetentionPolicy {
  /** Keeps this many of the newest backups. @default 0 */
  last?: number | undefined;
  /** Keeps the newest backup of each hour, for this many of the latest hours that have backups. @default 0 */
  hourly?: number | undefined;
  /** Keeps the newest backup of each day, for this many of the latest days that have backups. @default 0 */
  daily?: number | undefined;
  /** Keeps the newest backup of each week (ISO: from Monday), for this many of the latest weeks that have backups. @default 0 */
  weekly?: number | undefined;
  /** Keeps the newest backup of each month, for this many of the latest months that have backups. @default 0 */
  monthly?: number | undefined;
  /** Keeps the newest backup of each year, for this many of the latest years that have backups. @default 0 */
  yearly?: number | undefined;
  /**
   * Keeps all backups that are at most this much older than the newest one: '7d', or milliseconds. The age is counted from the newest
   * backup and not from now: so a service that was stopped for a week does not lose its whole history. @default 0
   */
  within?: string | number | undefined;
  /** The maximum number of backups. @default no limit */
  maxBackups?: number | undefined;
  /** The maximum total size: '50GB', or a number of bytes. A file that several backups share counts once. @default no limit */
  maxBytes?: number | string | undefined;
  /** The time zone for hours, days, weeks, months and years, for example 'Europe/Vienna'. @default 'UTC' */
  timezone?: string | undefined;
}

const COUNTS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
const FIELDS = [...COUNTS, 'within', 'maxBackups', 'maxBytes', 'timezone'];

/** A policy that has been checked, with all values as numbers. */
export interface Rules {
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
 * Checks a policy. Throws INVALID_OPTION if it has unknown names or wrong values, or if it would keep nothing.
 *
 * @example
 * checkRetentionPolicy({ daily: 7, weekly: 4 });
 */
export function checkRetentionPolicy(policy: RetentionPolicy): void {
  readPolicy(policy);
}

/** Converts a user's policy to rules. Throws INVALID_OPTION if it is wrong. */
export function readPolicy(policy: RetentionPolicy): Rules {
  checkOptions('retention', policy, FIELDS, 'an object such as { daily: 7, weekly: 4 }');
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
  const timezone = policy.timezone ?? 'UTC';
  if (!isTimezone(timezone)) {
    throw invalidOption(RangeError, 'timezone', "the name of a time zone, such as 'Europe/Vienna'", describe(timezone));
  }
  return {
    last: policy.last ?? 0,
    periods: PERIODS.map((period) => ({ period, count: policy[period] ?? 0 })).filter(({ count }) => count > 0),
    within,
    withinText: typeof policy.within === 'string' ? policy.within : formatDuration(within),
    keepsByRule,
    maxBackups: policy.maxBackups ?? Number.POSITIVE_INFINITY,
    maxBytes,
    timezone,
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
