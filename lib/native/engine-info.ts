import { native } from './binding.js';

/** What the engine of this package is and can do. */
export interface EngineInfo {
  /** RocksDB's version, `9.7.4` for instance. */
  rocksdb: string;
  /** The compressions that are linked in, by the names that options take. */
  compressions: string[];
  /**
   * What not every RocksDB that this package builds with can do: `ioBufferSize`, `atomicFlush`,
   * `levelDBTables` (a LevelDB database can be opened to read).
   */
  features: string[];
}

/**
 * What the engine of this package is and can do.
 *
 * @example
 * engineInfo().rocksdb; // '9.7.4'
 */
export function engineInfo(): EngineInfo {
  return native.engineInfo();
}
