// The types of abstract-leveldown, as far as this folder uses it; it has no types of its own. It checks arguments, keeps `status`, and
// calls the methods whose names begin with an underscore.

/** A callback as abstract-leveldown and all code above it use it. It is called exactly once, asynchronously, with or without an error. */
export type AnyCallback = (error?: unknown, ...results: unknown[]) => void;

/** A store, seen from an implementation. */
export interface AbstractStore {
  status: 'new' | 'opening' | 'open' | 'closing' | 'closed';
  readonly supports: object;
}

/** An iterator, seen from an implementation. */
export interface AbstractIteratorBase {
  readonly db: AbstractStore;
}

/** A chained batch, seen from an implementation. */
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
