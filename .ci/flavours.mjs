// The three kinds of build, each with a folder of its own in which the addon and the C++ tests share one compiled binding/core.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, locked, setup } from '../deps/setup.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where node-gyp-build looks for the addon of a kind: '' (plain), 'thread' or 'address'. */
export const homeOf = (sanitizer) => (sanitizer ? join(root, 'build', sanitizer) : root);
export const buildFolderOf = (sanitizer) => join(homeOf(sanitizer), 'build');

/** Builds targets of CMakeLists.txt: rocksdb_backup (the addon), core_test, core_torture, backup_baseline. */
export async function buildFlavour(sanitizer, targets) {
  await setup({ withAddon: false, compile: false });
  const folder = buildFolderOf(sanitizer);
  const defines = { CORE_TESTS: 'ON', BENCH_BASELINE: 'ON', ...(sanitizer && { SANITIZE: sanitizer }) };
  await locked(() => build({ folder, targets, defines }), folder);
  return folder;
}
