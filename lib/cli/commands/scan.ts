import { isReversed } from '../../database/block-reader.js';
import { defineCommand } from '../command.js';
import { columnFamily, familyOf, hex, keyOf, positionals } from '../entries.js';
import { UsageError } from '../errors.js';
import { bytesAsJsonParts } from '../json.js';
import { keyRange } from '../key-range.js';
import { diskCacheOf, diskCacheOptions, withBackup } from '../open-backup.js';
import { jsonList, type ListForm, printList } from '../output/long-list.js';
import { bytesAsTextParts, partsOf } from '../output/text.js';
import { array, count, flag, object, ref, text } from '../schema.js';

const formats = ['text', 'hex', 'raw'] as const;

export const scan = defineCommand({
  name: 'scan',
  summary: 'print keys and values of a backup',
  description: [
    'Reads a backup in place, in the order of its keys; nothing is restored. Each line is one entry: key, tab, value.',
    'Format text: bytes that are not printable UTF-8 are \\xNN and a backslash is \\\\, so each line is always one entry. Format hex: key and value are hexadecimal. Format raw: the exact bytes, including line breaks in keys; not for a terminal.',
    '--prefix, --from and --to take keys as format text prints them, or in hexadecimal with --hex.',
  ],
  positionals,
  options: {
    prefix: { type: 'text', placeholder: 'P', summary: 'only keys that begin with this' },
    from: { type: 'text', placeholder: 'KEY', summary: 'only this key and those after it' },
    to: { type: 'text', placeholder: 'KEY', summary: 'only keys before this one' },
    'column-family': columnFamily,
    'keys-only': { type: 'flag', summary: 'print no values' },
    limit: { type: 'integer', summary: 'print at most N entries' },
    reverse: { type: 'flag', summary: 'from the last key to the first' },
    hex,
    format: { type: 'choice', choices: formats, summary: 'how entries are printed', default: 'text' },
    ...diskCacheOptions,
  },
  examples: [
    { line: 'rocksdb-backup scan /backups/users latest --prefix user: --limit 10', does: 'the first ten users' },
    { line: 'rocksdb-backup scan /backups/users 7 --keys-only | wc -l', does: 'how many keys backup 7 has' },
  ],
  exits: ['notFound', 'corrupt', 'stopped'],
  schema: object({
    location: text(),
    backupId: count(),
    columnFamily: text(),
    entries: array(object({ key: ref('bytes'), 'value?': ref('bytes') })),
    count: count(),
    complete: flag('false if it ended early, and error says why'),
    'error?': ref('error'),
  }),
  run(context, { DIR, ID }, options) {
    const { out, signal } = context;
    const format = options.format ?? 'text';
    if (format === 'raw' && out.isTerminal && !out.json) {
      throw new UsageError(
        '--format raw would send bytes to this terminal that it may take for commands: use a pipe or a file',
      );
    }
    const bound = (name: 'prefix' | 'from' | 'to') => {
      const given = options[name];
      return given === undefined ? undefined : keyOf(given, options.hex, `--${name}`);
    };
    const bounds = [bound('prefix'), bound('from'), bound('to')] as const;
    const name = options['column-family'] ?? 'default';
    const keysOnly = options['keys-only'];
    return withBackup(context, DIR, ID, diskCacheOf(options), async (db, { backupId }, { location }) => {
      const family = familyOf(db, name, location, backupId);
      const range = keyRange(...bounds, (await isReversed(family, undefined)) ? -1 : 1);
      const limits = { ...range, limit: options.limit ?? -1, reverse: options.reverse, fillCache: false };
      const entries = keysOnly ? keysAsEntries(family.keys(limits)) : family.iterator(limits);
      const form: ListForm<Entry> = out.json
        ? jsonList({ location, backupId, columnFamily: name }, 'entries', entryAsJson, (count) => ({ count }))
        : { head: '', item: (entry) => entryAs(format, entry), tail: () => '' };
      await printList(out, untilStopped(entries, signal), form);
      return undefined;
    });
  },
});

type Entry = [key: Buffer, value: Buffer | undefined];

async function* keysAsEntries(keys: AsyncIterable<Buffer>): AsyncGenerator<Entry> {
  for await (const key of keys) {
    yield [key, undefined];
  }
}

async function* untilStopped<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const item of items) {
    signal.throwIfAborted();
    yield item;
  }
}

/** Writes an entry in parts, so that never more than a part of a large value exists as text. */
function* entryAs(format: (typeof formats)[number], [key, value]: Entry): Generator<string | Buffer> {
  const bytesAs = {
    text: bytesAsTextParts,
    hex: bytesAsHex,
    raw: (bytes: Buffer) => [bytes],
  }[format];
  yield* bytesAs(key);
  if (value !== undefined) {
    yield '\t';
    yield* bytesAs(value);
  }
  yield '\n';
}

function* bytesAsHex(bytes: Buffer): Generator<string> {
  for (const part of partsOf(bytes)) {
    yield Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('hex');
  }
}

function* entryAsJson([key, value]: Entry): Generator<string> {
  yield '{"key":';
  yield* bytesAsJsonParts(key);
  if (value !== undefined) {
    yield ',"value":';
    yield* bytesAsJsonParts(value);
  }
  yield '}';
}
