import { type DatabaseChange, diffDatabases } from '../../compare/diff.js';
import { defineCommand } from '../command.js';
import { closing, findBackup, withDirectory } from '../directory.js';
import { notFound, UsageError } from '../errors.js';
import { bytesAsJsonParts } from '../json.js';
import { Chunks } from '../output/chunks.js';
import { errorAsJson } from '../output/output.js';
import { table } from '../output/table.js';
import { bytesAsTextParts, safe } from '../output/text.js';
import { array, count, flag, object, oneOf, ref, text } from '../schema.js';

type Change = DatabaseChange['change'];
type Counts = Record<Change, number>;
const signs: Record<Change, string> = { added: '+', removed: '-', changed: '~' };

export const diff = defineCommand({
  name: 'diff',
  summary: 'tell the keys that differ between two backups',
  description: [
    'Tells which keys were added (+), changed (~) and removed (-) from backup ID1 to backup ID2, in the order of the keys, column family by column family. Both are read where they lie, as a stream, whatever their size.',
    'As diff(1), it ends with 7 if there are differences, and with 0 if there are none. With --quiet that is all, and it ends at the first.',
  ],
  positionals: [
    { name: 'DIR', type: 'backups', summary: 'the directory of backups' },
    { name: 'ID1', type: 'backup', summary: "the earlier one: a number, or 'latest'" },
    { name: 'ID2', type: 'backup', summary: "the later one: a number, or 'latest'" },
  ],
  options: {
    values: { type: 'flag', summary: 'print values too: before and after' },
    summary: { type: 'flag', summary: 'only count the keys that differ' },
    'column-family': { type: 'text', placeholder: 'NAME', summary: 'only this column family', default: 'all' },
  },
  examples: [
    { line: 'rocksdb-backup diff /backups/users 6 latest', does: 'which keys changed since backup 6' },
    { line: 'rocksdb-backup diff /backups/users 6 7 --summary', does: 'how many' },
  ],
  exits: ['notFound', 'corrupt', 'stopped', 'differs'],
  schema: object({
    location: text('the directory of backups'),
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
    const { values, summary } = options;
    const name = options['column-family'];
    if (values && summary) {
      throw new UsageError('--values and --summary contradict each other: --summary only counts');
    }
    return withDirectory(DIR, async (engine) => {
      const { location } = engine;
      const from = (await findBackup(context, engine, ID1, 'ID1')).backupId;
      const to = (await findBackup(context, engine, ID2, 'ID2')).backupId;
      return closing(await engine.openBackup(from), async (a) =>
        closing(await engine.openBackup(to), async (b) => {
          if (name !== undefined && !a.columnFamilies.includes(name) && !b.columnFamilies.includes(name)) {
            throw notFound(
              'COLUMN_FAMILY_NOT_FOUND',
              `neither backup ${from} nor ${to} in ${location} has a column family '${name}'`,
            );
          }
          const difference = diffDatabases(a, b, { signal, columnFamilies: name === undefined ? undefined : [name] });
          const { columnFamilies } = difference;
          const counts = new Map<string, Counts>();
          const chunks = new Chunks(out);
          const printsChanges = !summary && !(out.quiet && !out.json);
          let found = 0;
          let failure: unknown;
          if (out.json) {
            const head = JSON.stringify({ location, from, to, columnFamilies });
            chunks.add(`${head.slice(0, -1)},"changes":[`);
          }
          try {
            for await (const change of difference) {
              const known = counts.get(change.columnFamily) ?? { added: 0, changed: 0, removed: 0 };
              counts.set(change.columnFamily, known);
              known[change.change]++;
              if (printsChanges) {
                if (out.json && found > 0) {
                  chunks.add(',');
                }
                for (const part of out.json ? asJson(change, values) : asLine(change, values)) {
                  chunks.add(part);
                  await chunks.flushIfLarge();
                }
              }
              found++;
              if (out.quiet && !out.json) {
                break;
              }
            }
          } catch (error) {
            failure = error;
          }
          if (out.json) {
            const tail = JSON.stringify({
              counts: Object.fromEntries(counts),
              complete: failure === undefined,
              ...(failure === undefined ? {} : { error: errorAsJson(failure) }),
            });
            chunks.add(`],${tail.slice(1)}\n`);
          } else if (summary && failure === undefined && !out.quiet) {
            chunks.add(`${summaryOf(counts).join('\n')}\n`);
          }
          await chunks.flush();
          if (failure !== undefined) {
            throw failure;
          }
          const families = [...columnFamilies.added, ...columnFamilies.removed];
          if (families.length > 0) {
            out.note(`column families that only one of them has: ${families.join(', ')}`);
          }
          return { streamed: true, exit: found + families.length > 0 ? 'differs' : 'ok' };
        }),
      );
    });
  },
});

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
