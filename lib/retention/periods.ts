/** The periods of retention rules, the shortest first. */
export const PERIODS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/** The name of a rule for a period. */
export type Period = (typeof PERIODS)[number];

const DAY = 24 * 60 * 60 * 1000;

const formats = new Map<string, Intl.DateTimeFormat>();

/**
 * The hour, day, ISO week, month or year that contains a time in a time zone, as a unique name: '2026-11-20 03:00', '2026-11-20',
 * '2026-W47', '2026-11', '2026'. Names of hours outside UTC include the offset, because an hour comes twice when clocks are set back.
 */
export function periodOf(time: Date, period: Period, timezone: string): string {
  const local = localTime(time, timezone);
  const iso = local.toISOString();
  const dateEnd = iso.indexOf('T');
  const date = iso.slice(0, dateEnd);
  switch (period) {
    case 'hourly':
      return `${date} ${iso.slice(dateEnd + 1, dateEnd + 3)}:00${timezone === 'UTC' ? '' : offset(local, time)}`;
    case 'daily':
      return date;
    case 'weekly':
      return isoWeek(local);
    case 'monthly':
      return date.slice(0, -3);
    case 'yearly':
      return date.slice(0, -6);
  }
}

/** Whether this is the name of a time zone. */
export function isTimezone(name: string): boolean {
  try {
    periodOf(new Date(0), 'daily', name);
    return true;
  } catch {
    return false;
  }
}

/** A Date whose UTC fields are what clocks and calendars in the time zone show. */
function localTime(time: Date, timezone: string): Date {
  if (timezone === 'UTC') {
    return time;
  }
  const fields: Record<string, number> = {};
  for (const { type, value } of formatOf(timezone).formatToParts(time)) {
    fields[type] = Number(value);
  }
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
}

function formatOf(timezone: string): Intl.DateTimeFormat {
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timezone, format);
  }
  return format;
}

function offset(local: Date, time: Date): string {
  const minutes = Math.round((local.getTime() - Math.floor(time.getTime() / 1000) * 1000) / 60_000);
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

/** ISO weeks begin on Monday. A week belongs to the year that contains its Thursday. */
function isoWeek(local: Date): string {
  const daysSinceMonday = (local.getUTCDay() + 6) % 7;
  const thursday = new Date(local.getTime() + (3 - daysSinceMonday) * DAY);
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY));
  return `${year}-W${String(week).padStart(2, '0')}`;
}
