import type { Torture } from './experiment.js';

/** The checks of something that goes on for many rounds. Each says whose it is, and in which round it was made. */
export class RoundChecks {
  round = '';
  readonly #torture: Torture;
  readonly #name: string;

  constructor(torture: Torture, name: string) {
    this.#torture = torture;
    this.#name = name;
  }

  check(held: boolean, what: string, seen?: unknown): boolean {
    return this.#torture.check(held, `${this.#name}, ${this.round}: ${what}`, seen);
  }

  /** Checks that this does not fail. @returns undefined if it fails */
  async try<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const value = await work();
      this.check(true, what);
      return value;
    } catch (error) {
      this.check(false, what, error);
      return undefined;
    }
  }
}
