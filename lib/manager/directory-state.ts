import { parseWritten } from '../backup/state-file.js';
import { RocksDBError } from '../base/errors.js';
import type { OperationRecord } from './operation-record.js';

/** A backup that is kept until it is unpinned. */
export interface Pin {
  backupId: number;
  timestamp: string;
  note?: string;
  /** When it was pinned. */
  at: string;
}

/**
 * The state of a repository: what is remembered about it in addition to the backups. It is one file beside them. If it is lost, pins and
 * statistics are lost, but no backup.
 */
export interface DirectoryState {
  version: 1;
  pins: Pin[];
  /** Sums over the whole life of the repository. */
  counters: Record<string, number>;
  /** The latest {@link HISTORY_LENGTH} operations, oldest first. */
  history: OperationRecord[];
  /** For each operation, the last one that succeeded; under `<operation>Failed`, the last one that failed. */
  last: Record<string, OperationRecord>;
  /** What a BackupManager needs to continue after a restart. */
  manager: Record<string, unknown>;
  /**
   * Set if pins may have been lost, because the file and its previous version were both damaged. While it is set, nothing is pruned or
   * purged, and no backup is deleted by its id: it could be a pinned one. {@link acknowledgeLostPins} clears it.
   */
  pinsLost?: string;
}

export function emptyState(): DirectoryState {
  return { version: 1, pins: [], counters: {}, history: [], last: {}, manager: {} };
}

/** Parses the state in a file. Returns a message if the file is damaged. */
export function parseState(text: string, path: string): DirectoryState | string {
  const value = parseWritten(text);
  if (typeof value?.version !== 'number') {
    return `${path} is damaged`;
  }
  if (value.version !== 1) {
    // The file is not at fault: a newer version wrote it, with data that this version would lose.
    throw new RocksDBError(
      `${path} was written by a newer version of rocksdb-backup (its version is ${value.version}, this one knows 1): use that one.`,
      'STATE_NEWER',
      { path },
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

/** Checks the form of a history entry, because somebody may have edited the file. */
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
