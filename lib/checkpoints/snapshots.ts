import { mkdir, realpath, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { syncDirectory } from '../base/durable-file.js';
import { describe, errorCode, invalidOption, RocksDBError } from '../base/errors.js';
import { unknownOption } from '../base/unknown-option.js';
import { Database } from '../database/database.js';
import {
  checkRetentionPolicy,
  planRetention,
  type RetentionPlan,
  type RetentionPolicy,
} from '../retention/retention.js';
import { alone } from './alone.js';
import {
  exists,
  type Marker,
  nameOf,
  namesAndMarkers,
  readMarker,
  removeUnfinished,
  temporaryName,
  timeOf,
  writeMarker,
} from './marker.js';
import { sizesOf } from './snapshot-sizes.js';

/** A checkpoint beside its database: a database of its own, made of hard links. */
export interface SnapshotInfo {
  /** The name of its directory: when it was made, in UTC. */
  name: string;
  path: string;
  timestamp: Date;
  /** The order in which snapshots were made, whatever the clock said. */
  order: number;
  /** What was noted when it was made, or when it was pinned. */
  note?: string;
  /** Whether it is kept until it is unpinned. */
  pinned: boolean;
  /** Bytes of its files. */
  size: number;
  /** Bytes that only this snapshot has: what deleting it frees. */
  ownBytes: number;
  /** The files that other snapshots may have too, but not the database any more; by what tells which are the same. */
  files: { name: string; size: number }[];
}

/** Options of {@link createSnapshot}. */
export interface CreateSnapshotOptions {
  /** Where snapshots are kept; on the database's file system, or they are copies. @default the database's path and `.snapshots` */
  directory?: string | undefined;
  /** Kept with it. @default none */
  note?: string | undefined;
}

/** Where the snapshots of a database are. */
export interface SnapshotPlace {
  /** Where snapshots are kept. @default the database's path and `.snapshots` */
  directory?: string | undefined;
}

/**
 * Makes a snapshot of an open database: in no time, of hard links. It appears when it is complete, never half.
 *
 * @example
 * const { path } = await createSnapshot(db, { note: 'before the migration' });
 */
export async function createSnapshot(db: Database, options: CreateSnapshotOptions = {}): Promise<SnapshotInfo> {
  const { note } = checkOptions(options, ['directory', 'note']);
  if (note !== undefined && typeof note !== 'string') {
    throw invalidOption(TypeError, 'note', 'a string', describe(note));
  }
  const directory = directoryOf(db.path, options);
  await mkdir(directory, { recursive: true });
  const name = await alone(directory, () => make(db, directory, note));
  const made = (await listSnapshots(db.path, { directory })).find((snapshot) => snapshot.name === name);
  if (made === undefined) {
    throw notFound(join(directory, name));
  }
  return made;
}

async function make(db: Database, directory: string, note: string | undefined): Promise<string> {
  await removeUnfinished(directory);
  const orders = (await namesAndMarkers(directory)).map(({ marker }) => marker.order);
  const marker: Marker = { version: 1, order: Math.max(0, ...orders) + 1, pinned: false };
  let time = Date.now();
  while (await exists(join(directory, nameOf(new Date(time))))) {
    time++; // another one of the same millisecond
  }
  const name = nameOf(new Date(time));
  const unfinished = join(directory, temporaryName('making', name));
  try {
    await db.checkpoint(unfinished);
    await writeMarker(unfinished, note === undefined ? marker : { ...marker, note });
    await rename(unfinished, join(directory, name));
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
  await syncDirectory(directory);
  return name;
}

/**
 * The snapshots of a database, whether it is open or not, in the order in which they were made. Other things that lie there are
 * not among them.
 *
 * @example
 * for (const { name, ownBytes } of await listSnapshots('/data/users')) console.log(name, ownBytes);
 */
export async function listSnapshots(dbPath: string, place: SnapshotPlace = {}): Promise<SnapshotInfo[]> {
  const directory = directoryOf(await realPath(dbPath), checkOptions(place, ['directory', 'note']));
  const entries = await namesAndMarkers(directory);
  const sizes = await sizesOf(entries.map(({ name }) => join(directory, name)));
  return entries.map(({ name, marker }, index) => ({
    name,
    path: join(directory, name),
    timestamp: timeOf(name) as Date,
    order: marker.order,
    ...(marker.note === undefined ? {} : { note: marker.note }),
    pinned: marker.pinned,
    ...(sizes[index] as (typeof sizes)[number]),
  }));
}

/**
 * Deletes a snapshot: by a name that {@link listSnapshots} gave, and nothing else. One that is open is refused with
 * DATABASE_IN_USE, one that is pinned with SNAPSHOT_PINNED.
 *
 * @example
 * await deleteSnapshot('/data/users', '20261120T030000000Z');
 */
export async function deleteSnapshot(dbPath: string, name: string, place: SnapshotPlace = {}): Promise<void> {
  const { directory } = await markerOf(dbPath, name, place);
  const path = join(directory, name);
  await alone(directory, async () => {
    const { marker } = await markerOf(dbPath, name, place);
    if (marker.pinned) {
      throw new RocksDBError(`the snapshot ${path} is pinned: unpin it first`, 'SNAPSHOT_PINNED', { path });
    }
    await checkNotInUse(path);
    // Under another name first: what is deleted by half is no snapshot any more.
    const going = join(directory, temporaryName('deleting', name));
    await rename(path, going);
    await rm(going, { recursive: true, force: true });
  });
}

/** Who opens a database that is open is told so. Whatever else is wrong with it, it can be deleted. */
async function checkNotInUse(path: string): Promise<void> {
  try {
    const db = await Database.open(path, { createIfMissing: false, rocksdb: { disable_auto_compactions: true } });
    await db.close();
  } catch (error) {
    if (errorCode(error) === 'DATABASE_IN_USE') {
      throw error;
    }
  }
}

/**
 * Keeps a snapshot until it is unpinned.
 *
 * @example
 * await pinSnapshot('/data/users', '20261120T030000000Z', { note: 'the audit needs it' });
 */
export async function pinSnapshot(
  dbPath: string,
  name: string,
  options: SnapshotPlace & { note?: string | undefined } = {},
): Promise<void> {
  const { note } = options;
  await changeMarker(dbPath, name, options, (marker) => ({
    ...marker,
    pinned: true,
    ...(note === undefined ? {} : { note }),
  }));
}

/** Lets go of a pinned snapshot. */
export async function unpinSnapshot(dbPath: string, name: string, place: SnapshotPlace = {}): Promise<void> {
  await changeMarker(dbPath, name, place, (marker) => ({ ...marker, pinned: false }));
}

/**
 * Which snapshots stay and which go, as {@link planRetention} says of backups; `backupId` is the snapshot's place in the list,
 * from 1. Bytes are those that only snapshots have.
 */
export function planSnapshots(snapshots: readonly SnapshotInfo[], policy: RetentionPolicy, now: Date): RetentionPlan {
  const backups = snapshots.map(({ timestamp, pinned, files }, index) => ({
    backupId: index + 1,
    timestamp,
    state: 'unverified' as const,
    pinned,
    files,
  }));
  return planRetention(backups, policy, now, { requireVerified: false });
}

/**
 * Deletes the snapshots that a policy does not keep. One that is open is left for another time.
 *
 * @returns the names of those that were deleted, oldest first
 * @example
 * await pruneSnapshots('/data/users', { last: 3, daily: 7 }, new Date());
 */
export async function pruneSnapshots(
  dbPath: string,
  policy: RetentionPolicy,
  now: Date,
  place: SnapshotPlace = {},
): Promise<string[]> {
  checkRetentionPolicy(policy);
  const snapshots = await listSnapshots(dbPath, place);
  const names = planSnapshots(snapshots, policy, now).delete.map((id) => (snapshots[id - 1] as SnapshotInfo).name);
  const deleted: string[] = [];
  for (const name of names) {
    try {
      await deleteSnapshot(dbPath, name, place);
      deleted.push(name);
    } catch (error) {
      if (!LEFT_ALONE.has(errorCode(error) ?? '')) {
        throw error;
      }
    }
  }
  return deleted;
}

/** Somebody reads it, has pinned it or has deleted it since: nothing is wrong with that, and the others can go. */
const LEFT_ALONE: ReadonlySet<string> = new Set(['DATABASE_IN_USE', 'SNAPSHOT_PINNED', 'SNAPSHOT_NOT_FOUND']);

function directoryOf(dbPath: string, { directory }: SnapshotPlace): string {
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    throw invalidOption(TypeError, 'directory', 'the path of a directory', describe(directory));
  }
  return directory ?? `${dbPath}.snapshots`;
}

/** Like a Database's own path: links resolved. The database itself may be gone. */
function realPath(path: string): Promise<string> {
  if (typeof path !== 'string' || path === '') {
    throw invalidOption(TypeError, 'dbPath', 'the path of a database', describe(path));
  }
  return realpath(path).catch(() => path.replace(/(?<=.)\/+$/, ''));
}

async function markerOf(
  dbPath: string,
  name: string,
  place: SnapshotPlace,
): Promise<{ directory: string; marker: Marker }> {
  const directory = directoryOf(await realPath(dbPath), checkOptions(place, ['directory', 'note']));
  if (typeof name !== 'string' || basename(name) !== name || timeOf(name) === undefined) {
    throw invalidOption(TypeError, 'name', "the name of a snapshot, such as '20261120T030000000Z'", describe(name));
  }
  const marker = await readMarker(directory, name);
  if (marker === undefined) {
    throw notFound(join(directory, name));
  }
  return { directory, marker };
}

async function changeMarker(
  dbPath: string,
  name: string,
  place: SnapshotPlace,
  change: (marker: Marker) => Marker,
): Promise<void> {
  const { directory } = await markerOf(dbPath, name, place);
  await alone(directory, async () => {
    const { marker } = await markerOf(dbPath, name, place);
    await writeMarker(join(directory, name), change(marker));
  });
}

function notFound(path: string): RocksDBError {
  return new RocksDBError(`there is no snapshot ${path}`, 'SNAPSHOT_NOT_FOUND', { path });
}

function checkOptions<T extends object>(options: T, known: string[]): T {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidOption(TypeError, 'options', 'an object', describe(options));
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw unknownOption(unknown, known);
  }
  return options;
}
