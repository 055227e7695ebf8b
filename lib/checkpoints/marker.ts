import { randomBytes } from 'node:crypto';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../base/durable-file.js';
import { readPlainFile } from '../base/plain-file.js';
import { isAlive } from '../base/process-alive.js';

// A checkpoint is described by the name of its directory and by a marker file in it.

const NAME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z$/;
const UNFINISHED = /^\.(making|deleting)-\d{8}T\d{9}Z-(\d+)-[0-9a-f]{16}(\.tmp)?$/;
const MARKER = 'rocksdb-backup.snapshot.json';

/** The contents of the marker file. */
export interface Marker {
  version: 1;
  order: number;
  note?: string;
  pinned: boolean;
}

/** For example 20261120T030000000Z. Such names sort by time and are allowed on every file system. */
export function nameOf(time: Date): string {
  return time.toISOString().replace(/[-:.]/g, '');
}

export function timeOf(name: string): Date | undefined {
  const [, year, month, day, hour, minute, second, millisecond] = NAME.exec(name) ?? [];
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${millisecond}Z`);
  return Number.isNaN(time.getTime()) || nameOf(time) !== name ? undefined : time;
}

export async function namesAndMarkers(directory: string): Promise<{ name: string; marker: Marker }[]> {
  const found: { name: string; marker: Marker }[] = [];
  for (const name of await namesIn(directory)) {
    const marker = await readMarker(directory, name);
    if (marker !== undefined) {
      found.push({ name, marker });
    }
  }
  // If a marker is damaged, the order of its checkpoint is not known.
  return found.sort((a, b) => a.marker.order - b.marker.order || (a.name < b.name ? -1 : 1));
}

/** Returns undefined if it is not a checkpoint. A checkpoint is a directory with such a name that contains a database and a marker. */
export async function readMarker(directory: string, name: string): Promise<Marker | undefined> {
  const path = join(directory, name);
  if (timeOf(name) === undefined || !(await lstat(path).catch(() => undefined))?.isDirectory()) {
    return undefined;
  }
  if (!(await exists(join(path, 'CURRENT')))) {
    return undefined;
  }
  let text: string;
  try {
    text = await readPlainFile(join(path, MARKER));
  } catch {
    return undefined;
  }
  return parseMarker(text);
}

/** A marker that cannot be read counts as pinned, because it may have said so. */
function parseMarker(text: string): Marker {
  try {
    const { order, note, pinned } = JSON.parse(text) as Partial<Marker>;
    if (Number.isSafeInteger(order) && typeof pinned === 'boolean') {
      return { version: 1, order: order as number, pinned, ...(typeof note === 'string' ? { note } : {}) };
    }
  } catch {}
  return { version: 1, order: 0, pinned: true, note: `its file ${MARKER} is damaged` };
}

export function writeMarker(path: string, marker: Marker): Promise<void> {
  return writeDurably(join(path, MARKER), JSON.stringify(marker));
}

/** Removes what processes left that were killed while they made or deleted a checkpoint. */
export async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    const pid = Number(UNFINISHED.exec(name)?.[2] ?? Number.NaN);
    // A name with our own pid is left over too: we hold the lock, so nobody else in this process is working here.
    if (pid === process.pid || (Number.isInteger(pid) && !isAlive(pid))) {
      await rm(join(directory, name), { recursive: true, force: true });
    }
  }
}

export function temporaryName(what: 'making' | 'deleting', name: string): string {
  return `.${what}-${name}-${process.pid}-${randomBytes(8).toString('hex')}`;
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      return [];
    }
    throw error;
  });
}

export async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}
