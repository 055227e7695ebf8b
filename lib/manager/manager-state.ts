import { type KnownDamage, parseDamage, type Suspect } from '../backup/known-damage.js';
import type { Storage } from '../storage/storage.js';
import type { BackedUpContent } from './database-content.js';
import type { DirectoryState } from './directory-state.js';
import { warn } from './manager-events.js';
import { isSameBackup } from './operation-record.js';
import { readState, updateState } from './state.js';

/** What managers remember about a repository across restarts. It is a part of the repository's state. */
export interface ManagerMemory {
  /** Undefined before the first backup, and after the state was lost. */
  incrementalsSinceFull: number | undefined;
  /** The number of failures in a row for each operation. */
  consecutiveFailures: Record<string, number>;
  /** When each entry of a schedule fired last. */
  lastRuns: Record<string, string>;
  /** Damage that was found, in files that have not been read and found intact since. */
  damage: KnownDamage[];
  /** The backups that were affected when the list of damage changed last. While there are any, no backup is deleted. */
  suspects: Suspect[];
  /** The contents of the last backup, if it is certain that it contained everything in the database. */
  backedUp: BackedUpContent | undefined;
}

/** Called when the state of a repository could not be read or written. */
type OnStateProblem = (failed: 'read' | 'write', cause: unknown) => void;

/**
 * Reads and writes a manager's part of the state. A failure does not stop any backup: it is reported, and the manager goes on with what it
 * has in memory.
 */
export class ManagerState {
  readonly #storage: Storage;
  readonly #onProblem: OnStateProblem;
  #memory: ManagerMemory = memoryOf({ manager: {} });
  /** Whether the memory has changes that could not be written to the file. */
  #isAhead = false;

  constructor(
    storage: Storage,
    onProblem: OnStateProblem = (failed, cause) => warnOfState(storage.name, failed, cause),
  ) {
    this.#storage = storage;
    this.#onProblem = onProblem;
  }

  get memory(): Readonly<ManagerMemory> {
    return this.#memory;
  }

  /** Reads the state again, because others may have changed it. */
  async load(): Promise<DirectoryState | undefined> {
    try {
      const state = await readState(this.#storage);
      this.#memory = this.#known(state);
      return state;
    } catch (error) {
      this.#onProblem('read', error);
      return undefined;
    }
  }

  /**
   * What the file says. If the memory has changes that could not be written, returns the memory, plus the damage that others have added to
   * the file since.
   */
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
      const { manager } = await updateState(this.#storage, (state) => {
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

/** Warns about a problem with the state, in words that fit a service. */
function warnOfState(location: string, failed: 'read' | 'write', cause: unknown): void {
  warn(
    failed === 'read'
      ? `the state of ${location} could not be read; backups continue without it`
      : `the state of ${location} could not be written; a restart will lose the change`,
    cause,
  );
}

/** Adds to a counter. */
export function count(counters: Record<string, number>, name: string, by = 1): void {
  counters[name] = (counters[name] ?? 0) + by;
}

/** A manager's part of the state. Somebody may have edited the file: parts of a wrong form are left out. */
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
