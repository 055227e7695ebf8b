import type { ColumnFamily, Database } from '../../database/database.js';
import type { KeyRange } from '../../native/options.js';
import { defineCommand } from '../command.js';
import { withBackup } from '../directory.js';
import { notFound, UsageError } from '../errors.js';
import { bytesAsJson, bytesAsJsonParts } from '../json.js';
import { Chunks } from '../output/chunks.js';
import { errorAsJson } from '../output/output.js';
import { bytesAsText, bytesAsTextParts, partsOf, textAsBytes } from '../output/text.js';
import { array, count, flag, object, ref, text } from '../schema.js';

const positionals = [
  { name: 'DIR', type: 'backups', summary: 'the directory of backups' },
  { name: 'ID', type: 'backup', summary: "the number of a backup, or 'latest'" },
] as const;
const columnFamily = { type: 'text', placeholder: 'NAME', summary: 'the column family', default: 'default' } as const;
const hex = { type: 'flag', summary: 'keys on the command line are given in hexadecimal' } as const;

function keyOf(text: string, isHex: boolean, name: string): Buffer {
  if (!isHex) {
    const bytes = textAsBytes(text);
    if (bytes === undefined) {
      throw new UsageError(
        `${name} has a backslash that is no escape: '${text}'. A backslash is written \\\\, a byte \\xNN, as scan prints them`,
      );
    }
    return bytes;
  }
  if (!/^([0-9a-f]{2})*$/i.test(text)) {
    throw new UsageError(`${name} must be hexadecimal digits, two for each byte, not '${text}'`);
  }
  return Buffer.from(text, 'hex');
}

function familyOf(db: Database, name: string | undefined, backup: string): Database | ColumnFamily {
  if (name === undefined || name === 'default') {
    return db;
  }
  if (!db.columnFamilies.includes(name)) {
    throw notFound(
      'COLUMN_FAMILY_NOT_FOUND',
      `${backup} has no column family '${name}'; it has ${db.columnFamilies.join(', ')}`,
    );
  }
  return db.columnFamily(name);
}

export const get = defineCommand({
  name: 'get',
  summary: 'print the value of a key in a backup',
  description: [
    'Reads one value from a backup where it lies; nothing is restored. Into a pipe or a file the value goes as it is, byte for byte; on a terminal it is made safe to show.',
    'KEY is taken as scan prints it: \\xNN is a byte, \\\\ a backslash. With --hex it is hexadecimal.',
  ],
  positionals: [
    ...positionals,
    { name: 'KEY', type: 'text', summary: "the key; '' is the empty one", mayBeEmpty: true },
  ],
  options: { 'column-family': columnFamily, hex },
  examples: [
    { line: 'rocksdb-backup get /backups/users latest user:42', does: 'what it was at the last backup' },
    { line: 'rocksdb-backup get /backups/users 7 00ff10 --hex > value', does: 'a binary key, its value to a file' },
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
    return withBackup(context, DIR, ID, async (db, { backupId }, { location }) => {
      const backup = `backup ${backupId} in ${location}`;
      const value = await familyOf(db, name, backup).get(key);
      if (value === undefined) {
        throw notFound(
          'KEY_NOT_FOUND',
          `${backup} has no key '${bytesAsText(key)}'${name === 'default' ? '' : ` in the column family '${name}'`}`,
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

const formats = ['text', 'hex', 'raw'] as const;

export const scan = defineCommand({
  name: 'scan',
  summary: 'print keys and values of a backup',
  description: [
    'Reads a backup where it lies, in the order of its keys; nothing is restored. One entry a line: key, tabulator, value.',
    'As text, bytes that are no printable UTF-8 are \\xNN and a backslash is \\\\, so that a line is always one entry. As hex, both are hexadecimal. As raw, bytes are as they are, also line breaks within keys; not to a terminal.',
    '--prefix, --from and --to take keys as they are printed as text, or with --hex in hexadecimal.',
  ],
  positionals,
  options: {
    prefix: { type: 'text', placeholder: 'P', summary: 'only keys that begin with this' },
    from: { type: 'text', placeholder: 'KEY', summary: 'only this key and those after it' },
    to: { type: 'text', placeholder: 'KEY', summary: 'only keys before this one' },
    'column-family': columnFamily,
    'keys-only': { type: 'flag', summary: 'print no values' },
    limit: { type: 'integer', summary: 'at most so many entries' },
    reverse: { type: 'flag', summary: 'from the last key to the first' },
    hex,
    format: { type: 'choice', choices: formats, summary: 'how entries are printed', default: 'text' },
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
    return withBackup(context, DIR, ID, async (db, { backupId }, { location }) => {
      const family = familyOf(db, name, `backup ${backupId} in ${location}`);
      const range = keyRange(...bounds, await orderOf(family));
      const limits = { ...range, limit: options.limit ?? -1, reverse: options.reverse, fillCache: false };
      const entries = keysOnly ? keysAsEntries(family.keys(limits)) : family.iterator(limits);
      const head = JSON.stringify({ location, backupId, columnFamily: name });
      if (out.json) {
        await out.stream(`${head.slice(0, -1)},"entries":[`);
      }
      let found = 0;
      let failure: unknown;
      const lines = new Chunks(out);
      try {
        for await (const [key, value] of entries) {
          signal.throwIfAborted();
          if (out.json && found > 0) {
            lines.add(',');
          }
          found++;
          for (const part of out.json ? entryAsJson(key, value) : entryAs(format, key, value)) {
            lines.add(part);
            await lines.flushIfLarge();
          }
        }
      } catch (error) {
        failure = error;
      }
      await lines.flush();
      if (out.json) {
        const tail = JSON.stringify({
          count: found,
          complete: failure === undefined,
          ...(failure === undefined ? {} : { error: errorAsJson(failure) }),
        });
        await out.stream(`],${tail.slice(1)}\n`);
      }
      if (failure !== undefined) {
        throw failure;
      }
      return undefined;
    });
  },
});

async function* keysAsEntries(keys: AsyncIterable<Buffer>): AsyncGenerator<[Buffer, undefined]> {
  for await (const key of keys) {
    yield [key, undefined];
  }
}

/** An entry in parts: of a large value there is never more than a part as text. */
function* entryAs(
  format: (typeof formats)[number],
  key: Buffer,
  value: Buffer | undefined,
): Generator<string | Buffer> {
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

function* entryAsJson(key: Buffer, value: Buffer | undefined): Generator<string> {
  yield '{"key":';
  yield* bytesAsJsonParts(key);
  if (value !== undefined) {
    yield ',"value":';
    yield* bytesAsJsonParts(value);
  }
  yield '}';
}

/** The keys that fulfil all of these, in a family whose order is that of bytes (1), or the other way round (-1). */
export function keyRange(
  prefix: Buffer | undefined,
  from: Buffer | undefined,
  to: Buffer | undefined,
  order: 1 | -1,
): KeyRange {
  const after = prefix === undefined ? undefined : afterPrefix(prefix);
  // With the order of bytes, a prefix is [prefix, after); turned round, it is (after, prefix].
  const lower: Bound[] = [
    { key: order === 1 ? prefix : after, open: order === -1 },
    { key: from, open: false },
  ];
  const upper: Bound[] = [
    { key: order === 1 ? after : prefix, open: order === 1 },
    { key: to, open: true },
  ];
  const tightest = (bounds: Bound[], direction: 1 | -1) =>
    bounds
      .filter((bound): bound is { key: Buffer; open: boolean } => bound.key !== undefined)
      .sort((a, b) => direction * order * Buffer.compare(b.key, a.key) || Number(b.open) - Number(a.open))[0];
  const low = tightest(lower, 1);
  const high = tightest(upper, -1);
  return {
    ...(low === undefined ? {} : { [low.open ? 'gt' : 'gte']: low.key }),
    ...(high === undefined ? {} : { [high.open ? 'lt' : 'lte']: high.key }),
  };
}

interface Bound {
  key: Buffer | undefined;
  /** Whether the key itself is left out. */
  open: boolean;
}

/** The first key after all those that begin with a prefix, if there can be one. */
function afterPrefix(prefix: Buffer): Buffer | undefined {
  for (let end = prefix.length; end > 0; end--) {
    if (prefix[end - 1]! < 0xff) {
      const after = Buffer.from(prefix.subarray(0, end));
      after[end - 1]!++;
      return after;
    }
  }
  return undefined;
}

/** The order of a family's keys, told by its first and its last. */
async function orderOf(family: Database | ColumnFamily): Promise<1 | -1> {
  const first = await firstOf(family.keys({ limit: 1 }));
  const last = await firstOf(family.keys({ limit: 1, reverse: true }));
  return first !== undefined && last !== undefined && Buffer.compare(first, last) > 0 ? -1 : 1;
}

async function firstOf(keys: AsyncIterable<Buffer>): Promise<Buffer | undefined> {
  for await (const key of keys) {
    return key;
  }
  return undefined;
}
