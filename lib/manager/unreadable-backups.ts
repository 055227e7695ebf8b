// A backup that cannot be read need not be damaged: perhaps it has the wrong owner, or a disk does not respond. Such a backup must not be
// deleted.

import type { UnreadableBackup } from '../native/backup-info.js';

/** Why a backup cannot be read: this user has no permission, the disk cannot read it, or a file is damaged or missing. */
export type UnreadableFor = 'permission' | 'disk' | 'damage';

/** Finds the kind of a reason by the operating system's error message in it. */
export function unreadableFor(reason: string): UnreadableFor {
  return /Permission denied|Operation not permitted/.test(reason)
    ? 'permission'
    : /Input\/output error/.test(reason)
      ? 'disk'
      : 'damage';
}

/** Says what to do about one or several backups that cannot be read. */
export function toReadAgain(why: UnreadableFor, count = 1): string {
  const them = count === 1 ? 'it' : 'them';
  return {
    permission: `make ${them} readable for the user who runs this (owner, mode), then verify ${them}`,
    disk: `see to the disk, which does not give ${them}, then verify ${them}`,
    damage: `repair ${them}, or delete ${them}, first`,
  }[why];
}

/** Groups unreadable backups by the kind of the reason. */
export function byReason(corrupt: readonly UnreadableBackup[]): [UnreadableFor, number[]][] {
  return (['permission', 'disk', 'damage'] as const)
    .map((why): [UnreadableFor, number[]] => [
      why,
      corrupt.filter(({ reason }) => unreadableFor(reason) === why).map(({ backupId }) => backupId),
    ])
    .filter(([, ids]) => ids.length > 0);
}

/** Why nothing may be deleted while some unreadable backups may still be intact. Undefined if there are no such backups. */
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
