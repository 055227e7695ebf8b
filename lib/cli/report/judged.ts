import type { RepositoryStatus } from '../../status/repository-status.js';
import { linesOf, ranges } from '../output/text.js';

/** A repository, and what is to be said of it. */
export interface Judged extends RepositoryStatus {
  state: 'good' | 'empty' | 'late' | 'damaged' | 'failed';
  late?: boolean;
}

export function judge(each: RepositoryStatus, maxAge: number | undefined): Judged {
  const late = maxAge === undefined ? undefined : each.lastGood === undefined || each.lastGood.ageMs > maxAge;
  const state =
    each.error !== undefined
      ? 'failed'
      : each.damaged.length + each.unreadable.length > 0
        ? 'damaged'
        : late
          ? 'late'
          : each.backups === 0
            ? 'empty'
            : 'good';
  return { ...each, state, ...(late !== undefined && { late }) };
}

/** What else is to be said of a repository. */
export function notesOn({ damaged, unreadable, leases = [], error }: Judged): string[] {
  return linesOf(
    error?.message,
    damaged.length > 0 && `damaged: ${ranges(damaged)}`,
    unreadable.length > 0 && `cannot be read: ${ranges(unreadable)}`,
    ...leases.map(
      ({ what, backupId, holder, stale }) =>
        `${stale ? 'stale: ' : ''}${what}${backupId === undefined ? '' : ` ${backupId}`}${holder ? ` (${holder})` : ''}`,
    ),
  );
}
