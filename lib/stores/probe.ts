import { randomUUID } from 'node:crypto';
import { describe, invalidOption } from '../base/errors.js';
import { isObjectStore, type MultipartStore, type ObjectStore, StoreError } from './object-store.js';
import { withRetries } from './retries.js';
import { rightFor, type StoreAction } from './store-policy.js';
import { openStoreUrl, parseStoreUrl, type StoreAddress } from './store-url.js';

/** Options of {@link probeStore}. */
export interface ProbeOptions {
  /** Aborts the probe. What it has written is deleted. */
  signal?: AbortSignal | undefined;
  /** How long one request may take with its repetitions, in milliseconds. @default 5000 */
  patience?: number | undefined;
}

export type ProbeName =
  | 'list'
  | 'put'
  | 'get'
  | 'ranges'
  | 'emptyObject'
  | 'listAfterWrite'
  | 'putIfAbsent'
  | 'putIfMatch'
  | 'multipart'
  | 'abortUpload'
  | 'delete';

/** What {@link probeStore} tried. */
export interface ProbeCheck {
  name: ProbeName;
  /** skipped: it could not be tried, because something that it needs had failed. */
  state: 'passed' | 'failed' | 'skipped';
  /**
   * What needs it: everything; every writer; several writers at a time; or files that are too large to be held in memory, and clean-ups.
   */
  neededFor: 'reading' | 'writing' | 'severalWriters' | 'largeFiles';
  /** Why it failed, or was skipped. */
  why?: string;
  /** The right that is missing, by the name that the vendor gives it. */
  missing?: string;
}

/** The result of {@link probeStore}. */
export interface ProbeResult {
  location: string;
  checks: ProbeCheck[];
  /** Whether backups can be listed and read. */
  canRead: boolean;
  /** Whether backups can be made. A store without conditional writes needs `singleWriter` for that. */
  canWrite: boolean;
  /** Whether several writers keep out of each other's way. Needs conditional writes. */
  severalWriters: boolean;
  /** Whether backups could be made with `singleWriter`, and only so: the store has no conditional writes. */
  needsSingleWriter: boolean;
  /** What the probe wrote and could not delete. Undefined if nothing is left. */
  left?: string;
}

const NEEDED_FOR: Record<ProbeName, ProbeCheck['neededFor']> = {
  list: 'reading',
  put: 'writing',
  get: 'reading',
  ranges: 'reading',
  emptyObject: 'writing',
  listAfterWrite: 'writing',
  putIfAbsent: 'severalWriters',
  putIfMatch: 'severalWriters',
  multipart: 'largeFiles',
  abortUpload: 'largeFiles',
  delete: 'writing',
};

/** Below it, each probe has a name of its own. */
const PROBES = 'rocksdb-backup.probe/';

/**
 * Finds out whether backups can be kept in an object store, before the first one is made: whether the rights suffice, and whether the store
 * does what a repository needs. It tries everything with small objects below `rocksdb-backup.probe/` in the place of the repository, and
 * deletes them. It gives up soon. Rejects only if the location is wrong; what the store refuses is in the result.
 *
 * @example
 * const { canWrite, checks } = await probeStore('s3://backups/users');
 */
export async function probeStore(location: string | ObjectStore, options: ProbeOptions = {}): Promise<ProbeResult> {
  const { signal = new AbortController().signal, patience = 5000 } = options;
  if (typeof location !== 'string' && !isObjectStore(location)) {
    throw invalidOption(TypeError, 'location', 'the URL of an object store, or a store', describe(location));
  }
  const address = typeof location === 'string' ? parseStoreUrl(location) : undefined;
  const store = typeof location === 'string' ? await openStoreUrl(location) : location;
  signal.throwIfAborted();
  return new Probe(withRetries(store, { requestTimeout: patience, budget: patience }), address, signal).run();
}

class Probe {
  readonly #store: ObjectStore;
  readonly #address: StoreAddress | undefined;
  readonly #signal: AbortSignal;
  readonly #place = `${PROBES}${randomUUID()}/`;
  readonly #checks = new Map<ProbeName, ProbeCheck>();
  readonly #made = new Set<string>();
  /** The store gave no answer at all: the other checks would only wait for the same. */
  #unreachable: string | undefined;

  constructor(store: ObjectStore, address: StoreAddress | undefined, signal: AbortSignal) {
    this.#store = store;
    this.#address = address;
    this.#signal = signal;
  }

  async run(): Promise<ProbeResult> {
    try {
      await this.#tryAll();
    } finally {
      await this.#cleanUp();
    }
    this.#signal.throwIfAborted();
    const checks = [...this.#checks.values()];
    const all = (...needed: ProbeCheck['neededFor'][]) =>
      checks.every(({ neededFor, state }) => state === 'passed' || !needed.includes(neededFor));
    const oneCanWrite = all('reading', 'writing', 'largeFiles');
    const severalWriters = oneCanWrite && all('severalWriters');
    return {
      location: this.#store.name,
      checks,
      canRead: all('reading'),
      canWrite: severalWriters || (oneCanWrite && this.#store.singleWriter === true),
      severalWriters,
      needsSingleWriter: oneCanWrite && !severalWriters,
      ...(this.#made.size > 0 && { left: this.#place }),
    };
  }

  async #tryAll(): Promise<void> {
    const signal = this.#signal;
    const store = this.#store;
    const body = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 251));
    const key = `${this.#place}object`;
    let etag = '';
    await this.#check('list', ['list'], [], async () => {
      await store.list(this.#place, { signal });
    });
    await this.#check('put', ['put'], [], async () => {
      ({ etag } = await this.#put(key, body));
    });
    if (this.#passed('put')) {
      await this.#check('get', ['get'], [], async () => {
        const { bytes } = await store.get(key, { signal });
        if (!body.equals(bytes)) return 'the object has other bytes than were written';
        return this.#mustFail('NOT_FOUND', 'an object that is not there', () =>
          store.get(`${this.#place}nothing`, { signal }),
        );
      });
    } else {
      await this.#check('get', ['get'], [], () => this.#readAny());
    }
    await this.#check('ranges', ['get'], ['put', 'get'], async () => {
      const { bytes } = await store.get(key, { offset: 300, length: 200, signal });
      if (!body.subarray(300, 500).equals(bytes)) return 'a range has other bytes than were asked for';
      const { bytes: end } = await store.get(key, { offset: 990, length: 200, signal });
      return body.subarray(990).equals(end) ? undefined : 'a range at the end of an object has other bytes';
    });
    await this.#check('emptyObject', ['put'], ['put'], async () => {
      const empty = `${this.#place}empty`;
      await this.#put(empty, new Uint8Array(0));
      if (!this.#passed('get')) return undefined;
      const { bytes } = await store.get(empty, { signal });
      return bytes.length === 0 ? undefined : 'an empty object is not empty when it is read';
    });
    await this.#check('listAfterWrite', ['list'], ['list', 'put'], async () => {
      const listed = await this.#listAll();
      const found = listed.find((object) => object.key === key);
      if (found === undefined) return 'a new object is not in the list';
      return found.size === body.length ? undefined : `the list says that ${body.length} bytes are ${found.size}`;
    });
    await this.#check('putIfAbsent', ['put'], ['put'], async () => {
      const once = `${this.#place}once`;
      await this.#put(once, body, { ifAbsent: true });
      return this.#mustFail('CONDITION_FAILED', 'a second put of what must be new', () =>
        store.put(once, body, { ifAbsent: true, temporary: true, signal }),
      );
    });
    await this.#check('putIfMatch', ['replace'], ['put'], async () => {
      const next = await this.#put(key, body.subarray(1), { ifMatch: etag });
      if (next.etag === etag) return 'a new content has the ETag of the old one';
      return this.#mustFail('CONDITION_FAILED', 'a put over an object that has changed', () =>
        store.put(key, body, { ifMatch: etag, temporary: true, signal }),
      );
    });
    const { multipart } = store;
    if (multipart !== undefined) {
      await this.#check('multipart', ['put'], ['put'], () => this.#upload(multipart));
      await this.#check('abortUpload', ['abort', 'listUploads'], ['multipart'], () => this.#abandon(multipart));
    }
    await this.#check('delete', ['delete'], ['put'], async () => {
      const gone = [...this.#made];
      await store.delete(gone, { signal });
      for (const each of gone) this.#made.delete(each);
      if (!this.#passed('list')) return undefined;
      return (await this.#listAll()).length === 0 ? undefined : 'what was deleted is still in the list';
    });
  }

  async #put(key: string, bytes: Uint8Array, more: { ifAbsent?: boolean; ifMatch?: string } = {}) {
    return this.#making(key, () => this.#store.put(key, bytes, { ...more, temporary: true, signal: this.#signal }));
  }

  /** Notes what is made, so that it is deleted: perhaps it is written although an error comes back. Not if the store says that it is not. */
  async #making<T>(key: string, make: () => Promise<T>): Promise<T> {
    const isNew = !this.#made.has(key);
    this.#made.add(key);
    try {
      return await make();
    } catch (error) {
      const isNot = error instanceof StoreError && ['DENIED', 'REFUSED', 'NO_BUCKET'].includes(error.kind);
      if (isNew && isNot) this.#made.delete(key);
      throw error;
    }
  }

  async #listAll() {
    const objects = [];
    for (let after: string | undefined; ; ) {
      const page = await this.#store.list(this.#place, { after, signal: this.#signal });
      objects.push(...page.objects);
      if (page.next === undefined) return objects;
      after = page.next;
    }
  }

  /** A user who may not write can perhaps read what is there. */
  async #readAny(): Promise<string | undefined> {
    const { objects } = await this.#store.list('', { signal: this.#signal });
    if (objects.length === 0) throw new Skipped('there is no object to read');
    await this.#store.get(objects[0]!.key, { offset: 0, length: 1, signal: this.#signal });
    return undefined;
  }

  async #upload(multipart: MultipartStore): Promise<string | undefined> {
    const signal = this.#signal;
    const key = `${this.#place}parts`;
    const parts = [Buffer.alloc(multipart.minPartBytes, 'a'), Buffer.from('end')];
    const { upload } = await this.#making(key, () => multipart.create(key, { temporary: true, signal }));
    const etags: string[] = [];
    try {
      for (const [at, part] of parts.entries()) {
        etags.push((await multipart.part(key, upload, at + 1, part, { signal })).etag);
      }
      await multipart.complete(key, upload, etags, { signal });
    } catch (error) {
      await multipart.abort(key, upload, { signal: new AbortController().signal }).catch(() => undefined);
      throw error;
    }
    if (!this.#passed('get')) return undefined;
    const { bytes } = await this.#store.get(key, { offset: multipart.minPartBytes, length: 100, signal });
    return Buffer.from(bytes).toString() === 'end' ? undefined : 'an object of two parts has other bytes';
  }

  async #abandon(multipart: MultipartStore): Promise<string | undefined> {
    const signal = this.#signal;
    const key = `${this.#place}aborted`;
    const { upload } = await multipart.create(key, { temporary: true, signal });
    await multipart.part(key, upload, 1, Buffer.from('part'), { signal });
    await multipart.abort(key, upload, { signal });
    const { uploads } = await multipart.list(this.#place, { signal });
    return uploads.some((each) => each.upload === upload) ? 'an upload is still there after it was aborted' : undefined;
  }

  /** Returns undefined if it fails as it must. */
  async #mustFail(
    kind: StoreError['kind'],
    what: string,
    request: () => Promise<unknown>,
  ): Promise<string | undefined> {
    try {
      await request();
    } catch (error) {
      if (error instanceof StoreError && error.kind === kind) return undefined;
      throw error;
    }
    return `the store accepts ${what}`;
  }

  #passed(name: ProbeName): boolean {
    return this.#checks.get(name)?.state === 'passed';
  }

  async #check(
    name: ProbeName,
    actions: readonly StoreAction[],
    needs: readonly ProbeName[],
    work: () => Promise<unknown>,
  ): Promise<void> {
    const check: ProbeCheck = { name, state: 'passed', neededFor: NEEDED_FOR[name] };
    this.#checks.set(name, check);
    const missing = needs.find((need) => !this.#passed(need));
    if (missing !== undefined || this.#unreachable !== undefined) {
      check.state = 'skipped';
      check.why = this.#unreachable ?? `it needs ${missing}`;
      return;
    }
    try {
      const wrong = await work();
      if (typeof wrong === 'string') Object.assign(check, { state: 'failed', why: wrong });
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof Skipped) {
        Object.assign(check, { state: 'skipped', why: error.message });
        return;
      }
      check.state = 'failed';
      check.why = error instanceof Error ? error.message : String(error);
      const kind = error instanceof StoreError ? error.kind : undefined;
      const code = error instanceof StoreError ? (error.facts.storeCode ?? '') : '';
      if (kind === 'DENIED' && !UNKNOWN.test(code)) {
        const rights = actions.map((action) => rightFor(this.#address, action)).filter((right) => right !== undefined);
        if (rights.length > 0) check.missing = [...new Set(rights)].join(', ');
      } else if (kind === 'BUSY' || kind === 'NO_BUCKET') {
        this.#unreachable = kind === 'BUSY' ? 'the store did not answer before' : 'there is no such bucket';
      }
    }
  }

  async #cleanUp(): Promise<void> {
    if (this.#made.size === 0) return;
    try {
      await this.#store.delete([...this.#made], { signal: new AbortController().signal });
      this.#made.clear();
    } catch {
      // the result says what is left
    }
  }
}

/** Codes of stores that do not know who asks. No single right is missing then. */
const UNKNOWN = /AccessKey|Signature|Token|Expired|Skewed|AuthenticationFailed|InvalidAuth|Credential/i;

class Skipped extends Error {}
