// An object store in memory that keeps the contract, counts its requests, and fails when a test says so.

import {
  type CallOptions,
  type GetOptions,
  type ListedObject,
  type ListOptions,
  type ListPage,
  type MultipartStore,
  type ObjectLock,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
  type StoreErrorFacts,
  type StoreErrorKind,
  type StoreWriteOptions,
  type UploadsPage,
} from '../../lib/stores/object-store.js';

export type RequestKind = 'put' | 'get' | 'list' | 'delete' | 'create' | 'part' | 'complete' | 'abort' | 'listUploads';

export interface StoreRequest {
  readonly kind: RequestKind;
  /** The key, or the prefix of a list. */
  readonly key: string;
  /** How many requests of this kind there were, this one included. */
  readonly nth: number;
}

/**
 * - fail: the store does nothing and answers with this error. An Error instead of a kind is thrown as it is.
 * - hang: the store does nothing and never answers.
 * - loseAnswer: the store does what it was asked, and answers BUSY. Or it does not answer at all.
 */
export type Fault =
  | { readonly fail: StoreErrorKind | Error; readonly facts?: StoreErrorFacts }
  | 'hang'
  | { readonly loseAnswer: 'BUSY' | 'hang' };

interface Entry extends ListedObject {
  readonly bytes: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  /** How many lists have yet to be made without this object. */
  unseen: number;
}

interface Upload {
  readonly key: string;
  readonly options: StoreWriteOptions;
  readonly started: number;
  readonly parts: Map<number, { bytes: Uint8Array; etag: string }>;
}

export class MemoryStore implements ObjectStore {
  readonly name = 'memory://test';
  readonly objects = new Map<string, Entry>();
  readonly uploads = new Map<string, Upload>();
  /** How many requests of each kind there were. */
  readonly requests: Record<RequestKind, number> = {
    put: 0,
    get: 0,
    list: 0,
    delete: 0,
    create: 0,
    part: 0,
    complete: 0,
    abort: 0,
    listUploads: 0,
  };
  /** Says whether a request fails, and how. */
  fault: ((request: StoreRequest) => Fault | undefined) | undefined;
  /** How many objects a page has at most. */
  pageSize = 1000;
  /** So many lists do not show an object that was just written: the store breaks the contract. */
  listsLate = 0;
  /** The page with this number, from 0, is left out of a list: the store breaks the contract. */
  dropPage: number | undefined;
  /** Refuses conditions, or passes over them. */
  conditions: 'kept' | 'refused' | 'ignored' = 'kept';
  singleWriter: boolean | undefined;
  /** Which objects cannot be deleted. */
  locked: (key: string) => boolean = () => false;
  /** What is said of that. */
  objectLock: ObjectLock | undefined;
  /** When objects are written. */
  now: () => number = Date.now;
  /** All parts but the last must have one size, as in R2. */
  equalParts = false;
  readonly multipart: MultipartStore | undefined;
  #versions = 0;

  constructor({
    multipart = true,
    minPartBytes = 5,
    maxParts = 10_000,
  }: { multipart?: boolean; minPartBytes?: number; maxParts?: number } = {}) {
    this.multipart = multipart ? this.#multipart(minPartBytes, maxParts) : undefined;
  }

  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<{ etag: string }> {
    return this.#request('put', key, options, () => {
      if (this.conditions === 'refused' && (options.ifAbsent || options.ifMatch !== undefined)) {
        throw new StoreError('REFUSED', `${this.name} has no conditional writes`, { key });
      }
      const present = this.objects.get(key);
      if (this.conditions === 'ignored') return this.#write(key, bytes, options);
      if ((options.ifAbsent && present) || (options.ifMatch !== undefined && options.ifMatch !== present?.etag)) {
        throw new StoreError('CONDITION_FAILED', `${this.name}: the condition of ${key} does not hold`, { key });
      }
      return this.#write(key, bytes, options);
    });
  }

  get(key: string, options: GetOptions): Promise<StoredObject> {
    return this.#request('get', key, options, () => {
      const entry = this.objects.get(key);
      if (entry === undefined) throw this.#notFound(key);
      if (options.ifMatch !== undefined && options.ifMatch !== entry.etag) {
        throw new StoreError('CONDITION_FAILED', `${this.name}: ${key} has changed`, { key });
      }
      const { offset = 0, length = Number.POSITIVE_INFINITY } = options;
      const bytes = entry.bytes.slice(offset, Math.min(offset + length, entry.bytes.length));
      return { bytes, etag: entry.etag, metadata: entry.metadata };
    });
  }

  list(prefix: string, options: ListOptions): Promise<ListPage> {
    return this.#request('list', prefix, options, () => {
      const found = [...this.objects.values()].filter(({ key }) => key.startsWith(prefix)).sort(byKey);
      const visible = found.filter((entry) => entry.unseen === 0);
      for (const entry of found) entry.unseen = Math.max(0, entry.unseen - 1);
      let page = Number(options.after ?? 0);
      if (page === this.dropPage) page++;
      const objects = visible
        .slice(page * this.pageSize, (page + 1) * this.pageSize)
        .map(({ key, size, etag, modified }) => ({ key, size, etag, modified }));
      return { objects, ...(visible.length > (page + 1) * this.pageSize && { next: String(page + 1) }) };
    });
  }

  delete(keys: readonly string[], options: CallOptions): Promise<void> {
    return this.#request('delete', keys[0] ?? '', options, () => {
      const refused = keys.filter((key) => this.objects.has(key) && this.locked(key));
      for (const key of keys) if (!refused.includes(key)) this.objects.delete(key);
      if (refused.length > 0) throw new StoreError('REFUSED', `${refused[0]} is locked`, { keys: refused });
    });
  }

  #multipart(minPartBytes: number, maxParts: number): MultipartStore {
    return {
      minPartBytes,
      maxParts,
      create: (key, options) =>
        this.#request('create', key, options, () => {
          const upload = `upload-${++this.#versions}`;
          this.uploads.set(upload, { key, options, started: Date.now(), parts: new Map() });
          return { upload };
        }),
      part: (key, upload, number, bytes, options) =>
        this.#request('part', key, options, () => {
          const etag = `part-${++this.#versions}`;
          this.#upload(key, upload).parts.set(number, { bytes: Uint8Array.from(bytes), etag });
          return { etag };
        }),
      complete: (key, upload, etags, options) =>
        this.#request('complete', key, options, () => {
          const { parts, options: created } = this.#upload(key, upload);
          const chosen = etags.map((etag, at) => {
            const part = parts.get(at + 1);
            if (part?.etag !== etag)
              throw new StoreError('REFUSED', `${this.name}: no part ${at + 1} of ${key}`, { key });
            return part.bytes;
          });
          if (chosen.slice(0, -1).some((bytes) => bytes.length < minPartBytes)) {
            throw new StoreError('REFUSED', `${this.name}: a part of ${key} is too small`, { key });
          }
          const [first = new Uint8Array()] = chosen;
          if (
            chosen.length > maxParts ||
            (this.equalParts && chosen.slice(1, -1).some((each) => each.length !== first.length))
          ) {
            throw new StoreError('REFUSED', `${this.name}: the parts of ${key} are too many, or differ`, { key });
          }
          this.uploads.delete(upload);
          return this.#write(key, Buffer.concat(chosen), created);
        }),
      abort: (key, upload, options) =>
        this.#request('abort', key, options, () => {
          this.uploads.delete(upload);
        }),
      list: (prefix, options): Promise<UploadsPage> =>
        this.#request('listUploads', prefix, options, () => ({
          uploads: [...this.uploads]
            .filter(([, { key }]) => key.startsWith(prefix))
            .map(([upload, { key, started }]) => ({ key, upload, started })),
        })),
    };
  }

  #upload(key: string, upload: string): Upload {
    const found = this.uploads.get(upload);
    if (found?.key !== key) throw this.#notFound(key);
    return found;
  }

  #write(key: string, bytes: Uint8Array, { metadata = {} }: StoreWriteOptions): { etag: string } {
    const etag = `etag-${++this.#versions}`;
    const copy = Uint8Array.from(bytes);
    this.objects.set(key, {
      key,
      bytes: copy,
      size: copy.length,
      etag,
      metadata,
      modified: this.now(),
      unseen: this.listsLate,
    });
    return { etag };
  }

  #notFound(key: string): StoreError {
    return new StoreError('NOT_FOUND', `${this.name}: there is no ${key}`, { key });
  }

  async #request<T>(kind: RequestKind, key: string, { signal }: CallOptions, work: () => T): Promise<T> {
    this.requests[kind]++;
    const fault = this.fault?.({ kind, key, nth: this.requests[kind] });
    signal.throwIfAborted();
    if (typeof fault === 'object' && 'fail' in fault) {
      throw fault.fail instanceof Error ? fault.fail : new StoreError(fault.fail, `${kind} ${key} fails`, fault.facts);
    }
    if (fault === 'hang') return aborted(signal);
    await undefined; // so that requests that are made together are answered in turns
    const answer = work();
    if (fault?.loseAnswer === 'hang') return aborted(signal);
    if (fault?.loseAnswer === 'BUSY') throw new StoreError('BUSY', `the answer to ${kind} ${key} was lost`);
    return answer;
  }
}

const byKey = (a: ListedObject, b: ListedObject) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}
