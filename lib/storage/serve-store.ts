import { describe } from '../base/errors.js';
import { native } from '../native/binding.js';
import type { NativeStoreServer, StoreAnswer, StoreRequest, StoreSuccess } from '../native/native-storage.js';
import { type ObjectStore, StoreError } from '../stores/object-store.js';
import type { RetryingStore } from '../stores/retries.js';

interface Serving {
  /** Must not be garbage-collected while native code may send requests. */
  readonly server: NativeStoreServer;
  readonly requests: RunningRequests;
}

/** What is served on this thread, by the ids of the stores. */
const servings = new Map<string, Serving>();

/** For a store to which native code sends no more requests. */
export function stopServing(id: string): void {
  servings.delete(id);
}

let isImpatient = false;

/** See stopWaitingForStores() in storage.ts. */
export function becomeImpatient(): void {
  isImpatient = true;
  for (const { requests } of servings.values()) requests.becomeImpatient();
}

/** How long a store has then to answer a request, in milliseconds. */
const PATIENCE = 1000;

interface RunningRequest {
  readonly controller: AbortController;
  timer?: NodeJS.Timeout;
}

/** The requests to one store that are not answered yet. */
class RunningRequests {
  readonly #running = new Map<number, RunningRequest>();
  #hangs = false;

  /** @returns the signal that cancels it */
  begin(call: number): AbortSignal {
    const request: RunningRequest = { controller: new AbortController() };
    this.#running.set(call, request);
    if (this.#hangs) request.controller.abort(new StoreHangs());
    else if (isImpatient) this.#limit(request);
    return request.controller.signal;
  }

  /** @returns whether somebody still waits for the answer */
  end(call: number): boolean {
    clearTimeout(this.#running.get(call)?.timer);
    return this.#running.delete(call);
  }

  cancel(call: number): void {
    const controller = this.#running.get(call)?.controller;
    this.end(call);
    controller?.abort(new Error('the operation has ended'));
  }

  becomeImpatient(): void {
    for (const request of this.#running.values()) this.#limit(request);
  }

  #limit(request: RunningRequest): void {
    request.timer ??= setTimeout(() => {
      this.#hangs = true;
      for (const { controller } of this.#running.values()) controller.abort(new StoreHangs());
    }, PATIENCE);
  }
}

class StoreHangs extends Error {
  constructor() {
    super('the store did not answer when the program was asked to end');
  }
}

/**
 * Answers the requests that native code has for the store with this id, on this thread. Returns false if nobody uses the store any more.
 */
export function serveStore(id: string, store: RetryingStore): boolean {
  const requests = new RunningRequests();
  const { multipart } = store;
  const server = native.serveStore(
    id,
    (call, request) => {
      const { repeated } = store.counts;
      answerOf(store, request, requests.begin(call))
        .catch((error: unknown) => failureOf(error))
        .then((answer) => {
          // Nobody waits for the answer to a request that was cancelled.
          if (requests.end(call)) {
            // If any request was repeated meanwhile, perhaps it was this one. Then an earlier try may still use its memory.
            server?.answer(call, answer, store.counts.repeated !== repeated);
          }
        });
    },
    (call) => requests.cancel(call),
    { minPartBytes: multipart?.minPartBytes, maxParts: multipart?.maxParts, identity: store.identity },
  );
  if (server === undefined) {
    return false;
  }
  servings.set(id, { server, requests });
  return true;
}

/** Leases, the state, the mark of the repository. What is locked or kept for months cannot be written anew every 20 seconds. */
function isReplacedSoon(key: string): boolean {
  return key.startsWith('rocksdb-backup.');
}

async function answerOf(store: ObjectStore, request: StoreRequest, signal: AbortSignal): Promise<StoreAnswer> {
  const { key, upload = '', keys = [], after, memory, size } = request;
  const bytes = memory === undefined ? (request.bytes ?? new Uint8Array()) : Buffer.from(memory, 0, size);
  switch (request.kind) {
    case 'put':
      return done(
        await store.put(key, bytes, {
          ifAbsent: request.ifAbsent,
          ifMatch: request.ifMatch,
          temporary: isReplacedSoon(key),
          signal,
        }),
      );
    case 'get':
      return done(
        await store.get(key, {
          offset: request.offset,
          length: request.length,
          ifMatch: request.ifMatch,
          into: memory && Buffer.from(memory, 0, request.length),
          signal,
        }),
      );
    case 'list':
      return done(await store.list(key, { after, signal }));
    case 'delete':
      await store.delete(keys, { signal });
      return done({});
  }
  const { multipart } = store;
  if (multipart === undefined) {
    throw new StoreError('REFUSED', `${store.name} has no uploads in parts`);
  }
  switch (request.kind) {
    case 'createUpload':
      return done(await multipart.create(key, { signal }));
    case 'part':
      return done(await multipart.part(key, upload, request.part ?? 1, bytes, { signal }));
    case 'complete':
      return done(await multipart.complete(key, upload, keys, { signal }));
    case 'abort':
      await multipart.abort(key, upload, { signal });
      return done({});
    case 'listUploads': {
      const { uploads, next } = await multipart.list(key, { after, signal });
      const objects = uploads.map(({ key, upload, started }) => ({ key, etag: upload, size: 0, modified: started }));
      return done({ objects, next });
    }
  }
}

/** What a checked store answers with: see withRetries(). */
function done(answer: Omit<StoreSuccess, 'ok'>): StoreAnswer {
  return { ...answer, ok: true };
}

/** The same of an error: it is a StoreHangs, the end of the operation, or what a checked store rejects with. */
function failureOf(error: unknown): StoreAnswer {
  if (!(error instanceof Error)) {
    return { ok: false, message: `the store failed with ${describe(error)}` };
  }
  const { message } = error;
  if (error instanceof StoreHangs) {
    return { ok: false, kind: 'STOPPED', message };
  }
  if (!(error instanceof StoreError)) {
    return { ok: false, message };
  }
  const { status, storeCode, requestId, keys, reason = message } = error.facts;
  return { ok: false, kind: error.kind, message: reason, status, storeCode, requestId, keys };
}
