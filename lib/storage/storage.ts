import { native } from '../native/binding.js';
import type { NativeStorage, SmallFile, StateLock } from '../native/native-storage.js';

export type { SmallFile, StateLock } from '../native/native-storage.js';

/**
 * The place where a repository lives, as far as the code in lib needs it; the backups themselves are read and written by native code. The
 * contract of each member is at the same name in binding/core/storage/storage.h.
 */
export interface Storage {
  /** What messages call the repository: a path or a URL. */
  readonly name: string;
  /** The directory of this machine in which the repository lies. Undefined if it lies elsewhere. */
  readonly localDirectory: string | undefined;
  /** Undefined if there is no such file. */
  readSmall(file: string): Promise<SmallFile | undefined>;
  /**
   * Writes a file if it still has this version; undefined: if there is still no such file; {@link ANY_VERSION}: in any case. Rejects with
   * STATE_CHANGED otherwise. @returns the new version
   */
  replaceSmall(file: string, version: string | undefined, bytes: string | Uint8Array): Promise<string>;
  /** Undefined while another holder has the lock. */
  tryLockState(): Promise<StateLock | undefined>;
}

/** For {@link Storage.replaceSmall}: whatever is there. */
export const ANY_VERSION = '*';

/** The storage at a path of this machine. Nothing has to be there. */
export function openStorage(location: string): Storage {
  return native.openStorage(location) satisfies NativeStorage;
}
