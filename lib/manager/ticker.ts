import type { Clock, Timer } from '../base/clock.js';
import type { ScheduleEntry } from './schedule.js';

/** How often a cron entry checks the wall clock, which somebody can set at any time. */
const CLOCK_CHECK_MS = 60_000;
/** This share of the time between two runs counts as the whole time, because clocks are corrected by small amounts all the time. */
const NEARLY = 0.9;

/** Options of {@link Ticker}. */
export interface TickerOptions {
  clock: Clock;
  /** When it fired last, by the wall clock, before a restart. @default never */
  lastRun?: number | undefined;
  /** Delays each run by a random time of up to this many milliseconds. @default 0 */
  jitter?: number | undefined;
  /** Returns a number in [0, 1). @default Math.random */
  random?: (() => number) | undefined;
  onDue: (entry: ScheduleEntry) => void;
}

/** Calls back when an entry of a schedule is due. */
export interface Ticker {
  readonly entry: ScheduleEntry;
  start(): void;
  stop(): void;
  /** Milliseconds until it fires next, as far as that is known now. Undefined if it is not going to fire. */
  nextIn(): number | undefined;
}

export function createTicker(entry: ScheduleEntry, options: TickerOptions): Ticker {
  return entry.kind === 'interval' ? new IntervalTicker(entry, options) : new CronTicker(entry, options);
}

/** The shortest of the waits that are known. */
export function earliest(...waits: (number | undefined)[]): number | undefined {
  const known = waits.filter((wait) => wait !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Calls back after a time. Work that is due now keeps the process alive; work that is due later does not. */
function callIn(clock: Clock, ms: number, callback: () => void): Timer {
  return clock.setTimeout(callback, ms, { keepAlive: ms === 0 });
}

/**
 * Fires in a fixed interval by the monotonic clock. After a restart it continues where it was. It fires at once if the interval has passed,
 * or if it never fired before.
 */
class IntervalTicker implements Ticker {
  #due: number | undefined;
  #late = 0;
  #timer: Timer | undefined;

  constructor(
    readonly entry: ScheduleEntry & { kind: 'interval' },
    readonly options: TickerOptions,
  ) {}

  start(): void {
    const { clock, lastRun } = this.options;
    const { every } = this.entry;
    // Both times come from the wall clock, which may have been set in between. So never wait longer than one interval.
    const passed = lastRun === undefined ? every : clock.now() - lastRun;
    this.#due = clock.monotonic() + (passed < 0 ? every : Math.max(0, every - passed));
    this.#arm();
  }

  stop(): void {
    this.options.clock.clearTimeout(this.#timer);
    this.#due = undefined;
  }

  nextIn(): number | undefined {
    return this.#due === undefined ? undefined : Math.max(0, this.#due + this.#late - this.options.clock.monotonic());
  }

  #arm(): void {
    this.#late = lateness(this.options);
    this.#timer = callIn(this.options.clock, this.nextIn() ?? 0, () => this.#fire());
  }

  #fire(): void {
    const now = this.options.clock.monotonic();
    const { every } = this.entry;
    const due = this.#due ?? now;
    // The next time on the same grid. If several were missed while the machine slept, they are not made up for one by one.
    this.#due = due + every * (Math.floor(Math.max(0, now - due) / every) + 1);
    this.#arm();
    this.options.onDue(this.entry);
  }
}

/**
 * Fires by the wall clock, which it checks at least once a minute. If the clock is set forward over one or more times, it fires once for
 * all of them. If the clock is set back and a time comes again, it does not fire a second time, unless as much real time has passed as
 * normally lies between two runs. So a clock that is set back by an hour does not repeat a nightly backup, and does not stop an hourly one.
 */
class CronTicker implements Ticker {
  /** All times up to this wall time are done. */
  #seen = 0;
  /** Times up to this wall time have had their run. */
  #done = Number.NEGATIVE_INFINITY;
  #doneMonotonic = Number.NEGATIVE_INFINITY;
  #late = 0;
  #timer: Timer | undefined;
  #running = false;

  constructor(
    readonly entry: ScheduleEntry & { kind: 'cron' },
    readonly options: TickerOptions,
  ) {}

  start(): void {
    const { clock, lastRun } = this.options;
    const now = clock.now();
    this.#seen = now;
    if (lastRun !== undefined) {
      this.#seen = Math.min(lastRun, now);
      this.#done = lastRun;
      this.#doneMonotonic = clock.monotonic() - Math.max(0, now - lastRun);
    }
    this.#late = lateness(this.options);
    this.#running = true;
    this.#arm();
  }

  stop(): void {
    this.#running = false;
    this.options.clock.clearTimeout(this.#timer);
  }

  nextIn(): number | undefined {
    if (!this.#running) {
      return undefined;
    }
    const now = this.options.clock.now();
    for (let due = this.#after(Math.min(this.#seen, now)); due !== undefined; due = this.#after(due)) {
      if (!this.#isRepetition(due, Math.max(0, due - now))) {
        return Math.max(0, due + this.#late - now);
      }
    }
    return undefined;
  }

  #after(wall: number): number | undefined {
    return this.entry.cron.nextRun(new Date(wall))?.getTime();
  }

  /** Whether a time had its run before the clock was set back, and not enough time has passed since for another run. */
  #isRepetition(due: number, from: number): boolean {
    if (due > this.#done) {
      return false;
    }
    const between = (this.#after(due) ?? due) - due;
    return this.options.clock.monotonic() + from - this.#doneMonotonic < between * NEARLY;
  }

  #arm(): void {
    const wait = Math.min(this.nextIn() ?? CLOCK_CHECK_MS, CLOCK_CHECK_MS);
    this.#timer = callIn(this.options.clock, wait, () => this.#look());
  }

  #look(): void {
    const { clock } = this.options;
    const now = clock.now();
    this.#seen = Math.min(this.#seen, now);
    let due = this.#after(this.#seen);
    if (due !== undefined && due <= now && this.#isRepetition(due, 0)) {
      due = this.#after(this.#done);
      this.#seen = Math.min(now, (due ?? now) - 1000);
    }
    const fires = due !== undefined && due + this.#late <= now;
    if (fires) {
      this.#seen = now;
      this.#done = now;
      this.#doneMonotonic = clock.monotonic();
      this.#late = lateness(this.options);
    }
    this.#arm();
    if (fires) {
      this.options.onDue(this.entry);
    }
  }
}

function lateness({ jitter = 0, random = Math.random }: TickerOptions): number {
  return Math.floor(jitter * random());
}
