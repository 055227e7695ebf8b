import type { Clock, Timer } from '../base/clock.js';

/** Options of {@link ChangeWatch}. */
interface ChangeWatchOptions {
  clock: Clock;
  /** The shortest time from the end of one backup to the start of the next, in milliseconds. */
  minInterval: number;
  /** Called when a backup is due. The backup may be refused; then the next call of {@link ChangeWatch.ended} makes it due again. */
  onDue: () => void;
}

/**
 * Makes a backup due after changes. One backup covers any number of changes, backups are not too frequent, and no change is forgotten. A
 * change is covered when a backup succeeds that began after the change was reported.
 */
export class ChangeWatch {
  readonly #options: ChangeWatchOptions;
  #pending = false;
  /** Whether the running backup covers changes. */
  #taken = false;
  #running = false;
  #active = false;
  #notBefore = Number.NEGATIVE_INFINITY;
  #due = 0;
  #timer: Timer | undefined;

  constructor(options: ChangeWatchOptions) {
    this.#options = options;
  }

  /** Whether there are changes that are not covered by a running or finished backup. */
  get pending(): boolean {
    return this.#pending;
  }

  /** Called for every write. It costs almost nothing, except for the first call after a backup began. */
  notify(): void {
    if (!this.#pending) {
      this.#pending = true;
      this.#arm();
    }
  }

  start(): void {
    this.#active = true;
    this.#arm();
  }

  stop(): void {
    this.#active = false;
    this.#disarm();
  }

  /** Milliseconds until the next backup is due. Undefined if none is going to be. */
  nextIn(): number | undefined {
    return this.#timer === undefined ? undefined : Math.max(0, this.#due - this.#options.clock.monotonic());
  }

  /** A backup is about to take its view of the database. */
  begun(): void {
    this.#taken ||= this.#pending;
    this.#pending = false;
    this.#running = true;
    this.#disarm();
  }

  /**
   * A backup has ended. If it failed, its changes are due again: after `wait` milliseconds, or, if `wait` is undefined, after the next
   * change.
   */
  ended(ok: boolean, wait?: number): void {
    const { clock, minInterval } = this.#options;
    if (ok) {
      this.#notBefore = clock.monotonic() + minInterval;
    } else {
      this.#notBefore = clock.monotonic() + Math.max(minInterval, wait ?? 0);
      this.#pending = wait !== undefined && (this.#pending || this.#taken);
    }
    this.#taken = false;
    this.#running = false;
    this.#disarm();
    this.#arm();
  }

  #arm(): void {
    if (!this.#active || !this.#pending || this.#running || this.#timer !== undefined) {
      return;
    }
    const { clock, onDue } = this.#options;
    const wait = Math.max(0, this.#notBefore - clock.monotonic());
    this.#due = clock.monotonic() + wait;
    const fire = () => {
      this.#timer = undefined;
      onDue();
    };
    // A backup that is due now keeps the process alive. One that is due later does not.
    this.#timer = clock.setTimeout(fire, wait, { keepAlive: wait === 0 });
  }

  #disarm(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
