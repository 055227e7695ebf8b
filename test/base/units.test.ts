// Durations, sizes and rates as people write them. They are understood, or refused with an example of how to write them.

import t, { type Test } from 'tap';
import {
  formatDuration,
  formatRate,
  formatSize,
  parseDuration,
  parseRate,
  parseSize,
  percentile,
} from '../../lib/base/units.js';
import { failureOf } from '../fixtures/databases.js';
import { Random } from '../fixtures/random.js';

/** The values must be refused, with the name of the option and an example. */
async function refuses(t: Test, parse: (value: never, name: string) => number, values: unknown[], example: string) {
  for (const value of values) {
    const failure = await failureOf(() => parse(value as never, 'keepFor'));
    const what = typeof value === 'string' ? `'${value}'` : String(value);
    t.match(failure, { code: 'INVALID_OPTION', name: /^(Type|Range)Error$/ }, `${what} is refused`);
    t.ok(failure.message.startsWith('keepFor must be '), `${what}: ${failure.message}`);
    t.ok(failure.message.includes(example), `${what}: an example is shown`);
  }
}

t.test('durations are read by their units', async (t) => {
  const minute = 60_000;
  const hour = 60 * minute;
  const day = 24 * hour;
  const written: [string | number, number][] = [
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 5 * minute],
    ['5min', 5 * minute],
    ['5 min 3 s', 5 * minute + 3000],
    ['1h30m', hour + 30 * minute],
    ['1h 30m', hour + 30 * minute],
    ['1.5h', 1.5 * hour],
    ['7d', 7 * day],
    ['2w', 14 * day],
    ['1y', 365 * day],
    ['1y2w3d4h5m6s7ms', 365 * day + 17 * day + 4 * hour + 5 * minute + 6007],
    [' 5m ', 5 * minute],
    ['0s', 0],
    [1500, 1500],
    [0, 0],
  ];
  for (const [text, ms] of written) t.equal(parseDuration(text, 'every'), ms, `${text}`);
});

t.test('what is no duration is refused, with an example', async (t) => {
  const hostile = ['', ' ', '5', '-5m', '+5m', 'NaN', 'Infinity', '1e9', '1e9s', '5 MB', '5M', '5mo', '5x', 'm', 'm5'];
  await refuses(
    t,
    parseDuration,
    [...hostile, '30m1h', '5m5m', '5m30', '1,5h', '5..5m', '.5m', '0x5m', '5m\0'],
    "'1h30m'",
  );
  await refuses(t, parseDuration, [Number.NaN, -1, Infinity, -Infinity, 2 ** 60, '9999999999999y'], "'1h30m'");
  await refuses(t, parseDuration, [undefined, null, {}, [], true, 5n, Symbol('5m'), () => 5], "'1h30m'");
});

t.test('sizes are read by their units, decimal and binary', async (t) => {
  const written: [string | number, number][] = [
    ['0', 0],
    ['5', 5],
    ['5B', 5],
    ['10k', 10_000],
    ['10kB', 10_000],
    ['10K', 10_000],
    ['50MB', 50e6],
    ['50M', 50e6],
    ['50mb', 50e6],
    ['5 MB', 5e6],
    ['64MiB', 64 * 2 ** 20],
    ['64Mi', 64 * 2 ** 20],
    ['64mib', 64 * 2 ** 20],
    ['1.5GB', 1.5e9],
    ['1.1GB', 1.1e9],
    ['2TB', 2e12],
    ['1PB', 1e15],
    [1234, 1234],
  ];
  for (const [text, bytes] of written) {
    t.equal(parseSize(text, 'maxBytes'), bytes, `${text}`);
    t.equal(parseRate(text, 'rate'), bytes, `${text} as a rate`);
    if (typeof text === 'string') t.equal(parseRate(`${text}/s`, 'rate'), bytes, `${text}/s`);
  }
});

t.test('what is no size or rate is refused, with an example', async (t) => {
  const hostile = [
    '',
    ' ',
    '-5',
    '-5MB',
    'NaN',
    'Infinity',
    '1e9',
    '1,5GB',
    '5 X',
    '5m5',
    '5Mx',
    'MB',
    '0x10',
    '5  MB',
    '99999PB',
  ];
  const others = [Number.NaN, -1, 1.5, Infinity, 2 ** 60, undefined, null, {}, [], 5n];
  await refuses(t, parseSize, [...hostile, ...others, '5MB/s'], "'50MB'");
  await refuses(t, parseRate, [...hostile, ...others, '5MB/m', '/s', '5MB/s/s'], "'50MB/s'");
  await refuses(t, parseSize, ['5Mb', '5Gb', '5Kb', '5MIb'], "'50MB'");
  await refuses(t, parseRate, ['50Mb/s'], "'50MB/s'");
});

t.test('durations are shown in at most two units', async (t) => {
  const shown: [number, string][] = [
    [0, '0 ms'],
    [12.4, '12 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [1234, '1.2 s'],
    [9949, '9.9 s'],
    [9950, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min'],
    [303_000, '5 min 3 s'],
    [3_599_600, '1 h'],
    [7_500_000, '2 h 5 min'],
    [86_399_000, '1 d'],
    [273_600_000, '3 d 4 h'],
    [-303_000, '-5 min 3 s'],
    [Infinity, 'unknown'],
    [Number.NaN, 'unknown'],
  ];
  for (const [ms, text] of shown) t.equal(formatDuration(ms), text, text);
});

t.test('sizes and rates are shown in three digits', async (t) => {
  const shown: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1234, '1.23 kB'],
    [1.5e9, '1.5 GB'],
    [12.34e6, '12.3 MB'],
    [999_499, '999 kB'],
    [999_500, '1 MB'],
    [1e15, '1 PB'],
    [2.5e18, '2500 PB'],
    [-1500, '-1.5 kB'],
    [Number.NaN, 'unknown'],
  ];
  for (const [bytes, text] of shown) t.equal(formatSize(bytes), text, text);
  t.equal(formatRate(12.34e6), '12.3 MB/s');
  t.equal(formatRate(Infinity), 'unknown');
});

t.test('what is shown can be read, and is near what it was', async (t) => {
  const random = Random.of(t);
  for (let n = 0; n < 5000; n++) {
    const ms = Math.floor(10 ** (random.next() * 13));
    const duration = formatDuration(ms);
    const again = parseDuration(duration, 'duration');
    if (Math.abs(again - ms) > ms * 0.05) t.fail(`${ms} ms is shown as ${duration}`);
    if (formatDuration(again) !== duration) t.fail(`${duration} is shown as ${formatDuration(again)}`);

    const bytes = Math.floor(10 ** (random.next() * 15.9));
    const size = formatSize(bytes);
    const sizeAgain = parseSize(size, 'size');
    if (Math.abs(sizeAgain - bytes) > Math.max(bytes * 0.006, 0)) t.fail(`${bytes} bytes are shown as ${size}`);
    if (formatSize(sizeAgain) !== size) t.fail(`${size} is shown as ${formatSize(sizeAgain)}`);
    if (parseRate(formatRate(bytes), 'rate') !== sizeAgain)
      t.fail(`${bytes} bytes/s are shown as ${formatRate(bytes)}`);
  }
});

t.test('percentiles are values that were there', async (t) => {
  t.equal(percentile([5], 0.5), 5);
  t.equal(percentile([4, 1, 3, 2], 0.5), 2);
  t.equal(
    percentile(
      Array.from({ length: 100 }, (_, n) => n + 1),
      0.95,
    ),
    95,
  );
});
