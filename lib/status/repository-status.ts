import { resolve } from 'node:path';
import { BackupEngine } from '../backup/backup-engine.js';
import { checkOptions } from '../base/check-object.js';
import { readInventory } from '../manager/inventory.js';
import { native } from '../native/binding.js';
import type { RepositoryUse } from '../native/native-storage.js';
import { forgetStore, isObjectStore, isStoreUrl, type RepositoryLocation } from '../storage/storage.js';
import { isStoreError, type ListedObject, type ObjectStore } from '../stores/object-store.js';
import { withRetries } from '../stores/retries.js';
import { openStoreUrl } from '../stores/store-url.js';
import { type FoundInStore, findInDirectory, findInStore } from './find-repositories.js';
import { leaseHolder } from './lease-holder.js';
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
  /**
   * It was not renewed for long: its holder was killed, or hangs. Nobody works there; the next operation that it would be in the way of
   * removes it.
   */
  stale?: boolean;
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
   * Who works in it now. A process of this machine that has ended does not count. Undefined if the repository cannot be looked at. In a directory, locks do not tell which process reads, and another
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
    const isStale = staleness(found, now);
    return inTurns(chosen, parallel, signal, (each) => statusInStore(plain, store, each, signal, now, isStale));
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
  isStale: (modified: number) => boolean,
): Promise<RepositoryStatus> {
  const listed = new ListedStore(plain, prefix, objects);
  const status = await statusOf(listed, listed.name, now).finally(() => forgetStore(listed));
  const below = `${prefix}rocksdb-backup.leases/`;
  const objectsOfLeases = objects.filter(({ key }) => key.startsWith(below));
  const leases = await Promise.all(objectsOfLeases.map((each) => leaseOf(store, each, below, signal, isStale)));
  return { ...status, leases: leases.filter((lease) => lease !== undefined) };
}

/** A lease is renewed every 20 seconds. So long after its last renewal, nobody holds it. */
const LEASE_ENDS = 120_000;
/** The same by the clock of this machine, which may differ from the store's. */
const LEASE_ENDS_HERE = 600_000;

/** Whether a lease that was written then is stale. The newest object tells how late it is by the store's clock, at least. */
function staleness(all: readonly FoundInStore[], now: Date): (modified: number) => boolean {
  let newest = 0;
  for (const { objects } of all) {
    for (const { modified } of objects) newest = Math.max(newest, modified);
  }
  // 0: the store does not tell when an object was written.
  return (modified) => modified > 0 && (newest - modified > LEASE_ENDS || now.getTime() - modified > LEASE_ENDS_HERE);
}

/** @returns undefined if the lease was released, or if its holder was a process of this machine that has ended */
async function leaseOf(
  store: ObjectStore,
  { key, modified }: ListedObject,
  below: string,
  signal: AbortSignal,
  isStale: (modified: number) => boolean,
): Promise<LiveLease | undefined> {
  const [, what = '', id] = /^([a-z]+)(?:-(\d+))?/.exec(key.slice(below.length)) ?? [];
  let text = '';
  try {
    text = Buffer.from((await store.get(key, { signal })).bytes).toString();
  } catch (error) {
    if (isStoreError(error) && error.kind === 'NOT_FOUND') return undefined;
    // Else it may not be read: it is not known who holds it.
  }
  const { name, hasEnded } = leaseHolder(text);
  if (hasEnded) return undefined;
  return {
    what: what === 'writer' ? 'writing' : what === 'reading' || what === 'deleting' ? what : 'state',
    ...(id !== undefined && { backupId: Number(id) }),
    ...(name !== undefined && { holder: name }),
    ...(modified > 0 && { renewed: new Date(modified) }),
    ...(isStale(modified) && { stale: true }),
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
