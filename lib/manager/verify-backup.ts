import type { BackupEngine } from '../backup/backup-engine.js';
import type { BackupInfo, VerifyResult } from '../native/backup-info.js';
import { notingDamage } from './damage.js';
import type { ManagerParts } from './manager-parts.js';
import { type Entry, recorded } from './recorder.js';

/** How and why a backup is verified. */
interface Verification {
  how: 'size' | 'checksum';
  trigger: string;
  /** Stops it. */
  signal: AbortSignal;
}

/** Verifies a backup, and records and tells the result. If the backup is damaged, no later backup will share the damaged files. */
export async function verifyBackup(
  { clock, recorder, state, reports }: Pick<ManagerParts, 'clock' | 'recorder' | 'state' | 'reports'>,
  engine: BackupEngine,
  info: BackupInfo,
  { how, trigger, signal }: Verification,
): Promise<VerifyResult> {
  const { backupId, timestamp } = info;
  const checksum = how === 'checksum';
  const entry = { operation: 'verify', backupId, timestamp: timestamp.toISOString(), checksum, trigger } as const;
  const reading = { proves: checksum ? 'every byte' : 'sizes', now: () => clock.now() } as const;
  const done = await recorded({ clock, recorder }, entry, async ({ note, elapsed }) => {
    const verify = () => engine.verifyBackup(backupId, { checksum, signal });
    const result = await notingDamage(state, engine, info, reading, verify);
    note({ bytes: checksum ? info.size : 0, ...detailOf(result, checksum) });
    return { result, durationMs: elapsed() };
  });
  reports.tell('verified', { backupId, timestamp, how, durationMs: done.durationMs });
  return done.result;
}

/** What a history entry says of a verify that knew no sizes and read nothing: it proves little. */
export function detailOf({ sizesKnown }: VerifyResult, checksum: boolean): Pick<Entry, 'detail'> {
  return sizesKnown || checksum ? {} : { detail: { sizesKnown } };
}
