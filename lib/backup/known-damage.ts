import { join } from 'node:path';
import { readPlainFile } from '../base/plain-file.js';
import { PREVIOUS_STATE_FILE, parseWritten, STATE_FILE } from './state-file.js';

/** Something that was found damaged: it stays so until it is read and found whole. */
export interface KnownDamage {
  /** The damaged file, relative to the directory of backups. Undefined where it is not known which of the backup's it is. */
  file?: string;
  /** The backup in which it was found, with its timestamp. Others that share the file have the damage too. */
  backupId: number;
  timestamp: string;
  /** When it was found. */
  since: string;
  /** What a restore drill found: that the bytes are as they were written takes nothing of it back, another drill does. */
  drill?: true;
  /** Set where the disk did not give the file, or not to the user who read it; what is in it is not known. */
  unread?: boolean;
}

/** What {@link damageOf} has to know of a backup. */
export interface BackupWithFiles {
  backupId: number;
  timestamp: Date | string;
  fileDetails?: readonly { name: string }[] | undefined;
}

/** Tells of each backup what is known to be damaged in it. */
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

/** Whether a finding was made in this very backup, and not in a former one of its id. */
export function isOf({ backupId, timestamp }: KnownDamage, backup: BackupWithFiles): boolean {
  return backupId === backup.backupId && new Date(timestamp).getTime() === new Date(backup.timestamp).getTime();
}

/** Whether a file of this name lies where backups share files. */
export function isSharedFile(name: string): boolean {
  return /^shared(_checksum)?\//.test(name);
}

/** The damage of one backup, in words. */
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

/** What was written down as damaged. Whatever somebody made of it, what comes back has the right form. */
export function parseDamage(value: unknown): KnownDamage[] {
  return Array.isArray(value) ? value.filter(isKnownDamage) : [];
}

/**
 * What BackupManager or the command line have found damaged in a directory of backups. Where that cannot be read nothing is known:
 * it protects from nothing but a bad choice.
 */
export async function readKnownDamage(location: string): Promise<KnownDamage[]> {
  for (const name of [STATE_FILE, PREVIOUS_STATE_FILE]) {
    const text = await readPlainFile(join(location, name)).catch(() => '');
    const state = parseWritten(text);
    if (state !== undefined) {
      return parseDamage((state.manager as { damage?: unknown } | undefined)?.damage);
    }
    // What it was before its last change is the next best.
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
