// The test files of this package, below dist/test: each lies in the folder of what it tests.

import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Their paths from the root, sorted: all of them, or those of the folders for which `wanted` is true. */
export function testFiles(wanted = () => true) {
  const directory = join(root, 'dist', 'test');
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && wanted(entry.name))
    .flatMap(({ name }) => readdirSync(join(directory, name)).map((file) => join('dist', 'test', name, file)))
    .filter((file) => file.endsWith('.test.js'))
    .sort();
}
