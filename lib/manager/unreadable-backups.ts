// A backup that cannot be read is not damaged for that: its owner may be wrong, or a disk does not answer. Then it is not to be deleted.

import type { UnreadableBackup } from '../native/backup-info.js';

/** Why a backup cannot be read: a permission is missing, the disk does not give it, or a file is damaged or missing. */
export type UnreadableFor = 'permission' | 'disk' | 'damage';

/** Which of these a reason is, in the words of the system. */
export function unreadableFor(reason: string): UnreadableFor {
  return /Permission denied|Operation not permitted/.test(reason)
    ? 'permission'
    : /Input\/output error/.test(reason)
      ? 'disk'
      : 'damage';
}

/** What to do about one backup, or several, that cannot be read. */
export function toReadAgain(why: UnreadableFor, count = 1): string {
  const them = count === 1 ? 'it' : 'them';
  return {
    permission: `make ${them} readable for the user who runs this (owner, mode), then verify ${them}`,
    disk: `see to the disk, which does not give ${them}, then verify ${them}`,
    damage: `repair ${them}, or delete ${them}, first`,
  }[why];
}

/** Backups that cannot be read, by the reason. */
export function byReason(corrupt: readonly UnreadableBackup[]): [UnreadableFor, number[]][] {
  return (['permission', 'disk', 'damage'] as const)
    .map((why): [UnreadableFor, number[]] => [
      why,
      corrupt.filter(({ reason }) => unreadableFor(reason) === why).map(({ backupId }) => backupId),
    ])
    .filter(([, ids]) => ids.length > 0);
}

/** Why nothing may be deleted while backups cannot be read that may be whole; undefined where there are none of these. */
export function whyUnreadableForbid(corrupt: readonly UnreadableBackup[]): string | undefined {
  const groups = byReason(corrupt);
  return groups.every(([why]) => why === 'damage')
    ? undefined
    : groups
        .map(
          ([why, ids]) =>
            `${ids.length === 1 ? 'backup' : 'backups'} ${ids.join(', ')} cannot be read: ${toReadAgain(why, ids.length)}`,
        )
        .join('; ');
}
