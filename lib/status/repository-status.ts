import { resolve } from 'node:path';
import { BackupEngine } from '../backup/backup-engine.js';
import { checkOptions } from '../base/check-object.js';
import { readInventory } from '../manager/inventory.js';
import { native } from '../native/binding.js';
import type { RepositoryUse } from '../native/native-storage.js';
import { forgetStore, isObjectStore, isStoreUrl, type RepositoryLocation } from '../storage/storage.js';
import type { ListedObject, ObjectStore } from '../stores/object-store.js';
import { withRetries } from '../stores/retries.js';
import { openStoreUrl } from '../stores/store-url.js';
import { type FoundInStore, findInDirectory, findInStore } from './find-repositories.js';
import { ListedStore } from './listed-store.js';
import { asLibraryError } from './store-failure.js';

/** Options of {@link repositoryStatus}. */
export interface RepositoryStatusOptions {
  /** Looks at all repositories below the prefix or the directory. @default false */
  recursive?: boolean | undefined;
  /** How many repositories are looked at at the same time. @default 16 */
  parallel?: number | undefined;
  signal?: AbortSignal | undefined;
  /** @default now */
  now?: Date | undefined;
}

/** Somebody who works in a repository: by a lease in an object store, by a lock in a directory. */
export interface LiveLease extends RepositoryUse {
  /** When a lease was renewed, by the store's clock. */
  renewed?: Date;
}

/** How one repository is. */
export interface RepositoryStatus {
  location: string;
  /** How many backups can be read. */
  backups: number;
  /** Size of all files of these backups, each counted once. */
  bytes: number;
  /** The latest backup that can be read and is not known to be damaged. */
  lastGood?: { backupId: number; timestamp: Date; ageMs: number };
  /** The ids of readable backups that are known to be damaged. */
  damaged: number[];
  /** The ids of backups that cannot be read. */
  unreadable: number[];
  /** The ids of backups that are kept until they are unpinned. */
  pinned: number[];
  /**
   * Who works in it now. Undefined if the repository cannot be looked at. In a directory, locks do not tell which process reads, and another
   * machine's are told only if the file system shares them.
   */
  leases?: LiveLease[];
  /** Why the repository cannot be looked at. All numbers are 0 then. */
  error?: Error;
}

const NAMES = ['recursive', 'parallel', 'signal', 'now'] as const satisfies readonly (keyof RepositoryStatusOptions)[];

/**
 * Says how a repository is, or with `recursive` how all repositories below a prefix of a bucket or below a directory are. Changes nothing and
 * takes no locks. A bucket is listed once, however many repositories it has. A repository that cannot be looked at has an `error` in the
 * result; rejects only if the place itself cannot be looked at.
 *
 * @example
 * const all = await repositoryStatus('s3://backups', { recursive: true });
 * const late = all.filter(({ lastGood }) => lastGood === undefined || lastGood.ageMs > 26 * 3600_000);
 */
export async function repositoryStatus(
  place: RepositoryLocation,
  options: RepositoryStatusOptions = {},
): Promise<RepositoryStatus[]> {
  const {
    recursive = false,
    parallel = 16,
    signal = new AbortController().signal,
    now = new Date(),
  } = checkOptions('options', options, NAMES);
  if (isObjectStore(place) || isStoreUrl(place)) {
    const plain = typeof place === 'string' ? await openStoreUrl(place) : place;
    const store = withRetries(plain);
    const found = await findInStore(store, signal).catch((error: Error) => {
      signal.throwIfAborted();
      throw asLibraryError(error, store, 'listing');
    });
    const chosen = recursive ? found : [found.find(({ prefix }) => prefix === '') ?? { prefix: '', objects: [] }];
    return inTurns(chosen, parallel, signal, (each) => statusInStore(plain, store, each, signal, now));
  }
  const found = recursive ? await findInDirectory(resolve(place), signal) : [{ path: resolve(place) }];
  return inTurns(found, parallel, signal, ({ path, error }: { path: string; error?: unknown }) =>
    error === undefined ? statusOf(path, path, now) : failed(path, error),
  );
}

async function inTurns<T, R>(
  items: readonly T[],
  parallel: number,
  signal: AbortSignal,
  work: (item: T) => R | Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) {
      signal.throwIfAborted();
      results[at] = await work(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker));
  return results;
}

async function statusInStore(
  plain: ObjectStore,
  store: ObjectStore,
  { prefix, objects }: FoundInStore,
  signal: AbortSignal,
  now: Date,
): Promise<RepositoryStatus> {
  const listed = new ListedStore(plain, prefix, objects);
  const status = await statusOf(listed, listed.name, now).finally(() => forgetStore(listed));
  const below = `${prefix}rocksdb-backup.leases/`;
  const leases = objects.filter(({ key, modified }) => key.startsWith(below) && now.getTime() - modified < LEASE_ENDS);
  return { ...status, leases: await Promise.all(leases.map((each) => leaseOf(store, each, below, signal))) };
}

/** A lease is renewed every 20 seconds. The clocks of this machine and of the store may differ a little. */
const LEASE_ENDS = 120_000;

async function leaseOf(
  store: ObjectStore,
  { key, modified }: ListedObject,
  below: string,
  signal: AbortSignal,
): Promise<LiveLease> {
  const [, what = '', id] = /^([a-z]+)(?:-(\d+))?/.exec(key.slice(below.length)) ?? [];
  const lines = await store.get(key, { signal }).then(
    ({ bytes }) => Buffer.from(bytes).toString().split('\n'),
    () => [], // it was released in the meantime, or may not be read
  );
  const [, machine, process] = lines.map((line) => line.split(' ')[0]);
  return {
    what: what === 'writer' ? 'writing' : what === 'reading' || what === 'deleting' ? what : 'state',
    ...(id !== undefined && { backupId: Number(id) }),
    ...(machine && process && { holder: `process ${process} on ${machine}` }),
    renewed: new Date(modified),
  };
}

async function statusOf(place: RepositoryLocation, location: string, now: Date): Promise<RepositoryStatus> {
  try {
    const engine = await BackupEngine.open(place, { readOnly: true });
    try {
      const { backups, corrupt, bytesOnDisk } = await readInventory(engine);
      const lastGood = backups.filter(({ state }) => state !== 'corrupt').at(-1);
      return {
        location,
        backups: backups.length,
        bytes: bytesOnDisk,
        ...(lastGood && {
          lastGood: {
            backupId: lastGood.backupId,
            timestamp: lastGood.timestamp,
            ageMs: now.getTime() - lastGood.timestamp.getTime(),
          },
        }),
        damaged: backups.filter(({ state }) => state === 'corrupt').map(({ backupId }) => backupId),
        unreadable: corrupt.map(({ backupId }) => backupId),
        pinned: backups.filter(({ pinned }) => pinned).map(({ backupId }) => backupId),
        ...(typeof place === 'string' && {
          leases: native.usesOfDirectory(
            place,
            [...backups, ...corrupt].map(({ backupId }) => backupId),
          ),
        }),
      };
    } finally {
      await engine.close();
    }
  } catch (error) {
    return failed(location, error);
  }
}

function failed(location: string, error: unknown): RepositoryStatus {
  return {
    location,
    backups: 0,
    bytes: 0,
    damaged: [],
    unreadable: [],
    pinned: [],
    error: error instanceof Error ? error : new Error(String(error)),
  };
}
