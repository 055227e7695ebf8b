// RocksDB stops writes if it cannot flush its memory as fast as new data arrives. A write then waits on another thread, so that the event
// loop continues.

import t from 'tap';
import type { Database } from '../../lib/index.js';
import { failureOf, openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';

const VALUE = Buffer.alloc(8 << 10, 'x');

/** Writes until RocksDB stops writes. */
async function stall(db: Database): Promise<void> {
  for (let n = 0; ; n++) {
    const error = await failureOf(() => db.put(`fill ${n % 100}`, VALUE, { noSlowdown: true })).catch(() => undefined);
    if (error !== undefined) {
      if ((error as { code?: string }).code !== 'ROCKSDB_INCOMPLETE') throw error;
      return;
    }
  }
}

const isStopped = (db: Database) => db.property('rocksdb.is-write-stopped') === '1';

const WRITES: Record<string, (db: Database) => Promise<unknown>> = {
  put: (db) => db.put('key', 'value'),
  'several puts': (db) => Promise.all([db.put('k2', 'value'), db.put('key', 'value'), db.delete('k3')]),
  batch: (db) => db.batch().put('key', 'value').write(),
};

for (const [name, write] of Object.entries(WRITES)) {
  t.test(`a write that has to wait for others does not keep the thread waiting: ${name}`, async (t) => {
    const db = await openDb(t, tempDir(t)('db'), {
      writeBufferSize: 64 << 10,
      maxWriteBufferNumber: 2,
      compression: 'none',
      rocksdb: { rate_limiter_bytes_per_sec: 256 << 10 },
    });
    let returned = false;
    // The memory may happen to be flushed between two lines of this test, but not every time.
    for (let attempt = 0; attempt < 20 && !returned; attempt++) {
      await stall(db);
      const writing = write(db);
      returned = isStopped(db);
      await writing;
      t.equal(await db.get('key', { encoding: 'utf8' }), 'value', 'it is made when there is room');
      await db.delete('key');
    }
    t.ok(returned, 'the call came back while writes were stopped');
  });
}
