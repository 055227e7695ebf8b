// Apart from errors.ts, which help needs too: this one loads the addon.

import { RocksDBError } from '../base/errors.js';
import { native } from '../native/binding.js';

/** A path that could not be looked at: which, why, and whose it is where that is the reason. */
export function unreadable(path: string, cause: unknown): RocksDBError {
  const why = native.whyDenied(path) ?? (cause as Error).message;
  return Object.assign(new RocksDBError(`cannot read ${path}: ${why}`, 'ROCKSDB_IO_ERROR', { path }), { cause });
}
