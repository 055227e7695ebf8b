import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';

/** How long this thread works on what it answers by itself, in milliseconds, before the event loop gets its turn. */
const WORK = 1;

/** Reading the clock may take as long as reading a key: small results in a row go without, for about this long and this many. */
const UNWATCHED = 0.1;
const UNWATCHED_RESULTS = 16;

/**
 * Sees to it that what is answered on this thread, without a way to another one and back, keeps nobody else waiting: whoever
 * gives out such a result asks whether it is `due`, and if so, waits for the event loop's `turn` first.
 *
 * It goes by the clock, because a result takes from half a microsecond (an entry of a block that is here) to half a millisecond
 * (the block), and what the caller does with it takes as long as he likes.
 */
export class Pace {
  /** Milliseconds on a clock that is never set back. Tests put their own here. */
  now: () => number = performance.now.bind(performance);
  readonly #onTurn: (callback: () => void) => unknown;
  /** When the first result since the last turn was given out. */
  #began: number | undefined;
  /** When the clock was last read, how many results were to pass until it is read again, and how many still are. */
  #looked = 0;
  #stride = 1;
  #left = 0;
  #turn: Promise<void> | undefined;
  #resolve: (() => void) | undefined;

  /** `onTurn` calls back when the event loop has turned. */
  constructor(onTurn: (callback: () => void) => unknown = setImmediate) {
    this.#onTurn = onTurn;
  }

  /** Called for each small result: whether the event loop has its turn first. */
  due(): boolean {
    return --this.#left > 0 ? false : this.#look();
  }

  /** The same for a result that may have taken long. */
  dueAfterWork(): boolean {
    return this.#look();
  }

  /** Resolves when the event loop has turned. */
  turn(): Promise<void> {
    if (this.#began === undefined) {
      return Promise.resolve(); // it has, since somebody was told that it is due
    }
    this.#turn ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#turn;
  }

  #look(): boolean {
    const now = this.now();
    const began = this.#began ?? this.#begin(now);
    // It takes several short strides to come to a long one: where each result is followed by work, none goes unwatched.
    const each = (now - this.#looked) / Math.max(1, this.#stride - Math.max(this.#left, 0));
    this.#stride = Math.max(1, Math.min(2 * this.#stride, UNWATCHED_RESULTS, Math.floor(UNWATCHED / each)));
    this.#looked = now;
    const due = now - began >= WORK;
    this.#left = due ? 0 : this.#stride; // whoever asks next is told so as well
    return due;
  }

  /** A stretch of work begins, which ends with the turn. */
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
      this.#begin(this.now()); // whoever waited goes on at once
      resolve();
    }
  };
}

/** This thread's. */
export const pace = new Pace();
