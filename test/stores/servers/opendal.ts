// opendal is too large to be a dependency of the tests, and has no binary for some machines. It comes from the cache beside the checkout.

import Module from 'node:module';
import { dirname } from 'node:path';
import { cachedPackage, unavailable } from './programs.js';

/** Why there is no opendal, for `skip`. Otherwise `require('opendal')` finds it from now on. */
export function withoutOpendal(): string | false {
  const folder = cachedPackage('opendal', '0.49.2');
  if (folder === undefined) return unavailable('needs the package opendal');
  process.env.NODE_PATH = dirname(folder);
  (Module as unknown as { _initPaths(): void })._initPaths();
  return false;
}
