/** A timer of a {@link Clock}. Its only use is {@link Clock.clearTimeout}. */
export interface Timer {
  /** @internal */
  handle: unknown;
}

/** Where time comes from. Schedules and waits use a clock of this interface, so that tests can let years pass. */
export interface Clock {
  /** The system's time of day, in milliseconds since 1970. It may jump. */
  now(): number;
  /** Milliseconds since some fixed moment. It never jumps. */
  monotonic(): number;
  /** Calls `callback` once, after `ms` milliseconds. There is no upper limit for `ms`. */
  setTimeout(callback: () => void, ms: number, options?: TimerOptions): Timer;
  clearTimeout(timer: Timer | undefined): void;
}

/** Options of {@link Clock.setTimeout}. */
export interface TimerOptions {
  /** Keeps the process alive until the timer fires. @default false */
  keepAlive?: boolean | undefined;
}

/** Node fires a timer at once if its delay has more than 31 bits. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/**
 * The real time. Its timers do not keep the process alive by themselves: a service has other reasons to stay alive, and a program that has
 * nothing more to do should end. Code that waits for a promise behind a timer sets `keepAlive`.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout(callback, ms, { keepAlive = false } = {}) {
    const timer: Timer = { handle: undefined };
    const end = performance.now() + ms;
    const arm = () => {
      const left = end - performance.now();
      const node = setTimeout(left > LONGEST_TIMEOUT ? arm : callback, Math.max(0, Math.min(left, LONGEST_TIMEOUT)));
      if (!keepAlive) {
        node.unref();
      }
      timer.handle = node;
    };
    arm();
    return timer;
  },
  clearTimeout(timer) {
    clearTimeout(timer?.handle as NodeJS.Timeout | undefined);
  },
};

/**
 * The time of day at which this object was made, plus the milliseconds that have really passed since then. If somebody sets the wall clock
 * meanwhile, the age of backups does not change, so nothing is deleted because of it.
 */
export class SteadyClock {
  readonly #clock: Clock;
  readonly #start: number;
  readonly #startMonotonic: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#start = clock.now();
    this.#startMonotonic = clock.monotonic();
  }

  now(): number {
    return this.#start + (this.#clock.monotonic() - this.#startMonotonic);
  }

  /**
   * How far the wall clock is ahead of this clock, in milliseconds: by how much somebody has set the wall clock since this object was made.
   */
  get offset(): number {
    return this.#clock.now() - this.now();
  }
}

/** Resolves after `ms` milliseconds, or at once when the signal is aborted. The process stays alive until then. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const end = () => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimeout(end, ms, { keepAlive: true });
    signal?.addEventListener('abort', end, { once: true });
  });
}
