// The only file that loads native code. What it exports is the native half of the classes in this folder, and no part of
// the public API.

import { join } from 'node:path';
import { RocksDBError } from './errors.js';
import type { NativeBackupModule } from './native-backup-engine.js';
import type { NativeDatabase, NativeDatabaseModule } from './native-database.js';

type NativeModule = NativeDatabaseModule & NativeBackupModule<NativeDatabase>;

function load(): NativeModule {
  const root = join(__dirname, '..', '..');
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
