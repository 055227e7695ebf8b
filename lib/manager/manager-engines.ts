import { realpath } from 'node:fs/promises';
import { BackupEngine, type BackupEngineOptions } from '../backup/backup-engine.js';

/** The engine that a manager has on its directory. */
export interface OpenEngine {
  engine: BackupEngine;
  location: string;
}

/** Opens the engine when it is first needed, so that a directory that is not there yet (a disk to be mounted) is tried again. */
export class ManagerEngines {
  readonly #source: string | BackupEngine;
  readonly #options: BackupEngineOptions;
  #opened: Promise<OpenEngine> | undefined;

  constructor(source: string | BackupEngine, options: BackupEngineOptions) {
    this.#source = source;
    this.#options = options;
  }

  open(): Promise<OpenEngine> {
    if (this.#opened === undefined) {
      this.#opened = this.#open();
      this.#opened.catch(() => {
        this.#opened = undefined;
      });
    }
    return this.#opened;
  }

  /** Closes what was opened here. */
  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    if (opened?.engine !== this.#source) {
      await opened?.engine.close();
    }
  }

  async #open(): Promise<OpenEngine> {
    const given = typeof this.#source === 'string' ? undefined : this.#source;
    const engine = given ?? (await BackupEngine.open(this.#source as string, this.#options));
    return { engine, location: engine.location };
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
