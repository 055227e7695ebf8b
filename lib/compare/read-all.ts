import type { EntryBlock } from '../database/block-reader.js';
import type { Database } from '../database/database.js';
import type { Snapshot } from '../native/snapshot.js';

/** How far the reading of a database is. */
export interface ReadProgress {
  /** Which family is being read. */
  columnFamily: string;
  /** Keys that were read so far, of all families. */
  keys: number;
  /** Bytes of keys and values that were read so far. */
  bytes: number;
}

/** Options of what reads whole databases. */
export interface ReadAllOptions {
  /** Ends it; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Told at most about 20 times a second. */
  onProgress?: ((progress: ReadProgress) => void) | undefined;
}

/** What is counted and asked while databases are read. */
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

/** A moment of a database that may be written to; others do not change. */
export function snapshotOf(db: Database): Snapshot | undefined {
  return db.mode === 'readWrite' ? db.snapshot() : undefined;
}

/** Names of the families, in an order that does not depend on when they were made. */
export function familiesOf(db: Database): string[] {
  return [...db.columnFamilies].sort();
}
