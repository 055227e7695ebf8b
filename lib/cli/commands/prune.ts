import type { BackupEngine } from '../../backup-engine.js';
import { type Inventory, readInventory } from '../../manager/inventory.js';
import { memoryOf } from '../../manager/manager-state.js';
import { planOf } from '../../manager/pruner.js';
import type { RetentionOptions, RetentionPlan, RetentionPolicy } from '../../manager/retention.js';
import { formatSize } from '../../units.js';
import { defineCommand } from '../command.js';
import type { Context } from '../context.js';
import { withDirectory } from '../directory.js';
import { codeOf, messageOf, UsageError } from '../errors.js';
import { table } from '../output/table.js';
import { safe } from '../output/text.js';
import { policyOf, policyOptions } from '../policy.js';
import { CHANGED, deleteShown } from '../removal.js';
import { array, count, flag, object, oneOf, text, time } from '../schema.js';
import { localTime, timeZone } from '../time.js';
import { verifyOne } from './verify.js';

export const prune = defineCommand({
  name: 'prune',
  summary: 'delete the backups that no rule keeps',
  description: [
    'Says for each backup whether it stays or goes and by which rule, asks, and deletes. A backup stays if any --keep rule keeps it; without any, all stay. What --max-backups and --max-bytes do not allow goes after that, oldest first.',
    'Pinned backups, the newest and the last good one always stay. Nothing goes while any backup is damaged or cannot be read, nor unless the newest has verified: that is done first if it is needed.',
  ],
  positionals: [{ name: 'DIR', type: 'backups', summary: 'the directory of backups' }],
  options: {
    ...policyOptions,
    checksum: { type: 'flag', summary: 'verify the newest by reading every byte' },
    'dry-run': { type: 'flag', summary: 'only say what would become of each' },
  },
  examples: [
    {
      line: 'rocksdb-backup prune /backups/users --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --dry-run',
      does: 'what would stay, and why',
    },
    { line: 'rocksdb-backup prune /backups/users --keep-within 14d --max-bytes 500GB --yes', does: 'from cron' },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  recorded: true,
  schema: object({
    location: text('the directory of backups'),
    decisions: array(
      object({
        backupId: count(),
        'timestamp?': time(),
        action: oneOf('keep', 'delete'),
        rules: array(text(), 'by which it stays, or for what it goes'),
      }),
      'oldest first',
    ),
    deleted: array(count(), 'what was deleted; empty for a dry run'),
    bytesBefore: count(),
    bytesAfter: count('afterwards, once all is done as planned'),
    'blocked?': text('why nothing is deleted, although something would be'),
    exceeded: array(text(), 'which limits are exceeded all the same, and why'),
    dryRun: flag(),
  }),
  run(context, { DIR }, options) {
    const policy = policyOf(options);
    if (policy === undefined) {
      throw new UsageError(
        'prune needs to know what to keep: --keep-last, --keep-daily ..., --max-bytes',
        'rocksdb-backup prune --help',
      );
    }
    const dryRun = options['dry-run'];
    return withDirectory(
      DIR,
      async (engine) => {
        let { plan, inventory } = await planned(context, engine, policy, { requireVerified: !dryRun });
        const newest = inventory.backups.at(-1);
        if (plan.delete.length === 0 && plan.blocked !== undefined && newest?.state === 'unverified' && !dryRun) {
          // Nothing goes before the newest has proved to be whole.
          const { checksum } = options;
          await verifyOne(context, engine, newest, { checksum, auditLog: options['audit-log'] });
          ({ plan, inventory } = await planned(context, engine, policy));
        }
        const answer = (deleted: number[]) => ({
          location: engine.location,
          decisions: plan.decisions.map(({ timestamp, ...rest }) => ({
            ...rest,
            ...(timestamp === undefined ? {} : { timestamp: timestamp.toISOString() }),
          })),
          deleted,
          bytesBefore: plan.bytesBefore,
          bytesAfter: plan.bytesAfter,
          ...(plan.blocked === undefined ? {} : { blocked: plan.blocked }),
          exceeded: plan.exceeded,
          dryRun,
        });
        const lines = planLines(plan, context);
        if (dryRun && plan.delete.length > 0 && newest?.state === 'unverified') {
          lines.push(`Backup ${newest.backupId}, the newest, would be verified first.`);
        }
        const isDamaged = plan.blocked !== undefined && (inventory.corrupt.length > 0 || hasDamage(inventory));
        if (dryRun || plan.delete.length === 0) {
          return { json: answer([]), text: () => lines, exit: isDamaged && !dryRun ? 'corrupt' : 'ok' };
        }
        await context.confirm([...lines, ''], 'Delete?', options);
        const deleted = await execute(context, engine, plan, options['audit-log']);
        return {
          json: answer(deleted),
          text: () => [
            ...(options.yes ? [...lines, ''] : []),
            `deleted ${deleted.length === 1 ? 'backup' : 'backups'} ${deleted.join(', ')}; ${formatSize(plan.bytesBefore - plan.bytesAfter)} freed`,
          ],
        };
      },
      { write: true },
    );
  },
});

const hasDamage = ({ backups }: Inventory) => backups.some(({ state }) => state === 'corrupt');

async function planned(
  context: Context,
  engine: BackupEngine,
  policy: RetentionPolicy,
  options: RetentionOptions = {},
): Promise<{ plan: RetentionPlan; inventory: Inventory }> {
  const inventory = await readInventory(engine);
  const { suspects } = memoryOf(inventory.state);
  return { plan: planOf(inventory, policy, context.now(), suspects, 'with --checksum', options), inventory };
}

/** Deletes, the oldest first, what the plan says, unless somebody has pinned it since. */
async function execute(
  context: Context,
  engine: BackupEngine,
  plan: RetentionPlan,
  auditLog: string | undefined,
): Promise<number[]> {
  const deleted: number[] = [];
  await context.recorded(
    'prune',
    engine.location,
    auditLog,
    { detail: { plan: plan.delete, deleted } },
    async () => {
      for (const backupId of plan.delete) {
        context.signal.throwIfAborted();
        const timestamp = plan.decisions.find((decision) => decision.backupId === backupId)?.timestamp;
        if (timestamp === undefined) continue;
        try {
          await deleteShown(context, engine, { backupId, timestamp }, auditLog);
          deleted.push(backupId);
        } catch (error) {
          if (codeOf(error) !== CHANGED) throw error;
          context.out.warn(messageOf(error));
        }
      }
    },
    () => ({ bytes: plan.bytesBefore - plan.bytesAfter }),
  );
  return deleted;
}

function planLines(plan: RetentionPlan, { out: { style } }: Context): string[] {
  const rows = plan.decisions.map(({ backupId, timestamp, action, rules }) => [
    String(backupId),
    timestamp === undefined ? '' : localTime(timestamp),
    action === 'keep' ? style.good('keep') : style.bad('delete'),
    safe(rules.join(', ')),
  ]);
  const goes = plan.delete.length;
  return [
    ...table(
      [{ title: 'ID', align: 'right' }, { title: `BEGUN (${timeZone()})` }, { title: 'PLAN' }, { title: 'WHY' }],
      rows,
    ),
    '',
    goes === 0
      ? plan.blocked === undefined
        ? 'Nothing goes.'
        : style.warn(`Nothing goes: ${safe(plan.blocked)}`)
      : `${goes} of ${plan.decisions.length} ${goes === 1 ? 'goes' : 'go'}, which frees ${formatSize(plan.bytesBefore - plan.bytesAfter)}; ${formatSize(plan.bytesAfter)} stay.`,
    ...plan.exceeded.map((sentence) => style.warn(safe(sentence))),
  ];
}
