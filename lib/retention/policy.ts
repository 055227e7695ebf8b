import { describe, invalidOption } from '../base/errors.js';
import { formatDuration, parseDuration, parseSize } from '../base/units.js';
import { unknownOption } from '../base/unknown-option.js';
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

const COUNTS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
const FIELDS: ReadonlySet<string> = new Set([...COUNTS, 'within', 'maxBackups', 'maxBytes', 'timezone']);

/** A policy that has been checked, in numbers. */
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
 * Checks a policy: unknown names, wrong values, and one that would keep nothing, are an INVALID_OPTION.
 *
 * @example
 * checkRetentionPolicy({ daily: 7, weekly: 4 });
 */
export function checkRetentionPolicy(policy: RetentionPolicy): void {
  readPolicy(policy);
}

/** The rules of a policy that is given by a user; throws INVALID_OPTION. */
export function readPolicy(policy: RetentionPolicy): Rules {
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
