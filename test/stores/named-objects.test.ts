// Everything that is told about a repository in a store names its objects by the store's URL: RocksDB knows them by paths that nobody else knows.

import { rmSync } from 'node:fs';
import t from 'tap';
import { BackupEngine, planBackup, repositoryStatus } from '../../lib/index.js';
import { fill, openDatabase } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';

const { signal } = new AbortController();

t.test('objects are named by the URL of the store, whatever is damaged', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a');
  const store = new MemoryStore();
  let engine = await BackupEngine.open(store);
  t.teardown(() => engine.close());
  for (let n = 0; n < 2; n++) await engine.createBackup(db);
  const whole = [...store.objects.entries()];
  let named = 0;
  let told = 0;
  const look = async (what: string, ask: () => unknown) => {
    const answer = await (async () => ask())().catch((error: Error) => ({ ...error, message: error.message }));
    const text = JSON.stringify(answer) ?? '';
    told++;
    if (/memory:\/\/test\/(meta|private|shared)/.test(text)) named++;
    if (/rocksdb-backup\.store|\/\/test\/\//.test(text)) t.fail(`${what}: ${text}`);
  };
  const damages = {
    changed: (bytes: Buffer) => bytes.map((byte, at) => (at % 50 === 7 ? byte ^ 1 : byte)),
    cut: (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1),
    replaced: () => Buffer.from('hello'),
    gone: () => undefined,
  };
  for (const [key, { bytes }] of whole) {
    if (key.startsWith('rocksdb-backup.')) continue;
    for (const [damage, now] of Object.entries(damages)) {
      store.objects.clear();
      for (const [other, object] of whole) store.objects.set(other, { ...object });
      const damaged = now(Buffer.from(bytes));
      await (damaged === undefined ? store.delete([key], { signal }) : store.put(key, damaged, { signal }));
      await engine.close();
      engine = await BackupEngine.open(store);
      const asks: Record<string, () => unknown> = {
        survey: () => engine.survey(),
        info: () => engine.getBackupInfo(2, { fileDetails: true }),
        verify: () => engine.verifyBackup(2),
        'verify bytes': () => engine.verifyBackup(2, { checksum: true }),
        'plan of a restore': () => engine.planRestore(2, dir('planned')),
        restore: () => engine.restoreBackup(2, dir('restored'), { overwrite: true }),
        open: async () => {
          const past = await engine.openBackup(2);
          t.match(past.path, /^memory:\/\/test\/private\/2$/);
          await past.get('a000001').finally(() => past.close());
        },
        status: () => repositoryStatus(store),
        plan: () => planBackup(db, store),
        create: () => engine.createBackup(db),
        gc: () => engine.garbageCollect(),
        delete: () => engine.deleteBackup(1),
        purge: () => engine.purgeOldBackups(1),
      };
      for (const [name, ask] of Object.entries(asks)) await look(`${key} ${damage}: ${name}`, ask);
      rmSync(dir('restored'), { recursive: true, force: true });
    }
  }
  t.ok(named > told / 10, `${named} of ${told} name an object`);
});
