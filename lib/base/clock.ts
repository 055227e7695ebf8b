/** What a clock calls back with: opaque, for {@link Clock.clearTimeout}. */
export interface Timer {
  /** @internal */
  handle: unknown;
}

/** Where time comes from. Schedules and waits live on one of these, so that tests can let years pass. */
export interface Clock {
  /** What the system says the time is, in milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds since some moment. Never jumps. */
  monotonic(): number;
  /** Calls back once, after so many milliseconds, however many. */
  setTimeout(callback: () => void, ms: number, options?: TimerOptions): Timer;
  clearTimeout(timer: Timer | undefined): void;
}

/** Options of {@link Clock.setTimeout}. */
export interface TimerOptions {
  /** Keeps the process alive until then. @default false */
  keepAlive?: boolean | undefined;
}

/** Node fires a timer at once whose delay has more than 31 bits. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/**
 * The real time. Its timers do not keep the process alive by themselves: what does that in a service is the service, and a
 * program that has nothing more to do should end. Whoever waits for a promise behind a timer asks for `keepAlive`.
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
 * The time of day as it was when this was made, and as many milliseconds later as have really passed. A wall clock that is set
 * meanwhile does not change what is old: nothing is deleted because of it.
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

  /** How far the wall clock is ahead of this one, in milliseconds: what it was set by since. */
  get offset(): number {
    return this.#clock.now() - this.now();
  }
}

/** Resolves after so many milliseconds, or at once when the signal is aborted. The process stays alive for it. */
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
