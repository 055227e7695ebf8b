// What a database reports about its background work, and how it recovers after failures.

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Database, RocksDBError } from '../../lib/index.js';
import { openDatabase } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';

/** A separate small file system, which only root can mount. */
function smallDisk(t: Test, dir: (...path: string[]) => string): boolean {
  mkdirSync(dir('disk'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', dir('disk')]).status !== 0) {
    return false;
  }
  t.teardown(() => spawnSync('umount', ['-l', dir('disk')]));
  return true;
}

/** Uses up all the free space. */
function fillDisk(path: string): void {
  for (const size of [1 << 20, 1 << 16, 1 << 12]) {
    for (let n = 0; ; n++) {
      try {
        writeFileSync(`${path}-${size}-${n}`, Buffer.alloc(size));
      } catch {
        break;
      }
    }
  }
}

t.test('a database on a full disk tells so, and goes on when there is space again', async (t) => {
  const dir = tempDir(t);
  if (!smallDisk(t, dir)) {
    t.pass('mounting a file system needs root, on Linux: nothing is tried');
    return;
  }
  const db = await openDatabase(t, dir('disk', 'db'), { writeBufferSize: 65_536 });
  await db.put('before', 'there');
  const errors: [RocksDBError, string][] = [];
  const told = new Promise<void>((resolve) => {
    db.on('error', (error, during) => {
      errors.push([error, during]);
      resolve();
    });
  });
  const recovered = new Promise<RocksDBError | undefined>((resolve) => db.on('recovered', resolve));
  // Waiting for an event keeps no process alive.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  mkdirSync(dir('disk', 'filler'));
  fillDisk(dir('disk', 'filler', 'x'));
  let refused: RocksDBError | undefined;
  for (let n = 0; refused === undefined; n++) {
    await db.put(`key ${n}`, 'x'.repeat(20_000)).catch((error) => {
      refused = error;
    });
  }
  await told;
  t.match(errors[0]![0], { name: 'RocksDBError', code: 'ROCKSDB_IO_ERROR', subcode: 'NO_SPACE' });
  t.ok(errors[0]![0] instanceof RocksDBError);
  t.ok(['flush', 'write', 'manifest', 'memtable', 'compaction'].includes(errors[0]![1]), errors[0]![1]);
  await t.rejects(db.put('more', 'x'), { message: /resume\(\)/ });
  t.equal(await db.get('before', { encoding: 'utf8' }), 'there', 'what it has can be read');
  rmSync(dir('disk', 'filler'), { recursive: true });
  await db.resume();
  await recovered;
  await db.put('after', 'taken');
  await db.flush();
  t.equal(await db.get('after', { encoding: 'utf8' }), 'taken');
  await db.close();
  const again = await Database.open(dir('disk', 'db'));
  t.equal(await again.get('before', { encoding: 'utf8' }), 'there');
  t.equal(await again.get('after', { encoding: 'utf8' }), 'taken');
  await again.close();
});

t.test(
  'where nothing failed, resume does nothing; listeners are checked, taken away, and end with the handle',
  async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'));
    const listener = () => undefined;
    t.equal(db.on('error', listener), db);
    t.equal(db.off('error', listener), db);
    t.equal(db.off('recovered', listener), db);
    t.throws(() => db.on('error', 5 as unknown as () => void), { code: 'ERR_INVALID_ARG_TYPE' });
    await db.resume();
    await db.put('k', 'v');
    await db.close();
    await t.rejects(db.resume(), { code: 'DATABASE_CLOSED' });
    t.throws(() => Database.attach(db.token), { code: 'DATABASE_CLOSED' });
  },
);

t.test('listeners keep no process alive', (t) => {
  const dir = tempDir(t);
  const script = `
    const { Database } = require(${JSON.stringify(require.resolve('../../lib/index.js'))});
    Database.open(${JSON.stringify(dir('db'))}).then((db) => db.on('error', () => undefined));`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
  t.end();
});
