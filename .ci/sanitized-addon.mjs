// Builds the addon under AddressSanitizer and UndefinedBehaviorSanitizer, with RocksDB's library of that kind, and prints as
// JSON the environment in which node runs it:
//
//   ROCKSDB_BACKUP_PREBUILD   where lib/binding.ts (node-gyp-build) looks for the addon
//   LD_PRELOAD                the sanitizer's library, as node is built without
//
//   node .ci/sanitized-addon.mjs [folder for reports]

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jobs, quietly } from './quietly.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const home = join(root, 'build', 'asan');
const build = join(home, 'build');
const reports = process.argv[2] ?? join(home, 'reports');
mkdirSync(build, { recursive: true });

if (existsSync(join(build, 'CMakeCache.txt'))) {
  quietly('cmake', ['--build', build, '--parallel', jobs]);
} else {
  quietly(process.execPath, [
    join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js'),
    ...['--log-level', 'warn', '-O', build, 'build'],
    ...['--parallel', jobs],
    `--CDNODE_EXECUTABLE=${process.execPath}`,
    `--CDNODE_ADDON_API_DIR=${join(root, 'node_modules', 'node-addon-api')}`,
    '--CDSANITIZE=address',
  ]);
}

const compiler = /^CMAKE_CXX_COMPILER:[^=]*=(.*)$/m.exec(readFileSync(join(build, 'CMakeCache.txt'), 'utf8'))[1];
const library = (name) => quietly(compiler, [`-print-file-name=${name}`]).trim();
mkdirSync(reports, { recursive: true });
console.log(
  JSON.stringify({
    ROCKSDB_BACKUP_PREBUILD: home,
    // libstdc++ beside it: AddressSanitizer looks for what throws before node has loaded it.
    LD_PRELOAD: [library('libasan.so'), library('libubsan.so'), library('libstdc++.so.6')].join(' '),
    ASAN_OPTIONS: [
      `log_path=${join(reports, 'asan')}`,
      'detect_leaks=0', // node frees little at its end; the experiment 'leaks' looks for ours
      'detect_stack_use_after_return=1',
      'strict_string_checks=1',
      'check_initialization_order=1',
      'exitcode=99',
    ].join(':'),
    UBSAN_OPTIONS: `print_stacktrace=1:log_path=${join(reports, 'ubsan')}`,
  }),
);
