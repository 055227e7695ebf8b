import { isUtf8 } from 'node:buffer';
import type { BackupInfo } from '../native/backup-info.js';
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
    },
    'what went wrong',
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
