// RocksLevel against the tests that abstract-level brings for those who implement it.

import { join } from 'node:path';
import t from 'tap';

t.test("abstract-level's own suite passes", async (t) => {
  await t.spawn(process.execPath, [join(__dirname, '..', 'fixtures', 'level-suite.js')], 'tape');
});
