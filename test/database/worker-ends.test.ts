// Workers that are terminated while they work with databases.

import t from 'tap';
import { terminateWorkers } from '../fixtures/worker-ends.js';

t.test('Workers terminated while they open, flush, compact, close and list leave everything whole', (t) =>
  terminateWorkers(t, 34, [
    'opening, writing, flushing, closing',
    'listing, and backups open in place',
    'backups with shared handles',
  ]),
);
