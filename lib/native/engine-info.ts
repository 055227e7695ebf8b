import { native } from './binding.js';
import type { EngineInfo } from './native-database.js';

/**
 * What the engine of this package is and can do.
 *
 * @example
 * engineInfo().rocksdb; // '9.7.4'
 */
export function engineInfo(): EngineInfo {
  return native.engineInfo();
}
