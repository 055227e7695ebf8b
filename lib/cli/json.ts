import { isUtf8 } from 'node:buffer';
import type { RocksDBErrorDetails } from '../base/errors.js';
import type { DrillError } from '../drill/drill.js';
import type { BackupInfo } from '../native/backup-info.js';
import { codeOf, messageOf } from './errors.js';
import { exitCodes, exitOf } from './exit-codes.js';
import { partsOf } from './output/text.js';
import { anyOf, array, count, flag, type JsonSchema, number, object, oneOf, ref, text, time } from './schema.js';

/** Bytes in JSON: a string if they are UTF-8, otherwise base64. */
type JsonBytes = string | { base64: string };

export function bytesAsJson(bytes: Uint8Array): JsonBytes {
  const buffer = asBuffer(bytes);
  return isUtf8(buffer) ? buffer.toString('utf8') : { base64: buffer.toString('base64') };
}

/** The JSON text of {@link bytesAsJson} in parts, for a value that is too large for several strings of its size. */
export function* bytesAsJsonParts(bytes: Uint8Array): Generator<string> {
  if (isUtf8(bytes)) {
    yield '"';
    for (const part of partsOf(bytes)) {
      yield JSON.stringify(asBuffer(part).toString('utf8')).slice(1, -1);
    }
    yield '"';
    return;
  }
  yield '{"base64":"';
  // Three bytes become four digits. So each part can be encoded separately.
  for (let at = 0; at < bytes.length; at += 3 << 14) {
    yield asBuffer(bytes.subarray(at, at + (3 << 14))).toString('base64');
  }
  yield '"}';
}

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array) => Buffer.from(buffer, byteOffset, byteLength);

/** The information about a backup in the JSON of all commands. */
export function backupAsJson(info: BackupInfo) {
  return {
    backupId: info.backupId,
    timestamp: info.timestamp.toISOString(),
    size: info.size,
    uniqueSize: info.uniqueSize,
    metaSize: info.metaSize,
    numberFiles: info.numberFiles,
    kind: info.kind,
    logBytes: info.logBytes,
    ...(info.databaseId === undefined ? {} : { databaseId: info.databaseId }),
    metadata: bytesAsJson(info.appMetadataBytes),
    ...(info.lockedUntil === undefined ? {} : { lockedUntil: info.lockedUntil.toISOString() }),
    ...(info.newerRocksDB === undefined ? {} : { newerRocksDB: info.newerRocksDB }),
  };
}

/** The facts of errors, which docs/errors.md explains. An error has those that apply. */
const errorFacts: Record<keyof RocksDBErrorDetails | keyof Pick<DrillError, 'differences'>, JsonSchema> = {
  path: text('the file, the directory or the object of a store that the error is about'),
  backupId: count('the backup that it is about; if there are several, one of them'),
  databaseId: text('the database that was to be backed up, or that is in the target of a restore'),
  holder: text('who has a lock, or a database open'),
  bytesNeeded: count('that were to be written'),
  bytesFree: count('where they were to be written'),
  damagedFiles: array(text(), 'of a backup, relative to the repository'),
  leftFiles: array(text(), 'that could not be deleted, relative to the repository'),
  lockedUntil: count('when the object store deletes the backup again, in milliseconds since 1970'),
  from: text('from when the archive has something, or lacks it'),
  to: text('until when'),
  firstSequence: count('the same as the sequence number of a write'),
  lastSequence: count(),
  why: oneOf('denied', 'io', 'damaged'),
  subcode: text('what RocksDB adds to its status'),
  severity: oneOf('soft', 'hard', 'fatal', 'unrecoverable'),
  status: count("the HTTP status of an object store's answer"),
  storeCode: text("the object store's own code, such as AccessDenied"),
  requestId: text('by this id, those who run the object store find the request'),
  advice: text('a word for what can be done about it; the message has it in words'),
  differences: array(
    object({ columnFamily: text(), change: oneOf('added', 'removed', 'changed'), key: ref('bytes') }),
    'of a drill: the first keys that differ',
  ),
};

/** An error in the JSON of all commands: what happened, and all facts that it has. */
export function errorAsJson(error: unknown) {
  const facts = Object.keys(errorFacts).map((name) => [
    name,
    factAsJson((error as Record<string, unknown> | null)?.[name]),
  ]);
  return {
    code: codeOf(error),
    message: messageOf(error),
    exitCode: exitCodes[exitOf(error)].number,
    ...(Object.fromEntries(facts) as Record<keyof typeof errorFacts, unknown>),
  };
}

/** Undefined, which JSON leaves out, for what is no fact. */
function factAsJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return bytesAsJson(value);
  if (Array.isArray(value)) return value.map(factAsJson);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, factAsJson(each)]));
  }
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}

const backupProperties: Record<string, JsonSchema> = {
  backupId: count('the number of the backup; after the latest was deleted, its number is given again'),
  timestamp: time('when it was begun'),
  size: count('bytes that a restore writes'),
  uniqueSize: count('what deleting it frees: bytes of files that only this backup uses, and metaSize'),
  metaSize: count("bytes of the backup's meta file and record, which are not part of size"),
  numberFiles: count(),
  kind: {
    ...oneOf('full', 'incremental'),
    description: 'full: every file was copied when it was made; incremental: it took over files of earlier backups',
  },
  logBytes: count('of size, what is write-ahead log, which every backup copies anew'),
  'databaseId?': text('which database it is of, by the id that RocksDB gave that; without it nothing tells'),
  metadata: ref('bytes'),
  'lockedUntil?': time('the object store does not delete it before, which may be past'),
  'newerRocksDB?': text('set where the database can be opened by this version of RocksDB and newer ones only'),
};

/** Definitions that the schemas of several commands refer to. */
export const definitions: Record<string, JsonSchema> = {
  bytes: {
    description: 'bytes: a string where they are UTF-8, else base64',
    ...anyOf({ type: 'string' }, object({ base64: text() })),
  },
  backup: object(backupProperties),
  error: object(
    {
      code: text('a stable word, such as BACKUP_NOT_FOUND'),
      message: text('what happened, to which file, what to do'),
      'exitCode?': count(),
      ...Object.fromEntries(Object.entries(errorFacts).map(([name, schema]) => [`${name}?`, schema])),
    },
    'what went wrong, with the facts that apply',
  ),
  failure: object({ error: ref('error') }, 'the answer of any command that fails'),
  record: object(
    {
      operation: oneOf(
        'create',
        'verify',
        'restore',
        'drill',
        'delete',
        'prune',
        'pin',
        'unpin',
        'gc',
        'copy',
        'snapshot',
        'skip',
      ),
      at: time('when it began'),
      ok: flag(),
      durationMs: number(),
      'backupId?': count(),
      'timestamp?': time("the backup's own"),
      'databaseId?': text('of a create: which database the backup is of'),
      'kind?': oneOf('full', 'incremental', 'snapshot'),
      'bytes?': count('that were copied, read or freed'),
      'checksum?': flag('of a verify: every byte was read'),
      'trigger?': text("what started it: 'cli', 'schedule' ..."),
      'detail?': { type: 'object' },
      'error?': object({ 'code?': text(), message: text(), 'advice?': text('a word for what can be done about it') }),
      pid: count(),
      host: text(),
    },
    'something that was done to the repository, or failed to be',
  ),
  listedBackup: object({
    ...backupProperties,
    state: {
      ...oneOf('good', 'unverified', 'corrupt'),
      description: 'corrupt: known to be damaged; good: the last verify or drill went well',
    },
    'damage?': array(
      object({
        'file?': text('relative to the repository; missing where it is not known which it is'),
        since: time('when it was found'),
      }),
      'what was found damaged, here or in another backup that shares it, and was not read and found whole since',
    ),
    pinned: flag(),
    'pinNote?': text(),
    'lastVerify?': ref('record'),
    'lastDrill?': ref('record'),
  }),
};
