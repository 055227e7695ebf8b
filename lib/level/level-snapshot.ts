import { AbstractSnapshot } from 'abstract-level';
import { describe, invalidOption } from '../base/errors.js';
import type { Snapshot } from '../native/snapshot.js';

/** A snapshot of abstract-level, built on one of this library. */
export class LevelSnapshot extends AbstractSnapshot {
  readonly #native: Snapshot;

  constructor(native: Snapshot, options: object) {
    // abstract-level's types do not have the `owner` option. When the owner closes, it closes the snapshot.
    super(...([options] as unknown as []));
    this.#native = native;
  }

  /** Converts the `snapshot` option of abstract-level to the native one. */
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

  /** abstract-level calls this. */
  protected async _close(): Promise<void> {
    this.#native.release();
  }
}
