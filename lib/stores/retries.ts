import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { type Clock, pause, systemClock } from '../base/clock.js';
import { formatDuration } from '../base/units.js';
import { checkedStore } from './checked-store.js';
import {
  type CallOptions,
  type GetOptions,
  type ListOptions,
  type ListPage,
  type MultipartStore,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
  type StoreWriteOptions,
  type UploadsPage,
} from './object-store.js';
import { TOLD_AFTER, Trouble } from './trouble.js';

export interface RetryLimits {
  /** How long one request may take, in milliseconds. Its data get more: see `bytesPerSecond`. @default 60000 */
  readonly requestTimeout?: number | undefined;
  /** The slowest line that is good enough. A request gets the time that its data take there. @default 100000 */
  readonly bytesPerSecond?: number | undefined;
  /** How long one operation may take with all its repetitions, in milliseconds. The first try may take longer. @default 300000 */
  readonly budget?: number | undefined;
  /**
   * The same for all operations together while the store was never reached, because there is no such host, or nothing listens there: its address is probably wrong, and
   * somebody waits to hear that.
   * @default 20000
   */
  readonly firstBudget?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Between 0 and 1. */
  readonly random?: (() => number) | undefined;
}

/** What was sent, repetitions included. */
export interface RequestCounts {
  put: number;
  get: number;
  list: number;
  delete: number;
  create: number;
  part: number;
  complete: number;
  abort: number;
  listUploads: number;
  /** How many of them were repetitions. */
  repeated: number;
  bytesSent: number;
  bytesReceived: number;
}

export type RequestName = Exclude<keyof RequestCounts, 'repeated' | 'bytesSent' | 'bytesReceived'>;

export interface RetryingStore extends ObjectStore {
  readonly counts: Readonly<RequestCounts>;
}

/**
 * A store whose requests have a time limit, and are repeated while the store is BUSY. After one was repeated for as long as it may be, the
 * following ones are sent once, until one succeeds or none was sent for a minute: an operation sends many, one after another, and does not
 * wait for each of them.
 *
 * Each wait is a random time between 0 and a limit, which doubles from one to the next: clients that failed together do not come back
 * together. A conditional put whose answer was lost may fail because it succeeded. So each carries a nonce in the object's metadata, and
 * the object is read to see whose it is. Of a store that keeps no metadata, such a put ends with CONDITION_FAILED.
 *
 * A request that was given up may still reach the store later. So a name must not be used for different contents without a condition.
 */
export function withRetries(store: ObjectStore, options: RetryLimits = {}): RetryingStore {
  return new Retries(checkedStore(store), options);
}

/** The metadata that tells whose write it was. */
const NONCE = 'nonce';

const NOT_REACHED = new Set(['EAI_AGAIN', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND']);

const FIRST_WAIT = 200;
const LONGEST_WAIT = 20_000;
/** A store that asks for more is asked again after this time. */
const LONGEST_RETRY_AFTER = 60_000;

/** The time limit of a request that is sent once. */
const ONLY_TRY = 10_000;

/** For the time limit of a read whose size is not known before. Objects that are read whole are small. */
const UNKNOWN_SIZE = 8 * 2 ** 20;

interface Call<T> {
  readonly name: RequestName;
  /** The data that the request sends or wants. */
  readonly sent?: number;
  readonly wanted?: number;
  readonly send: (signal: AbortSignal) => Promise<T>;
  /** Called when a repetition failed. Returns what the request came to, if it turns out that an earlier one succeeded. */
  readonly settle?: (error: StoreError, end: number) => Promise<T | undefined>;
}

class Retries implements RetryingStore {
  readonly name: string;
  readonly singleWriter: boolean | undefined;
  readonly objectLock: ObjectStore['objectLock'];
  readonly identity: string | undefined;
  readonly counts: RequestCounts = {
    put: 0,
    get: 0,
    list: 0,
    delete: 0,
    create: 0,
    part: 0,
    complete: 0,
    abort: 0,
    listUploads: 0,
    repeated: 0,
    bytesSent: 0,
    bytesReceived: 0,
  };
  readonly multipart: MultipartStore | undefined;
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #requestTimeout: number;
  readonly #bytesPerSecond: number;
  readonly #budget: number;
  readonly #firstBudget: number;
  readonly #trouble: Trouble;
  /** Whether the store was ever reached, and when that was first tried. */
  #reached = false;
  #firstTry: number | undefined;
  /** The nonces of the uploads that were begun here. */
  readonly #nonces = new Map<string, string>();

  constructor(store: ObjectStore, options: RetryLimits) {
    this.name = store.name;
    this.singleWriter = store.singleWriter;
    this.objectLock = store.objectLock;
    this.identity = store.identity;
    this.#store = store;
    this.#clock = options.clock ?? systemClock;
    this.#trouble = new Trouble(store.name, this.#clock);
    this.#random = options.random ?? Math.random;
    this.#requestTimeout = options.requestTimeout ?? 60_000;
    this.#bytesPerSecond = options.bytesPerSecond ?? 100_000;
    this.#budget = options.budget ?? 300_000;
    this.#firstBudget = Math.min(this.#budget, options.firstBudget ?? 20_000);
    this.multipart = store.multipart && this.#multipart(store.multipart);
  }

  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<{ etag: string }> {
    const send = (metadata: PutOptions['metadata']) => (signal: AbortSignal) =>
      this.#store.put(key, bytes, { ...options, metadata, signal });
    const call = { name: 'put', sent: bytes.length } as const;
    if (!options.ifAbsent && options.ifMatch === undefined) {
      return this.#repeat(options.signal, { ...call, send: send(options.metadata) });
    }
    const nonce = randomUUID();
    return this.#repeat(options.signal, {
      ...call,
      send: send({ ...options.metadata, [NONCE]: nonce }),
      settle: async ({ kind }, end) =>
        kind === 'CONDITION_FAILED' ? this.#ifOurs(key, nonce, options, end) : undefined,
    });
  }

  get(key: string, options: GetOptions): Promise<StoredObject> {
    return this.#get(key, options);
  }

  #get(key: string, options: GetOptions, end?: number): Promise<StoredObject> {
    let { into } = options;
    const send = async (signal: AbortSignal) => {
      const reading = this.#store.get(key, { ...options, into, signal });
      into = undefined; // a try that was given up may still write there
      const object = await reading;
      this.counts.bytesReceived += object.bytes.length;
      return object;
    };
    return this.#repeat(options.signal, { name: 'get', wanted: options.length ?? UNKNOWN_SIZE, send }, end);
  }

  list(prefix: string, options: ListOptions): Promise<ListPage> {
    const send = (signal: AbortSignal) => this.#store.list(prefix, { ...options, signal });
    return this.#repeat(options.signal, { name: 'list', send });
  }

  delete(keys: readonly string[], { signal }: CallOptions): Promise<void> {
    return this.#repeat(signal, { name: 'delete', send: (signal) => this.#store.delete(keys, { signal }) });
  }

  #multipart(store: MultipartStore): MultipartStore {
    return {
      minPartBytes: store.minPartBytes,
      maxParts: store.maxParts,
      create: async (key: string, options: StoreWriteOptions): Promise<{ upload: string }> => {
        const nonce = randomUUID();
        const metadata = { ...options.metadata, [NONCE]: nonce };
        const send = (signal: AbortSignal) => store.create(key, { ...options, metadata, signal });
        const created = await this.#repeat(options.signal, { name: 'create', send });
        this.#nonces.set(created.upload, nonce);
        return created;
      },
      part: (key, upload, number, bytes, { signal }) => {
        const send = (signal: AbortSignal) => store.part(key, upload, number, bytes, { signal });
        return this.#repeat(signal, { name: 'part', sent: bytes.length, send });
      },
      complete: async (key: string, upload: string, parts: readonly string[], options: CallOptions) => {
        const nonce = this.#nonces.get(upload);
        const completed = await this.#repeat(options.signal, {
          name: 'complete',
          send: (signal) => store.complete(key, upload, parts, { signal }),
          settle: async ({ kind }, end) =>
            kind === 'NOT_FOUND' && nonce ? this.#ifOurs(key, nonce, options, end) : undefined,
        });
        this.#nonces.delete(upload);
        return completed;
      },
      abort: async (key, upload, { signal }) => {
        await this.#repeat(signal, { name: 'abort', send: (signal) => store.abort(key, upload, { signal }) });
        this.#nonces.delete(upload);
      },
      list: (prefix, options): Promise<UploadsPage> => {
        const send = (signal: AbortSignal) => store.list(prefix, { ...options, signal });
        return this.#repeat(options.signal, { name: 'listUploads', send });
      },
    };
  }

  /** The ETag of the object if the request with this nonce wrote it. */
  async #ifOurs(
    key: string,
    nonce: string,
    { signal }: CallOptions,
    end: number,
  ): Promise<{ etag: string } | undefined> {
    try {
      const { etag, metadata } = await this.#get(key, { offset: 0, length: 1, signal }, end);
      return metadata?.[NONCE] === nonce ? { etag } : undefined;
    } catch (error) {
      if (error instanceof StoreError && error.kind === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  async #repeat<T>(signal: AbortSignal, call: Call<T>, end = this.#clock.monotonic() + this.#budget): Promise<T> {
    this.#firstTry ??= this.#clock.monotonic();
    for (let tries = 1; ; tries++) {
      const began = this.#clock.monotonic();
      const left = this.#trouble.isHopeless ? ONLY_TRY : tries === 1 ? undefined : end - began;
      let failure: StoreError;
      try {
        const result = await this.#try(signal, call, end, left);
        this.#reached = true;
        this.#trouble.end();
        return result;
      } catch (error) {
        if (signal.aborted || !(error instanceof StoreError)) throw error;
        failure = error;
      }
      this.#reached ||= !NOT_REACHED.has(failure.facts.storeCode ?? '');
      if (failure.kind !== 'BUSY') {
        this.#trouble.end();
        const settled = tries === 1 ? undefined : await call.settle?.(failure, end);
        if (settled === undefined) throw failure;
        return settled;
      }
      this.#trouble.failed(began);
      await this.#waitAfter(failure, tries, end, signal);
      this.counts.repeated++;
    }
  }

  /** Waits until it is time for the next try. Throws if there is none. */
  async #waitAfter(failure: StoreError, tries: number, end: number, signal: AbortSignal): Promise<void> {
    if (this.#trouble.isHopeless) {
      throw gaveUp(failure, `no request has succeeded for ${formatDuration(this.#trouble.lasts)}`);
    }
    const wait = this.#wait(tries, failure.facts.retryAfter ?? 0);
    const budget = this.#reached ? this.#budget : this.#firstBudget;
    const lastTime = this.#reached ? end : this.#firstTry! + budget;
    if (this.#clock.monotonic() + wait >= lastTime) {
      this.#trouble.gaveUp();
      throw gaveUp(failure, `given up after ${tries} tries in ${formatDuration(budget)}`);
    }
    this.#trouble.waits(failure.facts.reason ?? failure.message, wait, lastTime);
    await pause(this.#clock, wait, signal);
    signal.throwIfAborted();
  }

  #wait(tries: number, retryAfter: number): number {
    const limit = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1));
    return Math.max(Math.min(retryAfter, LONGEST_RETRY_AFTER), this.#random() * limit);
  }

  /** Sends one request. It ends at its time limit and at the signal, also if the store never answers and does not look at its signal. */
  #try<T>(signal: AbortSignal, call: Call<T>, budgetEnd: number, left = Number.POSITIVE_INFINITY): Promise<T> {
    signal.throwIfAborted();
    this.counts[call.name]++;
    this.counts.bytesSent += call.sent ?? 0;
    const began = this.#clock.monotonic();
    const forData = (1000 * ((call.sent ?? 0) + (call.wanted ?? 0))) / this.#bytesPerSecond;
    const limit = Math.min(left, this.#requestTimeout + forData);
    const controller = new AbortController();
    setMaxListeners(0, controller.signal); // a delete may send many requests with it
    return new Promise<T>((resolve, reject) => {
      const stop = (why: unknown) => {
        end();
        reject(why);
        controller.abort(why);
      };
      const onAbort = () => stop(signal.reason);
      const timer = this.#clock.setTimeout(() => stop(noAnswer(this.name, call.name, limit)), limit, {
        keepAlive: true,
      });
      const impatient = this.#clock.setTimeout(
        () => this.#trouble.hangs(began, `no answer to a ${call.name} yet`, budgetEnd),
        TOLD_AFTER + (call.wanted === UNKNOWN_SIZE ? 0 : forData),
      );
      const end = () => {
        this.#clock.clearTimeout(timer);
        this.#clock.clearTimeout(impatient);
        signal.removeEventListener('abort', onAbort);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const send = async () => call.send(controller.signal);
      send().then(resolve, reject).finally(end);
    });
  }
}

function noAnswer(store: string, name: RequestName, limit: number): StoreError {
  return new StoreError('BUSY', `${store}: no answer to a ${name} within ${formatDuration(limit)}`);
}

function gaveUp(last: StoreError, why: string): StoreError {
  const { reason = last.message } = last.facts;
  return new StoreError('BUSY', `${last.message} (${why})`, {
    ...last.facts,
    reason: `${reason} (${why})`,
    cause: last,
  });
}
