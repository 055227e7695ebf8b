import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { PREVIOUS_STATE_FILE, parseWritten, STATE_FILE, writtenText } from '../backup/state-file.js';
import { NotDurable, writeDurably } from '../base/durable-file.js';
import { RocksDBError } from '../base/errors.js';
import { readPlainFile } from '../base/plain-file.js';
import { native } from '../native/binding.js';
import type { NativeStateLock } from '../native/native-backup-engine.js';
import { type BackupRef, isSameBackup, type OperationRecord } from './operation-record.js';

/** A backup that is kept until it is unpinned. */
export interface Pin {
  backupId: number;
  timestamp: string;
  note?: string;
  /** When it was pinned. */
  at: string;
}

/**
 * What is remembered about a directory of backups beside the backups themselves. It lies in one file among them; who loses it
 * loses pins and statistics, and no backup.
 */
export interface DirectoryState {
  version: 1;
  pins: Pin[];
  /** Sums over the directory's life. */
  counters: Record<string, number>;
  /** The latest {@link HISTORY_LENGTH} operations, oldest first. */
  history: OperationRecord[];
  /** By operation the last that went well, and as `<operation>Failed` the last that did not. */
  last: Record<string, OperationRecord>;
  /** What a BackupManager goes on from after a restart. */
  manager: Record<string, unknown>;
  /**
   * Set when pins may have been lost, because the file and its predecessor were damaged. As long as it is, nothing is pruned,
   * purged or deleted by its number: it could be a pinned backup. {@link acknowledgeLostPins} ends it.
   */
  pinsLost?: string;
}

/** How many operations the state remembers. */
export const HISTORY_LENGTH = 200;

/** What cannot be read any more is set aside under this name, for whoever wants to look at it. */
const DAMAGED_STATE_FILE = 'rocksdb-backup.state.damaged.json';

/**
 * The state of a backup directory. A directory that has none has an empty one.
 *
 * @example
 * const { pins } = await readState('/backups/users');
 */
export async function readState(location: string): Promise<DirectoryState> {
  return (await load(location)).state;
}

/**
 * Changes the state of a backup directory: reads it, lets `change` alter it, writes it so that it survives a power cut. Nobody
 * else's change comes in between, in this process or another.
 *
 * @example
 * await updateState('/backups/users', (state) => pin(state, info, 'before the upgrade'));
 */
export async function updateState(location: string, change: (state: DirectoryState) => void): Promise<DirectoryState> {
  const lock = await lockState(location);
  try {
    const { state, damaged } = await load(location);
    const pinsBefore = JSON.stringify(state.pins);
    change(state);
    const path = join(location, STATE_FILE);
    const write = (aside: string) =>
      writeDurably(path, writtenText(state), () => {
        lock.assertHeld();
        return renameIfThere(path, join(location, aside));
      });
    const writeAll = async () => {
      await write(damaged ? DAMAGED_STATE_FILE : PREVIOUS_STATE_FILE);
      if (JSON.stringify(state.pins) !== pinsBefore) {
        // The file before this one has the same pins then: when one of the two is damaged, no pin is lost.
        await write(PREVIOUS_STATE_FILE);
      }
    };
    await writeAll().catch((error: Error) => {
      if ((error as { code?: string }).code === 'LOCK_LOST') {
        throw error;
      }
      const what = 'the pins and the history of the backups beside it';
      const message =
        error instanceof NotDurable
          ? `${path} was changed, and may be as it was again after a power cut: ${error.message}. It holds ${what}.`
          : `${path} cannot be written: ${error.message}. It holds ${what}, and is as it was.`;
      throw Object.assign(new RocksDBError(message, 'STATE_UNWRITABLE'), { cause: error });
    });
    return state;
  } finally {
    lock.release();
  }
}

/**
 * Does something while nobody else changes the state: what it says holds until that is done, or `assertHeld` throws LOCK_LOST.
 * Changes of its own would wait for ever, and those of others do: it must wait for nothing that takes long.
 */
export async function holdingState<T>(
  location: string,
  use: (state: DirectoryState, assertHeld: () => void) => Promise<T>,
): Promise<T> {
  const lock = await lockState(location);
  try {
    return await use((await load(location)).state, () => lock.assertHeld());
  } finally {
    lock.release();
  }
}

async function load(location: string): Promise<{ state: DirectoryState; damaged: boolean }> {
  const path = join(location, STATE_FILE);
  const current = await readOne(path);
  if (typeof current === 'object') {
    return { state: current, damaged: false };
  }
  const previous = await readOne(join(location, PREVIOUS_STATE_FILE));
  if (typeof previous === 'object') {
    return { state: previous, damaged: current !== undefined };
  }
  const state = emptyState();
  const problem = current ?? previous;
  if (problem !== undefined) {
    state.pinsLost =
      `${problem}; which backups were pinned is not known any more. Pin again those that are to be kept, then say so: ` +
      `rocksdb-backup unpin ${location} --acknowledge-lost-pins`;
  }
  return { state, damaged: current !== undefined };
}

/**
 * The same, for who only looks: of a state that cannot be read, one without pins that says so. While it is so nothing is deleted,
 * as when pins were lost.
 */
export async function lookAtState(location: string): Promise<DirectoryState> {
  try {
    return await readState(location);
  } catch (error) {
    const { code, message } = error as RocksDBError;
    if (code !== 'STATE_UNREADABLE') {
      throw error;
    }
    const pinsLost = `${message} Which backups are pinned is not known until it can be read`;
    return { ...emptyState(), pinsLost };
  }
}

/** A state; or what is wrong with the file; or undefined where there is none. */
async function readOne(path: string): Promise<DirectoryState | string | undefined> {
  let text: string;
  try {
    text = await readPlainFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return undefined;
    }
    throw new RocksDBError(
      `${path} cannot be read: ${message}. It holds the pins of the backups beside it.`,
      'STATE_UNREADABLE',
    );
  }
  return parseState(text, path);
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') {
      throw error;
    }
  });
}

/** Waits for whoever is changing the state: that is a matter of milliseconds. */
async function lockState(location: string): Promise<NativeStateLock> {
  const giveUp = performance.now() + 30_000;
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    const lock = native.tryLockState(location);
    if (lock !== undefined) {
      return lock;
    }
    if (performance.now() > giveUp) {
      throw new RocksDBError(
        `${join(location, STATE_FILE)} has been locked by another process for 30 seconds; it may hang. Nothing was changed.`,
        'STATE_LOCKED',
      );
    }
    await after(wait);
  }
}

function emptyState(): DirectoryState {
  return { version: 1, pins: [], counters: {}, history: [], last: {}, manager: {} };
}

/** The state in a file, or what is wrong with the file. */
function parseState(text: string, path: string): DirectoryState | string {
  const value = parseWritten(text);
  if (typeof value?.version !== 'number') {
    return `${path} is damaged`;
  }
  if (value.version !== 1) {
    // Not a fault of the file: whoever wrote it knows more, and would lose it.
    throw new RocksDBError(
      `${path} was written by a newer version of rocksdb-backup (its version is ${value.version}, this one knows 1): use that one.`,
      'STATE_NEWER',
    );
  }
  const { pins, counters, history, last, manager, pinsLost } = value;
  if (!Array.isArray(pins) || !pins.every(isPin)) {
    return `${path} is damaged: its pins cannot be read`;
  }
  return {
    ...emptyState(),
    pins: pins.map(({ note, ...rest }) => (typeof note === 'string' ? { ...rest, note } : rest)),
    counters: isObject(counters) ? onlyOf(counters, (n): n is number => Number.isFinite(n)) : {},
    history: Array.isArray(history) ? history.filter(isRecord) : [],
    last: isObject(last) ? onlyOf(last, isRecord) : {},
    manager: isObject(manager) ? manager : {},
    ...(typeof pinsLost === 'string' ? { pinsLost } : {}),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDate(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

function isPin(value: unknown): value is Pin {
  return isObject(value) && Number.isInteger(value.backupId) && isDate(value.timestamp);
}

/** Whatever somebody made of the file, what is shown of it has the right form. */
function isRecord(value: unknown): value is OperationRecord {
  if (!isObject(value) || !isDate(value.at) || typeof value.ok !== 'boolean' || !Number.isFinite(value.durationMs)) {
    return false;
  }
  const { operation, error, detail, bytes } = value;
  return (
    typeof operation === 'string' &&
    /^[a-z]+$/i.test(operation) &&
    (error === undefined || (isObject(error) && typeof error.message === 'string')) &&
    (detail === undefined || isObject(detail)) &&
    (bytes === undefined || Number.isFinite(bytes))
  );
}

function onlyOf<T>(object: Record<string, unknown>, accept: (value: unknown) => value is T): Record<string, T> {
  return Object.fromEntries(Object.entries(object).filter((entry): entry is [string, T] => accept(entry[1])));
}

/** Whether a backup is kept until it is unpinned. */
export function isPinned(state: DirectoryState, backup: BackupRef): boolean {
  return pinOf(state, backup) !== undefined;
}

/** The pin of a backup, if it has one. */
export function pinOf(state: DirectoryState, backup: BackupRef): Pin | undefined {
  return state.pins.find((pinned) => isSameBackup(pinned, backup));
}

/** Pins a backup; again only changes the note. */
export function pin(state: DirectoryState, backup: BackupRef, note?: string): void {
  const { backupId, timestamp } = backup;
  unpin(state, backup);
  state.pins.push({
    backupId,
    timestamp: new Date(timestamp).toISOString(),
    ...(note === undefined ? {} : { note }),
    at: new Date().toISOString(),
  });
}

/** Lets go of a pinned backup. @returns whether it was pinned */
export function unpin(state: DirectoryState, backup: BackupRef): boolean {
  const before = state.pins.length;
  state.pins = state.pins.filter((pinned) => !isSameBackup(pinned, backup));
  return state.pins.length < before;
}

/** Says that the pins are as they should be again, after they had been lost: pruning goes on. */
export function acknowledgeLostPins(state: DirectoryState): void {
  delete state.pinsLost;
}

/** Adds what was done to the history. */
export function remember(state: DirectoryState, record: OperationRecord): void {
  const before = state.history.at(-1);
  if (before !== undefined && isSameSkip(before, record)) {
    // An idle database would fill the history with them.
    const { times = 1, since = before.at } = (before.detail ?? {}) as {
      times?: number;
      since?: string;
    };
    record = {
      ...record,
      detail: { ...record.detail, times: times + 1, since },
    };
    state.history = state.history.slice(0, -1);
  }
  state.history = [...state.history, record].slice(-HISTORY_LENGTH);
  state.last[record.ok ? record.operation : `${record.operation}Failed`] = record;
}

/** Whether two backups were left out one after the other, as the same one was still current. */
function isSameSkip(a: OperationRecord, b: OperationRecord): boolean {
  return a.operation === 'skip' && b.operation === 'skip' && a.backupId === b.backupId && a.timestamp === b.timestamp;
}
