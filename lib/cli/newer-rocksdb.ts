import type { BackupInfo } from '../native/backup-info.js';
import { engineInfo } from '../native/engine-info.js';
import type { Context } from './context.js';
import { ranges } from './output/text.js';

/** A message about the backups whose databases this program cannot open because they need a newer RocksDB. Empty if there are none. */
export function newerRocksDB(infos: readonly BackupInfo[]): string {
  const newer = infos.filter((info) => info.newerRocksDB !== undefined);
  if (newer.length === 0) {
    return '';
  }
  const versions = [...new Set(newer.map((info) => info.newerRocksDB))].join(', ');
  const ids = ranges(newer.map(({ backupId }) => backupId));
  return (
    `${newer.length === 1 ? `backup ${ids} is` : `backups ${ids} are`} of a database that RocksDB ${versions} wrote, with tables ` +
    `that RocksDB ${engineInfo().rocksdb}, which this program has, cannot read. Verify and restore work anyway; ` +
    `opening the restored database needs RocksDB ${versions} or newer`
  );
}

/** Warns about such backups, before somebody relies on them. */
export function warnOfNewerRocksDB(context: Context, infos: readonly BackupInfo[]): void {
  const text = newerRocksDB(infos);
  if (text !== '') {
    context.out.warn(text);
  }
}
