// Runs the tests that abstract-level provides for its implementations on RocksLevel.

import { join } from 'node:path';
import t from 'tap';

t.test("abstract-level's own suite passes", async (t) => {
  await t.spawn(process.execPath, [join(__dirname, '..', 'fixtures', 'level-suite.js')], 'tape');
});
