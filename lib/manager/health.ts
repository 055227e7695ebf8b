import { DAMAGE } from './damage.js';
import type { OperationRecord } from './operation-record.js';
import type { DirectoryState } from './state.js';

/** What is known of a backup by what was done to it. */
export type Health = 'good' | 'corrupt' | 'unverified';

/** The history, and what is remembered for longer than that. */
export function recordsNewestFirst({ last, history }: DirectoryState): OperationRecord[] {
  const older = Object.values(last).sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return [...older, ...history].reverse();
}

/**
 * Of one backup's own records. A verify that was stopped, or could not read the disk for once, says nothing; damage that was found
 * does. What reading every byte has found, looking at names and sizes does not take back. A drill reads every byte, and what
 * differed in one only another drill takes back.
 */
export function healthOf(newestFirst: readonly OperationRecord[]): Health {
  const drilled = newestFirst.find(({ operation, ok, error }) => operation === 'drill' && (ok || isDifferent(error)));
  if (drilled?.ok === false) {
    return 'corrupt';
  }
  let health: Health = 'unverified';
  for (const { operation, ok, checksum = false, error } of newestFirst) {
    if (operation !== 'verify' && operation !== 'drill') {
      continue;
    }
    const everyByte = checksum || operation === 'drill';
    if (!ok && DAMAGE.has(error?.code ?? '') && (health === 'unverified' || everyByte)) {
      return 'corrupt';
    }
    if (ok && everyByte) {
      return 'good';
    }
    if (ok) {
      health = 'good';
    }
  }
  return health;
}

const isDifferent = (error: OperationRecord['error']) => error?.code === 'DRILL_FAILED';
