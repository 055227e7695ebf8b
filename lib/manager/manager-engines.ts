import { BackupEngine } from '../backup/backup-engine.js';
import type { BackupEngineOptions } from '../backup/backup-options.js';
import type { RepositoryLocation, Storage } from '../storage/storage.js';

/** Opens the engine when it is first needed. If that fails, for instance because a disk is not mounted yet, the next use tries again. */
export class ManagerEngines {
  readonly #source: RepositoryLocation | BackupEngine;
  readonly #options: BackupEngineOptions;
  #opened: Promise<BackupEngine> | undefined;

  constructor(source: RepositoryLocation | BackupEngine, options: BackupEngineOptions) {
    this.#source = source;
    this.#options = options;
  }

  open(): Promise<BackupEngine> {
    if (this.#opened === undefined) {
      this.#opened = this.#open();
      this.#opened.catch(() => {
        this.#opened = undefined;
      });
    }
    return this.#opened;
  }

  /** Closes the engine, if it was opened here. */
  async close(): Promise<void> {
    const engine = await this.#opened?.catch(() => undefined);
    if (engine !== this.#source) {
      await engine?.close();
    }
  }

  async #open(): Promise<BackupEngine> {
    return this.#source instanceof BackupEngine ? this.#source : BackupEngine.open(this.#source, this.#options);
  }
}

/** The last turn at each repository, by the identity of its storage, which is the same for every path to it. */
const turns = new Map<string, Promise<unknown>>();

/**
 * Waits until no other manager of this thread writes to the repository, and then does the work. Managers in other threads and processes are
 * kept out by the repository's lock; with them, an operation fails instead of waiting.
 */
export async function takeTurn<T>({ identity }: Storage, work: () => Promise<T>): Promise<T> {
  const before = turns.get(identity);
  const mine = (async () => {
    await before;
    return work();
  })();
  const ended = mine.then(
    () => undefined,
    () => undefined,
  );
  turns.set(identity, ended);
  try {
    return await mine;
  } finally {
    if (turns.get(identity) === ended) {
      turns.delete(identity);
    }
  }
}
