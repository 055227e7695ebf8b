// What an experiment is, and what it gets.

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../fixtures/random.js';

export interface Experiment {
  name: string;
  /** What is done and what must hold, in one sentence. */
  about: string;
  run(torture: Torture): Promise<void>;
}

export interface TortureOptions {
  name: string;
  seed: number;
  /** The long form. It has as many rounds as are needed for trust, which is too slow for a check before every landing. */
  full: boolean;
  /** Replaces the number of rounds of both forms. */
  rounds?: number | undefined;
  /** Does not remove the directory afterwards. */
  keep?: boolean | undefined;
  say?: ((line: string) => void) | undefined;
}

const SHOWN_FAILURES = 50;

/** One run of one experiment: its random numbers, its directory, its checks and its figures. */
export class Torture {
  readonly seed: number;
  readonly full: boolean;
  readonly random: Random;
  /** Made for this run and removed after it. */
  readonly directory: string;
  #options: TortureOptions;
  #passed = 0;
  #failed = 0;
  #figures = new Map<string, string>();

  constructor(options: TortureOptions) {
    this.#options = options;
    this.seed = options.seed;
    this.full = options.full;
    this.random = new Random(options.seed);
    this.directory = mkdtempSync(join(realpathSync(tmpdir()), `rocksdb-backup-torture-${options.name}-`));
  }

  get passed(): number {
    return this.#passed;
  }

  get failed(): number {
    return this.#failed;
  }

  get figures(): ReadonlyMap<string, string> {
    return this.#figures;
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** The number of rounds: in the short form, in the long form, or as given with --rounds. */
  rounds(short: number, full: number): number {
    return this.#options.rounds ?? (this.full ? full : short);
  }

  /** The command that repeats this run. */
  get replay(): string {
    const { name, seed, full, rounds } = this.#options;
    const more = `${full ? ' --full' : ''}${rounds !== undefined ? ` --rounds ${rounds}` : ''}`;
    return `npm run torture -- ${name} --seed ${seed}${more}`;
  }

  /** Counts a check that succeeded, and reports one that failed. `what` is the sentence that should be true. */
  check(held: boolean, what: string, seen?: unknown): boolean {
    if (held) {
      this.#passed++;
      return true;
    }
    this.#failed++;
    if (this.#failed <= SHOWN_FAILURES) {
      const detail =
        seen === undefined ? '' : `: ${seen instanceof Error ? (seen.stack ?? seen.message) : inspect(seen)}`;
      this.say(`not ok - ${what}${detail}`);
      if (this.#failed === 1) this.say(`  again: ${this.replay}`);
    }
    return false;
  }

  /** Adds cases that another program has counted. */
  count(passed: number, failed: number): void {
    this.#passed += passed;
    this.#failed += failed;
  }

  /** Adds a number or a word to the table at the end. */
  figure(what: string, value: string | number): void {
    this.#figures.set(what, String(value));
  }

  /** Prints the end of another program's output. It is indented, so that its lines are not counted as ours. */
  quote(text: string, lines: number): void {
    for (const line of text.trimEnd().split('\n').slice(-lines)) this.say(`  | ${line}`);
  }

  say(line: string): void {
    (this.#options.say ?? console.log)(line);
  }

  clean(): void {
    if (this.#options.keep) this.say(`left: ${this.directory}`);
    else rmSync(this.directory, { recursive: true, force: true });
  }
}

function inspect(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
}
