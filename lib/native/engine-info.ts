import { native } from './binding.js';
import type { EngineInfo } from './native-database.js';

/**
 * Version and features of the RocksDB in this package.
 *
 * @example
 * engineInfo().rocksdb; // '9.7.4'
 */
export function engineInfo(): EngineInfo {
  return native.engineInfo();
}
