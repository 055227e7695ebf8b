// abstract-leveldown, as far as this folder builds on it. It checks arguments, keeps `status`, and calls the methods whose
// names begin with an underscore; it comes without types of its own.

/** What it and everything above it call: once, later, with an error or without. */
export type AnyCallback = (error?: unknown, ...results: unknown[]) => void;

/** A store, from inside. */
export interface AbstractStore {
  status: 'new' | 'opening' | 'open' | 'closing' | 'closed';
  readonly supports: object;
}

/** An iterator, from inside. */
export interface AbstractIteratorBase {
  readonly db: AbstractStore;
}

/** A chained batch, from inside. */
export interface AbstractChainedBatchBase {
  readonly db: AbstractStore;
}

interface AbstractLeveldownModule {
  AbstractLevelDOWN: { new (manifest: object): AbstractStore; call(self: object, manifest: object): void };
  AbstractIterator: new (db: AbstractStore) => AbstractIteratorBase;
  AbstractChainedBatch: new (db: AbstractStore) => AbstractChainedBatchBase;
}

export const { AbstractLevelDOWN, AbstractIterator, AbstractChainedBatch } =
  require('abstract-leveldown') as AbstractLeveldownModule;
