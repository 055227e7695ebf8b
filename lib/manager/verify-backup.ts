import type { BackupEngine } from '../backup/backup-engine.js';
import type { BackupInfo } from '../native/backup-info.js';
import { notingDamage } from './damage.js';
import type { ManagerParts } from './manager-parts.js';
import { recorded } from './recorder.js';

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
): Promise<void> {
  const { backupId, timestamp } = info;
  const checksum = how === 'checksum';
  const entry = { operation: 'verify', backupId, timestamp: timestamp.toISOString(), checksum, trigger } as const;
  const reading = { proves: checksum ? 'every byte' : 'sizes', now: () => clock.now() } as const;
  const durationMs = await recorded({ clock, recorder }, entry, async ({ note, elapsed }) => {
    await notingDamage(state, engine, info, reading, () => engine.verifyBackup(backupId, { checksum, signal }));
    note({ bytes: checksum ? info.size : 0 });
    return elapsed();
  });
  reports.tell('verified', { backupId, timestamp, how, durationMs });
}
