import type { Clock, Timer } from '../base/clock.js';

/** Options of {@link ChangeWatch}. */
export interface ChangeWatchOptions {
  clock: Clock;
  /** From the end of a backup to the next, at least. */
  minInterval: number;
  /** A backup is due. It may be refused: the next {@link ChangeWatch.ended} makes it due again. */
  onDue: () => void;
}

/**
 * Makes a backup due after changes: one for any number of them, not too often, and none is lost. A change counts as seen to when
 * a backup that began after it was told has been made.
 */
export class ChangeWatch {
  readonly #options: ChangeWatchOptions;
  #pending = false;
  /** Whether there were changes that the running backup is about to see to. */
  #taken = false;
  #running = false;
  #active = false;
  #notBefore = Number.NEGATIVE_INFINITY;
  #due = 0;
  #timer: Timer | undefined;

  constructor(options: ChangeWatchOptions) {
    this.#options = options;
  }

  /** Whether there are changes that no backup has begun to see to. */
  get pending(): boolean {
    return this.#pending;
  }

  /** Called for every write: does next to nothing but for the first after a backup began. */
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

  /** Milliseconds until a backup is due, if one is going to be. */
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
   * A backup has ended. If it failed, its changes are due again, after `wait` milliseconds; or, if that is undefined, when there is
   * another change.
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
    // What is due already is something to do, for which a process stays alive; what comes later is not.
    this.#timer = clock.setTimeout(fire, wait, { keepAlive: wait === 0 });
  }

  #disarm(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
