import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { native } from '../native/binding.js';
import type { NativeStorage, SmallFile, StateLock, StoreSettings } from '../native/native-storage.js';
import { isObjectStore, type ObjectStore } from '../stores/object-store.js';
import { withRetries } from '../stores/retries.js';
import { isStoreUrl, parseStoreUrl } from '../stores/store-url.js';
import { serveStore, stopServing } from './serve-store.js';

export type { SmallFile, StateLock } from '../native/native-storage.js';
export { isObjectStore } from '../stores/object-store.js';
export { isStoreUrl } from '../stores/store-url.js';

/**
 * The place where a repository lives, as far as the code in lib needs it; the backups themselves are read and written by native code. The
 * contract of each member is at the same name in binding/core/storage/storage.h.
 */
export interface Storage {
  /** What messages call the repository: a path or a URL. */
  readonly name: string;
  /** The directory of this machine in which the repository lies. Undefined if it lies elsewhere. */
  readonly localDirectory: string | undefined;
  /** Undefined if there is no such file. */
  readSmall(file: string): Promise<SmallFile | undefined>;
  /**
   * Writes a file if it still has this version; undefined: if there is still no such file; {@link ANY_VERSION}: in any case. Rejects with
   * STATE_CHANGED otherwise. @returns the new version
   */
  replaceSmall(file: string, version: string | undefined, bytes: string | Uint8Array): Promise<string>;
  /** Undefined while another holder has the lock. */
  tryLockState(): Promise<StateLock | undefined>;
}

/** For {@link Storage.replaceSmall}: whatever is there. */
export const ANY_VERSION = '*';

/**
 * Where a repository lies: the path of a directory; the URL of a place in an object store, such as `s3://bucket/prefix`; or a store, whose
 * methods are called on the thread that opens it. A built-in store that is given as a URL works in a thread of its own.
 */
export type RepositoryLocation = string | ObjectStore;

/** The location without what the URL of a store has beside its place, and with an absolute path. */
export function locationName(location: RepositoryLocation, below = '.'): string {
  if (typeof location !== 'string') {
    return location.name;
  }
  return isStoreUrl(location) ? location.replace(/\/*(\?.*)?$/s, '') : resolve(below, location);
}

/** The storage at a location. Nothing has to be there. Nothing is read or written before it is used. */
export function openStorage(location: RepositoryLocation): NativeStorage {
  if (isObjectStore(location)) {
    return storageIn(location);
  }
  return typeof location === 'string' && isStoreUrl(location) ? storageAt(location) : native.openStorage(location);
}

/** The storages of this thread, by URL and by store: the manager and its engine use the same connections. */
const byUrl = new Map<string, NativeStorage>();
const byStore = new WeakMap<ObjectStore, { id: string; storage: NativeStorage }>();

function storageAt(url: string): NativeStorage {
  let storage = byUrl.get(url);
  if (storage === undefined) {
    const { options } = parseStoreUrl(url); // throws here, and not in the Worker
    const made = native.newStore(locationName(url), settingsOf(options));
    storage = made.storage;
    byUrl.set(url, storage);
    storeWorker().postMessage({ id: made.id, url });
  }
  return storage;
}

function storageIn(store: ObjectStore): NativeStorage {
  let made = byStore.get(store);
  if (made === undefined) {
    made = native.newStore(store.name, settingsOf(store));
    byStore.set(store, made);
    serveStore(made.id, withRetries(store));
  }
  return made.storage;
}

const DAY = 24 * 60 * 60 * 1000;

/** Of a store, or of the options that its URL has. */
function settingsOf({ singleWriter, objectLock }: Pick<ObjectStore, 'singleWriter' | 'objectLock'>): StoreSettings {
  const { days, until } = objectLock ?? {};
  return {
    singleWriter,
    ...(days !== undefined && { lockedFor: days * DAY }),
    ...(until !== undefined && { lockedUntil: until.getTime() }),
  };
}

/** Frees what a store needs that was made for a moment. All engines on it must be closed. */
export function forgetStore(store: ObjectStore): void {
  const made = byStore.get(store);
  if (made !== undefined) {
    byStore.delete(store);
    stopServing(made.id);
  }
}

let worker: Worker | undefined;

function storeWorker(): Worker {
  if (worker === undefined) {
    worker = new Worker(join(__dirname, 'store-worker.js'), { name: 'rocksdb-backup stores' });
    worker.on('message', ({ failed }: { failed: string }) => byUrl.delete(failed)); // before unref: it keeps the process alive
    worker.unref(); // operations keep the process alive, and the stores alone do not
    worker.once('exit', () => {
      worker = undefined;
      byUrl.clear();
    });
  }
  return worker;
}
