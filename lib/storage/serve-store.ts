import { native } from '../native/binding.js';
import type { NativeStoreServer, StoreAnswer, StoreRequest } from '../native/native-storage.js';
import { isStoreError, type ObjectStore, StoreError } from '../stores/object-store.js';

/** The servers of this thread, by the ids of their stores. They must not be garbage-collected while native code may send requests. */
const servers = new Map<string, NativeStoreServer>();

/** For a store to which native code sends no more requests. */
export function stopServing(id: string): void {
  servers.delete(id);
}

/**
 * Answers the requests that native code has for the store with this id, on this thread. Returns false if nobody uses the store any more.
 */
export function serveStore(id: string, store: ObjectStore): boolean {
  const running = new Map<number, AbortController>();
  const { multipart } = store;
  const server = native.serveStore(
    id,
    (call, request) => {
      const controller = new AbortController();
      running.set(call, controller);
      answerOf(store, request, controller.signal)
        .then(
          (answer) => answer,
          (error: unknown) => failureOf(error),
        )
        .then((answer) => {
          // Nobody waits for the answer to a request that was cancelled.
          if (running.delete(call)) {
            server?.answer(call, answer);
          }
        });
    },
    (call) => {
      const controller = running.get(call);
      running.delete(call);
      controller?.abort(new Error('the operation has ended'));
    },
    { minPartBytes: multipart?.minPartBytes, maxParts: multipart?.maxParts, identity: store.identity },
  );
  if (server === undefined) {
    return false;
  }
  servers.set(id, server);
  return true;
}

/** Leases, the state, the mark of the repository. What is locked or kept for months cannot be written anew every 20 seconds. */
function isReplacedSoon(key: string): boolean {
  return key.startsWith('rocksdb-backup.');
}

async function answerOf(store: ObjectStore, request: StoreRequest, signal: AbortSignal): Promise<StoreAnswer> {
  const { key, upload = '', bytes = new Uint8Array(), keys = [], after } = request;
  switch (request.kind) {
    case 'put':
      return store.put(key, bytes, {
        ifAbsent: request.ifAbsent,
        ifMatch: request.ifMatch,
        temporary: isReplacedSoon(key),
        signal,
      });
    case 'get':
      return store.get(key, { offset: request.offset, length: request.length, ifMatch: request.ifMatch, signal });
    case 'list':
      return store.list(key, { after, signal });
    case 'delete':
      await store.delete(keys, { signal });
      return {};
  }
  const { multipart } = store;
  if (multipart === undefined) {
    throw new StoreError('REFUSED', `${store.name} has no uploads in parts`);
  }
  switch (request.kind) {
    case 'createUpload':
      return multipart.create(key, { signal });
    case 'part':
      return multipart.part(key, upload, request.part ?? 1, bytes, { signal });
    case 'complete':
      return multipart.complete(key, upload, keys, { signal });
    case 'abort':
      await multipart.abort(key, upload, { signal });
      return {};
    case 'listUploads': {
      const { uploads, next } = await multipart.list(key, { after, signal });
      const objects = uploads.map(({ key, upload, started }) => ({ key, etag: upload, size: 0, modified: started }));
      return { objects, next };
    }
  }
}

function failureOf(error: unknown): StoreAnswer {
  const message = error instanceof Error && error.message !== '' ? error.message : String(error);
  if (!isStoreError(error)) {
    return { kind: 'FAILED', message };
  }
  const { status, storeCode, requestId, reason = message } = error.facts;
  return { kind: error.kind, message: reason, status, storeCode, requestId };
}
