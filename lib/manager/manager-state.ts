import { type KnownDamage, parseDamage } from '../backup/known-damage.js';
import type { BackedUpContent } from './database-content.js';
import type { DirectoryState } from './directory-state.js';
import { warn } from './manager-events.js';
import { isSameBackup } from './operation-record.js';
import { readState, updateState } from './state.js';

/** A backup with a damaged file, or one that shares a file with a backup of which it is not known which file is damaged. */
export interface Suspect {
  backupId: number;
  timestamp: string;
  /** When the damage was found. */
  since: string;
  /** Whether it is known to be damaged itself. */
  isDamaged: boolean;
}

/** What managers remember of a directory over restarts, in its state. */
export interface ManagerMemory {
  /** Undefined before the first backup, and after the state was lost. */
  incrementalsSinceFull: number | undefined;
  /** By operation. */
  consecutiveFailures: Record<string, number>;
  /** When each entry of a schedule fired last. */
  lastRuns: Record<string, string>;
  /** What was found damaged and has not been read and found whole since. */
  damage: KnownDamage[];
  /** The backups that it concerned when it changed last. As long as there is one none is deleted. */
  suspects: Suspect[];
  /** What the last backup has, if it is known to have all that the database held. */
  backedUp: BackedUpContent | undefined;
}

/** Told when a directory's state could not be read, or not be written. */
export type OnStateProblem = (failed: 'read' | 'write', cause: unknown) => void;

/**
 * Reads and writes a manager's part of a directory's state. That it fails stops no backup: it is said, and what is remembered in
 * memory goes on.
 */
export class ManagerState {
  readonly #location: string;
  readonly #onProblem: OnStateProblem;
  #memory: ManagerMemory = memoryOf({ manager: {} });
  /** Whether the file lacks what is remembered here, for it could not be written. */
  #isAhead = false;

  constructor(location: string, onProblem: OnStateProblem = (failed, cause) => warnOfState(location, failed, cause)) {
    this.#location = location;
    this.#onProblem = onProblem;
  }

  get memory(): Readonly<ManagerMemory> {
    return this.#memory;
  }

  /** Reads it again: others may have changed it. */
  async load(): Promise<DirectoryState | undefined> {
    try {
      const state = await readState(this.#location);
      this.#memory = this.#known(state);
      return state;
    } catch (error) {
      this.#onProblem('read', error);
      return undefined;
    }
  }

  /** What the file holds; where it lacks what is remembered here, that, and the damage that others have written to it since. */
  #known(state: DirectoryState): ManagerMemory {
    const written = memoryOf(state);
    if (!this.#isAhead) {
      return written;
    }
    const memory = structuredClone(this.#memory);
    const news = written.suspects.filter((suspect) => !memory.suspects.some((known) => isSameBackup(known, suspect)));
    memory.suspects.push(...news);
    const known = new Set(memory.damage.map((one) => JSON.stringify(one)));
    memory.damage.push(...written.damage.filter((one) => !known.has(JSON.stringify(one))));
    return memory;
  }

  async update(change: (memory: ManagerMemory, counters: Record<string, number>) => void): Promise<void> {
    try {
      const { manager } = await updateState(this.#location, (state) => {
        const memory = this.#known(state);
        change(memory, state.counters);
        state.manager = { ...state.manager, ...memory };
      });
      this.#memory = memoryOf({ manager });
      this.#isAhead = false;
    } catch (error) {
      change(this.#memory, {});
      this.#isAhead = true;
      this.#onProblem('write', error);
    }
  }
}

/** In the words for a service. */
function warnOfState(location: string, failed: 'read' | 'write', cause: unknown): void {
  warn(
    failed === 'read'
      ? `the state of ${location} could not be read; backups go on without it`
      : `the state of ${location} could not be written; a restart will not know of it`,
    cause,
  );
}

/** Adds to a counter. */
export function count(counters: Record<string, number>, name: string, by = 1): void {
  counters[name] = (counters[name] ?? 0) + by;
}

/** A manager's part of the state. Whatever somebody made of it, what comes back has the right form. */
export function memoryOf({ manager }: Pick<DirectoryState, 'manager'>): ManagerMemory {
  const { incrementalsSinceFull, consecutiveFailures, lastRuns, damage, suspects, backedUp } = manager;
  return {
    incrementalsSinceFull:
      typeof incrementalsSinceFull === 'number' && incrementalsSinceFull >= 0 ? incrementalsSinceFull : undefined,
    consecutiveFailures: recordOf(consecutiveFailures, (value) => typeof value === 'number'),
    lastRuns: recordOf(lastRuns, (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value))),
    damage: parseDamage(damage),
    suspects: Array.isArray(suspects)
      ? suspects.filter(isSuspect).map((suspect) => ({ ...suspect, isDamaged: suspect.isDamaged !== false }))
      : [],
    backedUp: isBackedUp(backedUp) ? backedUp : undefined,
  };
}

function isBackedUp(value: unknown): value is BackedUpContent {
  const { backupId, timestamp, state, tables } = (value ?? {}) as Partial<BackedUpContent>;
  return (
    Number.isInteger(backupId) &&
    !Number.isNaN(Date.parse(`${timestamp}`)) &&
    typeof state === 'string' &&
    typeof tables === 'string'
  );
}

function recordOf<T>(value: unknown, accept: (value: unknown) => boolean): Record<string, T> {
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).filter(([, member]) => accept(member)))
    : {};
}

function isSuspect(value: unknown): value is Suspect {
  const { backupId, timestamp, since } = (value ?? {}) as Partial<Suspect>;
  return (
    Number.isInteger(backupId) && !Number.isNaN(Date.parse(`${timestamp}`)) && !Number.isNaN(Date.parse(`${since}`))
  );
}
