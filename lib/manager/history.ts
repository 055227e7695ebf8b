import type { DirectoryState } from './directory-state.js';
import type { OperationRecord } from './operation-record.js';

/** How many operations the state remembers. */
export const HISTORY_LENGTH = 200;

/** Adds an operation to the history. */
export function remember(state: DirectoryState, record: OperationRecord): void {
  const before = state.history.at(-1);
  if (before !== undefined && isSameSkip(before, record)) {
    // Merge them: otherwise an idle database would fill the history with such entries.
    const { times = 1, since = before.at } = (before.detail ?? {}) as {
      times?: number;
      since?: string;
    };
    record = {
      ...record,
      detail: { ...record.detail, times: times + 1, since },
    };
    state.history = state.history.slice(0, -1);
  }
  state.history = [...state.history, record].slice(-HISTORY_LENGTH);
  state.last[record.ok ? record.operation : `${record.operation}Failed`] = record;
}

/** Whether two backups in a row were skipped because the same backup was still current. */
function isSameSkip(a: OperationRecord, b: OperationRecord): boolean {
  return a.operation === 'skip' && b.operation === 'skip' && a.backupId === b.backupId && a.timestamp === b.timestamp;
}
