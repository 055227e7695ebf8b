import {
  type GetOptions,
  type ListedObject,
  type ListPage,
  type ObjectStore,
  type StoredObject,
  StoreError,
} from '../stores/object-store.js';

/**
 * One repository below a prefix of a store, whose objects were listed already. To look at it costs no further list, and no request for what
 * is not there; small objects are read once. Nothing can be written.
 */
export class ListedStore implements ObjectStore {
  readonly name: string;
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #objects: ReadonlyMap<string, ListedObject>;
  readonly #read = new Map<string, Promise<StoredObject>>();

  /** `prefix` is '' or ends with a slash. The keys of the objects have it. */
  constructor(store: ObjectStore, prefix: string, objects: readonly ListedObject[]) {
    this.name = `${store.name}/${prefix}`.replace(/\/$/, '');
    this.#store = store;
    this.#prefix = prefix;
    const own = objects.map((object) => ({ ...object, key: object.key.slice(prefix.length) }));
    this.#objects = new Map(own.map((object) => [object.key, object]));
  }

  list(prefix: string): Promise<ListPage> {
    return Promise.resolve({ objects: [...this.#objects.values()].filter(({ key }) => key.startsWith(prefix)) });
  }

  async get(key: string, options: GetOptions): Promise<StoredObject> {
    const object = this.#objects.get(key);
    if (object === undefined) throw new StoreError('NOT_FOUND', `${this.name}: there is no ${key}`, { key });
    const { offset = 0, length = Number.POSITIVE_INFINITY, ifMatch } = options;
    if (object.size > SMALL) return this.#store.get(this.#prefix + key, options);
    let read = this.#read.get(key);
    if (read === undefined) {
      read = this.#store.get(this.#prefix + key, { signal: options.signal });
      this.#read.set(key, read);
      read.catch(() => this.#read.delete(key)); // the next may have more luck
    }
    const { bytes, etag, ...rest } = await read;
    if (ifMatch !== undefined && ifMatch !== etag) {
      throw new StoreError('CONDITION_FAILED', `${this.name}: ${key} has changed`, { key });
    }
    return { ...rest, etag, bytes: bytes.subarray(offset, Math.min(bytes.length, offset + length)) };
  }

  put(): Promise<never> {
    return Promise.reject(this.#readOnly());
  }

  delete(): Promise<never> {
    return Promise.reject(this.#readOnly());
  }

  #readOnly(): StoreError {
    return new StoreError('REFUSED', `${this.name} is only looked at`);
  }
}

/** Lists of files and records. */
const SMALL = 2 ** 20;
