import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { native } from '../native/binding.js';
import type { NativeStorage, SmallFile, StateLock, StoreSettings } from '../native/native-storage.js';
import { isObjectStore, type ObjectStore } from '../stores/object-store.js';
import { withRetries } from '../stores/retries.js';
import { isStoreUrl, parseStoreUrl, storeUrlName } from '../stores/store-url.js';
import { type StoreTrouble, tellStoreTrouble } from '../stores/trouble.js';
import { becomeImpatient, serveStore, stopServing } from './serve-store.js';

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
  /**
   * The same for storages of this process that are at the same place. Two stores that have one name, such as a bucket's name at two
   * endpoints, differ in it. So do two objects for one store: only its leases keep their operations apart.
   */
  readonly identity: string;
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
  return isStoreUrl(location) ? storeUrlName(location) : resolve(below, location);
}

/** The location for a command that a message suggests: of a store its URL with the options, as it was given to this thread. */
export function locationInCommand({ name, identity }: Storage): string {
  for (const [url, { storage }] of byUrl) {
    if (storage.identity === identity) return quoted(url);
  }
  return quoted(name);
}

const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The storage at a location. Nothing has to be there. Nothing is read or written before it is used. */
export function openStorage(location: RepositoryLocation): NativeStorage {
  if (isObjectStore(location)) {
    return storageIn(location);
  }
  return typeof location === 'string' && isStoreUrl(location) ? storageAt(location) : native.openStorage(location);
}

/** The storages of this thread, by URL and by store: the manager and its engine use the same connections. */
const byUrl = new Map<string, { id: string; storage: NativeStorage }>();
const byStore = new WeakMap<ObjectStore, { id: string; storage: NativeStorage }>();

function storageAt(url: string): NativeStorage {
  let made = byUrl.get(url);
  if (made === undefined) {
    const { options } = parseStoreUrl(url); // throws here, and not in the Worker
    made = native.newStore(locationName(url), settingsOf(options));
    byUrl.set(url, made);
    storeWorker().postMessage({ id: made.id, url });
  }
  return made.storage;
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

/**
 * From now on, a store that does not answer a request within a second counts as one that hangs: that request fails with STORE_STOPPED, and so
 * do all others of the store. For a program that is asked to end: what it has begun can be cleaned up in a store that answers.
 */
export function stopWaitingForStores(): void {
  becomeImpatient();
  worker?.postMessage('becomeImpatient');
}

let worker: Worker | undefined;

function storeWorker(): Worker {
  if (worker === undefined) {
    worker = new Worker(join(__dirname, 'store-worker.js'), { name: 'rocksdb-backup stores' });
    // Before unref: a listener keeps the process alive.
    worker.on('message', (message: { failed: string } | { trouble: StoreTrouble }) => {
      if ('trouble' in message) tellStoreTrouble(message.trouble);
      else byUrl.delete(message.failed);
    });
    worker.unref(); // operations keep the process alive, and the stores alone do not
    let why = 'it ended';
    worker.once('error', (error) => {
      why = error.message;
    });
    worker.once('exit', () => {
      worker = undefined;
      // Those that it did not serve yet would wait for ever.
      for (const { id } of byUrl.values()) native.failStore(id, `the thread of the stores cannot go on: ${why}`);
      byUrl.clear();
    });
  }
  return worker;
}
