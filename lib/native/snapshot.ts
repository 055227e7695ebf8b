/**
 * A view of the whole database, with all column families, as it was at one moment. Pass it in the options of reads and iterators. While a
 * snapshot exists, the database must keep the data that it shows, so release it, or let `using` do that.
 *
 * @example
 * using snapshot = db.snapshot();
 * await db.put('k', 'new');
 * await db.get('k', { snapshot }); // what it was before
 */
export interface Snapshot extends Disposable {
  /** The sequence number of the last write that the snapshot shows. */
  readonly sequenceNumber: bigint;
  /** Ends the snapshot. Reads that have already begun continue normally. A second call does nothing. */
  release(): void;
}
