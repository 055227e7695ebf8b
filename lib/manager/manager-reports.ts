import type { EventEmitter } from 'node:events';
import type { Clock } from '../base/clock.js';
import type { LastTimes } from './last-times.js';
import {
  callSafely,
  type Failure,
  type ManagedOperation,
  type ManagerEvents,
  type OnFailure,
  type Skipped,
  tell,
} from './manager-events.js';
import { count, type ManagerState } from './manager-state.js';
import type { ManagerStatus } from './manager-status.js';

/** The parts that {@link ManagerReports} uses. */
interface ReportsParts {
  clock: Clock;
  state: ManagerState;
  lastTimes: LastTimes;
  onFailure: OnFailure | undefined;
}

/** Tells what a manager does, by events and by `onFailure`, and counts how many times in a row each operation has failed. */
export class ManagerReports {
  readonly #emitter: EventEmitter<ManagerEvents>;
  readonly #parts: ReportsParts;
  #lastFailure: ManagerStatus['lastFailure'];

  constructor(emitter: EventEmitter<ManagerEvents>, parts: ReportsParts) {
    this.#emitter = emitter;
    this.#parts = parts;
  }

  /** The last failure that was told. */
  get lastFailure(): ManagerStatus['lastFailure'] {
    return this.#lastFailure;
  }

  tell<K extends keyof ManagerEvents & string>(event: K, ...args: ManagerEvents[K]): void {
    tell(this.#emitter, event, ...args);
  }

  skip(skipped: Skipped): void {
    this.tell('skipped', skipped);
  }

  /** Counts and tells a failure that is not part of making a backup. */
  async failed(operation: ManagedOperation, error: Error, backupId?: number): Promise<void> {
    const { state, lastTimes } = this.#parts;
    await this.#count(operation, `${operation}Failed`);
    lastTimes.recheck(await state.load());
    const id = backupId === undefined ? {} : { backupId };
    this.#tellFailure({ operation, error, ...id, willRetry: false }, operation);
  }

  /**
   * Counts and tells a failed attempt to make a backup. Somebody who needs a good backup has none, whichever step failed. So every failed
   * step counts as a failed create.
   */
  async backupFailed(failure: Omit<Failure, 'consecutiveFailures'>): Promise<void> {
    await this.#count('create', 'failed');
    this.#tellFailure(failure, 'create');
  }

  /** Ends a series of failures. */
  async wentWell(operation: ManagedOperation): Promise<void> {
    const { state } = this.#parts;
    if ((state.memory.consecutiveFailures[operation] ?? 0) > 0) {
      await state.update((memory) => {
        memory.consecutiveFailures[operation] = 0;
      });
    }
  }

  async #count(operation: ManagedOperation, counter: string): Promise<void> {
    await this.#parts.state.update((memory, counters) => {
      memory.consecutiveFailures[operation] = (memory.consecutiveFailures[operation] ?? 0) + 1;
      count(counters, counter);
    });
  }

  #tellFailure(failed: Omit<Failure, 'consecutiveFailures'>, counted: ManagedOperation): void {
    const { clock, state, onFailure } = this.#parts;
    const failure = { ...failed, consecutiveFailures: state.memory.consecutiveFailures[counted] ?? 1 };
    this.#lastFailure = { ...failure, at: new Date(clock.now()) };
    if (onFailure !== undefined) {
      callSafely('onFailure', () => onFailure(failure.error, failure.consecutiveFailures, failure));
    }
    this.tell('failure', failure);
  }
}
