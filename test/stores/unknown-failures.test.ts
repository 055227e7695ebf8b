import t from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import type { PutOptions } from '../../lib/stores/object-store.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';

// A store that somebody wrote himself, whose errors are no StoreErrors: nobody knows whether the object was written.
t.test('after a failure of unknown kind, nothing of a backup is deleted that may have been made', async (t) => {
  class Careless extends MemoryStore {
    fails = '';
    override async put(key: string, bytes: Uint8Array, options: PutOptions) {
      const put = await super.put(key, bytes, options);
      if (key === this.fails) throw new Error('socket hang up');
      return put;
    }
  }
  const store = new Careless();
  const db = await Database.open(tempDir(t)('db'), { createIfMissing: true });
  t.teardown(() => db.close());
  await db.put('key', 'value');
  const engine = await BackupEngine.open(store);
  store.fails = 'meta/1';
  await engine.createBackup(db).catch(() => undefined);
  store.fails = '';
  const { backups, corrupt } = await engine.survey();
  t.same([backups.map(({ backupId }) => backupId), corrupt], [[1], []]);
  await engine.verifyBackup(1, { checksum: true });
  t.equal((await engine.createBackup(db)).backupId, 2);
  await engine.close();
});
