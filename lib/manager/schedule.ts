import { Cron } from 'croner';
import { describe, invalidOption } from '../base/errors.js';
import { parseDuration } from '../base/units.js';
import { unknownOption } from '../base/unknown-option.js';

/**
 * When something is done. A string that is a duration (`'5m'`), or a number of milliseconds, is an interval. Any other string is a cron
 * expression with five fields, or with six of which the first is seconds. It uses the system's time zone if none is given.
 */
export type ScheduleSpec =
  | string
  | number
  | { every: string | number }
  | { cron: string; timezone?: string | undefined };

/** One entry of a schedule, after parsing. */
export type ScheduleEntry =
  | { kind: 'interval' /** Identifies the entry across restarts. */; key: string; every: number }
  | { kind: 'cron'; key: string; cron: Cron };

const SHORTEST_INTERVAL = 1000;

/** Parses the value of a schedule option: one entry or several. */
export function parseSchedule(value: unknown, name: string): ScheduleEntry[] {
  if (value === undefined) {
    return [];
  }
  return Array.isArray(value) ? value.map((entry, n) => parseEntry(entry, `${name}[${n}]`)) : [parseEntry(value, name)];
}

function parseEntry(value: unknown, name: string): ScheduleEntry {
  if (typeof value === 'number' || (typeof value === 'string' && isDuration(value))) {
    return interval(value, name);
  }
  if (typeof value === 'string') {
    return cronEntry(value, undefined, name);
  }
  if (typeof value === 'object' && value !== null) {
    const { every, cron, timezone, ...unknown } = value as Record<string, unknown>;
    const [other] = Object.keys(unknown);
    if (other !== undefined) {
      throw unknownOption(other, ['every', 'cron', 'timezone'], name);
    }
    if (every !== undefined && cron === undefined && timezone === undefined) {
      return interval(every, `${name}.every`);
    }
    if (typeof cron === 'string' && every === undefined) {
      return cronEntry(cron, timezone, `${name}.cron`);
    }
  }
  throw invalidOption(
    TypeError,
    name,
    "an interval such as '5m', a cron expression, { every } or { cron }",
    describe(value),
  );
}

function isDuration(value: string): boolean {
  try {
    parseDuration(value, 'schedule');
    return true;
  } catch {
    return false;
  }
}

function interval(value: unknown, name: string): ScheduleEntry {
  const every = parseDuration(value as string | number, name);
  if (every < SHORTEST_INTERVAL) {
    throw invalidOption(RangeError, name, 'at least a second', describe(value));
  }
  return { kind: 'interval', key: `every ${every}`, every };
}

function cronEntry(pattern: string, timezone: unknown, name: string): ScheduleEntry {
  if (timezone !== undefined && (typeof timezone !== 'string' || !isTimeZone(timezone))) {
    throw invalidOption(TypeError, `${name} timezone`, "a time zone such as 'Europe/Berlin'", describe(timezone));
  }
  let cron: Cron;
  try {
    // croner would treat a pattern with a colon as a single date.
    if (pattern.includes(':')) {
      throw new Error('it has a colon');
    }
    // Only the arithmetic of croner is used: without a function it starts no timer.
    cron = new Cron(pattern, { ...(timezone === undefined ? {} : { timezone }), fixedTimeRule: 'no-wildcard' });
  } catch (error) {
    const why = (error as Error).message.replace(/^(CronPattern|Cron): /, '');
    throw invalidOption(TypeError, name, `an interval such as '5m' or a cron expression (${why})`, describe(pattern));
  }
  if (cron.nextRun(new Date()) === null) {
    throw invalidOption(RangeError, name, 'a cron expression that matches a time in the future', describe(pattern));
  }
  return { kind: 'cron', key: `cron ${pattern}${timezone === undefined ? '' : ` ${timezone}`}`, cron };
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
