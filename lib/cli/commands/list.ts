import { formatSize } from '../../base/units.js';
import { type BackupRecord, missingPins, readInventory } from '../../manager/inventory.js';
import { byDatabase } from '../../retention/databases.js';
import { backupsNamed, logShare } from '../backup-text.js';
import { defineCommand, dirArgument } from '../command.js';
import { withDirectory } from '../directory.js';
import { capital } from '../errors.js';
import { backupAsJson } from '../json.js';
import { warnOfNewerRocksDB } from '../newer-rocksdb.js';
import type { Style } from '../output/style.js';
import { table } from '../output/table.js';
import { bytesAsText, counted, linesOf, safe } from '../output/text.js';
import { missingPinsLine } from '../removal.js';
import { array, count, object, ref, text } from '../schema.js';
import { age, localTime, timeZone } from '../time.js';

export const list = defineCommand({
  name: 'list',
  summary: 'list the backups of a repository',
  description: [
    'Lists the backups of DIR, oldest first: when each was begun, how much a restore writes (SIZE), how much space is freed if only this backup is deleted (FREES), and how it was last checked. DAMAGED means that a file of the backup was found damaged, perhaps in another backup, and no later verify with checksums found it whole. Backups that cannot be read are listed too.',
    'KIND is full if the backup copied every file, and incremental if it shares files with earlier backups. A backup of another program is full if it has no file in a directory for shared files. The column DATABASE appears if DIR has backups of several databases. The column LOG appears if a backup is mostly write-ahead log, which every backup copies again.',
    'With --quiet it prints only the numbers of readable backups, one on each line.',
  ],
  positionals: [dirArgument],
  options: {},
  examples: [
    { line: 'rocksdb-backup list /backups/users', does: 'list all backups' },
    {
      line: "rocksdb-backup list /backups/users --json | jq '.backups[-1].timestamp'",
      does: 'print when the last one was begun',
    },
  ],
  exits: ['notFound'],
  schema: object({
    location: text('the repository'),
    backups: array(ref('listedBackup'), 'oldest first'),
    corrupt: array(count(), 'ids of backups that cannot be read'),
    damaged: array(count(), 'ids of readable backups that are known to be damaged'),
    bytesOnDisk: count('of all files of readable backups; shared files count once'),
    logicalBytes: count('the sum of the sizes'),
    'pinsLost?': text('set while it is not known which backups are pinned'),
    'missingPins?': array(count(), 'pinned backups that are not there any more'),
  }),
  run(context, { DIR }) {
    return withDirectory(DIR, async (engine) => {
      const inventory = await readInventory(engine);
      const { location, backups, corrupt, bytesOnDisk, logicalBytes, state } = inventory;
      const missing = missingPinsLine(inventory);
      const lost = corrupt.map(({ backupId }) => backupId);
      const damaged = backups.filter((backup) => backup.state === 'corrupt').map(({ backupId }) => backupId);
      const { style } = context.out;
      warnOfNewerRocksDB(context, backups);
      return {
        json: {
          location,
          backups: backups.map(listedAsJson),
          corrupt: lost,
          damaged,
          bytesOnDisk,
          logicalBytes,
          pinsLost: state.pinsLost,
          missingPins: missing === undefined ? undefined : missingPins(inventory).map(({ backupId }) => backupId),
        },
        text: () =>
          backups.length + lost.length === 0
            ? [`${safe(location)} has no backups`]
            : linesOf(
                ...rows(backups, lost, context.now(), style),
                '',
                `${counted(backups.length, 'backup')}, ${formatSize(bytesOnDisk)} on disk` +
                  (bytesOnDisk < logicalBytes ? ` for ${formatSize(logicalBytes)} of databases` : ''),
                lost.length > 0 &&
                  style.bad(
                    `${capital(backupsNamed(lost))} cannot be read; verify says why. Nothing is deleted until this is resolved.`,
                  ),
                damaged.length > 0 && style.bad(damagedLine(damaged)),
                state.pinsLost !== undefined && style.bad(safe(state.pinsLost)),
                missing !== undefined && style.bad(missing),
              ),
        quiet: () => backups.map(({ backupId }) => String(backupId)),
      };
    });
  },
});

function damagedLine(damaged: readonly number[]): string {
  const [are, them] = damaged.length === 1 ? ['is', 'it'] : ['are', 'them'];
  return `${capital(backupsNamed(damaged))} ${are} known to be damaged; show says in which file. restore skips ${them}, and nothing is pruned.`;
}

export function listedAsJson(backup: BackupRecord) {
  const { state, damage, pinned, pinNote, lastVerify, lastDrill } = backup;
  return {
    ...backupAsJson(backup),
    state,
    ...(damage.length === 0
      ? {}
      : { damage: damage.map(({ file, since }) => ({ ...(file === undefined ? {} : { file }), since })) }),
    pinned,
    ...(pinNote === undefined ? {} : { pinNote }),
    ...(lastVerify === undefined ? {} : { lastVerify }),
    ...(lastDrill === undefined ? {} : { lastDrill }),
  };
}

function rows(backups: readonly BackupRecord[], corrupt: readonly number[], now: Date, style: Style): string[] {
  const severalDatabases = byDatabase(backups).length > 1;
  const cells = [
    ...backups.map((backup) => ({ id: backup.backupId, row: rowOf(backup, severalDatabases, now, style) })),
    ...corrupt.map((id) => ({ id, row: [String(id), style.bad('cannot be read')] })),
  ];
  return table(
    [
      { title: 'ID', align: 'right' },
      { title: `BEGUN (${timeZone()})` },
      { title: 'AGE', align: 'right' },
      { title: 'KIND' },
      { title: 'DATABASE' },
      { title: 'SIZE', align: 'right' },
      { title: 'LOG', align: 'right' },
      { title: 'FREES', align: 'right' },
      { title: 'CHECKED' },
      { title: 'PINNED' },
      { title: 'METADATA' },
    ],
    cells.sort((a, b) => a.id - b.id).map(({ row }) => row),
  );
}

function rowOf(backup: BackupRecord, severalDatabases: boolean, now: Date, style: Style): string[] {
  const {
    backupId,
    timestamp,
    kind,
    databaseId = 'not known',
    size,
    uniqueSize,
    pinned,
    pinNote,
    appMetadataBytes,
  } = backup;
  return [
    String(backupId),
    localTime(timestamp),
    age(timestamp, now),
    kind,
    severalDatabases ? safe(databaseId) : '',
    formatSize(size),
    logShare(backup),
    formatSize(uniqueSize),
    checkedCell(backup, style),
    pinned ? (pinNote === undefined ? 'yes' : safe(pinNote)) : '',
    bytesAsText(appMetadataBytes),
  ];
}

function checkedCell({ damage, lastVerify, lastDrill }: BackupRecord, style: Style): string {
  const [known] = damage;
  if (known !== undefined) {
    return style.bad(`DAMAGED ${localTime(new Date(known.since)).slice(0, 10)}`);
  }
  const latest = [lastVerify, lastDrill]
    .filter((record) => record !== undefined)
    .sort((a, b) => Date.parse(b!.at) - Date.parse(a!.at))[0];
  if (latest === undefined) {
    return '';
  }
  const how = latest.operation === 'drill' ? 'drill' : latest.checksum ? 'checksum' : 'size';
  const day = localTime(new Date(latest.at)).slice(0, 10);
  return latest.ok ? style.good(`${how} ${day}`) : style.bad(`${how} FAILED ${day}`);
}
