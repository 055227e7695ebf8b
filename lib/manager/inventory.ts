import type { BackupEngine } from '../backup/backup-engine.js';
import { damageLookup, type KnownDamage, type Suspect, whatIsDamaged } from '../backup/known-damage.js';
import type { BackupFileDetails, BackupInfo, UnreadableBackup } from '../native/backup-info.js';
import type { RetentionBackup } from '../retention/retention.js';
import type { DirectoryState, Pin } from './directory-state.js';
import { type Health, healthOf, recordsNewestFirst, suspicionOf } from './health.js';
import { memoryOf } from './manager-state.js';
import { isRecordOf, isSameBackup, type OperationRecord } from './operation-record.js';
import { pinOf } from './pins.js';
import { lookAtState } from './state.js';

/** An inventory entry: a backup with all that is known about it. */
export interface BackupRecord extends BackupInfo {
  /** All files of the backup. */
  files: BackupFileDetails[];
  /**
   * `corrupt`: a file of the backup was found damaged, in this backup or another, and has not been read and found intact since. `good`: the
   * last verify or drill succeeded. `unverified`: neither is known.
   */
  state: Health;
  /** The damage that was found in it. */
  damage: KnownDamage[];
  /** Whether it is kept until it is unpinned. */
  pinned: boolean;
  /** The note that was given when it was pinned. */
  pinNote?: string;
  /** The last verify, whatever its result. */
  lastVerify?: OperationRecord;
  /** The last restore drill, whatever its result. */
  lastDrill?: OperationRecord;
}

/** All backups of a repository at one moment. */
export interface Inventory {
  /** The absolute path of the repository's directory. */
  location: string;
  /** The backups that can be read, oldest first. */
  backups: BackupRecord[];
  /** The backups that cannot be read, by their ids, with the reasons. */
  corrupt: UnreadableBackup[];
  /** The readable backups that are damaged, or that share a file with a damaged backup whose damaged file is not known. */
  suspects: Suspect[];
  /** Total size of the distinct files of the readable backups, in bytes. */
  bytesOnDisk: number;
  /** How many bytes it would write to restore each of them once. */
  logicalBytes: number;
  /** For the name of each file, the ids of the backups that contain it, oldest first. */
  users: ReadonlyMap<string, readonly number[]>;
  /** The state of the repository. */
  state: DirectoryState;
}

/** What a backup shares with another backup. */
export interface SharedFiles {
  backupId: number;
  files: number;
  bytes: number;
}

/**
 * Reads everything that is known about a repository at one moment.
 *
 * @example
 * const { backups, bytesOnDisk } = await readInventory(engine);
 */
export async function readInventory(
  engine: BackupEngine,
  /** @internal Knows the history entries that could not be written to the state. */
  recorder?: { withUnwritten(state: DirectoryState): DirectoryState },
  /** @internal The damage that a manager knows of, in case it could not write that to the state. */
  memory?: { damage: readonly KnownDamage[] },
): Promise<Inventory> {
  const { backups, corrupt } = await engine.survey({ fileDetails: true });
  const state = await lookAtState(engine.storage);
  return buildInventory(engine.location, backups, corrupt, recorder?.withUnwritten(state) ?? state, memory);
}

/** The same, from data that was read already. The infos must have `fileDetails`. */
export function buildInventory(
  location: string,
  infos: readonly BackupInfo[],
  corrupt: readonly UnreadableBackup[],
  state: DirectoryState,
  { damage: known }: { damage: readonly KnownDamage[] } = memoryOf(state),
): Inventory {
  const records = recordsNewestFirst(state);
  const { damage, suspects } = whatIsDamaged(known, infos);
  const damageOf = damageLookup(damage);
  const backups = infos
    .map((info) => recordOf(info, state, records, suspects, damageOf(info)))
    .sort((a, b) => a.backupId - b.backupId);
  const users = new Map<string, number[]>();
  let bytesOnDisk = 0;
  let logicalBytes = 0;
  for (const { backupId, files, size, metaSize } of backups) {
    logicalBytes += size;
    bytesOnDisk += metaSize;
    for (const { name, size } of files) {
      const ids = users.get(name);
      if (ids === undefined) {
        users.set(name, [backupId]);
        bytesOnDisk += size;
      } else {
        ids.push(backupId);
      }
    }
  }
  return { location, backups, corrupt: [...corrupt], suspects, bytesOnDisk, logicalBytes, users, state };
}

function recordOf(
  info: BackupInfo,
  state: DirectoryState,
  records: OperationRecord[],
  suspects: readonly Suspect[],
  damage: KnownDamage[],
): BackupRecord {
  const files = info.fileDetails ?? [];
  const pin = pinOf(state, info);
  const own = records.filter((record) => isRecordOf(record, info));
  const lastVerify = own.find(({ operation }) => operation === 'verify');
  const lastDrill = own.find(({ operation }) => operation === 'drill');
  return {
    ...info,
    files,
    state: healthOf(own, suspicionOf(info, suspects)),
    damage,
    pinned: pin !== undefined,
    ...(pin?.note === undefined ? {} : { pinNote: pin.note }),
    ...(lastVerify === undefined ? {} : { lastVerify }),
    ...(lastDrill === undefined ? {} : { lastDrill }),
  };
}

/**
 * Converts the backups to the input of {@link planRetention}. Backups that cannot be read are included, because they prevent deleting.
 *
 * @example
 * const inventory = await readInventory(engine);
 * const plan = planRetention(retentionBackups(inventory), { daily: 7 }, new Date(), { forbidden: inventory.state.pinsLost });
 */
export function retentionBackups(inventory: Inventory): RetentionBackup[] {
  const corrupt = inventory.corrupt.map(({ backupId }) => ({ backupId, state: 'corrupt' as const, pinned: false }));
  return [...inventory.backups, ...corrupt];
}

/** Pins of backups that do not exist any more, not even as backups that cannot be read. */
export function missingPins({ backups, corrupt, state }: Pick<Inventory, 'backups' | 'corrupt' | 'state'>): Pin[] {
  return state.pins.filter(
    (pin) =>
      !backups.some((backup) => isSameBackup(pin, backup)) &&
      !corrupt.some(({ backupId }) => backupId === pin.backupId),
  );
}

/**
 * How many bytes it would free to delete some backups: their metadata, and the files that no other backup has.
 *
 * @example
 * freedBy(inventory, [3, 4]);
 */
export function freedBy(inventory: Inventory, backupIds: Iterable<number>): number {
  return [...freedByEach(inventory, backupIds).values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** The same for each backup, if they are deleted in this order. The last backup that has a file frees it. */
export function freedByEach(inventory: Inventory, backupIds: Iterable<number>): Map<number, number> {
  const order = new Map([...backupIds].map((id, place) => [id, place]));
  const freed = new Map<number, number>();
  for (const { backupId, files, metaSize } of inventory.backups.filter(({ backupId }) => order.has(backupId))) {
    let bytes = metaSize;
    for (const { name, size } of files) {
      const last = lastOf(inventory.users.get(name) ?? [], order);
      bytes += last === backupId ? size : 0;
    }
    freed.set(backupId, bytes);
  }
  return freed;
}

/** Which user of a file comes last in an order. Undefined if not all users of the file are in the order. */
function lastOf(users: readonly number[], order: ReadonlyMap<number, number>): number | undefined {
  let last: number | undefined;
  for (const id of users) {
    const place = order.get(id);
    if (place === undefined) {
      return undefined;
    }
    if (last === undefined || place > (order.get(last) ?? -1)) {
      last = id;
    }
  }
  return last;
}

/**
 * What a backup shares with other backups: one element for each of these, oldest first.
 *
 * @example
 * for (const { backupId, files, bytes } of sharedWith(inventory, 7)) console.log(backupId, files, bytes);
 */
export function sharedWith(inventory: Inventory, backupId: number): SharedFiles[] {
  const shared = new Map<number, SharedFiles>();
  const backup = inventory.backups.find((other) => other.backupId === backupId);
  for (const { name, size } of backup?.files ?? []) {
    for (const id of inventory.users.get(name) ?? []) {
      if (id !== backupId) {
        const sum = shared.get(id) ?? { backupId: id, files: 0, bytes: 0 };
        sum.files++;
        sum.bytes += size;
        shared.set(id, sum);
      }
    }
  }
  return [...shared.values()].sort((a, b) => a.backupId - b.backupId);
}
