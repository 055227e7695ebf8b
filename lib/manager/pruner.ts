import type { BackupEngine } from '../backup/backup-engine.js';
import type { Clock, SteadyClock } from '../base/clock.js';
import { errorCode } from '../base/errors.js';
import { byDatabase } from '../retention/databases.js';
import {
  planRetention,
  type RetentionOptions,
  type RetentionPlan,
  type RetentionPolicy,
} from '../retention/retention.js';
import { deleteInPasses, deleteUnlessPinned, recordedPass } from './guarded-delete.js';
import { type Inventory, readInventory, retentionBackups } from './inventory.js';
import { takeTurn } from './manager-engines.js';
import type { ManagerState } from './manager-state.js';
import { type Entry, type Recorder, recorded } from './recorder.js';
import { whyUnreadableForbid } from './unreadable-backups.js';

/** The parts that a pruner uses. */
interface PrunerParts {
  clock: Clock;
  steady: SteadyClock;
  state: ManagerState;
  recorder: Recorder;
  /** The database whose backups may be deleted. */
  databaseId?: string | undefined;
}

/** Applies a policy to the existing backups and says what would be deleted. Changes nothing. */
export async function planPruning(
  engine: BackupEngine,
  policy: RetentionPolicy,
  { steady, state, recorder, databaseId }: Pick<PrunerParts, 'steady' | 'state' | 'recorder' | 'databaseId'>,
): Promise<{ plan: RetentionPlan; inventory: Inventory }> {
  const inventory = await readInventory(engine, recorder, state.memory);
  const plan = planOf(inventory, policy, new Date(steady.now()), 'with checksums', {
    // While a manager does not know which of several databases is its own, it deletes nothing.
    databaseId: databaseId ?? (byDatabase(inventory.backups).length > 1 ? '' : undefined),
  });
  return { inventory, plan };
}

/**
 * Applies a policy to an inventory, with respect to lost pins and known damage. `checking` tells the user how to verify backups that are or
 * may be damaged.
 */
export function planOf(
  inventory: Inventory,
  policy: RetentionPolicy,
  now: Date,
  checking: string,
  options: Omit<RetentionOptions, 'forbidden'> = {},
): RetentionPlan {
  const { suspects, corrupt, state } = inventory;
  const ids = suspects.map(({ backupId }) => backupId);
  const damage =
    ids.length === 0
      ? undefined
      : `backups are damaged, or share a damaged file: ${ids.join(', ')}. Verify them ${checking}, and delete those that fail, first`;
  const forbidden = state.pinsLost ?? damage ?? whyUnreadableForbid(corrupt);
  return planRetention(retentionBackups(inventory), policy, now, { ...options, forbidden });
}

/** What a prune has done. */
export interface Pruned {
  plan: RetentionPlan;
  deleted: number[];
  /** The backups that the store refused to delete, which are whole, and its words about the last of them. */
  refused: { ids: number[]; why: string };
}

/** Deletes the backups that a policy does not keep, oldest first. */
export function prune(
  engine: BackupEngine,
  policy: RetentionPolicy,
  parts: PrunerParts,
  trigger: string,
): Promise<Pruned> {
  return recorded(parts, { operation: 'prune', trigger }, async ({ note }) => {
    note({ nothingDone: true });
    const { plan, inventory } = await planPruning(engine, policy, parts);
    const toDelete = inventory.backups.filter(({ backupId }) => plan.delete.includes(backupId));
    const deleted: number[] = [];
    const inUse: number[] = [];
    const refused: Pruned['refused'] = { ids: [], why: '' };
    const done = () => ({ deleted, inUse, ...(refused.ids.length > 0 && { refused: refused.ids }) });
    let bytes = 0;
    const gone = (ids: readonly number[], freed: number) => {
      deleted.push(...ids);
      bytes += freed;
      note({ bytes, detail: done() });
    };
    // Noted as the work goes on, so that the entry of a failed prune also says what was deleted.
    note({ nothingDone: false, bytes, detail: done() });
    await deleteInPasses(
      toDelete,
      (pass) => takeTurn(engine.storage, () => recordedPass(parts, engine, pass, inventory, trigger, gone)),
      async (backup) => {
        const freed = await takeTurn(engine.storage, () => deleteOne(engine, backup, parts, trigger));
        if (freed === 'in use') {
          inUse.push(backup.backupId);
        } else if (freed instanceof Error) {
          refused.ids.push(backup.backupId);
          refused.why = freed.message;
        } else if (freed !== 'left') {
          gone([backup.backupId], freed);
        }
      },
    );
    note({
      nothingDone: deleted.length === 0,
      detail: { ...done(), kept: inventory.backups.length - deleted.length },
    });
    return { plan, deleted, refused };
  });
}

/**
 * Deletes a backup, if the conditions for that still hold. @returns the bytes that this freed; or the store's refusal: the backup may be
 * locked, and others must not wait for that
 */
function deleteOne(
  engine: BackupEngine,
  { backupId, timestamp }: { backupId: number; timestamp: Date },
  parts: PrunerParts,
  trigger: string,
): Promise<number | 'in use' | 'left' | Error> {
  const entry: Entry = { operation: 'delete', backupId, timestamp: timestamp.toISOString(), trigger };
  return recorded(parts, entry, async ({ note }) => {
    try {
      const gone = await deleteUnlessPinned(engine, { backupId, timestamp });
      note({ nothingDone: gone === undefined, bytes: gone?.uniqueSize ?? 0 });
      return gone?.uniqueSize ?? 'left';
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'BACKUP_IN_USE' && code !== 'STORE_REFUSED') {
        throw error;
      }
      note({ nothingDone: true });
      return code === 'BACKUP_IN_USE' ? 'in use' : (error as Error);
    }
  });
}
