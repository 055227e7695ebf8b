// The part of the experiment `clock` that runs in a process whose wall clock it sets. RocksDB's engine reads only that clock.

import { execFileSync } from 'node:child_process';
import { openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BackupEngine, BackupManager, Database } from '../../lib/index.js';
import { contentsAt, fill } from '../fixtures/backups.js';
import { program } from '../fixtures/cli.js';
import { FakeClock, until } from '../fixtures/fake-clock.js';
import { DAY, HOUR, isIdle, MINUTE, SECOND, start } from '../fixtures/managers.js';
import { Random } from '../fixtures/random.js';

export interface ClockOptions {
  directory: string;
  time: string;
  seed: number;
  rounds: number;
}

/** A line that this process prints. */
export type ClockLine = { held: boolean; what: string; seen?: unknown } | { figure: string; value: string | number };

const say = (line: ClockLine) => void writeSync(1, `${JSON.stringify(line)}\n`);
const check = (held: boolean, what: string, seen?: unknown) => say({ held, what, ...(!held && { seen }) });

const YEAR = 365 * DAY;
const START = Date.parse('2026-03-01T12:00:00Z');

/** Sets the wall clock of this process and of the processes that it starts. */
class WallClock {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'r+');
  }

  set(ms: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(Math.round(ms)));
    writeSync(this.#file, bytes, 0, 8, 0);
  }
}

/** The manager's clock. Whenever somebody reads it, the engine's clock is set to the same time. */
class SharedClock extends FakeClock {
  readonly #wall: WallClock;

  constructor(wall: WallClock, start: number) {
    super(start);
    this.#wall = wall;
  }

  override now(): number {
    const now = super.now();
    this.#wall.set(now);
    return now;
  }
}

const jumpOf = (random: Random) =>
  random.pick([0, 1, -1]) * random.pick([SECOND, HOUR, 5 * HOUR, DAY, 40 * DAY, YEAR, 20 * YEAR]);

/** Checks that backups are in the order in which they were made, whatever their timestamps say. */
async function engine(options: ClockOptions, random: Random, wall: WallClock): Promise<void> {
  const db = await Database.open(join(options.directory, 'db'));
  const location = join(options.directory, 'backups');
  const target = join(options.directory, 'target');
  const backups = await BackupEngine.open(location);
  const made: { id: number; time: number }[] = [];
  let now = START;
  let decreasing = 0;
  for (let round = 0; round < options.rounds; round++) {
    now = random.below(6) === 0 ? START : Math.max(DAY, now + jumpOf(random));
    wall.set(now);
    await db.put('round', String(round));
    const { backupId, timestamp } = await backups.createBackup(db, { metadata: String(round) });
    const about = `round ${round}, at ${new Date(now).toISOString()}`;
    check(
      timestamp.getTime() === Math.floor(now / 1000) * 1000,
      `${about}: the backup has the clock's time`,
      timestamp,
    );
    const last = made.at(-1);
    if (last !== undefined && last.time > timestamp.getTime()) decreasing++;
    check(backupId === (last?.id ?? 0) + 1, `${about}: ids go up`, { backupId, last });
    made.push({ id: backupId, time: timestamp.getTime() });
    if (made.length > 6) {
      const [gone] = made.splice(random.below(made.length - 1), 1);
      await backups.deleteBackup(gone?.id as number);
    }
    const infos = await backups.getBackupInfo();
    const listed = infos.map((info) => ({ id: info.backupId, time: info.timestamp.getTime() }));
    check(JSON.stringify(listed) === JSON.stringify(made), `${about}: the list is in the order of ids`, {
      listed,
      made,
    });
    const latest = await backups.getLatestBackupInfo();
    check(latest?.backupId === backupId, `${about}: the latest is the one that was made last`, latest?.backupId);
    const restored = await backups.restoreLatestBackup(target, { overwrite: true });
    const value = Buffer.from((await contentsAt(target)).round as string, 'base64').toString();
    check(restored.backupId === backupId && value === String(round), `${about}: it is what is restored`, {
      restored,
      value,
    });
    if (round % 5 === 4) {
      const before = (random.pick(made).time as number) + random.pick([0, 1000]);
      const begun = made.filter(({ time }) => time < before);
      const expected = begun.sort((a, b) => a.time - b.time || a.id - b.id).at(-1)?.id;
      if (expected === undefined) continue;
      rmSync(target, { recursive: true });
      const args = [program, 'restore', location, target, '--before', new Date(before).toISOString(), '--json'];
      const answer = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
      const found = new RegExp(`"backupId":\\s*${expected}\\b`).test(answer);
      check(found, `${about}: --before takes the last one, by the clock, of those that were begun before`, {
        before,
        expected,
        answer,
      });
    }
  }
  await backups.close();
  await db.close();
  say({ figure: 'backups at times of all kinds', value: options.rounds });
  say({ figure: '  earlier than the one before', value: decreasing });
}

const WITHIN = 5 * HOUR;
const LAST = 3;

/** Runs a manager for months, while the clock is set all the time. */
async function manager(options: ClockOptions, random: Random, wall: WallClock): Promise<void> {
  const db = await Database.open(join(options.directory, 'managed'));
  await fill(db, 'a');
  const clock = new SharedClock(wall, START);
  const trueNow = () => clock.monotonic();
  const trueTimes = new Map<number, number>();
  const pinned = new Set<number>();
  const madeBehind = new Set<number>();
  let early = 0;
  let offset = 0;
  let made = 0;
  let pruned = 0;
  let about = '';
  const make = () => {
    const manager = new BackupManager(
      {
        db,
        location: join(options.directory, 'managed-backups'),
        schedule: ['1h', '0 3 * * *'],
        minInterval: '1s',
        retention: { last: LAST, daily: 2, within: WITHIN },
        verify: 'checksum',
      },
      { clock, random: () => 0 },
    );
    manager.on('backup', ({ info }) => {
      made++;
      trueTimes.set(info.backupId, trueNow());
      if (offset < 0) madeBehind.add(info.backupId);
      else madeBehind.delete(info.backupId);
    });
    manager.on('failure', ({ operation, error }) => check(false, `${about}: nothing fails`, `${operation} ${error}`));
    manager.on('pruned', (_plan, deleted) => {
      const newest = Math.max(...trueTimes.keys());
      for (const id of deleted) {
        pruned++;
        // The age of a backup that was made while the clock was behind is computed from its wrong timestamp.
        const age = (trueTimes.get(newest) as number) - (trueTimes.get(id) as number);
        const wrong = madeBehind.has(id);
        check(wrong || age > WITHIN - MINUTE, `${about}: backup ${id}, of ${(age / HOUR).toFixed(1)} h before, stays`);
        if (wrong && age <= WITHIN - MINUTE) early++;
        check(!pinned.has(id), `${about}: backup ${id}, which is pinned, stays`);
        trueTimes.delete(id);
      }
      check(trueTimes.size >= Math.min(made, LAST), `${about}: the last ${LAST} stay`, [...trueTimes.keys()]);
      check(!deleted.includes(newest), `${about}: the newest stays`, deleted);
    });
    return manager;
  };
  const idle = () => until(() => isIdle(current), 'rest');
  let current = make();
  await start(current);
  let jumps = 0;
  let restarts = 0;
  for (let step = 0; step < options.rounds; step++) {
    if (random.below(3) === 0) {
      const jump = random.below(3) === 0 ? -offset : Math.max(jumpOf(random), DAY - clock.now());
      clock.jump(jump);
      offset += jump;
      jumps++;
    }
    // A manager that starts while the clock is ahead cannot notice that.
    if (random.below(12) === 0 && offset <= 0) {
      await current.stop();
      current = make();
      await start(current);
      restarts++;
    }
    about = `hour ${step}, the clock off by ${(offset / HOUR).toFixed(1)} h`;
    await db.put('step', String(step));
    current.notifyChange();
    const before = made;
    for (let minutes = 0; minutes < 66; minutes += 6) {
      await clock.advance(6 * MINUTE);
      await idle();
    }
    check(made > before, `${about}: it is backed up every hour`);
    check(made <= before + 3, `${about}: and not much more often`, made - before);
    if (random.below(20) === 0) {
      const id = Math.max(...trueTimes.keys());
      await current.pin(id);
      pinned.add(id);
    }
  }
  await current.stop();
  const backups = await BackupEngine.open(join(options.directory, 'managed-backups'), { readOnly: true });
  const ids = (await backups.getBackupInfo()).map(({ backupId }) => backupId);
  const known = [...trueTimes.keys()].sort((a, b) => a - b);
  check(ids.join() === known.join(), 'in the end those are there that were not pruned', { ids, known });
  await backups.close();
  await db.close();
  const figures = { 'hours of a manager': options.rounds, jumps, restarts, made, pruned };
  for (const [figure, value] of Object.entries(figures)) {
    say({ figure, value });
  }
  say({ figure: 'pruned early, as made while the clock was behind', value: early });
}

async function main(options: ClockOptions): Promise<void> {
  const wall = new WallClock(options.time);
  const random = new Random(options.seed);
  await engine(options, random, wall);
  await manager(options, random, wall);
}

if (require.main === module) void main(JSON.parse(process.argv[2] as string));
