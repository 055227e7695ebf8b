import { StoppedError } from './errors.js';
import { AT_ONCE } from './exit-codes.js';

type StopSignal = keyof typeof AT_ONCE;

/** Within this many milliseconds, the same signal counts only once: npx passes on a signal that the terminal has already sent. */
const SAME_SIGNAL_MS = 300;

/**
 * Handles signals that ask to stop. The first one aborts the running operation, which then leaves nothing half done. The second one ends
 * the process at once.
 */
export class Interrupts {
  readonly #controller = new AbortController();
  readonly #say: (text: string) => void;
  readonly #exit: (code: number) => void;
  readonly #now: () => number;
  #first: { name: StopSignal; at: number } | undefined;
  readonly #handlers: [StopSignal, () => void][] = [];

  constructor(
    say: (text: string) => void,
    exit: (code: number) => void = (code) => process.exit(code),
    now: () => number = () => performance.now(),
  ) {
    this.#say = say;
    this.#exit = exit;
    this.#now = now;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  install(): void {
    for (const name of Object.keys(AT_ONCE) as StopSignal[]) {
      const handler = () => this.#received(name);
      this.#handlers.push([name, handler]);
      process.on(name, handler);
    }
  }

  remove(): void {
    for (const [name, handler] of this.#handlers.splice(0)) {
      process.off(name, handler);
    }
  }

  /** Stops for a reason that is not a signal. */
  stop(why: string): void {
    if (!this.signal.aborted) {
      this.#controller.abort(new StoppedError(`stopped: ${why}`));
    }
  }

  #received(name: StopSignal): void {
    if (this.#first?.name === name && this.#now() - this.#first.at < SAME_SIGNAL_MS) {
      return;
    }
    if (this.signal.aborted) {
      this.#exit(AT_ONCE[name]);
      return;
    }
    this.#first = { name, at: this.#now() };
    this.#say(name === 'SIGINT' ? 'stopping; press Ctrl-C again to exit at once' : `stopping, because of ${name}`);
    this.#controller.abort(new StoppedError(`stopped by ${name === 'SIGINT' ? 'Ctrl-C' : name}`));
  }
}
