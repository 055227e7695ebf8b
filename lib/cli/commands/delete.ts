import type { BackupEngine } from '../../backup/backup-engine.js';
import { deletableOld, olderThanLatest, type Removal } from '../../backup/deletion-guard.js';
import { RocksDBError } from '../../base/errors.js';
import { formatSize } from '../../base/units.js';
import { deletingUnpinned } from '../../manager/guarded-delete.js';
import { type BackupRecord, freedBy, type Inventory, readInventory } from '../../manager/inventory.js';
import { isSameBackup } from '../../manager/operation-record.js';
import { isPinned } from '../../manager/pins.js';
import type { Entry } from '../../manager/recorder.js';
import type { BackupInfo } from '../../native/backup-info.js';
import { isLocked } from '../../retention/retention.js';
import { backupsNamed } from '../backup-text.js';
import { defineCommand, dirArgument } from '../command.js';
import type { Context } from '../context.js';
import { findBackup, withRecordedDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import type { Result } from '../output/output.js';
import { linesOf } from '../output/text.js';
import { parseBackupId } from '../parse.js';
import {
  CHANGED,
  deleteShown,
  deletionPlan,
  refuseLostPins,
  refusePinned,
  unreadableLine,
  unreadablePlan,
} from '../removal.js';
import { array, count, flag, object, text } from '../schema.js';
import { localTime } from '../time.js';

const deletionSchema = object({
  location: text('the repository'),
  deleted: array(count(), 'what was deleted, or would be'),
  kept: array(count()),
  bytesFreed: count(),
  dryRun: flag(),
});

const dryRun = { type: 'flag', summary: 'only say what would be deleted' } as const;
const force = {
  type: 'flag',
  summary:
    'delete even if a backup cannot be read, or if only damaged ones are left: files that only unreadable backups use are then deleted for good',
} as const;

export const deleteBackups = defineCommand({
  name: 'delete',
  summary: 'delete backups',
  description: [
    'Deletes backups, and the files that no other backup uses. Shows what it will delete and how much space that frees, and asks. It does not delete a pinned backup, or a backup that is being read. It deletes nothing while the file with the pins is damaged or cannot be read: see unpin.',
    'It deletes nothing while any backup in DIR cannot be read, because that would also delete files of the unreadable backup. --dry-run refuses then, too. Bring the missing files back, or give them up with --force. A backup that this user may not read, or that the disk does not give, may be whole; --force does not help then.',
    'It also deletes nothing if that would take the last backup of a database that is not known to be damaged, while damaged ones stay. Delete the damaged ones, too, or pass --force.',
    'If files of a deleted backup cannot be deleted, the command names them and fails. gc deletes them when that is possible again.',
  ],
  positionals: [dirArgument, { name: 'ID', type: 'backup', many: true, summary: "numbers of backups, or 'latest'" }],
  options: { 'dry-run': dryRun, force },
  examples: [
    { line: 'rocksdb-backup delete /backups/users 3 4', does: 'asks, and deletes two backups' },
    { line: 'rocksdb-backup delete /backups/users 3 --dry-run', does: 'show how much space that would free' },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  recorded: true,
  schema: deletionSchema,
  run(context, { DIR, ID }, options) {
    const wanted = ID.map((id) => parseBackupId(id, 'ID'));
    const { force } = options;
    const entry = { operation: 'delete', detail: { asked: ID } } as const;
    return withRecordedDirectory(
      context,
      DIR,
      options['dry-run'] ? undefined : entry,
      async (engine) => {
        const inventory = await readInventory(engine);
        const ids = await idsOf(context, engine, wanted, inventory);
        const unreadable = ids.filter((id) => inventory.corrupt.some(({ backupId }) => backupId === id));
        const deletion = deletionOf(inventory, ids, 'unpin them first');
        return carryOut(context, engine, deletion, { backupIds: ids }, planLines(deletion, unreadable), options, () =>
          deleteOneByOne(context, engine, deletion, force),
        );
      },
      { write: true },
    );
  },
});

/** The ids of the backups that the user named, each once. */
async function idsOf(
  context: Context,
  engine: BackupEngine,
  wanted: readonly (number | 'latest')[],
  { corrupt }: Inventory,
): Promise<number[]> {
  const isUnreadable = (id: number | 'latest'): id is number => corrupt.some(({ backupId }) => backupId === id);
  const ids = new Set<number>();
  for (const id of wanted) {
    ids.add(isUnreadable(id) ? id : (await findBackup(context, engine, String(id))).backupId);
  }
  return [...ids];
}

async function deleteOneByOne(
  context: Context,
  engine: BackupEngine,
  { ids, goes }: Deletion,
  force: boolean,
): Promise<void> {
  const deleted: number[] = [];
  try {
    for (const backupId of damagedFirst(ids, goes)) {
      context.signal.throwIfAborted();
      const info = goes.find((backup) => backup.backupId === backupId);
      if (info !== undefined) {
        await deleteShown(context, engine, info, { force, named: true });
      } else {
        await context.recorded(engine, { operation: 'delete', backupId }, () =>
          deletingUnpinned(engine, async (state, { deleteBackups }) => {
            refuseLostPins({ state, location: engine.location });
            await deleteBackups([backupId], { force });
          }),
        );
      }
      deleted.push(backupId);
    }
  } catch (error) {
    if (deleted.length > 0) context.out.warn(`deleted before that: ${deleted.join(', ')}`);
    throw error;
  }
}

/** So that nothing but whole backups is left if this is interrupted. */
function damagedFirst(ids: readonly number[], goes: readonly BackupRecord[]): number[] {
  const isDamaged = (id: number) => goes.some(({ backupId, state }) => backupId === id && state === 'corrupt');
  return [...ids.filter(isDamaged), ...ids.filter((id) => !isDamaged(id))];
}

export const purge = defineCommand({
  name: 'purge',
  summary: 'delete all but the latest backups',
  description: [
    'Deletes all backups except the latest N, of any age. If DIR has backups of several databases, it keeps the latest N of each. Use prune to keep backups by day, week and month.',
    'Backups that an object store has locked stay, and are deleted by a later purge. It deletes nothing if a pinned backup is among those to delete, if any backup cannot be read, or if the file with the pins is damaged or cannot be read: see unpin.',
    'It deletes nothing either while a backup that it would keep is known to be damaged: the older ones may be the only whole ones. If the damage was repaired, run verify --checksum. Otherwise delete the damaged backup, or pass --force.',
  ],
  positionals: [dirArgument],
  options: {
    keep: { type: 'integer', summary: 'the number of latest backups to keep; required' },
    'dry-run': dryRun,
    force,
  },
  examples: [
    { line: 'rocksdb-backup purge /backups/users --keep 7 --dry-run', does: 'show what would be deleted' },
    { line: 'rocksdb-backup purge /backups/users --keep 7 --yes', does: 'from cron, without asking' },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  recorded: true,
  schema: deletionSchema,
  run(context, { DIR }, options) {
    const { keep } = options;
    if (keep === undefined) {
      throw new UsageError('purge needs --keep N', 'rocksdb-backup purge --help');
    }
    const { force } = options;
    const entry = { operation: 'prune', detail: { keep } } as const;
    return withRecordedDirectory(
      context,
      DIR,
      options['dry-run'] ? undefined : entry,
      async (engine) => {
        const inventory = await readInventory(engine);
        const now = context.now();
        const old = deletableOld(inventory.backups, keep, now).map(({ backupId }) => backupId);
        const instead = `unpin them, or use prune --keep-last ${keep}, which keeps pinned backups`;
        const deletion = deletionOf(inventory, old, instead);
        const { ids, goes, kept, bytesFreed } = deletion;
        if (goes.length === 0) {
          return nothingToPurge(context, deletion, inventory, options, lockedLines(inventory, keep, now));
        }
        const unreadable = inventory.corrupt.map(({ backupId }) => backupId);
        const plan = [...planLines(deletion, unreadable), ...lockedLines(inventory, keep, now)];
        return carryOut(context, engine, deletion, { keep }, plan, options, () => {
          context.signal.throwIfAborted();
          const entry: Entry = { operation: 'prune', bytes: bytesFreed, detail: { deleted: ids, kept, keep } };
          return context.recorded(engine, entry, () => purgeShown(engine, goes, { keep, force, now }));
        });
      },
      { write: true },
    );
  },
});

/** Which backups are deleted. */
interface Deletion {
  location: string;
  /** Their ids, in the order in which they are deleted. */
  ids: number[];
  /** Those of them that can be read. */
  goes: BackupRecord[];
  kept: number[];
  bytesFreed: number;
}

/** Says what it means to delete these backups. Refuses if one is pinned; `instead` says what the user can do then. */
function deletionOf(inventory: Inventory, ids: number[], instead: string): Deletion {
  const { location, backups } = inventory;
  const goes = backups.filter(({ backupId }) => ids.includes(backupId));
  const kept = backups.map(({ backupId }) => backupId).filter((id) => !ids.includes(id));
  refuseLostPins(inventory);
  refusePinned(inventory, goes, instead);
  return { location, ids, goes, kept, bytesFreed: freedBy(inventory, ids) };
}

/** `unreadable` are the ids of the backups that are given up with --force. */
function planLines({ location, goes, kept, bytesFreed }: Deletion, unreadable: readonly number[]) {
  return [
    ...unreadablePlan(location, unreadable),
    ...(goes.length === 0 ? [] : deletionPlan(location, goes, bytesFreed, kept.length)),
  ];
}

function asJson({ location, ids, kept, bytesFreed }: Deletion, dryRun: boolean) {
  return { location, deleted: ids, kept, bytesFreed, dryRun };
}

/** Shows the plan, asks, and deletes. With --dry-run, only shows the plan. Refuses in both cases what damage forbids. */
async function carryOut(
  context: Context,
  engine: BackupEngine,
  deletion: Deletion,
  removal: Removal,
  plan: string[],
  options: { 'dry-run': boolean; yes: boolean; force: boolean },
  deleteThem: () => Promise<void>,
): Promise<Result> {
  const { ids, kept, bytesFreed } = deletion;
  await engine.checkDeletion({ force: options.force }, removal);
  if (options['dry-run']) {
    return { json: asJson(deletion, true), text: () => plan };
  }
  await context.confirm(plan, 'Delete?', options);
  await deleteThem();
  return {
    json: asJson(deletion, false),
    text: () => [`deleted ${backupsNamed(ids)}; ${formatSize(bytesFreed)} freed, ${kept.length} left`],
  };
}

function nothingToPurge(
  context: Context,
  deletion: Deletion,
  inventory: Inventory,
  { 'dry-run': dryRun }: { 'dry-run': boolean },
  locked: readonly string[],
): Result {
  const isDamaged = inventory.corrupt.length > 0;
  return {
    json: asJson(deletion, dryRun),
    text: () =>
      linesOf(
        `nothing to delete: there are ${inventory.backups.length}`,
        ...locked,
        isDamaged && context.out.style.bad(unreadableLine(inventory)),
      ),
    exit: isDamaged ? 'corrupt' : 'ok',
  };
}

function lockedLines({ backups }: Inventory, keep: number, now: Date): string[] {
  return olderThanLatest(backups, keep)
    .filter((backup) => isLocked(backup, now))
    .map(
      ({ backupId, lockedUntil }) =>
        `Backup ${backupId} stays: the store has locked it until ${localTime(lockedUntil!)}.`,
    );
}

/** Deletes all backups but the latest, if they are still the ones that were shown and none of them was pinned in the meantime. */
function purgeShown(
  engine: BackupEngine,
  shown: readonly BackupInfo[],
  { keep, force, now }: { keep: number; force: boolean; now: Date },
): Promise<void> {
  return deletingUnpinned(engine, async (state, { purgeOldBackups }) => {
    const goes = deletableOld(await engine.getBackupInfo(), keep, now);
    const isSame = goes.length === shown.length && goes.every((backup, at) => isSameBackup(backup, shown[at]!));
    if (!isSame || goes.some((backup) => isPinned(state, backup)) || state.pinsLost !== undefined) {
      throw new RocksDBError(
        `the backups in ${engine.location} have just changed, and nothing was deleted: check them, and run the command again`,
        CHANGED,
        { path: engine.location },
      );
    }
    await purgeOldBackups(keep, { force });
  });
}
