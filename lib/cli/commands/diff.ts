import { type DatabaseChange, diffDatabases } from '../../compare/diff.js';
import { defineCommand, dirArgument, type OptionSpecs, type OptionValues } from '../command.js';
import { findBackup, withDirectory } from '../directory.js';
import { notFound, UsageError } from '../errors.js';
import { bytesAsJsonParts } from '../json.js';
import { diskCacheOf, diskCacheOptions, withOpenBackup } from '../open-backup.js';
import { jsonList, type ListForm, printList } from '../output/long-list.js';
import type { Output } from '../output/output.js';
import { table } from '../output/table.js';
import { bytesAsTextParts, safe } from '../output/text.js';
import { array, count, flag, object, oneOf, ref, text } from '../schema.js';

type Change = DatabaseChange['change'];
type Counts = Record<Change, number>;
const signs: Record<Change, string> = { added: '+', removed: '-', changed: '~' };

const optionSpecs = {
  values: { type: 'flag', summary: 'print values too: before and after' },
  summary: { type: 'flag', summary: 'only count the keys that differ' },
  'column-family': { type: 'text', placeholder: 'NAME', summary: 'only this column family', default: 'all' },
  ...diskCacheOptions,
} as const satisfies OptionSpecs;

export const diff = defineCommand({
  name: 'diff',
  summary: 'show the keys that differ between two backups',
  description: [
    'Shows which keys were added (+), changed (~) and removed (-) from backup ID1 to backup ID2, in the order of the keys, one column family after the other. It reads both backups in place, as a stream, so they may be of any size.',
    'The exit code is 7 if there are differences, and 0 if there are none. With --quiet it prints nothing, and stops at the first difference.',
  ],
  positionals: [
    dirArgument,
    { name: 'ID1', type: 'backup', summary: "the earlier one: a number, or 'latest'" },
    { name: 'ID2', type: 'backup', summary: "the later one: a number, or 'latest'" },
  ],
  options: optionSpecs,
  examples: [
    { line: 'rocksdb-backup diff /backups/users 6 latest', does: 'show which keys changed since backup 6' },
    { line: 'rocksdb-backup diff /backups/users 6 7 --summary', does: 'show how many keys changed' },
  ],
  exits: ['notFound', 'corrupt', 'stopped', 'differs'],
  schema: object({
    location: text('the repository'),
    from: count('the number of the first backup'),
    to: count(),
    columnFamilies: object({
      common: array(text()),
      added: array(text(), 'that only the second has'),
      removed: array(text(), 'that only the first has'),
    }),
    changes: array(
      object({
        columnFamily: text(),
        change: oneOf('added', 'changed', 'removed'),
        key: ref('bytes'),
        'before?': ref('bytes'),
        'after?': ref('bytes'),
      }),
      'empty with --summary; values with --values',
    ),
    counts: { type: 'object', additionalProperties: object({ added: count(), changed: count(), removed: count() }) },
    complete: flag('false if it ended early, and error says why'),
    'error?': ref('error'),
  }),
  run(context, { DIR, ID1, ID2 }, options) {
    const { out, signal } = context;
    const order = orderOf(out, options);
    const cache = diskCacheOf(options);
    return withDirectory(DIR, async (engine) => {
      const { location } = engine;
      const from = (await findBackup(context, engine, ID1, 'ID1')).backupId;
      const to = (await findBackup(context, engine, ID2, 'ID2')).backupId;
      return withOpenBackup(context, engine, from, cache, async (a) =>
        withOpenBackup(context, engine, to, cache, async (b) => {
          const { family } = order;
          if (family !== undefined && ![a, b].some((db) => db.columnFamilies.includes(family))) {
            throw notFound(
              'COLUMN_FAMILY_NOT_FOUND',
              `neither backup ${from} nor ${to} in ${location} has a column family '${family}'`,
              { path: location },
            );
          }
          const difference = diffDatabases(a, b, {
            signal,
            columnFamilies: family === undefined ? undefined : [family],
          });
          const { columnFamilies } = difference;
          const found = await printDifference(out, difference, order, { location, from, to, columnFamilies });
          const families = [...columnFamilies.added, ...columnFamilies.removed];
          if (families.length > 0) {
            out.note(`column families that only one of them has: ${families.join(', ')}`);
          }
          return { streamed: true, exit: found || families.length > 0 ? 'differs' : 'ok' };
        }),
      );
    });
  },
});

/** What the command line asks for. */
interface Order {
  /** Print each change, only count them, or only find out whether there is any. */
  wanted: 'changes' | 'counts' | 'any';
  values: boolean;
  /** Only this column family. */
  family: string | undefined;
}

function orderOf(out: Output, options: OptionValues<typeof optionSpecs>): Order {
  const { values, summary, 'column-family': family } = options;
  if (values && summary) {
    throw new UsageError('--values and --summary contradict each other: --summary only counts');
  }
  return { wanted: out.quiet && !out.json ? 'any' : summary ? 'counts' : 'changes', values, family };
}

/** Prints the changes as they are found. @returns whether there are any */
async function printDifference(
  out: Output,
  changes: AsyncIterable<DatabaseChange>,
  { wanted, values }: Order,
  head: object,
): Promise<boolean> {
  const counts = new Map<string, Counts>();
  const form: ListForm<DatabaseChange> = out.json
    ? jsonList(
        head,
        'changes',
        (change) => asJson(change, values),
        () => ({ counts: Object.fromEntries(counts) }),
      )
    : {
        head: '',
        item: (change) => asLine(change, values),
        tail: (_, failure) => (wanted === 'counts' && failure === undefined ? `${summaryOf(counts).join('\n')}\n` : ''),
      };
  await printList(out, counted(changes, counts, wanted), form);
  return counts.size > 0;
}

/** Counts the changes. Yields them if they are wanted. */
async function* counted(
  changes: AsyncIterable<DatabaseChange>,
  counts: Map<string, Counts>,
  wanted: Order['wanted'],
): AsyncGenerator<DatabaseChange> {
  for await (const change of changes) {
    const known = counts.get(change.columnFamily) ?? { added: 0, changed: 0, removed: 0 };
    counts.set(change.columnFamily, known);
    known[change.change]++;
    if (wanted === 'changes') {
      yield change;
    }
    if (wanted === 'any') {
      return;
    }
  }
}

/** Writes a change in parts, so that never more than a part of a large value exists as text. */
function* asJson({ columnFamily, change, key, ...of }: DatabaseChange, values: boolean): Generator<string> {
  yield `${JSON.stringify({ columnFamily, change }).slice(0, -1)},"key":`;
  yield* bytesAsJsonParts(key);
  for (const which of values ? (['before', 'after'] as const) : []) {
    const value = of[which];
    if (value !== undefined) {
      yield `,"${which}":`;
      yield* bytesAsJsonParts(value);
    }
  }
  yield '}';
}

function* asLine({ columnFamily, change, key, before, after }: DatabaseChange, values: boolean): Generator<string> {
  yield `${signs[change]} ${columnFamily === 'default' ? '' : `[${safe(columnFamily)}] `}`;
  yield* bytesAsTextParts(key);
  for (const value of values ? [before, after] : []) {
    if (value !== undefined) {
      yield '\t';
      yield* bytesAsTextParts(value);
    }
  }
  yield '\n';
}

function summaryOf(counts: ReadonlyMap<string, Counts>): string[] {
  if (counts.size === 0) {
    return ['no difference'];
  }
  return table(
    [
      { title: 'COLUMN FAMILY' },
      { title: 'ADDED', align: 'right' },
      { title: 'CHANGED', align: 'right' },
      { title: 'REMOVED', align: 'right' },
    ],
    [...counts].map(([family, { added, changed, removed }]) => [
      safe(family),
      String(added),
      String(changed),
      String(removed),
    ]),
  );
}
