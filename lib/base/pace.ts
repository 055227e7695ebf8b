import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';

/** How many milliseconds this thread may spend on results that it produces itself before the event loop gets its turn. */
const WORK = 1;

/**
 * Reading the clock may take as long as reading a key. So small results in a row are not timed one by one: for about this many milliseconds
 * and at most this many results, the clock is not read.
 */
const UNWATCHED = 0.1;
const UNWATCHED_RESULTS = 16;

/**
 * Makes sure that results produced on this thread, without going to another thread and back, do not block the event loop for long. Code
 * that returns such a result asks whether a turn is `due`. If so, it waits for the event loop's `turn` first.
 *
 * It measures time instead of counting results. One result takes from half a microsecond (an entry of a block that is in memory) to half a
 * millisecond (reading the block), and the caller may work on it for any time.
 */
export class Pace {
  /** Milliseconds on a clock that is never set back. Tests replace this function. */
  now: () => number = performance.now.bind(performance);
  readonly #onTurn: (callback: () => void) => unknown;
  /** When the first result since the last turn was returned. */
  #began: number | undefined;
  /**
   * `#looked`: when the clock was last read. `#stride`: how many results may pass before it is read again. `#left`: how many of those
   * remain.
   */
  #looked = 0;
  #stride = 1;
  #left = 0;
  #turn: Promise<void> | undefined;
  #resolve: (() => void) | undefined;

  /** `onTurn` takes a callback and calls it when the event loop has turned. */
  constructor(onTurn: (callback: () => void) => unknown = setImmediate) {
    this.#onTurn = onTurn;
  }

  /** Call this for each small result. Returns whether the event loop must have its turn first. */
  due(): boolean {
    return --this.#left > 0 ? false : this.#look();
  }

  /** The same for a result that may have taken long: it always reads the clock. */
  dueAfterWork(): boolean {
    return this.#look();
  }

  /** Resolves when the event loop has turned. */
  turn(): Promise<void> {
    if (this.#began === undefined) {
      return Promise.resolve(); // it has turned since `due` returned true
    }
    this.#turn ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#turn;
  }

  #look(): boolean {
    const now = this.now();
    const began = this.#began ?? this.#begin(now);
    // The stride grows only step by step. So where work follows each result, every result is timed.
    const each = (now - this.#looked) / Math.max(1, this.#stride - Math.max(this.#left, 0));
    this.#stride = Math.max(1, Math.min(2 * this.#stride, UNWATCHED_RESULTS, Math.floor(UNWATCHED / each)));
    this.#looked = now;
    const due = now - began >= WORK;
    this.#left = due ? 0 : this.#stride; // a further call is told the same
    return due;
  }

  /** Starts a period of work. It ends with the next turn of the event loop. */
  #begin(now: number): number {
    this.#began = now;
    this.#looked = now - UNWATCHED;
    this.#stride = 1;
    this.#left = 0;
    this.#onTurn(this.#turned);
    return now;
  }

  readonly #turned = (): void => {
    const resolve = this.#resolve;
    this.#began = undefined;
    this.#left = 0;
    this.#turn = undefined;
    this.#resolve = undefined;
    if (resolve !== undefined) {
      this.#begin(this.now()); // the code that waited continues at once
      resolve();
    }
  };
}

/** The pace of this thread. */
export const pace = new Pace();
