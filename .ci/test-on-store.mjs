// Runs the tests of what works in any storage again, with the repositories in an object store (test/fixtures/place.ts).
//
//   node .ci/test-on-store.mjs

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const files = ['manager', 'drill'].flatMap((folder) =>
  readdirSync(join(root, 'dist', 'test', folder))
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => join('dist', 'test', folder, name)),
);
const tap = join(root, 'node_modules', '.bin', 'tap');
const { status } = spawnSync(tap, ['run', '--disable-coverage', ...files], {
  cwd: root,
  env: { ...process.env, TEST_STORAGE: 'store' },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
