// The interface between binding/napi/backup/storage_handle.cc and lib. Types only; nothing here is public.

/** A small file that lies beside the backups. */
export interface SmallFile {
  readonly bytes: Buffer;
  /** Differs from the version of every other content. */
  readonly version: string;
}

export interface StateLock {
  release(): Promise<void>;
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

/** The lock of a directory of this machine. */
export interface DirectoryLock {
  release(): void;
}

/** A request to an object store: the arguments of the method of lib/stores/object-store.ts that has this name. */
export interface StoreRequest {
  readonly kind: 'put' | 'get' | 'list' | 'delete' | 'createUpload' | 'part' | 'complete' | 'abort' | 'listUploads';
  /** The prefix, for a list. */
  readonly key: string;
  readonly bytes?: Uint8Array;
  readonly ifAbsent?: boolean;
  readonly ifMatch?: string;
  readonly offset?: number;
  readonly length?: number;
  /** To delete; or the etags of the parts. */
  readonly keys?: string[];
  readonly upload?: string;
  readonly part?: number;
  readonly after?: string;
}

/** The result, or a failure with its kind and message. */
export interface StoreAnswer {
  readonly etag?: string;
  readonly bytes?: Uint8Array;
  readonly objects?: readonly { key: string; size: number; etag: string; modified: number }[];
  readonly next?: string | undefined;
  readonly upload?: string;
  readonly kind?: string;
  readonly message?: string;
  readonly status?: number | undefined;
  readonly storeCode?: string | undefined;
  readonly requestId?: string | undefined;
}

export interface NativeStoreServer {
  answer(call: number, answer: StoreAnswer): void;
}

export interface NativeStorageModule {
  openStorage(location: string): NativeStorage;
  /** A storage in an object store. Its requests wait until some thread serves the store. */
  newStore(name: string): { id: string; storage: NativeStorage };
  /** Undefined if nobody uses the store any more. */
  serveStore(
    id: string,
    send: (call: number, request: StoreRequest) => void,
    cancel: (call: number) => void,
    about: { minPartBytes: number | undefined; maxParts: number | undefined; identity: string | undefined },
  ): NativeStoreServer | undefined;
  /** The store cannot be served. All requests fail with this message. */
  failStore(id: string, message: string): void;
  /**
   * Locks a directory that is no repository, such as one of a drill. Returns undefined while another process, or another holder in this
   * process, has the lock.
   */
  tryLockDirectory(path: string): DirectoryLock | undefined;
}
