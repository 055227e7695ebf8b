import { setTimeout as after } from 'node:timers/promises';
import { STATE_FILE } from '../backup/state-file.js';
import { RocksDBError } from '../base/errors.js';
import type { StateLock, Storage } from '../storage/storage.js';

/** Locks the state. If somebody else is changing it, waits; that takes only milliseconds. */
export async function lockState(storage: Storage): Promise<StateLock> {
  // The lease of a process of another machine that died is free after a minute.
  const patience = storage.localDirectory === undefined ? 90_000 : 30_000;
  const giveUp = performance.now() + patience;
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    const lock = await storage.tryLockState();
    if (lock !== undefined) {
      return lock;
    }
    if (performance.now() > giveUp) {
      const path = `${storage.name}/${STATE_FILE}`;
      throw new RocksDBError(
        `${path} has been locked by another process for ${patience / 1000} seconds; it may hang. Nothing was changed.`,
        'STATE_LOCKED',
        { path },
      );
    }
    await after(wait);
  }
}
