// Builds the addon under AddressSanitizer and UndefinedBehaviorSanitizer, with RocksDB's library of that kind, and prints as
// JSON the environment in which node runs it:
//
//   ROCKSDB_BACKUP_PREBUILD   where lib/native/binding.ts (node-gyp-build) looks for the addon
//   LD_PRELOAD                the sanitizer's library, as node is built without
//
//   node .ci/sanitized-addon.mjs [folder for reports]

import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildFlavour, homeOf } from './flavours.mjs';
import { quietly } from './quietly.mjs';

const home = homeOf('address');
const reports = process.argv[2] ?? join(home, 'reports');
const build = await buildFlavour('address', ['rocksdb_backup']);

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
