import { damageInWords } from '../../backup/known-damage.js';
import { formatSize } from '../../base/units.js';
import { readInventory } from '../../manager/inventory.js';
import type { RecordedError } from '../../manager/operation-record.js';
import { isLocked } from '../../retention/retention.js';
import { logShare } from '../backup-text.js';
import { defineCommand, dirArgument, idArgument } from '../command.js';
import { findBackup, withDirectory } from '../directory.js';
import { recordedInOwnWords } from '../errors.js';
import { pairs, table } from '../output/table.js';
import { bytesAsText, ranges, safe } from '../output/text.js';
import { array, count, flag, object, ref, text } from '../schema.js';
import { age, localTime } from '../time.js';
import { listedAsJson } from './list.js';

export const show = defineCommand({
  name: 'show',
  summary: 'show one backup: its files, what it shares, how much space deleting it frees',
  description: [
    'Shows one backup with all its files: which of them other backups also use, and which would be deleted with it.',
  ],
  positionals: [dirArgument, idArgument],
  options: {},
  examples: [
    { line: 'rocksdb-backup show /backups/users latest', does: 'the latest backup' },
    { line: 'rocksdb-backup show /backups/users 7 --json', does: 'backup 7, for a program' },
  ],
  exits: ['notFound', 'corrupt'],
  schema: object({
    location: text('the repository'),
    backup: ref('listedBackup'),
    files: array(
      object({
        name: text('relative to the repository'),
        size: count(),
        shared: flag('whether it is in a directory for shared files'),
        sharedWith: array(count(), 'the other backups that use it'),
      }),
    ),
    excludedFiles: array(text(), 'what the backup needs from elsewhere'),
    frees: count('bytes that deleting it frees'),
  }),
  run(context, { DIR, ID }) {
    return withDirectory(DIR, async (engine) => {
      const { backupId } = await findBackup(context, engine, ID);
      const { location, backups, users } = await readInventory(engine);
      const backup = backups.find((candidate) => candidate.backupId === backupId);
      if (backup === undefined) {
        // The backup disappeared between two reads; this call throws the right error.
        await engine.getBackupInfo(backupId);
        throw new Error(`backup ${backupId} in ${location} was being changed; try again`);
      }
      const files = backup.files.map(({ name, size, shared }) => ({
        name,
        size,
        shared,
        sharedWith: (users.get(name) ?? []).filter((id) => id !== backupId),
      }));
      const excludedFiles = backup.excludedFiles ?? [];
      const { style } = context.out;
      return {
        json: { location, backup: listedAsJson(backup), files, excludedFiles, frees: backup.uniqueSize },
        text: () => [
          ...pairs([
            ['Backup', `${backupId} in ${safe(location)}`],
            ['Begun', `${localTime(backup.timestamp)}, ${age(backup.timestamp, context.now())} ago`],
            ['Kind', backup.kind],
            ['Database', safe(backup.databaseId ?? 'not known')],
            ['Size', `${formatSize(backup.size)} in ${backup.numberFiles} files`],
            ['Log', logShare(backup) && `${logShare(backup)} of that, which every backup without a flush copies again`],
            ['Frees', `${formatSize(backup.uniqueSize)} when it is deleted`],
            ['Locked', isLocked(backup, context.now()) ? `until ${localTime(backup.lockedUntil)}` : undefined],
            [
              'Needs',
              backup.newerRocksDB === undefined ? undefined : `RocksDB ${backup.newerRocksDB} or newer to open it`,
            ],
            ['Metadata', backup.appMetadataBytes.length === 0 ? undefined : bytesAsText(backup.appMetadataBytes)],
            ['Pinned', backup.pinned ? (backup.pinNote === undefined ? 'yes' : safe(backup.pinNote)) : undefined],
            ['Damaged', backup.damage.length === 0 ? undefined : style.bad(safe(damageInWords(backup.damage)))],
            ['Verified', describeRecord(backup.lastVerify)],
            ['Drilled', describeRecord(backup.lastDrill)],
          ]),
          '',
          ...table(
            [{ title: 'FILE' }, { title: 'SIZE', align: 'right' }, { title: 'ALSO IN' }],
            files.map(({ name, size, sharedWith }) => [safe(name), formatSize(size), ranges(sharedWith)]),
          ),
          ...(excludedFiles.length === 0
            ? []
            : [
                '',
                style.warn('A restore needs these from elsewhere:'),
                ...excludedFiles.map((name) => `  ${safe(name)}`),
              ]),
        ],
        quiet: () => files.map(({ name }) => safe(name)),
      };
    });
  },
});

function describeRecord(
  record: { at: string; ok: boolean; checksum?: boolean; error?: RecordedError } | undefined,
): string | undefined {
  if (record === undefined) {
    return undefined;
  }
  const when = localTime(new Date(record.at));
  return record.ok
    ? `${when}${record.checksum === undefined ? '' : record.checksum ? ', every byte' : ', names and sizes'}`
    : `${when}: FAILED: ${safe(recordedInOwnWords(record.error))}`;
}
