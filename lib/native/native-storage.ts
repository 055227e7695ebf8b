// The interface between binding/napi/backup/storage_handle.cc and lib. Types only; nothing here is public.

/** A small file that lies beside the backups. */
export interface SmallFile {
  readonly bytes: Buffer;
  /** Differs from the version of every other content. */
  readonly version: string;
}

export interface StateLock {
  release(): void;
  /** Throws LOCK_LOST if others may have taken the lock. */
  assertHeld(): void;
}

export interface NativeStorage {
  readonly name: string;
  readonly localDirectory: string | undefined;
  readSmall(file: string): Promise<SmallFile | undefined>;
  replaceSmall(file: string, version: string | undefined, bytes: string | Uint8Array): Promise<string>;
  tryLockState(): Promise<StateLock | undefined>;
}

export interface NativeStorageModule {
  openStorage(location: string): NativeStorage;
  /**
   * Locks a directory that is no repository, such as one of a drill. Returns undefined while another process, or another holder in this
   * process, has the lock.
   */
  tryLockDirectory(path: string): StateLock | undefined;
}
