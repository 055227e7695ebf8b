import type { BackupEngine } from '../backup/backup-engine.js';
import {
  type DamageThere,
  damageLookup,
  isSharedFile,
  type KnownDamage,
  whatIsDamaged,
} from '../backup/known-damage.js';
import { errorCode } from '../base/errors.js';
import type { BackupInfo } from '../native/backup-info.js';
import type { ManagerMemory, ManagerState } from './manager-state.js';
import { isSameBackup } from './operation-record.js';

/** Error codes that mean that the backup itself is damaged. Other errors, for instance for lack of space, say nothing about it. */
export const DAMAGE: ReadonlySet<string> = new Set(['BACKUP_CORRUPT', 'DRILL_FAILED', 'ROCKSDB_CORRUPTION']);

/** At most this many damaged files are remembered for one backup. If there are more, the backup as a whole counts as damaged. */
const MOST_FILES = 500;

/** What a successful read of a backup proves. `sizes` proves nothing about damage that was found by reading bytes. */
export type Proof = 'sizes' | 'every byte' | 'drill';

/** How a backup is read: what that proves, and the clock for the time at which damage was found. */
export interface Reading {
  proves: Proof;
  now(): number;
}

/**
 * Reads a backup and remembers the damage that is found, file by file. Then every command and every manager knows of it, and no later
 * backup shares the damaged file (RocksDB's engine recognizes a shared file by its name). Damage is forgotten when the file is read and
 * found intact.
 */
export async function notingDamage<T>(
  state: ManagerState,
  engine: BackupEngine,
  info: BackupInfo,
  { proves, now }: Reading,
  read: () => Promise<T>,
): Promise<T> {
  const begun = now();
  let result: T;
  try {
    result = await read();
  } catch (error) {
    const code = errorCode(error);
    const { damagedFiles } = (error ?? {}) as { damagedFiles?: readonly string[] };
    // A file that the disk cannot read, or that this user may not read, is treated as damaged until somebody can read it. It must not be
    // deleted: it may be the only copy.
    if (code !== undefined && (DAMAGE.has(code) || (damagedFiles ?? []).length > 0)) {
      const since = new Date(now()).toISOString();
      const found = foundIn(info, since, damagedFiles, code === 'DRILL_FAILED').map((one) =>
        DAMAGE.has(code) ? one : { ...one, unread: true },
      );
      await remember(state, engine, (damage) => [...damage, ...found.filter((one) => !isKnown(damage, one))]);
    }
    throw error;
  }
  if (proves !== 'sizes') {
    await noteWhole(state, engine, info, begun, proves);
  }
  return result;
}

async function noteWhole(
  state: ManagerState,
  engine: BackupEngine,
  { backupId }: BackupInfo,
  begun: number,
  proves: Proof,
): Promise<void> {
  await state.load();
  if (state.memory.damage.length === 0) {
    return;
  }
  // The backup may have been deleted in the meantime. Then this read clears no damage.
  const info = await engine.getBackupInfo(backupId, { fileDetails: true }).catch(() => undefined);
  if (info === undefined) {
    return;
  }
  const takesBack = (known: KnownDamage) =>
    Date.parse(known.since) <= begun && (known.drill === undefined || proves === 'drill');
  const damageIn = (damage: readonly KnownDamage[]) => damageLookup(damage.filter(takesBack))(info);
  if (damageIn(state.memory.damage).length > 0) {
    await remember(state, engine, (damage) => {
      const whole = new Set(damageIn(damage));
      return damage.filter((known) => !whole.has(known));
    });
  }
}

function foundIn(
  info: BackupInfo,
  since: string,
  files: readonly string[] | undefined,
  byDrill: boolean,
): KnownDamage[] {
  const backup = { backupId: info.backupId, timestamp: info.timestamp.toISOString(), since };
  if (byDrill) {
    return [{ ...backup, drill: true }];
  }
  return files === undefined || files.length === 0 || files.length > MOST_FILES
    ? [backup]
    : files.map((file) => ({ file, ...backup }));
}

function isKnown(damage: readonly KnownDamage[], one: KnownDamage): boolean {
  return damage.some(
    ({ file, drill, backupId, timestamp }) =>
      file === one.file &&
      drill === one.drill &&
      ((file !== undefined && isSharedFile(file)) || isSameBackup({ backupId, timestamp }, one)),
  );
}

/** Changes the list of known damage, and the list of backups that it affects. */
async function remember(
  state: ManagerState,
  engine: BackupEngine,
  change: (damage: readonly KnownDamage[]) => KnownDamage[],
): Promise<void> {
  const backups = await engine.getBackupInfo({ fileDetails: true }).catch(() => undefined);
  await state.update((memory) => {
    memory.damage = change(memory.damage);
    setSuspects(memory, backups);
  });
}

function setSuspects(memory: ManagerMemory, backups: readonly BackupInfo[] | undefined): void {
  if (backups === undefined) {
    // The backups could not be listed: take those in which the damage was found.
    memory.suspects = memory.damage.map(({ backupId, timestamp, since }) => ({
      backupId,
      timestamp,
      since,
      isDamaged: true,
    }));
    return;
  }
  const { damage, suspects } = whatIsDamaged(memory.damage, backups);
  memory.damage = damage;
  memory.suspects = suspects;
}

/** Says whether a new backup may share files with existing ones. Forgets the damage of backups that are gone. */
export async function mayShare(state: ManagerState, engine: BackupEngine): Promise<DamageThere> {
  await state.load();
  const { damage: known, suspects } = state.memory;
  if (known.length === 0 && suspects.length === 0) {
    return { damage: [], suspects: [], spreads: false };
  }
  const there = whatIsDamaged(known, await engine.getBackupInfo({ fileDetails: true }));
  if (there.damage.length < known.length || there.suspects.length !== suspects.length) {
    const gone = new Set(known.filter((one) => !there.damage.includes(one)).map((one) => JSON.stringify(one)));
    await state.update((memory) => {
      memory.damage = memory.damage.filter((one) => !gone.has(JSON.stringify(one)));
      memory.suspects = there.suspects;
    });
  }
  return there;
}
