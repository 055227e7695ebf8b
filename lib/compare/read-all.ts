import type { Database } from '../database/database.js';
import type { EntryBlock } from '../native/block.js';
import type { Snapshot } from '../native/snapshot.js';

/** How far the reading of a database has come. */
export interface ReadProgress {
  /** The column family that is being read. */
  columnFamily: string;
  /** How many keys of all families were read so far. */
  keys: number;
  /** How many bytes of keys and values were read so far. */
  bytes: number;
}

/** Options of functions that read whole databases. */
export interface ReadAllOptions {
  /** Stops the reading when it is aborted. The call then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called at most about 20 times a second. */
  onProgress?: ((progress: ReadProgress) => void) | undefined;
}

/** Counts what is read, checks the signal and reports progress. */
export class Reading {
  keys = 0;
  bytes = 0;
  readonly #options: ReadAllOptions;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: ReadAllOptions) {
    options.signal?.throwIfAborted();
    this.#options = options;
  }

  goOn(columnFamily: string, { count, bytes }: EntryBlock): void {
    const { signal, onProgress } = this.#options;
    signal?.throwIfAborted();
    this.keys += count;
    this.bytes += bytes.length;
    const now = performance.now();
    if (onProgress !== undefined && now - this.#toldAt >= 50) {
      this.#toldAt = now;
      onProgress({ columnFamily, keys: this.keys, bytes: this.bytes });
    }
  }
}

/** A snapshot, so that a database that may be written to is read as it is at one moment. Other databases do not change and need none. */
export function snapshotOf(db: Database): Snapshot | undefined {
  return db.mode === 'readWrite' ? db.snapshot() : undefined;
}

/** The names of the column families, in an order that does not depend on when they were created. */
export function familiesOf(db: Database): string[] {
  return [...db.columnFamilies].sort();
}
