import type { BackupEngine } from '../backup/backup-engine.js';
import type { Clock, SteadyClock } from '../base/clock.js';
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
import { recordedError } from './operation-record.js';
import type { Recorder } from './recorder.js';
import { whyUnreadableForbid } from './unreadable-backups.js';

/** What a pruner works with. */
export interface PrunerParts {
  clock: Clock;
  steady: SteadyClock;
  state: ManagerState;
  recorder: Recorder;
  /** Whose backups may be deleted. */
  databaseId?: string | undefined;
}

/** Says what a policy makes of the backups that are there. Changes nothing. */
export async function planPruning(
  engine: BackupEngine,
  policy: RetentionPolicy,
  { steady, state, recorder, databaseId }: Pick<PrunerParts, 'steady' | 'state' | 'recorder' | 'databaseId'>,
): Promise<{ plan: RetentionPlan; inventory: Inventory }> {
  const inventory = await readInventory(engine, recorder, state.memory);
  const plan = planOf(inventory, policy, new Date(steady.now()), 'with checksums', {
    // While it is not known which of several is its own, a manager deletes nothing.
    databaseId: databaseId ?? (byDatabase(inventory.backups).length > 1 ? '' : undefined),
  });
  return { inventory, plan };
}

/** What a policy makes of an inventory, given what is known of lost pins and of damage. `checking` says how to verify what is, or may be. */
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

/** Deletes what a policy does not keep, the oldest first. */
export async function prune(
  engine: BackupEngine,
  policy: RetentionPolicy,
  parts: PrunerParts,
  trigger: string,
): Promise<{ plan: RetentionPlan; deleted: number[] }> {
  const { clock, recorder } = parts;
  const at = new Date(clock.now()).toISOString();
  const begun = clock.monotonic();
  const { plan, inventory } = await planPruning(engine, policy, parts);
  const deleted: number[] = [];
  const inUse: number[] = [];
  let bytes = 0;
  const common = { operation: 'prune' as const, at, trigger };
  const took = () => Math.round(clock.monotonic() - begun);
  const doomed = inventory.backups.filter(({ backupId }) => plan.delete.includes(backupId));
  try {
    for (const pass of passesOf(doomed)) {
      const gone = await takeTurn(engine.location, () =>
        recordedPass(engine, pass, inventory, { clock, recorder, trigger }),
      );
      deleted.push(...gone.ids);
      bytes += gone.bytes;
      for (const backup of pass.filter(({ backupId }) => !gone.ids.includes(backupId))) {
        const freed = await takeTurn(engine.location, () => deleteOne(engine, backup, parts, trigger));
        if (freed === 'in use') {
          inUse.push(backup.backupId);
        } else if (freed !== 'left') {
          deleted.push(backup.backupId);
          bytes += freed;
        }
      }
    }
  } catch (error) {
    await recorder.record({
      ...common,
      ok: false,
      durationMs: took(),
      bytes,
      detail: { deleted, inUse },
      error: recordedError(error),
    });
    throw error;
  }
  if (deleted.length > 0) {
    const kept = inventory.backups.length - deleted.length;
    await recorder.record({ ...common, ok: true, durationMs: took(), bytes, detail: { deleted, inUse, kept } });
  }
  return { plan, deleted };
}

/** Deletes a backup, if that is still right. @returns bytes freed */
async function deleteOne(
  engine: BackupEngine,
  meant: { backupId: number; timestamp: Date },
  { clock, recorder }: PrunerParts,
  trigger: string,
): Promise<number | 'in use' | 'left'> {
  const { backupId } = meant;
  const at = new Date(clock.now()).toISOString();
  const begun = clock.monotonic();
  const common = { operation: 'delete' as const, at, backupId, timestamp: meant.timestamp.toISOString(), trigger };
  let gone: BackupInfo | undefined;
  try {
    gone = await deleteUnlessPinned(engine, meant);
  } catch (error) {
    if ((error as { code?: string }).code === 'BACKUP_IN_USE') {
      return 'in use';
    }
    const durationMs = Math.round(clock.monotonic() - begun);
    await recorder.record({ ...common, ok: false, durationMs, error: recordedError(error) });
    throw error;
  }
  if (gone === undefined) {
    return 'left';
  }
  const durationMs = Math.round(clock.monotonic() - begun);
  await recorder.record({ ...common, ok: true, durationMs, bytes: gone.uniqueSize });
  return gone.uniqueSize;
}
