// Builds against a checkout of RocksDB, in a folder of its own beside the ordinary build, and runs all tests with it.
//
//   npm run test:rocksdb -- DIR              DIR has include/rocksdb/version.h
//   ... -- DIR --core                        the C++ tests only
//   ... -- DIR dist/test/backup/verify.test.js ...  these test files only

import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchAll } from '../deps/fetch.mjs';
import { build, locked, setup, writeCommandTable } from '../deps/setup.mjs';
import { testFiles } from './test-files.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [checkout, ...words] = process.argv.slice(2);
if (checkout === undefined || checkout.startsWith('-')) {
  console.error('usage: npm run test:rocksdb -- DIR [--core | test files]');
  process.exit(2);
}
const coreOnly = words.includes('--core');
const chosen = words.filter((word) => word !== '--core').map((word) => resolve(word));

const source = resolve(checkout);
process.env.ROCKSDB_SOURCE_DIR = source;
const { version } = fetchAll(['rocksdb']).rocksdb;
delete process.env.ROCKSDB_SOURCE_DIR;

const home = join(root, 'build', `rocksdb-${version}`);
const folder = join(home, 'build');
const executable = (name) => join(folder, process.platform === 'win32' ? `${name}.exe` : name);

function run(command, args, env) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  if (status !== 0) console.error(`# ${command}: ${error?.message ?? `ended with ${signal ?? status}`}`);
  return status === 0;
}

await setup({ withAddon: false });
try {
  process.env.ROCKSDB_SOURCE_DIR = source;
  const targets = ['rocksdb_backup', 'core_test', 'backup_baseline'];
  await locked(() => build({ folder, targets, defines: { CORE_TESTS: 'ON', BENCH_BASELINE: 'ON' } }), folder);
} catch (error) {
  console.error(error.message);
  process.exit(1);
} finally {
  // What the tests build, they build as ever.
  delete process.env.ROCKSDB_SOURCE_DIR;
}

process.env.ROCKSDB_BACKUP_PREBUILD = home; // where node-gyp-build looks for the addon
await writeCommandTable();
const env = {
  ...process.env,
  ROCKSDB_BACKUP_BASELINE: executable('backup_baseline'),
};
console.log(`# RocksDB ${version}`);
const tests = chosen.length > 0 ? chosen : testFiles();
const core = chosen.length > 0 || run(executable('core_test'), [], env);
const tap = join(root, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs');
const js = coreOnly || run(process.execPath, [tap, 'run', '--disable-coverage', ...tests], env);
console.log(`# RocksDB ${version}: ${core && js ? 'passed' : 'FAILED'}`);
process.exitCode = core && js ? 0 : 1;
