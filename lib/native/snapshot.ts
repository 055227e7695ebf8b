/**
 * A view of the whole database, all column families, as it was at one moment. Goes into the options of reads and iterators.
 * While a snapshot lives the database keeps what it shows, so release it, or let `using` do that.
 *
 * @example
 * using snapshot = db.snapshot();
 * await db.put('k', 'new');
 * await db.get('k', { snapshot }); // what it was before
 */
export interface Snapshot extends Disposable {
  /** The number of the last write that the snapshot shows. */
  readonly sequenceNumber: bigint;
  /** Ends the snapshot. Reads that have begun are not disturbed. Again does nothing. */
  release(): void;
}
