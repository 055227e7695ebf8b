import { formatDuration } from '../../base/units.js';

const formats = new Map<string, Intl.DateTimeFormat>();

/** Formats a time as '2026-11-20 03:00'. */
export function showTime(time: Date | string | undefined, timezone: string): string {
  const date = new Date(time ?? Number.NaN);
  if (Number.isNaN(date.getTime())) {
    return 'unknown';
  }
  let format = formats.get(timezone);
  if (format === undefined) {
    // The Swedish date format is ISO 8601.
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short', timeStyle: 'short' });
    formats.set(timezone, format);
  }
  return format.format(date);
}

/** Formats how long ago a time was: '3 d 4 h ago'. */
export function showAge(time: Date | string, now: Date): string {
  const age = now.getTime() - new Date(time).getTime();
  return age < 0 ? `in ${formatDuration(-age)}` : `${formatDuration(Math.max(age, 1000))} ago`;
}

/** Formats a count: '1 backup', '2 backups'. */
export function showCount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Formats numbers with ranges: '1–4, 7, 9–12'. */
export function showRanges(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && number === last[1] + 1) {
      last[1] = number;
    } else {
      ranges.push([number, number]);
    }
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}

/** Cuts text off that is too long for a page. */
export function shorten(text: string, length = 300): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`;
}

/** Rounds a number for an attribute in SVG. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
