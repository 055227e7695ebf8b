import { realpath } from 'node:fs/promises';
import { BackupEngine, type BackupEngineOptions } from '../backup-engine.js';

/** The engine that a manager has on its directory. */
export interface EnginePair {
  incremental: BackupEngine;
  location: string;
}

/** Opens the engine when it is first needed, so that a directory that is not there yet (a disk to be mounted) is tried again. */
export class ManagerEngines {
  readonly #source: string | BackupEngine;
  readonly #options: BackupEngineOptions;
  #pair: Promise<EnginePair> | undefined;

  constructor(source: string | BackupEngine, options: BackupEngineOptions) {
    this.#source = source;
    this.#options = options;
  }

  open(): Promise<EnginePair> {
    if (this.#pair === undefined) {
      this.#pair = this.#open();
      this.#pair.catch(() => {
        this.#pair = undefined;
      });
    }
    return this.#pair;
  }

  /** Closes what was opened here. */
  async close(): Promise<void> {
    const pair = await this.#pair?.catch(() => undefined);
    if (pair?.incremental !== this.#source) {
      await pair?.incremental.close();
    }
  }

  async #open(): Promise<EnginePair> {
    const given = typeof this.#source === 'string' ? undefined : this.#source;
    const incremental = given ?? (await BackupEngine.open(this.#source as string, this.#options));
    return { incremental, location: incremental.location };
  }
}

const turns = new Map<string, Promise<unknown>>();

/**
 * Waits until no other manager of this thread writes to the directory, and does the work. Those of other threads and processes
 * are held off by the directory's lock, which fails instead of waiting.
 */
export async function takeTurn<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const location = await realpath(directory).catch(() => directory);
  const before = turns.get(location);
  const mine = (async () => {
    await before;
    return work();
  })();
  const ended = mine.then(
    () => undefined,
    () => undefined,
  );
  turns.set(location, ended);
  try {
    return await mine;
  } finally {
    if (turns.get(location) === ended) {
      turns.delete(location);
    }
  }
}
