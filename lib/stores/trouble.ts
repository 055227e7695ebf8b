// A store that does not do what it is asked: over all its requests, for how long, and who is told.

import type { Clock } from '../base/clock.js';

/** No request to a store has succeeded for some time, and they are still repeated. */
export interface StoreTrouble {
  /** The name of the store. */
  readonly store: string;
  /** Why the last request failed. */
  readonly why: string;
  /** For how long, in milliseconds. */
  readonly lasts: number;
  /** Until when the request is repeated, in milliseconds since 1970. */
  readonly until: number;
}

const listeners = new Set<(trouble: StoreTrouble) => void>();

/** Calls the listener once for each trouble of a store that works on this thread, or on the thread of the stores that this one has begun. */
export function onStoreTrouble(listener: (trouble: StoreTrouble) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tellStoreTrouble(trouble: StoreTrouble): void {
  for (const listener of listeners) listener(trouble);
}

/** How long there is trouble before somebody is told, in milliseconds. */
export const TOLD_AFTER = 15_000;

/** What failed longer ago than this says nothing about the store any more. */
const FORGOTTEN_AFTER = 60_000;

/** What the requests to one store have come to lately, whichever they were. */
export class Trouble {
  readonly #store: string;
  readonly #clock: Clock;
  /** When a request last succeeded, or was refused for a reason of its own. */
  #answered = Number.NEGATIVE_INFINITY;
  /** Since when requests have failed, and when one failed last. */
  #since = 0;
  #last = Number.NEGATIVE_INFINITY;
  #told = false;
  #gaveUp = false;

  constructor(store: string, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A request was answered, so the store works. */
  end(): void {
    this.#answered = this.#clock.monotonic();
    this.#last = Number.NEGATIVE_INFINITY;
    this.#told = false;
    this.#gaveUp = false;
  }

  /** A try that began then has failed. */
  failed(began: number): void {
    if (!this.#isRecent(began)) {
      this.#since = Math.max(began, this.#answered);
      if (this.#last !== Number.NEGATIVE_INFINITY) this.#told = false; // trouble of long ago
      this.#gaveUp = false;
    }
    this.#last = this.#clock.monotonic();
  }

  /** A request was repeated for as long as it may be. */
  gaveUp(): void {
    this.#gaveUp = true;
  }

  /** Whether the store has failed for so long that nothing is sent to it a second time. */
  get isHopeless(): boolean {
    return this.#gaveUp && this.#isRecent(this.#clock.monotonic());
  }

  get lasts(): number {
    return this.#clock.monotonic() - this.#since;
  }

  /** A request will be sent again after this wait, until that time of the monotonic clock. */
  waits(why: string, wait: number, end: number): void {
    if (this.lasts + wait >= TOLD_AFTER) this.#tell(why, this.lasts, end);
  }

  /** A request that was begun then has no answer yet, after more than its data need. */
  hangs(began: number, why: string, end: number): void {
    if (this.#answered < began) this.#tell(why, this.#clock.monotonic() - began, end);
  }

  #tell(why: string, lasts: number, end: number): void {
    if (this.#told) return;
    this.#told = true;
    const until = this.#clock.now() + end - this.#clock.monotonic();
    tellStoreTrouble({ store: this.#store, why, lasts, until });
  }

  #isRecent(time: number): boolean {
    return time - this.#last < FORGOTTEN_AFTER;
  }
}
