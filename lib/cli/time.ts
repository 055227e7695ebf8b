import { formatDuration, parseDuration } from '../base/units.js';
import { UsageError } from './errors.js';

const moment = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/i;

/**
 * Parses a time: an ISO date with or without a time of day, or a duration before now: `2h`, `3d`. Without a time zone, it is in the local
 * one. A date alone means the start of that day.
 */
export function parseTime(text: string, name: string, now: Date): Date {
  const match = moment.exec(text.trim());
  if (match !== null) {
    const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = ''] = match;
    // With a time of day and without Z, Date takes this as local time.
    const ofDay = `${hour}:${minute}:${second}${fraction.slice(0, 4)}`;
    const time = new Date(`${year}-${month}-${day}T${ofDay}${zone.toUpperCase()}`);
    // Date turns 30 February into 2 March. The user must have meant something else.
    const isReal = new Date(`${year}-${month}-${day}T00:00:00Z`).getUTCDate() === Number(day);
    if (!Number.isNaN(time.getTime()) && isReal) {
      if (match[4] !== undefined && zone === '') {
        checkLocalTime(text.trim(), new Date(`${year}-${month}-${day}T${ofDay}Z`), time, name);
      }
      return time;
    }
  } else {
    try {
      // Round down to a full second, because the timestamps of backups have no fractions: a backup that was begun before the full second
      // was begun before this time.
      return new Date(Math.floor((now.getTime() - parseDuration(text, name)) / 1000) * 1000);
    } catch {
      // reported below, with both forms
    }
  }
  throw new UsageError(
    `${name} must be a time such as 2026-01-31, '2026-01-31 03:00' or 2026-01-31T03:00Z, or how long ago, such as 2h or 3d, not '${text}'`,
  );
}

const HOUR = 3_600_000;

/**
 * When clocks are changed, one hour of local time is missing and another one comes twice, so the time may be ambiguous. `asUtc` is the
 * given time read as UTC; `found` is how Date understood it.
 */
function checkLocalTime(text: string, asUtc: Date, found: Date, name: string): void {
  // The offsets shortly before and shortly after. Nowhere does the offset change twice in one day.
  const offsets = [-24, 0, 24].map((hours) => new Date(found.getTime() + hours * HOUR).getTimezoneOffset());
  const moments = [...new Set(offsets)]
    .map((offset) => new Date(asUtc.getTime() + offset * 60_000))
    .filter((moment) => localTime(moment) === fieldsOf(asUtc))
    .sort((a, b) => a.getTime() - b.getTime());
  const [first, second] = moments;
  if (first === undefined) {
    throw new UsageError(
      `${name}: the time '${text}' did not exist in ${timeZone()}: the clocks were set forward over it. ` +
        `Give another time, or one with its zone, such as ${withZone(found)}`,
    );
  }
  if (second !== undefined) {
    throw new UsageError(
      `${name}: the time '${text}' occurred twice in ${timeZone()}, because the clocks were set back: ` +
        `give ${withZone(first)} or ${withZone(second)}`,
    );
  }
}

/** The fields of a UTC time, in the same format as {@link localTime}. */
const fieldsOf = (asUtc: Date) => asUtc.toISOString().slice(0, 19).replace('T', ' ');

/** For example `2026-10-25T02:30:00+02:00`. */
function withZone(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const minutes = Math.abs(offset);
  return `${localTime(time).replace(' ', 'T')}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

const two = (value: number) => String(value).padStart(2, '0');

/** Formats local time to the second: `2026-01-31 03:00:00`. */
export function localTime(time: Date): string {
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** The name of the local time zone. */
export function timeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'local time';
}

/** How long ago something was, in whole seconds. */
export function age(time: Date, now: Date): string {
  return formatDuration(Math.max(1000, Math.floor((now.getTime() - time.getTime()) / 1000) * 1000));
}
