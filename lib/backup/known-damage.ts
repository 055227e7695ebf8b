import type { Storage } from '../storage/storage.js';
import { PREVIOUS_STATE_FILE, parseWritten, STATE_FILE } from './state-file.js';

/** Damage that was found. It is remembered until the file is read again and found intact. */
export interface KnownDamage {
  /**
   * The damaged file, as a path relative to the repository's directory. Undefined if it is not known which file of the backup is damaged.
   */
  file?: string;
  /** The backup in which the damage was found, with its timestamp. Other backups that share the file have the damage too. */
  backupId: number;
  timestamp: string;
  /** When it was found. */
  since: string;
  /** Set if a restore drill found the damage. A successful verify of the bytes does not clear it; only another drill does. */
  drill?: true;
  /** Set if the disk could not read the file, or if the user had no right to read it. Nothing is known about its contents. */
  unread?: boolean;
}

/** The part of a backup's information that {@link damageLookup} needs. */
interface BackupWithFiles {
  backupId: number;
  timestamp: Date | string;
  fileDetails?: readonly { name: string; shared?: boolean }[] | undefined;
}

/** Returns a function that gives the known damage of a backup. */
export function damageLookup(damage: readonly KnownDamage[]): (backup: BackupWithFiles) => KnownDamage[] {
  const shared = new Map<string, KnownDamage>();
  const own: KnownDamage[] = [];
  for (const known of damage) {
    if (known.file !== undefined && isSharedFile(known.file)) {
      shared.set(known.file, known);
    } else {
      own.push(known);
    }
  }
  return (backup) => {
    if (damage.length === 0) {
      return [];
    }
    const found = own.filter((known) => isOf(known, backup));
    for (const { name } of backup.fileDetails ?? []) {
      const known = shared.get(name);
      if (known !== undefined) {
        found.push(known);
      }
    }
    return found;
  };
}

/** Whether the damage was found in this backup, and not in an earlier one that had the same id. */
export function isOf({ backupId, timestamp }: KnownDamage, backup: BackupWithFiles): boolean {
  return backupId === backup.backupId && new Date(timestamp).getTime() === new Date(backup.timestamp).getTime();
}

/** Whether a file of this name is in a folder for shared files. */
export function isSharedFile(name: string): boolean {
  return /^shared(_checksum)?\//.test(name);
}

/** A backup with a damaged file, or one that shares a file with a damaged backup whose damaged file is not known. */
export interface Suspect {
  backupId: number;
  timestamp: string;
  /** When the damage was found. */
  since: string;
  /** Whether this backup itself is known to be damaged. */
  isDamaged: boolean;
}

/** The known damage of the backups that still exist. */
export interface DamageThere {
  /** The known damage, without that of backups that are gone. */
  damage: KnownDamage[];
  /** The backups that are damaged, and those that share a file with a damaged backup whose damaged file is not known. Oldest first. */
  suspects: Suspect[];
  /** Whether a backup that shares files could get damaged ones. */
  spreads: boolean;
}

/** Which damage still exists, and which backups it affects. The infos must have `fileDetails`. */
export function whatIsDamaged(known: readonly KnownDamage[], backups: readonly BackupWithFiles[]): DamageThere {
  const there = new Set<KnownDamage>();
  const suspects: Suspect[] = [];
  if (known.length === 0) {
    return { damage: [], suspects, spreads: false };
  }
  const damageOf = damageLookup(known);
  // The shared files of damaged backups whose damaged file is not known.
  const doubtful = new Map<string, string>();
  let spreads = false;
  for (const backup of backups) {
    for (const found of damageOf(backup)) {
      there.add(found);
      if (found.file === undefined && isOf(found, backup)) {
        for (const { name } of sharedFilesOf(backup)) {
          doubtful.set(name, found.since);
        }
      }
    }
  }
  for (const backup of backups) {
    const [own] = damageOf(backup);
    const since =
      own?.since ??
      sharedFilesOf(backup)
        .map(({ name }) => doubtful.get(name))
        .find(Boolean);
    if (since !== undefined) {
      const { backupId, timestamp } = backup;
      suspects.push({ backupId, timestamp: new Date(timestamp).toISOString(), since, isDamaged: own !== undefined });
    }
  }
  for (const { file } of there) {
    spreads ||= file !== undefined && isSharedFile(file);
  }
  return { damage: known.filter((one) => there.has(one)), suspects, spreads: spreads || doubtful.size > 0 };
}

function sharedFilesOf({ fileDetails = [] }: BackupWithFiles) {
  return fileDetails.filter(({ shared }) => shared);
}

/** Describes the damage of one backup for a message. */
export function damageInWords(known: readonly KnownDamage[]): string {
  return known
    .map(({ file, since, drill, unread }) => {
      const day = since.slice(0, 10);
      return file !== undefined
        ? `${file} ${unread ? 'could not be read' : 'was found damaged'} on ${day}`
        : drill
          ? `a restore drill of ${day} found that it differs from what was backed up`
          : `it was found damaged on ${day}`;
    })
    .join(', ');
}

/** Reads a stored list of damage. Somebody may have edited it: entries of a wrong form are left out. */
export function parseDamage(value: unknown): KnownDamage[] {
  return Array.isArray(value) ? value.filter(isKnownDamage) : [];
}

/**
 * Reads which damage BackupManager or the command line have found in a repository. If that file cannot be read, it returns an empty list:
 * the list only helps to choose a good backup.
 */
export async function readKnownDamage(storage: Storage): Promise<KnownDamage[]> {
  for (const name of [STATE_FILE, PREVIOUS_STATE_FILE]) {
    const file = await storage.readSmall(name).catch(() => undefined);
    const state = parseWritten(file?.bytes.toString() ?? '');
    if (state !== undefined) {
      return parseDamage((state.manager as { damage?: unknown } | undefined)?.damage);
    }
    // If it cannot be used, try the file's version before its last change.
  }
  return [];
}

function isKnownDamage(value: unknown): value is KnownDamage {
  const { file, backupId, timestamp, since } = (value ?? {}) as Partial<KnownDamage>;
  return (
    (file === undefined || typeof file === 'string') &&
    Number.isInteger(backupId) &&
    !Number.isNaN(Date.parse(`${timestamp}`)) &&
    !Number.isNaN(Date.parse(`${since}`))
  );
}
