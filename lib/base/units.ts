import { describe, invalidOption } from './errors.js';

/** The units of durations in milliseconds, from the largest to the smallest. A duration must name its units in this order. */
const DURATION_UNITS = [
  ['y', 365 * 24 * 60 * 60 * 1000],
  ['w', 7 * 24 * 60 * 60 * 1000],
  ['d', 24 * 60 * 60 * 1000],
  ['h', 60 * 60 * 1000],
  ['m', 60 * 1000],
  ['s', 1000],
  ['ms', 1],
] as const;

const DURATION = "a duration such as '30s', '5m', '1h30m' or '7d', or a number of milliseconds";
const SIZE = "a size such as '50MB', '64MiB', '1.5 GB' or '10k', or a number of bytes";
const RATE = "a rate such as '50MB/s' or '64MiB', or a number of bytes per second";

const SIZE_LETTERS = 'kmgtp';
const SIZE_NAMES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/**
 * Converts a duration to milliseconds: '500ms', '30s', '5m' or '5min', '1h30m', '7d', '2w', '1y' (365 days). A number is taken as
 * milliseconds.
 *
 * @example
 * parseDuration('1h30m', 'minInterval'); // 5400000
 */
export function parseDuration(value: string | number, name: string): number {
  if (typeof value === 'number') {
    return checkNumber(value, name, DURATION);
  }
  if (typeof value !== 'string') {
    throw invalidOption(TypeError, name, DURATION, describe(value));
  }
  let rest = value.trim();
  let sum = 0;
  let greatest = -1;
  do {
    const [whole, digits = '', letters = ''] = /^(\d+(?:\.\d+)?) ?(ms|min|[ywdhms])\s*/.exec(rest) ?? [''];
    const unit = DURATION_UNITS.findIndex(([symbol]) => symbol === (letters === 'min' ? 'm' : letters));
    // Each unit at most once, larger units before smaller ones: anything else is probably a mistake.
    if (unit <= greatest) {
      throw invalidOption(TypeError, name, DURATION, describe(value));
    }
    greatest = unit;
    sum += Number(digits) * (DURATION_UNITS[unit]?.[1] ?? 0);
    rest = rest.slice(whole.length);
  } while (rest !== '');
  return checkNumber(Math.round(sum), name, DURATION);
}

/**
 * Formats a duration for people: '12 ms', '1.2 s', '5 min 3 s', '2 h 5 min', '3 d 4 h'. An unknown duration (`Infinity`) gives 'unknown'.
 *
 * @example
 * formatDuration(303_000); // '5 min 3 s'
 */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) {
    return 'unknown';
  }
  if (ms < 0) {
    return `-${formatDuration(-ms)}`;
  }
  if (Math.round(ms) < 1000) {
    return `${Math.round(ms)} ms`;
  }
  const tenths = Math.round(ms / 100);
  if (tenths < 100) {
    return `${tenths / 10} s`;
  }
  // Round before splitting, so that there is no '60 s' and no '24 h'.
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) {
    return `${seconds} s`;
  }
  if (seconds < 3600) {
    return twoUnits(seconds, 60, 'min', 's');
  }
  const minutes = Math.round(ms / 60_000);
  return minutes < 24 * 60 ? twoUnits(minutes, 60, 'h', 'min') : twoUnits(Math.round(ms / 3_600_000), 24, 'd', 'h');
}

function twoUnits(count: number, inGreater: number, greater: string, smaller: string): string {
  const rest = count % inGreater;
  return `${Math.floor(count / inGreater)} ${greater}${rest === 0 ? '' : ` ${rest} ${smaller}`}`;
}

/**
 * Converts a size to bytes: '50MB' and '50M' are 50,000,000, '64MiB' is 64 * 2^20, '10k' is 10,000. A number is taken as bytes. 'Mb' and
 * the like are refused, because they mean megabits.
 *
 * @example
 * parseSize('1.5 GB', 'maxBytes'); // 1500000000
 */
export function parseSize(value: string | number, name: string): number {
  return parseBytes(value, name, SIZE);
}

/**
 * Converts a rate to bytes per second. A rate is a size, with or without '/s'.
 *
 * @example
 * parseRate('50MB/s', 'backupRateLimit'); // 50000000
 */
export function parseRate(value: string | number, name: string): number {
  return parseBytes(value, name, RATE, true);
}

function parseBytes(value: string | number, name: string, expected: string, rate = false): number {
  if (typeof value === 'number') {
    if (Number.isFinite(value) && !Number.isInteger(value)) {
      throw invalidOption(RangeError, name, `${expected}, whole`, describe(value));
    }
    return checkNumber(value, name, expected);
  }
  if (typeof value !== 'string') {
    throw invalidOption(TypeError, name, expected, describe(value));
  }
  const size = rate ? value.trim().replace(/ ?\/s$/, '') : value.trim();
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])(i?)(b?)|b)?$/i.exec(size);
  const [, digits = '', letter = '', binary = '', bytes = ''] = match ?? [];
  // A lower-case b after a capital letter means bits.
  const bits = bytes === 'b' && letter !== letter.toLowerCase();
  if (match === null || bits) {
    throw invalidOption(TypeError, name, expected, describe(value));
  }
  const power = letter === '' ? 0 : SIZE_LETTERS.indexOf(letter.toLowerCase()) + 1;
  return checkNumber(Math.round(Number(digits) * (binary === '' ? 1000 : 1024) ** power), name, expected);
}

/**
 * Formats a size for people, in decimal units: '0 B', '999 B', '1.5 GB', '12.3 MB'.
 *
 * @example
 * formatSize(1_500_000_000); // '1.5 GB'
 */
export function formatSize(bytes: number): string {
  if (!Number.isFinite(bytes)) {
    return 'unknown';
  }
  if (bytes < 0) {
    return `-${formatSize(-bytes)}`;
  }
  let shown = Math.round(bytes);
  let power = 0;
  // Round before comparing, so that there is no '1000 MB'.
  while (threeDigits(shown) >= 1000 && power < SIZE_NAMES.length - 1) {
    power++;
    shown = bytes / 1000 ** power;
  }
  return `${threeDigits(shown)} ${SIZE_NAMES[power]}`;
}

/**
 * Formats a rate for people: '12.3 MB/s'.
 *
 * @example
 * formatRate(12_300_000); // '12.3 MB/s'
 */
export function formatRate(bytesPerSecond: number): string {
  return Number.isFinite(bytesPerSecond) ? `${formatSize(bytesPerSecond)}/s` : 'unknown';
}

function threeDigits(value: number): number {
  return value >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
}

function checkNumber(value: number, name: string, expected: string): number {
  if (Number.isNaN(value)) {
    throw invalidOption(TypeError, name, expected, 'NaN');
  }
  if (value < 0 || value > Number.MAX_SAFE_INTEGER) {
    throw invalidOption(RangeError, name, expected, describe(value));
  }
  return value;
}

/** The smallest of the values such that at least this share of the values is not greater. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
