import { defineCommand } from '../command.js';
import { columnFamily, familyOf, hex, keyOf, positionals } from '../entries.js';
import { notFound } from '../errors.js';
import { bytesAsJson } from '../json.js';
import { diskCacheOf, diskCacheOptions, withBackup } from '../open-backup.js';
import { bytesAsText } from '../output/text.js';
import { count, object, ref, text } from '../schema.js';

export const get = defineCommand({
  name: 'get',
  summary: 'print the value of a key in a backup',
  description: [
    'Reads one value from a backup in place; nothing is restored. A pipe or a file gets the exact bytes of the value. On a terminal, control characters are escaped.',
    'KEY is written as scan prints it: \\xNN is a byte, \\\\ is a backslash. With --hex it is hexadecimal.',
  ],
  positionals: [
    ...positionals,
    { name: 'KEY', type: 'text', summary: "the key; '' is the empty key", mayBeEmpty: true },
  ],
  options: { 'column-family': columnFamily, hex, ...diskCacheOptions },
  examples: [
    { line: 'rocksdb-backup get /backups/users latest user:42', does: 'the value in the latest backup' },
    {
      line: 'rocksdb-backup get /backups/users 7 00ff10 --hex > value',
      does: 'the value of a binary key, written to a file',
    },
  ],
  exits: ['notFound', 'corrupt', 'stopped'],
  schema: object({
    location: text(),
    backupId: count(),
    columnFamily: text(),
    key: ref('bytes'),
    value: ref('bytes'),
  }),
  run(context, { DIR, ID, KEY }, options) {
    const key = keyOf(KEY, options.hex, 'KEY');
    const name = options['column-family'] ?? 'default';
    return withBackup(context, DIR, ID, diskCacheOf(options), async (db, { backupId }, { location }) => {
      const backup = `backup ${backupId} in ${location}`;
      const value = await familyOf(db, name, location, backupId).get(key);
      if (value === undefined) {
        throw notFound(
          'KEY_NOT_FOUND',
          `${backup} has no key '${bytesAsText(key)}'${name === 'default' ? '' : ` in the column family '${name}'`}`,
          { path: location, backupId },
        );
      }
      const { out } = context;
      if (!out.json && !out.isTerminal) {
        await out.stream(value);
        return undefined;
      }
      const shown = () => [bytesAsText(value)];
      return {
        json: { location, backupId, columnFamily: name, key: bytesAsJson(key), value: bytesAsJson(value) },
        text: shown,
        quiet: shown,
      };
    });
  },
});
