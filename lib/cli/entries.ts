import type { ColumnFamily, Database } from '../database/database.js';
import { dirArgument, idArgument } from './command.js';
import { notFound, UsageError } from './errors.js';
import { textAsBytes } from './output/text.js';

/** The arguments that `get` and `scan` have in common. */
export const positionals = [dirArgument, idArgument] as const;
export const columnFamily = {
  type: 'text',
  placeholder: 'NAME',
  summary: 'the column family',
  default: 'default',
} as const;
export const hex = { type: 'flag', summary: 'keys on the command line are hexadecimal' } as const;

/** Converts a key on the command line to bytes. */
export function keyOf(text: string, isHex: boolean, name: string): Buffer {
  if (!isHex) {
    const bytes = textAsBytes(text);
    if (bytes === undefined) {
      throw new UsageError(
        `${name} has a backslash that is not an escape: '${text}'. Write a backslash as \\\\ and a byte as \\xNN, as scan prints them`,
      );
    }
    return bytes;
  }
  if (!/^([0-9a-f]{2})*$/i.test(text)) {
    throw new UsageError(`${name} must be hexadecimal digits, two for each byte, not '${text}'`);
  }
  return Buffer.from(text, 'hex');
}

export function familyOf(
  db: Database,
  name: string | undefined,
  location: string,
  backupId: number,
): Database | ColumnFamily {
  if (name === undefined || name === 'default') {
    return db;
  }
  if (!db.columnFamilies.includes(name)) {
    throw notFound(
      'COLUMN_FAMILY_NOT_FOUND',
      `backup ${backupId} in ${location} has no column family '${name}'; it has ${db.columnFamilies.join(', ')}`,
      { path: location, backupId },
    );
  }
  return db.columnFamily(name);
}
