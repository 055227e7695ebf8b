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
  readonly identity: string;
  readonly localDirectory: string | undefined;
  readSmall(file: string): Promise<SmallFile | undefined>;
  replaceSmall(file: string, version: string | undefined, bytes: string | Uint8Array): Promise<string>;
  tryLockState(): Promise<StateLock | undefined>;
}

/** The lock of a directory of this machine. */
export interface DirectoryLock {
  release(): void;
}

/** Somebody who works in a repository. */
export interface RepositoryUse {
  what: 'writing' | 'reading' | 'deleting' | 'state';
  /** The backup that is read or deleted. */
  backupId?: number;
  /** Who it is: the process and the machine. */
  holder?: string;
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
  /** In place of `bytes`: the first `size` bytes of it are sent. For a get: where the bytes may be put. It is used for other requests later. */
  readonly memory?: ArrayBuffer;
  readonly size?: number;
}

/** Everything that is not a success in so many words is a failure. */
export type StoreAnswer = StoreSuccess | StoreFailure;

export interface StoreSuccess {
  readonly ok: true;
  readonly etag?: string;
  readonly bytes?: Uint8Array;
  readonly objects?: readonly { key: string; size: number; etag: string; modified: number }[];
  readonly next?: string | undefined;
  readonly upload?: string;
}

export interface StoreFailure {
  readonly ok: false;
  /** Of a failure of a known kind. */
  readonly kind?: string;
  readonly message: string;
  readonly status?: number | undefined;
  readonly storeCode?: string | undefined;
  readonly requestId?: string | undefined;
  readonly keys?: readonly string[] | undefined;
}

/** What is known of a store before some thread serves it. */
export interface StoreSettings {
  readonly singleWriter?: boolean | undefined;
  /** Objects of backups are locked for so long after they were written, or until then. In milliseconds. */
  readonly lockedFor?: number | undefined;
  readonly lockedUntil?: number | undefined;
}

export interface NativeStoreServer {
  /** `repeated`: an earlier try of the request may still use its memory. */
  answer(call: number, answer: StoreAnswer, repeated: boolean): void;
}

export interface NativeStorageModule {
  openStorage(location: string): NativeStorage;
  /** A storage in an object store. Its requests wait until some thread serves the store. */
  newStore(name: string, settings: StoreSettings): { id: string; storage: NativeStorage };
  /** Undefined if nobody uses the store any more. */
  serveStore(
    id: string,
    send: (call: number, request: StoreRequest) => void,
    cancel: (call: number) => void,
    about: { minPartBytes: number | undefined; maxParts: number | undefined; identity: string | undefined },
  ): NativeStoreServer | undefined;
  /** The store cannot be served. All requests fail with this message. */
  failStore(id: string, message: string): void;
  /** Who holds locks of the repository in a directory: of writers, of the state, and of these backups. Takes no lock. */
  usesOfDirectory(path: string, backupIds: readonly number[]): RepositoryUse[];
  /**
   * Locks a directory that is no repository, such as one of a drill. Returns undefined while another process, or another holder in this
   * process, has the lock.
   */
  tryLockDirectory(path: string): DirectoryLock | undefined;
}
