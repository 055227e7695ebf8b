// A backup that cannot be read need not be damaged: perhaps it has the wrong owner, or a disk does not respond. Such a backup must not be
// deleted.

import type { WhyUnreadable } from '../base/errors.js';
import type { UnreadableBackup } from '../native/backup-info.js';

/** Says what to do about one or several backups that cannot be read. */
export function toReadAgain(why: WhyUnreadable, count = 1): string {
  const them = count === 1 ? 'it' : 'them';
  return {
    denied: `make ${them} readable for the user who runs this (owner, mode; in a store: its rights), then verify ${them}`,
    io: `see to the disk or the store, which does not give ${them}, then verify ${them}`,
    damaged: `repair ${them}, or delete ${them}, first`,
  }[why];
}

/** Groups unreadable backups by the kind of the reason. */
export function byReason(corrupt: readonly UnreadableBackup[]): [WhyUnreadable, number[]][] {
  return (['denied', 'io', 'damaged'] as const)
    .map((why): [WhyUnreadable, number[]] => [
      why,
      corrupt.filter((backup) => backup.why === why).map(({ backupId }) => backupId),
    ])
    .filter(([, ids]) => ids.length > 0);
}

/** Why nothing may be deleted while some unreadable backups may still be intact. Undefined if there are no such backups. */
export function whyUnreadableForbid(corrupt: readonly UnreadableBackup[]): string | undefined {
  const groups = byReason(corrupt);
  return groups.every(([why]) => why === 'damaged')
    ? undefined
    : groups
        .map(
          ([why, ids]) =>
            `${ids.length === 1 ? 'backup' : 'backups'} ${ids.join(', ')} cannot be read: ${toReadAgain(why, ids.length)}`,
        )
        .join('; ');
}
