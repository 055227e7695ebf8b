import t from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import type { PutOptions } from '../../lib/stores/object-store.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';

t.test('what is soon replaced is put as temporary, and what belongs to a backup is not', async (t) => {
  const put = new Map<string, boolean>();
  class Watched extends MemoryStore {
    override put(key: string, bytes: Uint8Array, options: PutOptions) {
      put.set(key, options.temporary === true);
      return super.put(key, bytes, options);
    }
  }
  const db = await Database.open(tempDir(t)('db'), { createIfMissing: true });
  t.teardown(() => db.close());
  await db.put('key', 'value');
  const engine = await BackupEngine.open(new Watched());
  await engine.createBackup(db);
  await engine.close();
  for (const [key, temporary] of put) t.equal(temporary, key.startsWith('rocksdb-backup.'), key);
  t.ok(put.get('rocksdb-backup.leases/writer'));
  t.equal(put.get('meta/1'), false);
});
