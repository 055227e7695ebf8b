// The leases of readers that were killed, whose processes are of this machine or of another.

import t from 'tap';
import { BackupEngine } from '../../lib/index.js';
import { fill, openDatabase } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';

const call = { signal: new AbortController().signal };

t.test('a clean-up removes the leases of readers of this machine that have ended, and no others', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a');
  const store = new MemoryStore();
  const engine = await BackupEngine.open(store);
  for (let n = 1; n <= 3; n++) await engine.createBackup(db);
  const opened = await engine.openBackup(1);
  const leases = () => [...store.objects.keys()].filter((key) => key.includes('.leases/reading-')).sort();
  const [live] = leases();
  const [title, machine, process, ...rest] = Buffer.from(store.objects.get(live!)!.bytes).toString().split('\n');
  const put = (name: string, text: (string | undefined)[]) =>
    store.put(`rocksdb-backup.leases/${name}`, Buffer.from(text.join('\n')), call);
  const killed = [title, machine, `4194304 ${process!.split(' ')[1]}`, ...rest];
  const elsewhere = [title, machine!.replace(/^\S+/, 'web9'), ...killed.slice(2)];
  for (const clean of [() => engine.garbageCollect(), () => engine.deleteBackup(3)]) {
    await put('reading-2-killed', killed);
    await put('reading-2-elsewhere', elsewhere);
    t.equal(leases().length, 3);
    await clean();
    t.strictSame(leases(), [live, 'rocksdb-backup.leases/reading-2-elsewhere'].sort());
  }
  store.fault = ({ kind, key }) => (kind === 'list' && key.includes('reading-') ? { fail: 'DENIED' } : undefined);
  await engine.garbageCollect();
  store.fault = undefined;
  await opened.close();
  await engine.close();
});
