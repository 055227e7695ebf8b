import { setTimeout as after } from 'node:timers/promises';
import { RocksDBError } from '../base/errors.js';
import { native } from '../native/binding.js';

/** Runs `change` while no other process or thread changes anything in the same directory of checkpoints. */
export async function alone<T>(directory: string, change: () => Promise<T>): Promise<T> {
  const giveUp = performance.now() + 60_000;
  for (;;) {
    const lock = native.tryLockDirectory(directory);
    if (lock !== undefined) {
      try {
        return await change();
      } finally {
        lock.release();
      }
    }
    if (performance.now() > giveUp) {
      throw new RocksDBError(
        `the snapshots in ${directory} have been locked by another process for a minute; it may hang. Nothing was changed`,
        'SNAPSHOTS_LOCKED',
        { path: directory },
      );
    }
    await after(20);
  }
}
