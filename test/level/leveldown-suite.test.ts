// Runs abstract-leveldown's test suite. Its assertions are counted as those of this test.

import { join } from 'node:path';
import t from 'tap';
import { tempDir } from '../fixtures/files.js';

const suite = join(__dirname, '..', 'fixtures', 'leveldown-suite.js');

t.spawn(process.execPath, [suite, tempDir(t)()], {}, "a store passes abstract-leveldown's whole suite");
