import type { SteadyClock } from '../base/clock.js';
import type { BackupInfo } from '../native/backup-info.js';
import type { DatabaseAccess } from './database-access.js';
import type { DirectoryState } from './directory-state.js';
import { type GoodBackup, isBad, lastGoodOf } from './last-good.js';
import type { Settings } from './manager-options.js';
import type { ManagerState } from './manager-state.js';
import { isSameBackup } from './operation-record.js';

/** The parts that {@link LastTimes} uses. */
interface LastTimesParts {
  settings: Pick<Settings, 'verify'>;
  steady: SteadyClock;
  state: ManagerState;
  database: DatabaseAccess;
}

/** Remembers when a backup was last good and when a drill last succeeded, across restarts. All times are in milliseconds since 1970. */
export class LastTimes {
  readonly #parts: LastTimesParts;
  #loaded: Promise<void> | undefined;
  #good: GoodBackup | undefined;
  /** The last skipped backup: it was skipped because the last good one contained everything in the database. */
  #leftOut: GoodBackup | undefined;
  #drill: number | undefined;

  constructor(parts: LastTimesParts) {
    this.#parts = parts;
  }

  /** When the last good backup was made. */
  get good(): number | undefined {
    return this.#good?.at;
  }

  /** When the last good backup was last known to contain everything in the database. */
  get current(): number | undefined {
    const [good, leftOut] = [this.#good, this.#leftOut];
    return good !== undefined && leftOut !== undefined && isSameBackup(good, leftOut)
      ? Math.max(good.at, leftOut.at)
      : good?.at;
  }

  /** When the last drill succeeded. */
  get drill(): number | undefined {
    return this.#drill;
  }

  /** Reads what earlier managers left, once. */
  load(): Promise<void> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  async #load(): Promise<void> {
    const state = await this.#parts.state.load();
    if (state === undefined) {
      return;
    }
    this.#good ??= this.#lastGoodOf(state);
    const { drill, skip } = state.last;
    if (skip?.backupId !== undefined && skip.timestamp !== undefined) {
      this.#leftOut ??= { backupId: skip.backupId, timestamp: skip.timestamp, at: Date.parse(skip.at) };
    }
    this.#drill ??= drill === undefined ? undefined : Date.parse(drill.at);
  }

  #lastGoodOf(state: DirectoryState): GoodBackup | undefined {
    const { settings, database } = this.#parts;
    return lastGoodOf(state, settings.verify, database.identity);
  }

  /** A good backup was made now. */
  made({ backupId, timestamp }: BackupInfo): void {
    this.#good = { backupId, timestamp, at: this.#parts.steady.now() };
  }

  /** A backup was skipped now, because this one contains everything in the database. */
  leftOut({ backupId, timestamp }: BackupInfo): void {
    this.#leftOut = { backupId, timestamp, at: this.#parts.steady.now() };
  }

  /** A drill succeeded now. */
  drilled(): void {
    this.#drill = this.#parts.steady.now();
  }

  /** The last good backup may have been found damaged in the meantime, by this process or another. */
  recheck(state: DirectoryState | undefined): void {
    if (state !== undefined && this.#good !== undefined && isBad(state, this.#good)) {
      this.#good = this.#lastGoodOf(state);
    }
  }
}
