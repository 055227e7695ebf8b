import { AbstractSnapshot } from 'abstract-level';
import { describe, invalidOption } from '../base/errors.js';
import type { Snapshot } from '../native/snapshot.js';

/** abstract-level's snapshot, over one of ours. */
export class LevelSnapshot extends AbstractSnapshot {
  readonly #native: Snapshot;

  constructor(native: Snapshot, options: object) {
    // abstract-level's types say nothing of the owner, whose closing closes the snapshot.
    super(...([options] as unknown as []));
    this.#native = native;
  }

  /** What goes into native options for the `snapshot` of abstract-level's. */
  static nativeOf(snapshot: unknown): Snapshot | undefined {
    if (snapshot === undefined || snapshot === null) {
      return undefined;
    }
    if (!(snapshot instanceof LevelSnapshot)) {
      throw invalidOption(TypeError, 'snapshot', 'a snapshot of this database', describe(snapshot));
    }
    snapshot.ref(); // throws if it was closed
    snapshot.unref();
    return snapshot.#native;
  }

  /** For abstract-level. */
  protected async _close(): Promise<void> {
    this.#native.release();
  }
}
