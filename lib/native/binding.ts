// The only file that loads native code. It exports the native half of the classes in this folder. Nothing here is part of the public API.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RocksDBError } from '../base/errors.js';
import type { NativeArchiveModule } from './native-archive.js';
import type { NativeBackupModule } from './native-backup-engine.js';
import type { NativeDatabase, NativeDatabaseModule } from './native-database.js';
import type { NativeStorageModule } from './native-storage.js';
import type { Snapshot } from './snapshot.js';

type NativeModule = NativeDatabaseModule &
  NativeBackupModule<NativeDatabase> &
  NativeStorageModule &
  NativeArchiveModule<NativeDatabase>;

/** Whether this folder is the root of this package. A bundler puts its copy of this file into a different folder. */
function isOurs(root: string): boolean {
  try {
    return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).name === 'rocksdb-backup';
  } catch {
    return false;
  }
}

function load(): NativeModule {
  // ES modules have no __dirname; a bundle may be one.
  const here = typeof __dirname === 'string' ? __dirname : undefined;
  const root = join(here ?? '.', '..', '..', '..');
  if (here === undefined || !isOurs(root)) {
    throw new Error(
      `rocksdb-backup was bundled${here === undefined ? '' : ` into ${here}`}, where its native binary is not: mark it as ` +
        'external, so that it is loaded from node_modules when the bundle runs. With esbuild: --external:rocksdb-backup ' +
        '--external:rocksdb-backup/*; with webpack: externals: [/^rocksdb-backup(\\/|$)/]; with Next.js: ' +
        "serverExternalPackages: ['rocksdb-backup'].",
    );
  }
  const nodeGypBuild: { resolve(directory: string): string } = require('node-gyp-build');
  let path: string;
  try {
    path = nodeGypBuild.resolve(root);
  } catch (cause) {
    throw new Error(
      `rocksdb-backup has no binary for ${process.platform} ${process.arch}: run \`npm run build:addon\` in ${root} to build it.`,
      { cause },
    );
  }
  return require(path) as NativeModule;
}

export const native = load();
native.setErrorClass(RocksDBError);

// The native object itself is the Snapshot of the public API. Only the modern name of `release` must be added.
Object.defineProperty(native.Snapshot.prototype, Symbol.dispose, {
  value(this: Snapshot) {
    this.release();
  },
  configurable: true,
  writable: true,
});
