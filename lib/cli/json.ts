import type { BackupInfo } from '../backup-info.js';
import { anyOf, array, count, flag, type JsonSchema, number, object, oneOf, ref, text, time } from './schema.js';

/** Bytes in JSON: a string where they are UTF-8, else base64. */
export type JsonBytes = string | { base64: string };

export function bytesAsJson(bytes: Uint8Array): JsonBytes {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  return Buffer.from(text, 'utf8').equals(buffer) ? text : { base64: buffer.toString('base64') };
}

/** What every command that names a backup tells of it. */
export function backupAsJson(info: BackupInfo) {
  return {
    backupId: info.backupId,
    timestamp: info.timestamp.toISOString(),
    size: info.size,
    uniqueSize: info.uniqueSize,
    numberFiles: info.numberFiles,
    metadata: bytesAsJson(info.appMetadataBytes),
  };
}

const backupProperties: Record<string, JsonSchema> = {
  backupId: count('the number of the backup; after the latest was deleted, its number is given again'),
  timestamp: time('when it was begun'),
  size: count('bytes that a restore writes'),
  uniqueSize: count('bytes that only this backup uses: what deleting it frees'),
  numberFiles: count(),
  metadata: ref('bytes'),
};

/** What the schemas of several commands refer to. */
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
      operation: oneOf('create', 'verify', 'restore', 'drill', 'delete', 'prune', 'pin', 'unpin', 'gc', 'snapshot'),
      at: time('when it began'),
      ok: flag(),
      durationMs: number(),
      'backupId?': count(),
      'timestamp?': time("the backup's own"),
      'kind?': oneOf('full', 'incremental', 'snapshot'),
      'bytes?': count('that were copied, read or freed'),
      'checksum?': flag('of a verify: every byte was read'),
      'trigger?': text("what started it: 'cli', 'schedule' ..."),
      'detail?': { type: 'object' },
      'error?': object({ 'code?': text(), message: text() }),
      pid: count(),
      host: text(),
    },
    'something that was done to the directory, or failed to be',
  ),
  listedBackup: object({
    ...backupProperties,
    kind: oneOf('full', 'incremental'),
    state: { ...oneOf('good', 'unverified', 'corrupt'), description: 'what the last verify said' },
    pinned: flag(),
    'pinNote?': text(),
    'lastVerify?': ref('record'),
    'lastDrill?': ref('record'),
  }),
  idList: array(count()),
};
