// Which backups are kept and which are deleted. Small histories are checked by hand. For random histories and policies, the rules
// themselves are checked.

import t, { type Test } from 'tap';
import { formatSize } from '../../lib/base/units.js';
import {
  planRetention,
  type RetentionBackup,
  type RetentionOptions,
  type RetentionPlan,
  type RetentionPolicy,
} from '../../lib/retention/retention.js';
import { failureOf } from '../fixtures/databases.js';
import { Random } from '../fixtures/random.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Backups of the given times, in that order. They are good and not pinned, unless `more` says otherwise for an index. */
function history(times: (string | number)[], more: Record<number, Partial<RetentionBackup>> = {}): RetentionBackup[] {
  return times.map((time, index) => ({
    backupId: index + 1,
    timestamp: new Date(time),
    state: 'good',
    pinned: false,
    ...more[index],
  }));
}

function every(step: number, count: number, from = Date.parse('2026-09-01T00:00:00Z')): number[] {
  return Array.from({ length: count }, (_, n) => from + n * step);
}

function plan(
  backups: RetentionBackup[],
  policy: RetentionPolicy,
  options?: RetentionOptions,
  now?: Date,
): RetentionPlan {
  const last = Math.max(...backups.map(({ timestamp }) => timestamp?.getTime() ?? 0));
  return planRetention(backups, policy, now ?? new Date(last + 1000), options);
}

function rulesOf({ decisions }: RetentionPlan): Record<string, string> {
  return Object.fromEntries(
    decisions.map(({ backupId, action, rules }) => [backupId, `${action}: ${rules.join(', ')}`]),
  );
}

t.test('each backup is told the rules that keep it, or why it goes', async (t) => {
  const backups = history(
    ['2026-11-18T03:00Z', '2026-11-18T15:00Z', '2026-11-19T03:00Z', '2026-11-20T03:00Z', '2026-11-20T15:00Z'],
    { 0: { pinned: true } },
  );
  t.same(rulesOf(plan(backups, { last: 1, daily: 2, within: '12h' })), {
    1: 'keep: pinned',
    2: 'delete: no rule keeps it',
    3: 'keep: daily 2026-11-19',
    4: 'keep: within 12h',
    5: 'keep: newest, last good, last 1, within 12h, daily 2026-11-20',
  });
});

t.test('hours, days and weeks over three months keep what one counts by hand', async (t) => {
  // Every hour from 1 September (a Tuesday) to 30 November.
  const times = every(HOUR, 91 * 24);
  const kept = plan(history(times), { hourly: 24, daily: 7, weekly: 8 });
  const keptTimes = kept.keep.map((id) => new Date(times[id - 1] as number).toISOString().slice(0, 16));
  const hours = Array.from({ length: 24 }, (_, hour) => `2026-11-30T${String(hour).padStart(2, '0')}:00`);
  const days = ['24', '25', '26', '27', '28', '29'].map((day) => `2026-11-${day}T23:00`);
  // Sundays. The last one, 29 November, is already among the days. The eighth week is that of 30 November itself.
  const weeks = ['10-18', '10-25', '11-01', '11-08', '11-15', '11-22'].map((day) => `2026-${day}T23:00`);
  t.same(keptTimes, [...weeks, ...days, ...hours]);
  t.equal(kept.delete.length, times.length - keptTimes.length);
  t.equal(kept.blocked, undefined);
});

t.test('months and years keep the newest of each', async (t) => {
  const times = ['2024-12-31T23:59Z', '2025-01-01T00:00Z', '2025-12-30Z', '2025-12-31Z', '2026-10-31Z', '2026-11-01Z'];
  t.same(plan(history(times), { monthly: 2 }).keep, [5, 6]);
  t.same(plan(history(times), { yearly: 3 }).keep, [1, 4, 6]);
  t.same(plan(history(times), { yearly: Infinity }).keep, [1, 4, 6]);
});

t.test(
  'periods without backups do not count: after a month of standing still the last days are still there',
  async (t) => {
    const times = [...every(DAY, 10, Date.parse('2026-09-01T03:00Z')), Date.parse('2026-11-20T03:00Z')];
    t.same(plan(history(times), { daily: 7 }).keep, [5, 6, 7, 8, 9, 10, 11]);
  },
);

t.test('weeks are those of ISO 8601, also around the turn of the year', async (t) => {
  // Sunday, Monday, Thursday, Sunday, Monday around 1 January 2027, which is a Friday.
  const times = ['2026-12-27Z', '2026-12-28Z', '2026-12-31Z', '2027-01-03Z', '2027-01-04Z'];
  const kept = plan(history(times), { weekly: 5 });
  t.same(kept.keep, [1, 4, 5]);
  t.match(rulesOf(kept), { 1: /weekly 2026-W52/, 4: /weekly 2026-W53/, 5: /weekly 2027-W01/ });
});

t.test('days are those of the time zone', async (t) => {
  const times = ['2026-11-19T22:30Z', '2026-11-19T23:30Z', '2026-11-20T22:30Z'];
  t.same(plan(history(times), { daily: 5 }).keep, [2, 3], 'in UTC, by default');
  t.same(plan(history(times), { daily: 5, timezone: 'Europe/Vienna' }).keep, [1, 3], 'in Vienna, an hour ahead');
});

t.test(
  'where clocks are set back the hour that comes twice is two hours, and the day of 25 hours one day',
  async (t) => {
    // On 25 October 2026 at 03:00 in Vienna, clocks were set back to 02:00.
    const times = every(HOUR / 2, 12, Date.parse('2026-10-24T23:00Z'));
    const kept = plan(history(times), { hourly: 100, timezone: 'Europe/Vienna' });
    t.same(kept.keep, [2, 4, 6, 8, 10, 12]);
    t.match(rulesOf(kept), {
      4: /hourly 2026-10-25 02:00\+02:00/,
      6: /hourly 2026-10-25 02:00\+01:00/,
    });
    const days = every(HOUR, 24 * 4, Date.parse('2026-10-23T22:00Z'));
    const daily = plan(history(days), { daily: 10, timezone: 'Europe/Vienna' });
    t.same(
      daily.keep.map((id) => new Date(days[id - 1] as number).toISOString()),
      ['2026-10-24T21:00:00.000Z', '2026-10-25T22:00:00.000Z', '2026-10-26T22:00:00.000Z', '2026-10-27T21:00:00.000Z'],
      'the last hours of 24, 25 and 26 October in Vienna, and the newest',
    );
    // This time zone differs from UTC by half an hour.
    const india = plan(history(['2026-11-20T00:29Z', '2026-11-20T00:31Z', '2026-11-20T01:29Z']), {
      hourly: 9,
      timezone: 'Asia/Kolkata',
    });
    t.same(india.keep, [1, 3]);
  },
);

t.test('without a keep-rule all stay, up to the caps', async (t) => {
  const backups = history(every(DAY, 6), { 0: { pinned: true } });
  t.same(plan(backups, {}).delete, []);
  const capped = plan(backups, { maxBackups: 3 });
  t.same(capped.keep, [1, 5, 6]);
  t.match(rulesOf(capped), { 2: 'delete: over the limit of 3 backups', 5: 'keep: no keep-rule is set' });
  t.same(plan(history(every(DAY, 6)), { maxBackups: 6 }).delete, []);
});

t.test('maxBytes counts shared files once, and deleting frees only what no kept backup uses', async (t) => {
  const file = (name: string, size: number) => ({ name, size });
  const backups = history(every(DAY, 4), {
    0: { files: [file('a', 100), file('p1', 1)] },
    1: { files: [file('a', 100), file('b', 50), file('p2', 1)] },
    2: { files: [file('b', 50), file('c', 10), file('p3', 1)] },
    3: { files: [file('c', 10), file('p4', 1)] },
  });
  const all = plan(backups, { maxBytes: 164 });
  t.same([all.bytesBefore, all.bytesAfter, all.delete], [164, 164, []]);
  // Deleting 1 frees only p1, because 2 also has a. Then 2 must be deleted too, which frees a.
  const fewer = plan(backups, { maxBytes: '162' });
  t.same([fewer.bytesAfter, fewer.delete, fewer.exceeded], [62, [1, 2], []]);
  t.match(rulesOf(fewer), { 1: 'delete: over the limit of 162 B' });
  const impossible = plan(backups, { maxBytes: 5 });
  t.same([impossible.bytesAfter, impossible.keep], [11, [4]]);
  t.match(impossible.exceeded, [/^the limit of 5 B is exceeded: .* have 11 B$/]);
  backups[1]!.pinned = true;
  t.same(plan(backups, { maxBytes: 5 }).keep, [2, 4]);
  t.match(plan(backups, { maxBackups: 1 }).exceeded, [/^the limit of 1 backup is exceeded: 2 stay/]);
});

t.test('nothing goes while a backup is corrupt, and the plan says so', async (t) => {
  const backups = history(every(DAY, 5), { 1: { state: 'corrupt', timestamp: undefined } });
  const refused = plan(backups, { last: 1, maxBackups: 1 });
  t.same(refused.delete, []);
  t.match(refused.blocked, /^corrupt backups forbid deleting: backup 2 /);
  t.notMatch(refused.blocked, /by hand/, 'no file is to be removed past the engine');
  t.match(rulesOf(refused), { 1: 'keep: deleting is blocked (no rule keeps it)', 2: 'keep: corrupt' });
});

t.test('a backup that the store has locked stays until its time has come, and keeps no other one', async (t) => {
  const until = new Date('2026-11-21T10:00:00.001Z');
  const locked = { lockedUntil: until };
  const backups = history(every(DAY, 6, Date.parse('2026-11-15T00:00:00Z')), { 1: locked, 2: locked, 5: locked });
  const now = (text: string) => new Date(text);
  t.same(rulesOf(plan(backups, { last: 2 }, {}, now('2026-11-21T10:00:00Z'))), {
    1: 'delete: no rule keeps it',
    2: 'keep: locked until 2026-11-21T10:00:01Z',
    3: 'keep: locked until 2026-11-21T10:00:01Z',
    4: 'delete: no rule keeps it',
    5: 'keep: last 2',
    6: 'keep: newest, last good, locked until 2026-11-21T10:00:01Z, last 2',
  });
  t.same(plan(backups, { last: 2 }, {}, now('2026-11-21T10:00:00.001Z')).delete, [1, 2, 3, 4]);
  const capped = plan(backups, { maxBackups: 2 }, {}, now('2026-11-21T10:00:00Z'));
  t.same(capped.delete, [1, 4, 5]);
  t.match(capped.exceeded, [/limit of 2 backups is exceeded: 3 stay because they are pinned, locked,/]);
});

t.test('nothing goes before the newest backup is verified, unless that is not asked for', async (t) => {
  const backups = history(every(DAY, 5), { 4: { state: 'unverified' } });
  const refused = plan(backups, { last: 1 });
  t.same(refused.delete, []);
  t.match(refused.blocked, /^the newest backup, 5, is not verified/);
  t.same(plan(backups, { last: 1 }, { requireVerified: false }).keep, [4, 5], 'the last good one stays in any case');
  t.same(plan(backups.slice(0, 4), { last: 1 }).keep, [4]);
  t.equal(plan(backups, { last: 5 }).blocked, undefined, 'where nothing would go, nothing is blocked');
});

t.test('nothing goes while the caller forbids it', async (t) => {
  const refused = plan(history(every(DAY, 3)), { last: 1 }, { forbidden: 'pins were lost' });
  t.same([refused.delete, refused.blocked], [[], 'pins were lost']);
});

t.test('a clock that was wrong expires nothing', async (t) => {
  const good = every(DAY, 10, Date.parse('2026-11-01T03:00Z'));
  const policy: RetentionPolicy = { daily: 7, within: '3d' };
  const right = plan(history(good), policy).keep;
  t.same(right, [4, 5, 6, 7, 8, 9, 10]);
  const now = new Date('2026-11-10T12:00Z');

  const inFuture = plan(
    history([...good, '2031-01-01T00:00Z', '2031-01-02T00:00Z', '2026-11-10T10:00Z']),
    policy,
    {},
    now,
  );
  t.same(inFuture.keep, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13], 'backups of 2031 take nobody else’s place');
  t.match(rulesOf(inFuture), { 11: 'keep: in the future' });

  const back = plan(history([...good, '1970-01-01T00:00Z']), policy, {}, now);
  t.same(
    back.keep,
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    'the newest is from 1970: all others are within three days of it',
  );
  t.same(plan(history([...good, '1970-01-01T00:00Z']), { daily: 7 }, {}, now).keep, [5, 6, 7, 8, 9, 10, 11]);

  const wentBack = history(['2026-11-20T23:50Z', '2026-11-21T00:10Z', '2026-11-20T23:20Z', '2026-11-21T00:20Z']);
  t.same(plan(wentBack, { daily: 2 }).keep, [3, 4], 'the newest of a day is the one that was made last');
  t.same(plan(wentBack, { last: 2 }).keep, [3, 4]);

  const nowIsWrong = plan(history(good), policy, {}, new Date('1999-01-01T00:00Z'));
  t.same(nowIsWrong.delete, [], 'a clock that is far behind now deletes nothing');
});

t.test('a policy that keeps nothing, or says what is not known, is refused', async (t) => {
  const refused: [unknown, string][] = [
    [{ last: 0 }, 'whose rules are all 0'],
    [{ last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, within: '0s' }, 'whose rules are all 0'],
    [{ daily: 0, maxBackups: 5 }, 'whose rules are all 0'],
    [{ dayly: 7 }, 'dayly'],
    [{ daily: -1 }, 'daily'],
    [{ daily: 1.5 }, 'daily'],
    [{ daily: '7' }, 'daily'],
    [{ daily: Number.NaN }, 'daily'],
    [{ within: '7' }, 'within'],
    [{ maxBackups: 0 }, 'maxBackups'],
    [{ maxBytes: 0 }, 'maxBytes'],
    [{ maxBytes: 'much' }, 'maxBytes'],
    [{ daily: 7, timezone: 'Mars/Olympus' }, 'timezone'],
    [null, 'retention'],
    [7, 'retention'],
    [[], 'retention'],
  ];
  for (const [policy, word] of refused) {
    const failure = await failureOf(() => plan(history([0]), policy as RetentionPolicy));
    t.equal(failure.code, 'INVALID_OPTION', JSON.stringify(policy));
    t.ok(failure.message.includes(word), failure.message);
  }
  t.match(await failureOf(() => planRetention([], { last: 1 }, new Date(Number.NaN))), { code: 'INVALID_OPTION' });
  const twice = [...history([0]), ...history([1])];
  t.match(await failureOf(() => plan(twice, { last: 1 })), { code: 'INVALID_OPTION', message: /distinct/ });
  t.match(await failureOf(() => plan(history([0]), { maxBytes: 1 })), { code: 'INVALID_OPTION', message: /files/ });
});

t.test('no backups, no decisions', async (t) => {
  t.same(planRetention([], { last: 3 }, new Date()), {
    decisions: [],
    keep: [],
    delete: [],
    verifyFirst: [],
    exceeded: [],
    bytesBefore: 0,
    bytesAfter: 0,
  });
});

// ── Random histories and policies ───────────────────────────────────────────────────────────────────────────────────

interface Case {
  backups: RetentionBackup[];
  policy: RetentionPolicy;
  now: Date;
  options: RetentionOptions;
}

const ZONES = [
  undefined,
  'UTC',
  'Europe/Vienna',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
];
const RULES = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

function randomCase(random: Random): Case {
  const backups: RetentionBackup[] = [];
  let clock = Date.parse('2024-01-01T00:00Z') + random.below(3 * 365 * 24) * HOUR;
  let now = clock;
  const steps = random.pick([[0, HOUR / 3], [HOUR], [HOUR, DAY], [DAY], [DAY, 9 * DAY], [40 * DAY]]);
  const jumps = random.below(3) === 0;
  const corrupt = random.below(8) === 0;
  const unverified = random.pick([0, 0, 0.2, 1]);
  let backupId = random.below(5);
  for (let count = random.below(40); count > 0; count--) {
    clock += random.pick(steps) * (0.5 + random.next());
    if (jumps && random.below(8) === 0) clock += random.pick([-HOUR, HOUR, -2 * DAY, 400 * DAY, -400 * DAY]);
    backupId += 1 + (random.below(4) === 0 ? random.below(5) : 0);
    const state = corrupt && random.below(10) === 0 ? 'corrupt' : random.next() < unverified ? 'unverified' : 'good';
    const files = Array.from({ length: 1 + random.below(4) }, () => {
      const name = random.below(12);
      return { name: `f${name}`, size: name * 10 };
    });
    const own = { name: `private/${backupId}`, size: random.below(30) };
    backups.push({
      backupId,
      timestamp: state === 'corrupt' && random.below(2) === 0 ? undefined : new Date(clock - (clock % 1000)),
      state,
      pinned: random.below(10) === 0,
      files: [...new Map(files.map((file) => [file.name, file])).values(), own],
    });
    now = clock;
  }
  // Shuffle them: the plan uses the order of the ids.
  for (let at = backups.length - 1; at > 0 && random.below(2) === 0; at--) {
    const other = random.below(at + 1);
    [backups[at], backups[other]] = [backups[other]!, backups[at]!];
  }
  const policy: RetentionPolicy = { timezone: random.pick(ZONES) };
  for (const rule of RULES) {
    if (random.below(3) === 0) policy[rule] = 1 + random.below(random.pick([2, 5, 30]));
  }
  if (random.below(4) === 0) policy.within = random.pick(['1h', '3d', '30d', 5 * DAY]);
  if (random.below(4) === 0) policy.maxBackups = 1 + random.below(20);
  if (random.below(4) === 0) policy.maxBytes = 1 + random.below(700);
  return {
    backups,
    policy,
    now: new Date(now + random.pick([0, HOUR, 30 * DAY, -HOUR, -300 * DAY])),
    options: { requireVerified: random.below(2) === 0 },
  };
}

const formats = new Map<string, Intl.DateTimeFormat>();

function spelled(time: Date, timeZone: string, options: Intl.DateTimeFormatOptions): string {
  const key = `${timeZone} ${Object.keys(options)}`;
  const format = formats.get(key) ?? new Intl.DateTimeFormat('en-CA', { timeZone, ...options });
  formats.set(key, format);
  return format.format(time);
}

/** The period of a time, computed in a different way from the planner: en-CA writes dates as ISO does, and weeks are counted in days. */
function periodBySpelling(time: Date, rule: string, timeZone = 'UTC'): string {
  const date = spelled(time, timeZone, { year: 'numeric', month: '2-digit', day: '2-digit' });
  switch (rule) {
    case 'hourly':
      return `${date} ${spelled(time, timeZone, { hour: '2-digit', hourCycle: 'h23', timeZoneName: 'longOffset' })}`;
    case 'daily':
      return date;
    case 'weekly': // 5 January 1970 was a Monday
      return String(Math.floor((Date.parse(date) / DAY - 4) / 7));
    case 'monthly':
      return date.slice(0, 7);
    default:
      return date.slice(0, 4);
  }
}

/** What a single keep-rule keeps, by its definition. */
function keptBy(rule: string, { backups, policy, now }: Case): Set<number> {
  const readable = backups.filter(({ state }) => state !== 'corrupt').sort((a, b) => b.backupId - a.backupId);
  const past = readable.filter(({ timestamp }) => timestamp! <= now);
  const kept = new Set<number>();
  if (rule !== 'last') for (const backup of readable) if (!past.includes(backup)) kept.add(backup.backupId);
  if (rule === 'last') for (const { backupId } of readable.slice(0, policy.last)) kept.add(backupId);
  else if (rule === 'within') {
    const days = { '1h': HOUR, '3d': 3 * DAY, '30d': 30 * DAY } as Record<string, number>;
    const span = typeof policy.within === 'string' ? days[policy.within]! : policy.within!;
    for (const { backupId, timestamp } of past) {
      if (past[0]!.timestamp!.getTime() - timestamp!.getTime() <= span) kept.add(backupId);
    }
  } else {
    const newest = new Map<string, number>();
    for (const { backupId, timestamp } of past) {
      const period = periodBySpelling(timestamp!, rule, policy.timezone);
      newest.set(period, Math.max(newest.get(period) ?? 0, backupId));
    }
    const ids = [...newest.values()].sort((a, b) => b - a);
    for (const id of ids.slice(0, policy[rule as (typeof RULES)[number]])) kept.add(id);
  }
  return kept;
}

const keepRules = (policy: RetentionPolicy) =>
  [...RULES, 'within' as const].filter((rule) => policy[rule] !== undefined);

function bytesOf(backups: RetentionBackup[]): number {
  const files = new Map(backups.flatMap(({ files = [] }) => files.map(({ name, size }) => [name, size] as const)));
  return [...files.values()].reduce((sum, size) => sum + size, 0);
}

/** Runs a check on many random cases, and shows the first one that fails. */
function forMany(t: Test, count: number, check: (made: Case, random: Random) => string | undefined): void {
  const random = Random.of(t);
  const shown = (made: Case) =>
    JSON.stringify({ ...made, backups: made.backups.map(({ files, ...rest }) => ({ ...rest, files: files?.length })) });
  for (let n = 0; n < count; n++) {
    const made = randomCase(random);
    const wrong = check(made, random);
    if (wrong !== undefined) {
      t.fail(`${wrong}, in ${shown(made)}`);
      return;
    }
  }
  t.pass(`${count} cases`);
}

const planOf = ({ backups, policy, now, options }: Case) => planRetention(backups, policy, now, options);

t.test('whatever the history and the policy: what has to stay stays', async (t) => {
  forMany(t, 4000, (made) => {
    const { backups, options } = made;
    const { delete: gone, keep, decisions, blocked } = planOf(made);
    const byId = new Map(backups.map((backup) => [backup.backupId, backup]));
    const ids = [...byId.keys()].sort((a, b) => a - b);
    if (gone.some((id) => byId.get(id)!.pinned)) return 'a pinned one went';
    if (gone.length > 0 && backups.some(({ state }) => state === 'corrupt')) return 'one went beside a corrupt one';
    const lastGood = ids.filter((id) => byId.get(id)!.state === 'good').at(-1);
    if (lastGood !== undefined && gone.includes(lastGood)) return 'the last good one went';
    if (gone.length > 0 && options.requireVerified && byId.get(ids.at(-1)!)!.state !== 'good') return 'unverified';
    if (gone.includes(ids.at(-1)!)) return 'the newest one went';
    if ([...keep, ...gone].sort((a, b) => a - b).join() !== ids.join()) return 'not all are decided';
    if (decisions.map(({ backupId }) => backupId).join() !== ids.join()) return 'decisions are not in order';
    if (decisions.some(({ rules }) => rules.length === 0)) return 'a decision without a reason';
    if (decisions.some(({ backupId, action }) => (action === 'delete') !== gone.includes(backupId))) return 'torn';
    if (blocked !== undefined && gone.length > 0) return 'blocked, and yet one goes';
    return undefined;
  });
});

t.test(
  'whatever the history and the policy: each keep-rule keeps what its definition says, and nothing else stays',
  async (t) => {
    forMany(t, 3000, (made) => {
      const { backups } = made;
      const policy = { ...made.policy, maxBackups: undefined, maxBytes: undefined };
      const { delete: gone, decisions, blocked } = planOf({ ...made, policy });
      const wanted = keepRules(policy).map((rule) => [rule, keptBy(rule, made)] as const);
      for (const [rule, kept] of wanted) {
        if ([...kept].some((id) => gone.includes(id))) return `${rule} does not hold`;
      }
      if (blocked !== undefined || wanted.length === 0) return undefined;
      for (const { backupId, action, rules } of decisions) {
        const by = wanted.filter(([, kept]) => kept.has(backupId));
        const { pinned, state } = backups.find((backup) => backup.backupId === backupId)!;
        const protectedAnyway =
          pinned || state === 'corrupt' || rules.some((rule) => /^(newest|last good)$/.test(rule));
        if (action === 'keep' && by.length === 0 && !protectedAnyway) return `nothing keeps ${backupId}`;
        const named = rules.filter((rule) => /^(last \d|within|hourly|daily|weekly|monthly|yearly)/.test(rule));
        const future = rules.includes('in the future');
        if (action === 'keep' && !future && named.length !== by.length)
          return `${backupId} is told the wrong rules: ${rules}`;
      }
      return undefined;
    });
  },
);

t.test('whatever the history: a more generous policy keeps no fewer', async (t) => {
  forMany(t, 2000, (made, random) => {
    const policy = { ...made.policy, maxBackups: undefined, maxBytes: undefined };
    if (keepRules(policy).length === 0) return undefined;
    const generous = { ...policy };
    for (const rule of RULES) if (random.below(2) === 0) generous[rule] = (policy[rule] ?? 0) + 1 + random.below(5);
    if (random.below(3) === 0) generous.within = 400 * DAY;
    const kept = new Set(planOf({ ...made, policy: generous }).keep);
    const lost = planOf({ ...made, policy }).keep.find((id) => !kept.has(id));
    return lost === undefined ? undefined : `${lost} goes with ${JSON.stringify(generous)}`;
  });
});

t.test('whatever the history and the policy: a plan that was carried out has nothing more to delete', async (t) => {
  forMany(t, 3000, (made) => {
    const first = planOf(made);
    const left = made.backups.filter(({ backupId }) => first.keep.includes(backupId));
    const second = planOf({ ...made, backups: left });
    return second.delete.length === 0 ? undefined : `${second.delete} would go next`;
  });
});

t.test(
  'whatever the history and the policy: the caps hold, or the plan says why not, and its bytes are right',
  async (t) => {
    forMany(t, 3000, (made) => {
      const { backups, policy } = made;
      const { keep, delete: gone, exceeded, blocked, bytesBefore, bytesAfter } = planOf(made);
      const left = backups.filter(({ backupId }) => keep.includes(backupId));
      if (bytesBefore !== bytesOf(backups)) return 'wrong bytes before';
      if (bytesAfter !== bytesOf(left)) return 'wrong bytes after';
      const told =
        blocked !== undefined
          ? () => true
          : (cap: string) => exceeded.some((text) => text.startsWith(`the limit of ${cap}`));
      if (keep.length > (policy.maxBackups ?? Infinity) && !told(`${policy.maxBackups} `))
        return 'maxBackups does not hold';
      if (bytesAfter > Number(policy.maxBytes ?? Infinity) && !told(formatSize(Number(policy.maxBytes))))
        return 'maxBytes does not hold';
      if (blocked === undefined && exceeded.length > 0 && keep.length <= (policy.maxBackups ?? Infinity)) {
        if (bytesAfter <= Number(policy.maxBytes ?? Infinity)) return 'exceeded, and yet it is not';
      }
      // The oldest go first: a backup that only a keep-rule protects is newer than all that a cap deleted.
      const without = planOf({ ...made, policy: { ...policy, maxBackups: undefined, maxBytes: undefined } });
      const byCap = gone.filter((id) => without.keep.includes(id));
      if (without.blocked === undefined && byCap.length > 0) {
        const lastGood = left.filter(({ state }) => state === 'good').map(({ backupId }) => backupId);
        const free = left.filter(({ backupId, pinned }) => !pinned && backupId !== Math.max(...lastGood));
        const oldest = Math.min(...free.map(({ backupId }) => backupId));
        if (oldest < Math.max(...byCap)) return `${oldest} stays, and the younger ${Math.max(...byCap)} goes`;
      }
      return undefined;
    });
  },
);

t.test(
  'whatever is planned: what it was planned from is not changed, and the order it comes in does not matter',
  async (t) => {
    const frozen = <T>(value: T): T => {
      if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
        for (const part of Object.values(value)) frozen(part);
        Object.freeze(value);
      }
      return value;
    };
    forMany(t, 1000, (made) => {
      const before = JSON.stringify(made);
      const first = planOf(frozen(made));
      const second = planOf({ ...made, backups: [...made.backups].reverse() });
      if (JSON.stringify(made) !== before) return 'changed';
      return JSON.stringify(first) === JSON.stringify(second) ? undefined : 'another order, another plan';
    });
  },
);

t.test('backups of several databases are counted each for itself', async (t) => {
  const a = { databaseId: 'a' };
  const b = { databaseId: 'b' };
  const backups = history(every(HOUR, 6), { 0: a, 1: b, 2: a, 3: b, 4: a, 5: { ...b, state: 'unverified' } });
  t.same(rulesOf(plan(backups, { last: 1, maxBackups: 2 })), {
    1: 'delete: no rule keeps it',
    2: 'keep: deleting is blocked (no rule keeps it)',
    3: 'delete: no rule keeps it',
    4: 'keep: last good',
    5: 'keep: newest, last good, last 1',
    6: 'keep: newest, last 1',
  });
  const { blocked, verifyFirst } = plan(backups, { last: 1 });
  t.same(verifyFirst, [6]);
  t.match(blocked, /the newest backup, 6, is not verified/);
  t.same(plan(backups, { last: 1 }, { requireVerified: false }).delete, [1, 2, 3]);
  const ofOne = plan(backups, { last: 1 }, { databaseId: 'a' });
  t.same([ofOne.delete, ofOne.blocked, ofOne.verifyFirst], [[1, 3], undefined, []]);
  t.match(rulesOf(ofOne), { 2: 'keep: of another database', 6: 'keep: of another database' });
  t.same(plan(backups, { last: 1 }, { databaseId: 'c' }).delete, [], 'there is none of it');
});

t.test('a backup whose database is not known is of the only one there is, or stands for itself', async (t) => {
  const a = { databaseId: 'a' };
  const one = history(every(HOUR, 4), { 1: a, 2: a });
  t.same(plan(one, { last: 1 }).delete, [1, 2, 3]);
  t.same(plan(one, { last: 1 }, { databaseId: 'a' }).delete, [1, 2, 3]);
  t.same(plan(one, { last: 1 }, { databaseId: 'b' }).delete, []);
  t.same(plan(history(every(HOUR, 3)), { last: 1 }, { databaseId: 'b' }).delete, [1, 2], 'nothing is known of any');
  const several = history(every(HOUR, 6), { 1: a, 2: a, 3: { databaseId: 'b' } });
  t.same(plan(several, { last: 1 }).delete, [1, 2, 5]);
  t.same(plan(several, { last: 1 }, { databaseId: 'a' }).delete, [2]);
  const corrupt = history(every(HOUR, 4), { 0: a, 1: a, 2: { databaseId: 'b' }, 3: { state: 'corrupt' } });
  t.same(plan(corrupt, { last: 1 }).delete, [], 'a damaged backup holds up all');
});
