import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { STATE_FILE } from '../backup/state-file.js';
import { RocksDBError } from '../base/errors.js';
import { native } from '../native/binding.js';
import type { NativeStateLock } from '../native/native-backup-engine.js';

/** Locks the state. If somebody else is changing it, waits; that takes only milliseconds. */
export async function lockState(location: string): Promise<NativeStateLock> {
  const giveUp = performance.now() + 30_000;
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    const lock = native.tryLockState(location);
    if (lock !== undefined) {
      return lock;
    }
    if (performance.now() > giveUp) {
      throw new RocksDBError(
        `${join(location, STATE_FILE)} has been locked by another process for 30 seconds; it may hang. Nothing was changed.`,
        'STATE_LOCKED',
        { path: join(location, STATE_FILE) },
      );
    }
    await after(wait);
  }
}
