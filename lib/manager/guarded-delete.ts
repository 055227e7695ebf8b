import type { BackupEngine, WriteTurn } from '../backup/backup-engine.js';
import type { Clock } from '../base/clock.js';
import { RocksDBError } from '../base/errors.js';
import type { BackupInfo } from '../native/backup-info.js';
import type { DirectoryState } from './directory-state.js';
import { freedByEach, type Inventory } from './inventory.js';
import { type BackupRef, isSameBackup } from './operation-record.js';
import { isPinned, pin, unpin } from './pins.js';
import type { Recorder } from './recorder.js';
import { holdingState, updateState } from './state.js';

/** Options of {@link deleteUnlessPinned}. */
export interface GuardedDeleteOptions {
  /** Also while some backup cannot be read. @default false */
  force?: boolean | undefined;
  /** Somebody has named this very backup: it goes also if it is the newest. @default false */
  named?: boolean | undefined;
}

/**
 * Deletes a backup if it is still the one that was meant when it was decided, and nobody has pinned it since. Nobody can pin it
 * while it is being deleted. While it is not known what was pinned, it is left alone. @returns what was deleted; undefined if it
 * was left alone
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

/** In one pass, so many: a pass holds up who wants to pin, or to back up. */
const BACKUPS_IN_A_PASS = 100;

/** Backups to delete, by the passes of {@link deletePass}. */
export function passesOf<T>(backups: readonly T[]): T[][] {
  const passes: T[][] = [];
  for (let begin = 0; begin < backups.length; begin += BACKUPS_IN_A_PASS) {
    passes.push(backups.slice(begin, begin + BACKUPS_IN_A_PASS));
  }
  return passes;
}

/**
 * Deletes many backups at once, those that {@link deleteUnlessPinned} would delete. It does not fail: where one of them is being
 * read, say, none goes, and who deletes them one after the other learns of each why it stays. @returns what was deleted
 */
export async function deletePass(engine: BackupEngine, meant: readonly BackupRef[]): Promise<BackupInfo[]> {
  let going: BackupInfo[] = [];
  try {
    await deletingUnpinned(engine, async (state, { deleteBackups }) => {
      going = deletable(state, await engine.getBackupInfo(), meant, false);
      if (going.length > 0) {
        const ids = going.map(({ backupId }) => backupId);
        await deleteBackups(ids, {});
      }
    });
    return going;
  } catch {
    // It may have deleted some.
    const left = going.length === 0 ? [] : await engine.getBackupInfo().catch(() => going);
    return going.filter((backup) => !left.some((other) => isSameBackup(other, backup)));
  }
}

/** {@link deletePass}, written down. @returns which went, and how many bytes that freed */
export async function recordedPass(
  engine: BackupEngine,
  meant: readonly BackupRef[],
  inventory: Inventory,
  { clock, recorder, trigger }: { clock: Clock; recorder: Recorder; trigger: string },
): Promise<{ ids: number[]; bytes: number }> {
  const at = new Date(clock.now()).toISOString();
  const begun = clock.monotonic();
  const gone = await deletePass(engine, meant);
  const durationMs = Math.round(clock.monotonic() - begun);
  const ids = gone.map(({ backupId }) => backupId);
  const freed = freedByEach(inventory, ids);
  await recorder.recordAll(
    gone.map(({ backupId, timestamp }) => ({
      operation: 'delete',
      at,
      ok: true,
      durationMs,
      backupId,
      timestamp: timestamp.toISOString(),
      bytes: freed.get(backupId) ?? 0,
      trigger,
    })),
  );
  return {
    ids,
    bytes: [...freed.values()].reduce((sum, bytes) => sum + bytes, 0),
  };
}

/** Which backups are still those that were meant, and may go. */
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
 * Decides by the pins what to delete, and deletes it before anybody can change them. The turn to write comes first: whoever
 * waited for it with the pins in hand would keep everybody from pinning, and from writing anything down, for as long as the
 * backup takes that is being made.
 */
export function deletingUnpinned<T>(
  engine: BackupEngine,
  decide: (state: DirectoryState, turn: WriteTurn) => Promise<T>,
): Promise<T> {
  return engine.inTurn((turn) =>
    holdingState(engine.location, (state, assertHeld) =>
      decide(state, {
        deleteBackups: async (backupIds, options) => {
          assertHeld();
          await turn.deleteBackups(backupIds, options);
        },
        purgeOldBackups: async (keep, options) => {
          assertHeld();
          await turn.purgeOldBackups(keep, options);
        },
      }),
    ),
  );
}

/** Pins a backup; one that was deleted meanwhile is BACKUP_NOT_FOUND, and not pinned. */
export async function pinBackup(engine: BackupEngine, backup: BackupRef, note?: string): Promise<void> {
  const { location } = engine;
  await updateState(location, (state) => pin(state, backup, note));
  if (!(await engine.getBackupInfo()).some((other) => isSameBackup(other, backup))) {
    await updateState(location, (state) => void unpin(state, backup));
    throw new RocksDBError(
      `backup ${backup.backupId} in ${location} was deleted before it could be pinned`,
      'BACKUP_NOT_FOUND',
      { path: location, backupId: backup.backupId },
    );
  }
}
