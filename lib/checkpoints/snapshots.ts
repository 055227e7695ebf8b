import { mkdir, realpath, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { checkOptions } from '../base/check-object.js';
import { syncDirectory } from '../base/durable-file.js';
import { describe, errorCode, invalidOption, RocksDBError } from '../base/errors.js';
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

/**
 * A checkpoint: a directory beside the database that is a complete database itself, made of hard links. The names in this API call it a
 * snapshot.
 */
export interface SnapshotInfo {
  /** The name of its directory: the time at which it was made, in UTC. */
  name: string;
  path: string;
  timestamp: Date;
  /** Its number in the order in which the checkpoints were made, whatever the clock said. */
  order: number;
  /** The note that was given when it was made or pinned. */
  note?: string;
  /** Whether it is kept until it is unpinned. */
  pinned: boolean;
  /** Total size of its files, in bytes. */
  size: number;
  /** Bytes of the files that only this checkpoint has. Deleting it frees that much. */
  ownBytes: number;
  /** The files that the database does not have any more, but other checkpoints may have. Equal names mean the same file. */
  files: { name: string; size: number }[];
}

/** Options of {@link createSnapshot}. */
export interface CreateSnapshotOptions {
  /**
   * The directory for checkpoints. If it is not on the database's file system, checkpoints are copies. @default the database's path plus
   * `.snapshots`
   */
  directory?: string | undefined;
  /** A note that is stored with the checkpoint. @default none */
  note?: string | undefined;
}

/** Where the checkpoints of a database are. */
export interface SnapshotPlace {
  /** The directory for checkpoints. @default the database's path plus `.snapshots` */
  directory?: string | undefined;
}

/**
 * Makes a checkpoint of an open database. It consists of hard links, so that takes almost no time. The checkpoint appears only when it is
 * complete.
 *
 * @example
 * const { path } = await createSnapshot(db, { note: 'before the migration' });
 */
export async function createSnapshot(db: Database, options: CreateSnapshotOptions = {}): Promise<SnapshotInfo> {
  const { note } = checkNoted(options);
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
    time++; // there is already one of the same millisecond
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
 * The checkpoints of a database, in the order in which they were made. The database may be open or closed. Other files in the directory are
 * ignored.
 *
 * @example
 * for (const { name, ownBytes } of await listSnapshots('/data/users')) console.log(name, ownBytes);
 */
export async function listSnapshots(dbPath: string, place: SnapshotPlace = {}): Promise<SnapshotInfo[]> {
  const directory = directoryOf(await realPath(dbPath), checkOptions('options', place, ['directory']));
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
 * Deletes a checkpoint. `name` must be a name that {@link listSnapshots} returned; nothing else is deleted. Rejects with DATABASE_IN_USE if
 * the checkpoint is open, and with SNAPSHOT_PINNED if it is pinned.
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
    // Rename it first: a checkpoint that is deleted only partly must not look like one.
    const going = join(directory, temporaryName('deleting', name));
    await rename(path, going);
    await rm(going, { recursive: true, force: true });
  });
}

/**
 * Rejects if the checkpoint is open: a second open of it fails. Other errors do not matter, because a damaged checkpoint may be deleted.
 */
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
 * Keeps a checkpoint until it is unpinned.
 *
 * @example
 * await pinSnapshot('/data/users', '20261120T030000000Z', { note: 'the audit needs it' });
 */
export async function pinSnapshot(
  dbPath: string,
  name: string,
  options: SnapshotPlace & { note?: string | undefined } = {},
): Promise<void> {
  const { note, ...place } = checkNoted(options);
  await changeMarker(dbPath, name, place, (marker) => ({
    ...marker,
    pinned: true,
    ...(note === undefined ? {} : { note }),
  }));
}

/** Removes the pin of a checkpoint. */
export async function unpinSnapshot(dbPath: string, name: string, place: SnapshotPlace = {}): Promise<void> {
  await changeMarker(dbPath, name, place, (marker) => ({ ...marker, pinned: false }));
}

/**
 * Decides which checkpoints stay and which are deleted, as {@link planRetention} does for backups. `backupId` in the result is the position
 * of the checkpoint in the list, starting at 1. The numbers of bytes count only files that the database does not have any more.
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
 * Deletes the checkpoints that a policy does not keep. A checkpoint that is open is skipped.
 *
 * @returns the names of the deleted checkpoints, oldest first
 *
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

/**
 * The checkpoint is open, or was pinned or deleted in the meantime. These are no errors, and the other checkpoints can still be deleted.
 */
const LEFT_ALONE: ReadonlySet<string> = new Set(['DATABASE_IN_USE', 'SNAPSHOT_PINNED', 'SNAPSHOT_NOT_FOUND']);

function directoryOf(dbPath: string, { directory }: SnapshotPlace): string {
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    throw invalidOption(TypeError, 'directory', 'the path of a directory', describe(directory));
  }
  return directory ?? `${dbPath}.snapshots`;
}

/** Resolves symlinks, like a Database does for its own path. The database itself may not exist any more. */
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
  const directory = directoryOf(await realPath(dbPath), checkOptions('options', place, ['directory']));
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

function checkNoted<T extends SnapshotPlace & { note?: string | undefined }>(options: T): T {
  const { note } = checkOptions('options', options, ['directory', 'note']);
  if (note !== undefined && typeof note !== 'string') {
    throw invalidOption(TypeError, 'note', 'a string', describe(note));
  }
  return options;
}
