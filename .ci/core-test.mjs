// Builds and runs test/core, the GoogleTests of binding/core.
//
//   node .ci/core-test.mjs                   plain; builds backup_baseline too, which test/backup/interop.test.ts compares with
//   node .ci/core-test.mjs thread            under ThreadSanitizer
//   node .ci/core-test.mjs address           under AddressSanitizer and UndefinedBehaviorSanitizer
//   TEST_STORAGE=memory node .ci/core-test.mjs --gtest_filter=...   with repositories in memory
//
// --torture takes test/core/torture instead, the experiments of 'npm run torture' that are written in C++.
// --build only builds. Further arguments go to the executable (--gtest_filter=...).

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildFlavour } from './flavours.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sanitizer = ['thread', 'address'].includes(process.argv[2]) ? process.argv[2] : '';
const words = process.argv.slice(sanitizer ? 3 : 2);
const rest = words.filter((word) => !['--torture', '--build'].includes(word));
const target = words.includes('--torture') ? 'core_torture' : 'core_test';

function run(command, args, env) {
  const { status, signal } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  if (status !== 0) {
    console.error(`${command} ended with ${signal ?? status}`);
    process.exit(status || 1);
  }
}

const plain = target === 'core_test' && !sanitizer;
let build;
try {
  build = await buildFlavour(sanitizer, [target, ...(plain ? ['backup_baseline'] : [])]);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
if (words.includes('--build')) process.exit(0);

const executable = join(build, target);
// ThreadSanitizer of GCC 12 does not start where the kernel gives more random bits to addresses than it knows of.
const still = sanitizer === 'thread' && spawnSync('setarch', ['-R', 'true']).status === 0;
const suppressions = join(root, 'test', 'core', 'tsan.supp');
const tsan = ['halt_on_error=1', 'second_deadlock_stack=1'];
if (existsSync(suppressions)) tsan.push(`suppressions=${suppressions}`);
const env = {
  TSAN_OPTIONS: tsan.join(':'),
  ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};
const start = (args, more) =>
  run(still ? 'setarch' : executable, still ? ['-R', executable, ...args] : args, { ...env, ...more });
start(rest);

// What a repository does must not depend on the disk: these suites run again on a storage in memory
// (test/core/memory_storage.h).
const onAnyStorage = [
  'BackupCreate*',
  'BackupEngineSession*',
  'BackupRecord*',
  'BackupRepository*',
  'BackupRestore*',
  'Exclude*',
  'FailingCreate*',
  'LocalFileSystem*',
  'RestoreReuse*',
  '*Unreadable*',
];
if (target === 'core_test' && rest.length === 0) {
  for (const storage of ['memory', 'store']) {
    start([`--gtest_filter=${onAnyStorage.join(':')}`], { TEST_STORAGE: storage });
  }
}
