// Builds the fuzzers of test/core/fuzz with clang, and prints the folder they are in.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildFlavour } from './flavours.mjs';
import { jobs, quietly } from './quietly.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const build = join(root, 'build', 'fuzz');

const cmake = (...args) => quietly('cmake', args, 'fuzzing needs clang (apt install clang libclang-rt-dev)');

// RocksDB's library is the one that everything else links. Where it is, the build of the addon knows.
const cache = readFileSync(join(await buildFlavour('', ['rocksdb_backup']), 'CMakeCache.txt'), 'utf8');
const defines = ['DEPS_PREFIX', 'DEPS_ROCKSDB_SOURCE'].flatMap((name) => [
  '-D',
  `${name}=${new RegExp(`^${name}:INTERNAL=(.*)$`, 'm').exec(cache)[1]}`,
]);
const compilers = ['-D', 'CMAKE_C_COMPILER=clang', '-D', 'CMAKE_CXX_COMPILER=clang++'];
cmake('-S', join(root, 'test', 'core', 'fuzz'), '-B', build, ...compilers, ...defines);
cmake('--build', build, '--parallel', jobs);
console.log(build);
