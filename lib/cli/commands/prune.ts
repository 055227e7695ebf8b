import type { BackupEngine } from '../../backup/backup-engine.js';
import { formatSize } from '../../base/units.js';
import { deleteInPasses, recordedPass } from '../../manager/guarded-delete.js';
import { type BackupRecord, freedBy, type Inventory, readInventory } from '../../manager/inventory.js';
import { planOf } from '../../manager/pruner.js';
import type { Entry } from '../../manager/recorder.js';
import type { RetentionOptions, RetentionPlan, RetentionPolicy } from '../../retention/retention.js';
import { backupsNamed } from '../backup-text.js';
import { defineCommand, dirArgument, type OptionSpecs, type OptionValues } from '../command.js';
import type { Context } from '../context.js';
import { withRecordedDirectory } from '../directory.js';
import { codeOf, messageOf, UsageError } from '../errors.js';
import { type Exit, exitOf } from '../exit-codes.js';
import type { Style } from '../output/style.js';
import { table } from '../output/table.js';
import { linesOf, safe } from '../output/text.js';
import { policyOf, policyOptions } from '../policy.js';
import { CHANGED, deleteShown, unreadableLine } from '../removal.js';
import { array, count, flag, object, oneOf, text, time } from '../schema.js';
import { localTime, timeZone } from '../time.js';
import { verifyOne } from './verify.js';

const optionSpecs = {
  ...policyOptions,
  checksum: { type: 'flag', summary: 'verify the newest by reading every byte' },
  'dry-run': { type: 'flag', summary: 'only show which backups would be kept and deleted' },
} as const satisfies OptionSpecs;

export const prune = defineCommand({
  name: 'prune',
  summary: 'delete the backups that no rule keeps',
  description: [
    'Shows for each backup whether it is kept or deleted and by which rule, asks, and deletes. A backup is kept if any --keep rule keeps it. Without a --keep rule, all are kept. Then backups that exceed --max-backups or --max-bytes are deleted, oldest first. If DIR has backups of several databases, all rules apply to each database separately.',
    'Pinned backups, the newest backup and the last good one are always kept. Nothing is deleted while any backup is damaged or cannot be read. Before backups of a database are deleted, its newest backup must be verified. If it is not, prune verifies it first.',
    'If a backup should be deleted but cannot be, for one of these reasons or because it is being read, the command says so, and its exit code is not 0.',
  ],
  positionals: [dirArgument],
  options: optionSpecs,
  examples: [
    {
      line: 'rocksdb-backup prune /backups/users --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --dry-run',
      does: 'show what would be kept, and why',
    },
    { line: 'rocksdb-backup prune /backups/users --keep-within 14d --max-bytes 500GB --yes', does: 'from cron' },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  recorded: true,
  schema: object({
    location: text('the repository'),
    decisions: array(
      object({
        backupId: count(),
        'timestamp?': time(),
        action: oneOf('keep', 'delete'),
        rules: array(text(), 'that keep it, or the reason why it is deleted'),
      }),
      'oldest first',
    ),
    deleted: array(count(), 'what was deleted; empty for a dry run'),
    bytesBefore: count(),
    bytesAfter: count('after everything is done as planned'),
    'blocked?': text('why nothing is deleted, or nothing of one database'),
    exceeded: array(text(), 'which limits are still exceeded, and why'),
    dryRun: flag(),
  }),
  run(context, { DIR }, options) {
    const order = orderOf(options);
    return withRecordedDirectory(
      context,
      DIR,
      order.dryRun ? undefined : { operation: 'prune' },
      async (engine) => {
        const planned = await planAfterVerify(context, engine, order);
        const { plan, inventory } = planned;
        const { quiet, style } = context.out;
        const lines = planLines(planned, order, style);
        const answer = (deleted: number[]) => asJson(engine.location, plan, deleted, order.dryRun);
        const refusal = refusalOf(planned);
        if (refusal !== undefined) {
          if (quiet) {
            context.out.warn(`nothing was deleted in ${engine.location}: ${refusal}`);
          }
          const isDamaged = inventory.corrupt.length > 0 || inventory.suspects.length > 0;
          return { json: answer([]), text: () => lines, exit: isDamaged ? 'corrupt' : 'failed' };
        }
        if (plan.delete.length === 0 || order.dryRun) {
          return { json: answer([]), text: () => lines };
        }
        await context.confirm([...lines, ''], 'Delete?', options);
        const { deleted, left } = await execute(context, engine, planned);
        return {
          json: answer(deleted),
          text: () => [...(options.yes ? [...lines, ''] : []), deletedLine(inventory, deleted)],
          exit: left ?? (plan.blocked === undefined ? 'ok' : 'failed'),
        };
      },
      { write: true },
    );
  },
});

/** What the command line asks for. */
interface Order {
  policy: RetentionPolicy;
  /** How the newest backup is verified, if that is needed. */
  how: 'size' | 'checksum';
  dryRun: boolean;
}

function orderOf(options: OptionValues<typeof optionSpecs>): Order {
  const policy = policyOf(options);
  if (policy === undefined) {
    throw new UsageError(
      'prune needs to know what to keep: --keep-last, --keep-daily ..., --max-bytes',
      'rocksdb-backup prune --help',
    );
  }
  return { policy, how: options.checksum ? 'checksum' : 'size', dryRun: options['dry-run'] };
}

interface Planned {
  plan: RetentionPlan;
  inventory: Inventory;
  /** The newest backups that had to be verified first. */
  unverified: BackupRecord[];
}

/** Plans what to delete. No backup of a database is deleted before its newest backup is verified, so that is done first if it is needed. */
async function planAfterVerify(context: Context, engine: BackupEngine, order: Order): Promise<Planned> {
  const look = async (options?: RetentionOptions) => {
    // On a full disk, the verify before a prune cannot be written to the history. The recorder knows it, so it counts all the same.
    const inventory = await readInventory(engine, context.recorder(engine.storage));
    return { inventory, plan: planOf(inventory, order.policy, context.now(), 'with --checksum', options) };
  };
  const first = await look();
  const unverified = first.inventory.backups.filter(
    ({ backupId, state }) => first.plan.verifyFirst.includes(backupId) && state === 'unverified',
  );
  if (order.dryRun) {
    return { ...(await look({ requireVerified: false })), unverified };
  }
  if (unverified.length === 0) {
    return { ...first, unverified };
  }
  for (const newest of unverified) {
    const { sizesKnown } = await verifyOne(context, engine, newest, order.how);
    // Right names alone prove too little to delete older backups.
    if (!sizesKnown && order.how === 'size') await verifyOne(context, engine, newest, 'checksum');
  }
  return { ...(await look()), unverified };
}

/** Why nothing is deleted. Also set if nothing would be deleted anyway: an unreadable backup still makes the command fail. */
function refusalOf({ plan, inventory }: Planned): string | undefined {
  if (plan.delete.length > 0) {
    return undefined;
  }
  return plan.blocked ?? (inventory.corrupt.length > 0 ? unreadableLine(inventory) : undefined);
}

/** Why one backup stays, and the next one is deleted all the same. */
const STAYS = [CHANGED, 'BACKUP_IN_USE', 'STORE_REFUSED', 'STORE_DENIED'];

/**
 * Deletes the backups that the plan says, oldest first. Skips those that were pinned in the meantime, are being read, or that the store
 * refuses to delete. @returns the ids of
 * the deleted backups, and the exit of the command if some could not be deleted
 */
function execute(
  context: Context,
  engine: BackupEngine,
  { plan, inventory }: Planned,
): Promise<{ deleted: number[]; left: Exit | undefined }> {
  const deleted: number[] = [];
  const entry: Entry = { operation: 'prune', detail: { plan: plan.delete, deleted } };
  return context.recorded(engine, entry, async ({ note }) => {
    let left: Exit | undefined;
    await deleteInPasses(
      inventory.backups.filter(({ backupId }) => plan.delete.includes(backupId)),
      async (pass) => {
        context.signal.throwIfAborted();
        return recordedPass(context.recording(engine.storage), engine, pass, inventory, 'cli', (ids) => {
          deleted.push(...ids);
        });
      },
      async (backup) => {
        context.signal.throwIfAborted();
        try {
          await deleteShown(context, engine, backup);
          deleted.push(backup.backupId);
        } catch (error) {
          const code = codeOf(error);
          if (!STAYS.includes(code ?? '')) throw error;
          context.out.warn(messageOf(error));
          left = exitOf(error);
        }
      },
    );
    note({ bytes: freedBy(inventory, deleted) });
    return { deleted, left };
  });
}

function asJson(location: string, plan: RetentionPlan, deleted: readonly number[], dryRun: boolean) {
  const { decisions, bytesBefore, bytesAfter, blocked, exceeded } = plan;
  return {
    location,
    decisions: decisions.map(({ timestamp, ...rest }) => ({ ...rest, timestamp: timestamp?.toISOString() })),
    deleted,
    bytesBefore,
    bytesAfter,
    blocked,
    exceeded,
    dryRun,
  };
}

function deletedLine(inventory: Inventory, deleted: readonly number[]): string {
  return deleted.length === 0
    ? 'nothing was deleted'
    : `deleted ${backupsNamed(deleted)}; ${formatSize(freedBy(inventory, deleted))} freed`;
}

function planLines({ plan, inventory, unverified }: Planned, { dryRun }: Order, style: Style): string[] {
  const { decisions, blocked, exceeded, bytesBefore, bytesAfter } = plan;
  const goes = plan.delete.length;
  const rows = decisions.map(({ backupId, timestamp, action, rules }) => [
    String(backupId),
    timestamp === undefined ? '' : localTime(timestamp),
    action === 'keep' ? style.good('keep') : style.bad('delete'),
    safe(rules.join(', ')),
  ]);
  const nothing = blocked === undefined ? 'Nothing is deleted.' : style.warn(`Nothing is deleted: ${safe(blocked)}`);
  return linesOf(
    ...table(
      [{ title: 'ID', align: 'right' }, { title: `BEGUN (${timeZone()})` }, { title: 'PLAN' }, { title: 'WHY' }],
      rows,
    ),
    '',
    goes === 0
      ? nothing
      : `${goes} of ${decisions.length} ${goes === 1 ? 'is' : 'are'} deleted, which frees ${formatSize(bytesBefore - bytesAfter)}; ${formatSize(bytesAfter)} stay.`,
    goes > 0 && blocked !== undefined && style.warn(`Nothing of one database is deleted: ${safe(blocked)}`),
    ...exceeded.map((sentence) => style.warn(safe(sentence))),
    ...(dryRun ? unverified : []).map(({ backupId }) => `Backup ${backupId}, the newest, would be verified first.`),
    goes === 0 && inventory.corrupt.length > 0 && style.bad(unreadableLine(inventory)),
  );
}
