import type { BackupEngine } from '../../backup/backup-engine.js';
import { removeRestoreLeftovers } from '../../backup/restore-leftovers.js';
import { RocksDBError } from '../../base/errors.js';
import { formatSize } from '../../base/units.js';
import { readInventory } from '../../manager/inventory.js';
import type { Entry } from '../../manager/recorder.js';
import type { RestoreLeftover } from '../../native/backup-info.js';
import { defineCommand, dirArgument } from '../command.js';
import { withRecordedDirectory } from '../directory.js';
import { counted, linesOf, safe } from '../output/text.js';
import { missingPinsLine } from '../removal.js';
import { array, count, flag, object, text } from '../schema.js';

interface Stray {
  name: string;
  size: number;
}

export const gc = defineCommand({
  name: 'gc',
  summary: 'delete what interrupted backups left',
  description: [
    'Deletes files that belong to no backup. It is rarely needed, because creating and deleting backups do it too. It refuses while any backup cannot be read, because it cannot tell which files belong to that backup. --dry-run refuses then, too. If files cannot be deleted, it names them and fails; files that an object store refuses to delete, because they are locked, are only named.',
    'A killed restore leaves .NAME.restoring-... beside its target or .restoring-... in it, not in DIR. The next restore to any target in the same directory deletes it, and so does --restores. If the restore was killed while it moved files into place, these may be the only files of a database. Then the command reports them and keeps them, until the next restore to the same target.',
  ],
  positionals: [dirArgument],
  options: {
    'dry-run': { type: 'flag', summary: 'only say what would be deleted' },
    restores: {
      type: 'directory',
      summary: 'also delete the files that killed restores left in this directory',
    },
    force: {
      type: 'flag',
      summary: 'delete even if a backup cannot be read: files that only it uses are then deleted for good',
    },
  },
  examples: [
    {
      line: 'rocksdb-backup gc /backups/users --dry-run',
      does: 'show the files that belong to no backup',
    },
    {
      line: 'rocksdb-backup gc /backups/users --restores /data',
      does: 'also delete what a killed restore to /data/users left in /data',
    },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  recorded: true,
  schema: object({
    location: text('the repository'),
    files: array(
      object({ name: text('relative to the repository; an empty directory ends with a slash'), size: count() }),
      'that belong to no backup',
    ),
    bytesFreed: count(),
    'refused?': array(text(), 'which of them the object store refused to delete: locked ones, for instance'),
    'restores?': array(
      object({
        path: text(),
        bytes: count(),
        unfinished: flag('only a copy; if not, it stays'),
        removed: flag(),
      }),
      'with --restores: the files that killed restores left',
    ),
    dryRun: flag(),
  }),
  run(context, { DIR }, options) {
    const { restores: place, force, 'dry-run': dryRun } = options;
    return withRecordedDirectory(
      context,
      DIR,
      dryRun ? undefined : { operation: 'gc' },
      async (engine) => {
        await engine.checkDeletion({ force });
        const plan = await planOf(engine, place);
        const missing = missingPinsLine(await readInventory(engine));
        if (missing !== undefined && !force) {
          throw new RocksDBError(`nothing was deleted: ${missing}, or with --force.`, 'BACKUP_PINNED', {
            path: engine.location,
          });
        }
        if (dryRun) {
          return { json: asJson(plan, plan.restores, true), text: () => planLines(plan) };
        }
        if (!plan.isEmpty) {
          await context.confirm(questionLines(plan), 'Delete?', options);
        }
        context.signal.throwIfAborted();
        const entry: Entry = { operation: 'gc', bytes: plan.bytesFreed };
        const { restores, done } = await context.recorded(engine, entry, async ({ note }) => {
          const { refused } = await engine.garbageCollect({ force });
          const done = withoutRefused(plan, refused);
          note({ bytes: done.bytesFreed });
          return { done, restores: place === undefined ? undefined : await removeRestoreLeftovers(place) };
        });
        return { json: asJson(done, restores, false), text: () => doneLines(done) };
      },
      { write: true },
    );
  },
});

/** What is left over. */
interface Plan {
  location: string;
  /** The files that belong to no backup. */
  files: Stray[];
  /** Where killed restores were looked for, and all that they left there. Undefined if that was not asked for. */
  place: string | undefined;
  restores: RestoreLeftover[] | undefined;
  /** Those of them that are deleted. */
  killed: RestoreLeftover[];
  /** The ids of the backups that cannot be read. */
  unreadable: number[];
  bytesFreed: number;
  isEmpty: boolean;
  /** Files of an object store that it refused to delete. They are in `files` no more. */
  refused?: readonly Stray[];
}

/** What was deleted of a plan. */
function withoutRefused(plan: Plan, refused: readonly string[]): Plan {
  if (refused.length === 0) return plan;
  const stay = plan.files.filter(({ name }) => refused.includes(name));
  const files = plan.files.filter((file) => !stay.includes(file));
  const bytes = stay.reduce((sum, { size }) => sum + size, 0);
  const isEmpty = files.length + plan.killed.length === 0;
  return { ...plan, files, refused: stay, bytesFreed: plan.bytesFreed - bytes, isEmpty };
}

async function planOf(engine: BackupEngine, place: string | undefined): Promise<Plan> {
  const files = await engine.listGarbage();
  const restores = place === undefined ? undefined : await removeRestoreLeftovers(place, { dryRun: true });
  const killed = (restores ?? []).filter(({ unfinished }) => unfinished);
  const sizes = [...files.map(({ size }) => size), ...killed.map(({ bytes }) => bytes)];
  return {
    location: engine.location,
    files,
    place,
    restores,
    killed,
    unreadable: await engine.getCorruptedBackups(),
    bytesFreed: sizes.reduce((sum, size) => sum + size, 0),
    isEmpty: sizes.length === 0,
  };
}

function asJson(
  { location, files, bytesFreed, refused }: Plan,
  restores: readonly RestoreLeftover[] | undefined,
  dryRun: boolean,
) {
  return { location, files, bytesFreed, refused: refused?.map(({ name }) => name), restores, dryRun };
}

/** Joins what is said of the files and what is said of the killed restores, where there are any. */
function both({ files, killed }: Plan, ofFiles: string, ofKilled: string): string {
  return linesOf(files.length > 0 && ofFiles, killed.length > 0 && ofKilled).join(' and ');
}

/** How many files and empty directories belong to no backup. */
function strays({ files }: Plan): string {
  const directories = files.filter(({ name }) => name.endsWith('/')).length;
  return linesOf(
    files.length > directories && counted(files.length - directories, 'file'),
    directories === 1 ? '1 empty directory' : directories > 1 && `${directories} empty directories`,
  ).join(' and ');
}

const belong = ({ files }: Plan) => `${files.length === 1 ? 'belongs' : 'belong'} to no backup`;

const killedIn = ({ killed, place }: Plan) =>
  `what ${counted(killed.length, 'killed restore')} left in ${safe(place ?? '')}`;

function unreadableLines({ files, unreadable }: Plan): string[] {
  return unreadable.length === 0 || files.length === 0
    ? []
    : [`Files of backup ${unreadable.join(', ')}, which cannot be read, are among them.`];
}

function stayLines({ restores = [] }: Plan): string[] {
  return restores
    .filter(({ unfinished }) => !unfinished)
    .map(
      ({ path }) =>
        `${safe(path)} stays: its restore was killed while it put files in place. Restore to the same target again.`,
    );
}

function planLines(plan: Plan): string[] {
  const { files, killed, bytesFreed, isEmpty } = plan;
  const found = both(plan, `${strays(plan)} ${belong(plan)}`, `there is ${killedIn(plan)}`);
  return [
    isEmpty ? 'nothing is left over' : `${found}, ${formatSize(bytesFreed)}:`,
    ...unreadableLines(plan),
    ...files.map(({ name, size }) => `  ${safe(name)}  ${formatSize(size)}`),
    ...killed.map(({ path, bytes }) => `  ${safe(path)}  ${formatSize(bytes)}`),
    ...stayLines(plan),
  ];
}

function questionLines(plan: Plan): string[] {
  const { location, bytesFreed } = plan;
  const ofFiles = `${strays(plan)} in ${safe(location)} that ${belong(plan)}`;
  return [
    `This deletes ${both(plan, ofFiles, killedIn(plan))}, and frees ${formatSize(bytesFreed)}.`,
    ...unreadableLines(plan),
  ];
}

function doneLines(plan: Plan): string[] {
  const { bytesFreed, isEmpty } = plan;
  const gone = both(plan, strays(plan), killedIn(plan));
  const { refused = [] } = plan;
  return [
    !isEmpty
      ? `deleted ${gone}; ${formatSize(bytesFreed)} freed`
      : refused.length > 0
        ? 'nothing was deleted'
        : 'nothing was left over',
    ...refused.map(({ name, size }) => `${safe(name)}  ${formatSize(size)} stays: the store refuses to delete it now.`),
    ...stayLines(plan),
  ];
}
