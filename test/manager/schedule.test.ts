// When work is due: by intervals on the monotonic clock, and by cron expressions on a wall clock that may be set.

import t from 'tap';
import { pause, SteadyClock, systemClock } from '../../lib/base/clock.js';
import type { ManagerParts } from '../../lib/manager/manager-parts.js';
import { ManagerSchedules } from '../../lib/manager/manager-schedules.js';
import { parseSchedule } from '../../lib/manager/schedule.js';
import { createTicker, type Ticker, type TickerOptions } from '../../lib/manager/ticker.js';
import { FakeClock, settleAll } from '../fixtures/fake-clock.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A ticker on a clock, and the wall times at which it fired. */
function ticking(schedule: unknown, start: string, options: Partial<TickerOptions> = {}) {
  const clock = new FakeClock(start);
  const fired: string[] = [];
  const [entry] = parseSchedule(schedule, 'schedule');
  const ticker: Ticker = createTicker(entry!, {
    clock,
    onDue: () => fired.push(new Date(clock.now()).toISOString()),
    ...options,
  });
  ticker.start();
  return {
    clock,
    ticker,
    /** The times since the last call. */
    fired: () => fired.splice(0),
    advance: (ms: number) => clock.advance(ms),
  };
}

t.test('a process stays alive for what is due, and not for what comes later', async (t) => {
  const start = '2026-03-01T12:00:00Z';
  const ago = (ms: number) => ({ lastRun: Date.parse(start) - ms });
  for (const [schedule, options, due] of [
    ['1h', {}, true],
    ['1h', ago(2 * HOUR), true],
    ['1h', ago(MINUTE), false],
    ['30 * * * *', {}, false],
    ['30 * * * *', ago(HOUR), true],
    ['30 * * * *', ago(MINUTE), false],
  ] as const) {
    const { clock, fired, advance } = ticking(schedule, start, options);
    const what = `${schedule}, ${JSON.stringify(options)}`;
    t.equal(clock.keepsAlive, due, what);
    await advance(0);
    t.equal(fired().length, due ? 1 : 0, what);
    t.equal(clock.keepsAlive, false, `${what}: afterwards`);
  }
});

t.test('a string that is a duration is an interval, any other is a cron expression', async (t) => {
  const kinds = parseSchedule(
    ['5m', 90_000, { every: '1h30m' }, '*/5 * * * *', { cron: '0 3 * * *', timezone: 'Asia/Tokyo' }],
    's',
  );
  t.same(
    kinds.map(({ kind, key }) => [kind, key]),
    [
      ['interval', 'every 300000'],
      ['interval', 'every 90000'],
      ['interval', 'every 5400000'],
      ['cron', 'cron */5 * * * *'],
      ['cron', 'cron 0 3 * * * Asia/Tokyo'],
    ],
  );
  t.same(parseSchedule(undefined, 's'), []);
  t.same(parseSchedule([], 's'), []);
});

t.test('a schedule that cannot be is refused, and the message names it', async (t) => {
  for (const [value, message] of [
    ['5 minutes or so', /^schedule must be an interval/],
    ['61 * * * *', /^schedule must be/],
    ['0 0 30 2 *', /a time in the future/],
    ['2026-01-01T00:00:00', /it has a colon/],
    [0, /at least a second/],
    ['10ms', /at least a second/],
    [-1, /schedule/],
    [Number.NaN, /schedule/],
    [true, /^schedule must be/],
    [null, /^schedule must be/],
    [['5m', {}], /^schedule\[1\] must be/],
    [{ every: '5m', cron: '* * * * *' }, /^schedule must be/],
    [{ cron: '* * * * *', timezone: 'Mars/Olympus' }, /a time zone such as/],
    [{ cron: '* * * * *', timezone: 5 }, /a time zone such as/],
    [{ cron: '* * * * *', tz: 'UTC' }, /"schedule\.tz"/],
    [{ every: true }, /^schedule.every must be/],
  ] as const) {
    t.throws(() => parseSchedule(value, 'schedule'), { code: 'INVALID_OPTION', message }, JSON.stringify(value));
  }
});

t.test('an interval fires at once when it never has, then every so often', async (t) => {
  const { fired, advance, ticker } = ticking('10m', '2026-03-01T12:00:00Z');
  await advance(0);
  t.same(fired(), ['2026-03-01T12:00:00.000Z']);
  t.equal(ticker.nextIn(), 10 * MINUTE);
  await advance(30 * MINUTE);
  t.same(fired(), ['2026-03-01T12:10:00.000Z', '2026-03-01T12:20:00.000Z', '2026-03-01T12:30:00.000Z']);
  ticker.stop();
  await advance(DAY);
  t.same(fired(), []);
  t.equal(ticker.nextIn(), undefined);
});

t.test('an interval goes on after a restart where it was', async (t) => {
  const start = '2026-03-01T12:00:00Z';
  const now = Date.parse(start);
  for (const [what, lastRun, wait] of [
    ['ran four minutes ago', now - 4 * MINUTE, 6 * MINUTE],
    ['ran an hour ago', now - HOUR, 0],
    ['ran in what is the future since the clock was set back', now + DAY, 10 * MINUTE],
  ] as const) {
    t.equal(ticking('10m', start, { lastRun }).ticker.nextIn(), wait, what);
  }
});

t.test('an interval takes no notice of the wall clock', async (t) => {
  const { clock, fired, advance } = ticking('10m', '2026-03-01T12:00:00Z');
  await advance(0);
  fired();
  for (const jump of [HOUR, -HOUR, 10 * 365 * DAY, -10 * 365 * DAY]) {
    clock.jump(jump);
    await advance(10 * MINUTE - 1);
    t.equal(fired().length, 0, `no burst after ${jump}`);
    await advance(1);
    t.equal(fired().length, 1, `no pause after ${jump}`);
  }
});

t.test('jitter makes each firing late, and does not add up', async (t) => {
  const late = [0, 0.5, 0.999, 0.25];
  let n = 0;
  const { fired, advance } = ticking('10m', '2026-03-01T12:00:00Z', { jitter: MINUTE, random: () => late[n++ % 4]! });
  await advance(31 * MINUTE);
  t.same(fired(), [
    '2026-03-01T12:00:00.000Z',
    '2026-03-01T12:10:30.000Z',
    '2026-03-01T12:20:59.940Z',
    '2026-03-01T12:30:15.000Z',
  ]);
});

t.test('a cron expression fires at its times, and not before the first of them', async (t) => {
  const { fired, advance, ticker } = ticking({ cron: '0 3 * * *', timezone: 'UTC' }, '2026-03-01T12:00:00Z');
  t.equal(ticker.nextIn(), 15 * HOUR);
  await advance(3 * DAY);
  t.same(fired(), ['2026-03-02T03:00:00.000Z', '2026-03-03T03:00:00.000Z', '2026-03-04T03:00:00.000Z']);
});

t.test('a cron expression with jitter fires once each time, late', async (t) => {
  const schedule = { cron: '*/10 * * * *', timezone: 'UTC' };
  const { fired, advance } = ticking(schedule, '2026-03-01T12:01:00Z', { jitter: 4 * MINUTE, random: () => 0.75 });
  await advance(30 * MINUTE);
  t.same(fired(), ['2026-03-01T12:13:00.000Z', '2026-03-01T12:23:00.000Z']);
});

t.test('a run that was missed while nothing ran is made up for, once', async (t) => {
  const lastRun = Date.parse('2026-02-20T03:00:00Z');
  const { fired, advance } = ticking({ cron: '0 3 * * *', timezone: 'UTC' }, '2026-03-01T12:00:00Z', { lastRun });
  await advance(DAY);
  t.same(fired(), ['2026-03-01T12:00:00.000Z', '2026-03-02T03:00:00.000Z']);
});

t.test('runs that a clock set forward has passed over are run once', async (t) => {
  for (const jump of [HOUR, 10 * 365 * DAY]) {
    const { clock, fired, advance } = ticking({ cron: '*/5 * * * *', timezone: 'UTC' }, '2026-03-01T12:01:00Z');
    await advance(10 * MINUTE);
    t.equal(fired().length, 2);
    clock.jump(jump);
    await advance(MINUTE);
    t.equal(fired().length, 1, 'noticed within a minute, and no burst');
    await advance(20 * MINUTE);
    t.equal(fired().length, 4, 'then as before');
  }
});

t.test('a clock set back repeats no nightly run', async (t) => {
  for (const jump of [-HOUR, -3 * HOUR]) {
    const { clock, fired, advance, ticker } = ticking({ cron: '0 3 * * *', timezone: 'UTC' }, '2026-03-01T12:00:00Z');
    await advance(15 * HOUR + 5 * MINUTE);
    t.same(fired(), ['2026-03-02T03:00:00.000Z']);
    clock.jump(jump);
    t.equal(ticker.nextIn(), DAY - 5 * MINUTE - jump);
    await advance(12 * HOUR);
    t.same(fired(), [], 'three o’clock comes again, and is left out');
    await advance(DAY);
    t.same(fired(), ['2026-03-03T03:00:00.000Z']);
  }
});

t.test('a clock set back is no pause for what runs often', async (t) => {
  for (const jump of [-HOUR, -DAY, -10 * 365 * DAY]) {
    const { clock, fired, advance } = ticking({ cron: '*/5 * * * *', timezone: 'UTC' }, '2026-03-01T12:01:00Z');
    await advance(5 * MINUTE);
    fired();
    clock.jump(jump);
    await advance(30 * MINUTE);
    const runs = fired().length;
    t.ok(runs >= 5 && runs <= 6, `${runs} in half an hour`);
  }
});

t.test('a nightly run goes on after the clock went to another year and back', async (t) => {
  const { clock, fired, advance } = ticking({ cron: '0 3 * * *', timezone: 'UTC' }, '2026-03-01T12:00:00Z');
  await advance(DAY);
  t.equal(fired().length, 1);
  clock.jump(10 * 365 * DAY);
  await advance(DAY);
  t.equal(fired().length, 2, 'what was passed over, and the next night');
  clock.jump(-10 * 365 * DAY);
  await advance(3 * DAY);
  t.ok(fired().length >= 2, 'no pause of ten years');
});

t.test('a second forward jump finds what a run left out before would hide', async (t) => {
  const { clock, fired, advance } = ticking({ cron: '0 * * * *', timezone: 'UTC' }, '2026-03-01T09:30:00Z');
  await advance(35 * MINUTE);
  t.same(fired(), ['2026-03-01T10:00:00.000Z']);
  clock.jump(-HOUR);
  await advance(MINUTE);
  clock.jump(2 * HOUR);
  await advance(MINUTE);
  t.same(fired(), ['2026-03-01T11:07:00.000Z'], 'eleven o’clock was passed over; ten o’clock had its run');
});

t.test(
  'a time that a change to summer time leaves out is run after the gap, one that comes twice is run once',
  async (t) => {
    const zone = 'Europe/Berlin';
    const spring = ticking({ cron: '30 2 * * *', timezone: zone }, '2026-03-28T12:00:00Z');
    await spring.advance(2 * DAY);
    t.same(spring.fired(), ['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z']);
    const autumn = ticking({ cron: '30 2 * * *', timezone: zone }, '2026-10-24T12:00:00Z');
    await autumn.advance(2 * DAY);
    t.same(autumn.fired(), ['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']);
    const lists = ticking({ cron: '30 2,14 * * *', timezone: zone }, '2026-10-24T13:00:00Z');
    await lists.advance(DAY + 2 * HOUR);
    t.same(lists.fired(), ['2026-10-25T00:30:00.000Z', '2026-10-25T13:30:00.000Z']);
  },
);

t.test('what runs every few minutes goes on through the change to and from summer time', async (t) => {
  for (const start of ['2026-03-29T00:00:30Z', '2026-10-25T00:00:30Z']) {
    const { fired, advance } = ticking({ cron: '*/10 * * * *', timezone: 'Europe/Berlin' }, start);
    await advance(3 * HOUR);
    t.equal(fired().length, 18, start);
  }
});

t.test(
  'the steady clock goes on with the time it began with, and tells by how much the system’s was set',
  async (t) => {
    const clock = new FakeClock('2026-03-01T12:00:00Z');
    const steady = new SteadyClock(clock);
    await clock.advance(HOUR);
    clock.jump(10 * 365 * DAY);
    await clock.advance(HOUR);
    t.equal(new Date(steady.now()).toISOString(), '2026-03-01T14:00:00.000Z');
    t.equal(steady.offset, 10 * 365 * DAY);
  },
);

t.test('a pause ends with its time or with its signal, and leaves no timer', async (t) => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const ended: string[] = [];
  void pause(clock, HOUR, stop.signal).then(() => ended.push('stopped'));
  void pause(clock, MINUTE).then(() => ended.push('over'));
  await clock.advance(MINUTE);
  await settleAll();
  t.same(ended, ['over']);
  stop.abort();
  await settleAll();
  t.same(ended, ['over', 'stopped']);
  await pause(clock, HOUR, stop.signal);
  t.equal(clock.waiting, 0);
});

t.test('the system’s timers wait longer than 31 bits of milliseconds, and can be taken back', async (t) => {
  let fired = false;
  const timer = systemClock.setTimeout(() => {
    fired = true;
  }, 2 ** 33);
  await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 5, { keepAlive: true }));
  t.notOk(fired, 'Node would fire at once');
  systemClock.clearTimeout(timer);
  systemClock.clearTimeout(undefined);
});

t.test('that a schedule fired is written down only when the repository is there', async (t) => {
  const clock = new FakeClock(Date.now());
  const order: string[] = [];
  let made = () => {};
  const parts = {
    settings: { schedule: parseSchedule('10m', 'schedule'), drillSchedule: [], snapshotSchedule: [], jitter: 0 },
    clock,
    random: () => 0,
    state: { memory: { lastRuns: {} }, update: async () => void order.push('written') },
    running: { track: (work: Promise<void>) => work },
    engines: {
      // The first backup makes the repository meanwhile.
      open: () =>
        new Promise<void>((resolve) => {
          made = () => {
            order.push('made');
            resolve();
          };
        }),
    },
  } as unknown as ManagerParts;
  const due = async () => true;
  const schedules = new ManagerSchedules(parts, { backup: due, drill: due, snapshot: due });
  schedules.start();
  t.teardown(() => schedules.stop());
  await clock.advance(10 * 60_000);
  await settleAll(3);
  made();
  await settleAll(3);
  t.same(order, ['made', 'written']);
});
