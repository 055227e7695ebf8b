// Not in errors.ts, because help needs that file too, and this one loads the addon.

import { RocksDBError } from '../base/errors.js';
import { native } from '../native/binding.js';

/** The error about a path that could not be read: which path, why, and who owns it if permissions are the reason. */
export function unreadable(path: string, cause: unknown): RocksDBError {
  const why = native.whyDenied(path) ?? (cause as Error).message;
  return Object.assign(new RocksDBError(`cannot read ${path}: ${why}`, 'ROCKSDB_IO_ERROR', { path }), { cause });
}
