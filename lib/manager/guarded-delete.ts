import type { BackupEngine, WriteTurn } from '../backup/backup-engine.js';
import { RocksDBError } from '../base/errors.js';
import type { BackupInfo } from '../native/backup-info.js';
import type { DirectoryState } from './directory-state.js';
import { freedByEach, type Inventory } from './inventory.js';
import { memoryOf } from './manager-state.js';
import { type BackupRef, isSameBackup } from './operation-record.js';
import { isPinned, pin, unpin } from './pins.js';
import { type Recording, recorded } from './recorder.js';
import { holdingState, updateState } from './state.js';

/** Options of {@link deleteUnlessPinned}. */
export interface GuardedDeleteOptions {
  /** Deletes even while some backup cannot be read. @default false */
  force?: boolean | undefined;
  /** The user named exactly this backup, so it is deleted even if it is the newest. @default false */
  named?: boolean | undefined;
}

/**
 * Deletes a backup, if it is still the one that was chosen and has not been pinned in the meantime. Nobody can pin it during the deletion.
 * If pins were lost, it is not deleted. @returns the deleted backup; undefined if it was not deleted
 */
export function deleteUnlessPinned(
  engine: BackupEngine,
  meant: BackupRef,
  { force = false, named = false }: GuardedDeleteOptions = {},
): Promise<BackupInfo | undefined> {
  return deletingUnpinned(engine, async (state, { deleteBackups }) => {
    const [found] = deletable(state, await engine.getBackupInfo(), [meant], named);
    if (found !== undefined) {
      await deleteBackups([found.backupId], { force });
    }
    return found;
  });
}

/** At most this many backups are deleted in one pass: during a pass, nobody else can pin or back up. */
const BACKUPS_IN_A_PASS = 100;

/** Deletes many backups: first as many as possible in passes, and then those that a pass has left, one by one. */
export async function deleteInPasses<B extends BackupRef>(
  backups: readonly B[],
  /** Deletes some backups at once. @returns the ids of the deleted backups */
  deletePass: (backups: readonly B[]) => Promise<readonly number[]>,
  deleteOne: (backup: B) => Promise<void>,
): Promise<void> {
  for (let begin = 0; begin < backups.length; begin += BACKUPS_IN_A_PASS) {
    const pass = backups.slice(begin, begin + BACKUPS_IN_A_PASS);
    const gone = await deletePass(pass);
    for (const backup of pass.filter(({ backupId }) => !gone.includes(backupId))) {
      await deleteOne(backup);
    }
  }
}

/**
 * Deletes those of many backups at once that {@link deleteUnlessPinned} would delete. It never rejects. If it cannot delete one of them,
 * for instance because somebody is reading it, it deletes none. The caller then deletes them one by one and learns why each stays. @returns
 * the deleted backups, and the error that names their files if some could not be deleted
 */
async function deleteTogether(
  engine: BackupEngine,
  meant: readonly BackupRef[],
): Promise<{ gone: BackupInfo[]; left?: RocksDBError }> {
  let going: BackupInfo[] = [];
  try {
    await deletingUnpinned(engine, async (state, { deleteBackups }) => {
      going = deletable(state, await engine.getBackupInfo(), meant, false);
      if (going.length > 0) {
        const ids = going.map(({ backupId }) => backupId);
        await deleteBackups(ids, {});
      }
    });
    return { gone: going };
  } catch (error) {
    // It may have deleted some of them.
    const still = going.length === 0 ? [] : await engine.getBackupInfo().catch(() => going);
    const gone = going.filter((backup) => !still.some((other) => isSameBackup(other, backup)));
    return error instanceof RocksDBError && error.leftFiles !== undefined ? { gone, left: error } : { gone };
  }
}

/**
 * {@link deleteTogether} with history entries. Rejects if files of the deleted backups could not be deleted. `onGone` gets the ids of the
 * deleted backups in any case, and how many bytes that freed. @returns these ids
 */
export function recordedPass(
  recording: Recording,
  engine: BackupEngine,
  meant: readonly BackupRef[],
  inventory: Inventory,
  trigger: string,
  onGone: (ids: readonly number[], bytes: number) => void,
): Promise<number[]> {
  return recorded(recording, { operation: 'delete', trigger }, async ({ note }) => {
    const { gone, left } = await deleteTogether(engine, meant);
    const ids = gone.map(({ backupId }) => backupId);
    const freed = freedByEach(inventory, ids);
    note({
      each: gone.map(({ backupId, timestamp }) => ({
        backupId,
        timestamp: timestamp.toISOString(),
        bytes: freed.get(backupId) ?? 0,
      })),
    });
    onGone(
      ids,
      [...freed.values()].reduce((sum, bytes) => sum + bytes, 0),
    );
    if (left !== undefined) {
      throw left;
    }
    return ids;
  });
}

/** The backups that are still the chosen ones and may be deleted. */
function deletable(
  state: DirectoryState,
  backups: readonly BackupInfo[],
  meant: readonly BackupRef[],
  named: boolean,
): BackupInfo[] {
  const newest = backups.at(-1);
  return state.pinsLost !== undefined
    ? []
    : backups.filter(
        (backup) =>
          meant.some((ref) => isSameBackup(ref, backup)) && !isPinned(state, backup) && (named || backup !== newest),
      );
}

/**
 * Lets `decide` look at the pins and delete backups before anybody can change the pins. It waits for its turn to write first, and locks the
 * pins only then. In the other order, nobody could pin or record anything for as long as a running backup takes.
 */
export function deletingUnpinned<T>(
  engine: BackupEngine,
  decide: (state: DirectoryState, turn: WriteTurn) => Promise<T>,
): Promise<T> {
  return engine.inTurn((turn) =>
    holdingState(engine.storage, (state, assertHeld) =>
      decide(state, {
        deleteBackups: async (backupIds, options) => {
          assertHeld();
          await turn.deleteBackups(backupIds, options, memoryOf(state).damage);
        },
        purgeOldBackups: async (keep, options) => {
          assertHeld();
          await turn.purgeOldBackups(keep, options, memoryOf(state).damage);
        },
      }),
    ),
  );
}

/** Pins a backup. If it was deleted in the meantime, it is not pinned, and this rejects with BACKUP_NOT_FOUND. */
export async function pinBackup(engine: BackupEngine, backup: BackupRef, note?: string): Promise<void> {
  const { location, storage } = engine;
  await updateState(storage, (state) => pin(state, backup, note));
  if (!(await engine.getBackupInfo()).some((other) => isSameBackup(other, backup))) {
    await updateState(storage, (state) => void unpin(state, backup));
    throw new RocksDBError(
      `backup ${backup.backupId} in ${location} was deleted before it could be pinned`,
      'BACKUP_NOT_FOUND',
      { path: location, backupId: backup.backupId },
    );
  }
}
