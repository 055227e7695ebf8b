/**
 * An object store, as this package needs it. Write this interface to keep backups in a store that the package does not know.
 *
 * - Keys are plain text: `meta/1`, `private/1/MANIFEST-000004`. No part between slashes is empty, `.` or `..`, so the first and the last
 *   character are no slash; and there is no backslash. The store adds its own prefix.
 * - What was put can be read whole, and is listed, by everybody from the moment that `put` or `complete` has resolved.
 * - A method rejects with a {@link StoreError}. Everything else counts as a failure of unknown kind, and is not repeated. So does an answer
 *   that is not of its type.
 * - Of two puts with the same condition, one succeeds, unless the store has `singleWriter`.
 * - `NOT_FOUND` means that the store said so. No right, no answer and a failure of the server are never NOT_FOUND.
 */
export interface ObjectStore {
  /** What messages call the place: a URL such as `s3://bucket/prefix`. Never holds a secret. */
  readonly name: string;
  /**
   * What stands for the place in every process, for as long as there are caches: two stores with the same identity have the same objects,
   * and an ETag of a key there never stands for two contents. Never holds a secret. Without it, what is read cannot be kept in a cache on a
   * disk (`diskCache`).
   */
  readonly identity?: string | undefined;
  /**
   * You promise that only one process at a time makes or deletes backups here, or changes pins. Then the store need not keep the conditions
   * of puts: it may reject them with REFUSED, or pass over them. What that costs is in docs/stores.md. @default false
   */
  readonly singleWriter?: boolean | undefined;
  /**
   * The store does not delete an object before this, or keeps it as an old version. That is not so for `temporary` objects. Backups that are
   * locked are not deleted. @default no lock
   */
  readonly objectLock?: ObjectLock | undefined;
  /**
   * Writes a whole object. The bytes are lent until the promise is settled. With a condition, rejects with CONDITION_FAILED if it does not
   * hold. Of two puts with the same condition, one
   * succeeds. A store that cannot keep a condition rejects with REFUSED.
   */
  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<{ etag: string }>;
  /**
   * Reads an object, or `length` bytes from `offset`. Fewer bytes are returned only where the object ends; none if it ends before `offset`.
   * Rejects with NOT_FOUND, or, with `ifMatch`, with CONDITION_FAILED if the object has changed.
   */
  get(key: string, options: GetOptions): Promise<StoredObject>;
  /**
   * One page of the objects whose keys begin with `prefix`, in the order of the keys. `next` is there if more follow: pass it as `after`. A
   * page may be empty.
   */
  list(prefix: string, options: ListOptions): Promise<ListPage>;
  /**
   * Deletes objects. An object that is not there is no error. Resolves when all are gone. At most {@link MAX_DELETES} keys. If the store
   * refuses some of them, because they are locked, deletes the others and rejects with REFUSED and `keys`.
   */
  delete(keys: readonly string[], options: CallOptions): Promise<void>;
  /** Large objects in parts. A store without it gets every object by `put`, which is then held in memory whole. */
  readonly multipart?: MultipartStore | undefined;
}

export interface ObjectLock {
  /** Objects cannot be deleted before this time. */
  readonly until?: Date | undefined;
  /** Or: for so many days, each object from when it was written. */
  readonly days?: number | undefined;
}

/** Whether a value looks like an {@link ObjectStore}. */
export function isObjectStore(value: unknown): value is ObjectStore {
  const store = value as Partial<ObjectStore> | null;
  return (
    typeof store === 'object' &&
    store !== null &&
    typeof store.name === 'string' &&
    [store.put, store.get, store.list, store.delete].every((method) => typeof method === 'function')
  );
}

export interface MultipartStore {
  /** The size of the smallest part but the last, and how many parts an object may have at most. */
  readonly minPartBytes: number;
  readonly maxParts: number;
  create(key: string, options: StoreWriteOptions): Promise<{ upload: string }>;
  /** `number` counts from 1. Parts may come in any order and at the same time. A part that is sent again replaces the earlier one. */
  part(key: string, upload: string, number: number, bytes: Uint8Array, options: CallOptions): Promise<{ etag: string }>;
  /** Makes the object. `parts` are the etags, in order. */
  complete(key: string, upload: string, parts: readonly string[], options: CallOptions): Promise<{ etag: string }>;
  /** What is not there is no error. */
  abort(key: string, upload: string, options: CallOptions): Promise<void>;
  /** Uploads that were neither completed nor aborted. */
  list(prefix: string, options: ListOptions): Promise<UploadsPage>;
}

export interface CallOptions {
  /** Aborts the request. The promise then rejects soon, with any error. */
  readonly signal: AbortSignal;
}

export interface StoreWriteOptions extends CallOptions {
  /** Kept with the object and returned by `get`. Short, ASCII; names are lower case letters. `nonce` is for retries. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /**
   * The object will soon be replaced or deleted: a lease, for instance. It is not locked against deletion, and not put in a storage class
   * that charges for a minimum time.
   */
  readonly temporary?: boolean | undefined;
}

export interface PutOptions extends StoreWriteOptions {
  /** Only if there is no object with this key. */
  readonly ifAbsent?: boolean | undefined;
  /** Only if the object still has this etag. */
  readonly ifMatch?: string | undefined;
}

export interface GetOptions extends CallOptions {
  readonly offset?: number | undefined;
  readonly length?: number | undefined;
  readonly ifMatch?: string | undefined;
  /**
   * Memory of `length` bytes. A store that can puts the bytes there, and returns the part of it that they fill. It is lent until the promise
   * is settled.
   */
  readonly into?: Uint8Array | undefined;
}

export interface StoredObject {
  readonly bytes: Uint8Array;
  readonly etag: string;
  /** Undefined if the store keeps none. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export interface ListOptions extends CallOptions {
  /** `next` of the page before. */
  readonly after?: string | undefined;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  /** In milliseconds since 1970, by the store's clock. */
  readonly modified: number;
}

export interface ListPage {
  readonly objects: readonly ListedObject[];
  readonly next?: string | undefined;
}

export interface UploadsPage {
  readonly uploads: readonly { readonly key: string; readonly upload: string; readonly started: number }[];
  readonly next?: string | undefined;
}

/** As many keys as one call of `delete` gets. */
export const MAX_DELETES = 1000;

/**
 * Why a request failed:
 * - NOT_FOUND: the store says that there is no such object, or no such upload.
 * - CONDITION_FAILED: `ifAbsent` or `ifMatch` does not hold.
 * - DENIED: no right, no credentials, an expired token, a clock that is wrong.
 * - NO_BUCKET: there is no such bucket or container, or it lies in another region.
 * - BUSY: 408, 429, 5xx, a reset, a time-out: may succeed if it is sent again. Perhaps it did succeed, and only the answer was lost.
 * - REFUSED: the store does not do it, also if it is asked again soon: too large, locked until a date, not supported.
 */
export type StoreErrorKind = 'NOT_FOUND' | 'CONDITION_FAILED' | 'DENIED' | 'NO_BUCKET' | 'BUSY' | 'REFUSED';

export interface StoreErrorFacts {
  readonly key?: string | undefined;
  /** Of a delete that is REFUSED or DENIED: all objects that are still there. Undefined: it is not known which are. */
  readonly keys?: readonly string[] | undefined;
  /** Why, without what was tried: for messages that say themselves what was tried. By default, the whole message. */
  readonly reason?: string | undefined;
  /** The HTTP status. */
  readonly status?: number | undefined;
  /** The store's own code, such as SlowDown. */
  readonly storeCode?: string | undefined;
  readonly requestId?: string | undefined;
  /** The store asked to wait so long, in milliseconds. */
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

export class StoreError extends Error {
  readonly kind: StoreErrorKind;
  readonly facts: StoreErrorFacts;

  constructor(kind: StoreErrorKind, message: string, facts: StoreErrorFacts = {}) {
    super(message, { cause: facts.cause });
    this.name = 'StoreError';
    this.kind = kind;
    this.facts = facts;
  }
}

/** Whether an error is a {@link StoreError}, also if another copy of this package made it. */
export function isStoreError(error: unknown): error is StoreError {
  return (
    error instanceof StoreError ||
    (error instanceof Error && error.name === 'StoreError' && typeof (error as Partial<StoreError>).facts === 'object')
  );
}
