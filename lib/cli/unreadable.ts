// Not in errors.ts, because help needs that file too, and this one loads the addon.

import { errorCode, RocksDBError, type WhyUnreadable } from '../base/errors.js';
import { native } from '../native/binding.js';

const WHY: Record<string, WhyUnreadable> = { EACCES: 'denied', EPERM: 'denied', EIO: 'io' };

/** The error about a path that could not be read: which path, why, and who owns it if permissions are the reason. */
export function unreadable(path: string, cause: unknown): RocksDBError {
  const reason = native.whyDenied(path) ?? (cause as Error).message;
  const why = WHY[errorCode(cause) ?? ''];
  const advice = why === 'denied' ? 'allowAccess' : 'checkDisk';
  const error = new RocksDBError(`cannot read ${path}: ${reason}`, 'ROCKSDB_IO_ERROR', {
    path,
    ...(why && { why, advice }),
  });
  return Object.assign(error, { cause });
}
