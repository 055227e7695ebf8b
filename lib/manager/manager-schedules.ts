import type { ManagerParts } from './manager-parts.js';
import type { ScheduleEntry } from './schedule.js';
import { createTicker, earliest, type Ticker } from './ticker.js';

/** What a manager does on schedules. */
type Scheduled = 'backup' | 'drill' | 'snapshot';

/** The schedules of a manager. Remembers across restarts when each of their entries fired. */
export class ManagerSchedules {
  readonly #parts: ManagerParts;
  /** Does what is due. @returns whether this time of the schedule is done */
  readonly #onDue: Record<Scheduled, () => Promise<boolean>>;
  #tickers: Record<Scheduled, Ticker[]> = { backup: [], drill: [], snapshot: [] };
  #started = false;

  constructor(parts: ManagerParts, onDue: Record<Scheduled, () => Promise<boolean>>) {
    this.#parts = parts;
    this.#onDue = onDue;
  }

  get started(): boolean {
    return this.#started;
  }

  start(): void {
    const { schedule, drillSchedule, snapshotSchedule, jitter } = this.#parts.settings;
    this.#started = true;
    this.#tickers = {
      backup: schedule.map((entry) => this.#tickerOf('backup', entry, jitter)),
      drill: drillSchedule.map((entry) => this.#tickerOf('drill', entry)),
      snapshot: snapshotSchedule.map((entry) => this.#tickerOf('snapshot', entry)),
    };
    for (const ticker of Object.values(this.#tickers).flat()) {
      ticker.start();
    }
  }

  stop(): void {
    this.#started = false;
    for (const ticker of Object.values(this.#tickers).flat()) {
      ticker.stop();
    }
  }

  /** Milliseconds until the next run, as far as that is known. Undefined if there is going to be none. */
  nextIn(what: Scheduled): number | undefined {
    return earliest(...this.#tickers[what].map((ticker) => ticker.nextIn()));
  }

  #tickerOf(what: Scheduled, entry: ScheduleEntry, jitter = 0): Ticker {
    const { clock, random, state, running, engines } = this.#parts;
    const key = `${what} ${entry.key}`;
    const lastRun = state.memory.lastRuns[key];
    const run = async () => {
      const at = new Date(clock.now());
      // A run that failed or was interrupted is due again after a restart.
      if (await this.#onDue[what]()) {
        // The first backup makes the repository. Until then there is no place for the state.
        await engines.open().catch(() => undefined);
        await state.update((memory) => {
          memory.lastRuns[key] = at.toISOString();
        });
      }
    };
    return createTicker(entry, {
      clock,
      jitter,
      random,
      lastRun: lastRun === undefined ? undefined : Date.parse(lastRun),
      onDue: () => void running.track(run()),
    });
  }
}
