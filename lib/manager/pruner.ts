import type { BackupEngine } from '../backup/backup-engine.js';
import type { Clock, SteadyClock } from '../base/clock.js';
import { errorCode } from '../base/errors.js';
import type { BackupInfo } from '../native/backup-info.js';
import { byDatabase } from '../retention/databases.js';
import {
  planRetention,
  type RetentionOptions,
  type RetentionPlan,
  type RetentionPolicy,
} from '../retention/retention.js';
import { deleteUnlessPinned, passesOf, recordedPass } from './guarded-delete.js';
import { type Inventory, readInventory, retentionBackups } from './inventory.js';
import { takeTurn } from './manager-engines.js';
import type { ManagerState } from './manager-state.js';
import { type Entry, recorded } from './recorded.js';
import type { Recorder } from './recorder.js';
import { whyUnreadableForbid } from './unreadable-backups.js';

/** The parts that a pruner uses. */
export interface PrunerParts {
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
      : `backups are damaged, or share a file with one that is: ${ids.join(', ')}. Verify them ${checking}, and delete those that fail, first`;
  const forbidden = state.pinsLost ?? damage ?? whyUnreadableForbid(corrupt);
  return planRetention(retentionBackups(inventory), policy, now, { ...options, forbidden });
}

/** Deletes the backups that a policy does not keep, oldest first. */
export async function prune(
  engine: BackupEngine,
  policy: RetentionPolicy,
  parts: PrunerParts,
  trigger: string,
): Promise<{ plan: RetentionPlan; deleted: number[] }> {
  const { clock, recorder } = parts;
  const deleted: number[] = [];
  const inUse: number[] = [];
  const entry: Entry = { operation: 'prune', trigger, nothingDone: true };
  return recorded(parts, entry, async () => {
    const { plan, inventory } = await planPruning(engine, policy, parts);
    const doomed = inventory.backups.filter(({ backupId }) => plan.delete.includes(backupId));
    let bytes = 0;
    entry.nothingDone = false;
    // Updated as the work goes on, so that the entry of a failed prune also says what was deleted.
    const tell = () => Object.assign(entry, { bytes, detail: { deleted, inUse } });
    tell();
    for (const pass of passesOf(doomed)) {
      const gone = await takeTurn(engine.location, () =>
        recordedPass(engine, pass, inventory, { clock, recorder, trigger }),
      );
      deleted.push(...gone.ids);
      bytes += gone.bytes;
      tell();
      for (const backup of pass.filter(({ backupId }) => !gone.ids.includes(backupId))) {
        const freed = await takeTurn(engine.location, () => deleteOne(engine, backup, parts, trigger));
        if (freed === 'in use') {
          inUse.push(backup.backupId);
        } else if (freed !== 'left') {
          deleted.push(backup.backupId);
          bytes += freed;
        }
        tell();
      }
    }
    entry.nothingDone = deleted.length === 0;
    entry.detail = { deleted, inUse, kept: inventory.backups.length - deleted.length };
    return { plan, deleted };
  });
}

/** Deletes a backup, if the conditions for that still hold. @returns the bytes that this freed */
async function deleteOne(
  engine: BackupEngine,
  { backupId, timestamp }: { backupId: number; timestamp: Date },
  parts: PrunerParts,
  trigger: string,
): Promise<number | 'in use' | 'left'> {
  const entry: Entry = { operation: 'delete', backupId, timestamp: timestamp.toISOString(), trigger };
  return recorded(parts, entry, async () => {
    let gone: BackupInfo | undefined;
    try {
      gone = await deleteUnlessPinned(engine, { backupId, timestamp });
    } catch (error) {
      if (errorCode(error) !== 'BACKUP_IN_USE') {
        throw error;
      }
      entry.nothingDone = true;
      return 'in use';
    }
    entry.nothingDone = gone === undefined;
    entry.bytes = gone?.uniqueSize ?? 0;
    return gone?.uniqueSize ?? 'left';
  });
}
