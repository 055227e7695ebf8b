import { errorCode, RocksDBError } from '../base/errors.js';

/** Loads the package of a vendor, which an application installs only if it uses that store. */
export function loadPeer<T>(name: string, load: () => unknown): T {
  try {
    return load() as T;
  } catch (cause) {
    // A file that is missing inside the package is another failure.
    const missing = errorCode(cause) === 'MODULE_NOT_FOUND' && (cause as Error).message.includes(`'${name}'`);
    if (!missing) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RocksDBError(`the package ${name}, which this store needs, cannot be loaded: ${why}`, 'STORE_UNUSABLE');
    }
    throw new RocksDBError(`this store needs the package ${name}: run \`npm install ${name}\``, 'PACKAGE_MISSING');
  }
}
