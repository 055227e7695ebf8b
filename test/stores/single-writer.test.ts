// Repositories in stores without conditional writes, whose owner has promised that only one process writes there.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BackupEngine, BackupManager, type Database, type ObjectStore } from '../../lib/index.js';
import { opendalStore } from '../../lib/stores/opendal.js';
import { probeStore } from '../../lib/stores/probe.js';
import { contentsAt, contentsOf, fill, openDatabase } from '../fixtures/backups.js';
import { environment } from '../fixtures/cli.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';
import { withoutOpendal } from './servers/opendal.js';
import { startWebdav, withoutWebdav } from './servers/webdav.js';

const library = join(__dirname, '..', '..', 'lib', 'index.js');
const lacking = withoutOpendal() || withoutWebdav();

const idsIn = async (engine: BackupEngine) => (await engine.getBackupInfo()).map(({ backupId }) => backupId);

/** Everything that is done with a repository. */
async function everything(t: Test, db: Database, location: string | ObjectStore): Promise<void> {
  const dir = tempDir(t);
  const engine = await BackupEngine.open(location);
  await fill(db, 'a', { count: 100 });
  t.match(await engine.createBackup(db), { backupId: 1, kind: 'full' });
  await fill(db, 'b');
  t.match(await engine.createBackup(db), { backupId: 2, kind: 'incremental' });
  await engine.verifyBackup(1, { checksum: true });
  await engine.verifyBackup(2, { checksum: true });
  await engine.restoreBackup(2, dir('restored'));
  t.same(await contentsAt(dir('restored')), await contentsOf(db));
  const opened = await engine.openBackup(1);
  t.equal((await opened.get('a000001'))?.length, 1000);
  await opened.close();
  await engine.deleteBackup(1);
  await engine.createBackup(db);
  await engine.createBackup(db);
  await engine.purgeOldBackups(2);
  t.same(await idsIn(engine), [3, 4]);
  t.same(await engine.garbageCollect(), { refused: [] });
  await engine.verifyBackup(3, { checksum: true });

  // Another engine of the same process is kept out as ever.
  const other = await BackupEngine.open(location);
  await Promise.all([engine.createBackup(db), other.createBackup(db)].map((made) => made.catch(() => undefined)));
  for (const backupId of await idsIn(engine)) await engine.verifyBackup(backupId, { checksum: true });
  await other.close();
  await engine.purgeOldBackups(1);

  const manager = new BackupManager({ db, location, retention: { last: 2 }, verify: 'checksum' });
  const made = [];
  for (const prefix of ['c', 'd', 'e', 'f']) {
    await fill(db, prefix);
    made.push((await manager.backupNow()).backupId);
    if (prefix === 'c') await manager.pin(made[0]!, 'first');
  }
  await manager.prune();
  t.same(await idsIn(engine), [made[0], ...made.slice(-2)], 'the pin was kept in the state');
  t.equal(await manager.unpin(made[0]!), true);
  await manager.prune();
  t.same(await idsIn(engine), made.slice(-2));
  await manager.stop();
  await engine.close();
}

t.test('WebDAV, by rclone', { skip: lacking }, async (t) => {
  const options = await startWebdav(t);
  process.env.OPENDAL_WEBDAV_USERNAME = options.username;
  process.env.OPENDAL_WEBDAV_PASSWORD = options.password;
  const url = `opendal://webdav/one/users?endpoint=${options.endpoint}`;
  const db = await openDatabase(t, tempDir(t)('db'));

  await t.test('is refused without the promise, and the error says what to do', async (t) => {
    for (const location of [url, opendalStore({ service: 'webdav', options, prefix: 'one/users' })]) {
      await t.rejects(BackupEngine.open(location), {
        code: 'STORE_REFUSED',
        advice: 'singleWriter',
        message: /no conditional writes.*singleWriter: true.*\?singleWriter=true/,
      });
    }
    t.match(await probeStore(url), { canWrite: false, needsSingleWriter: true });
    t.match(await probeStore(`${url}&singleWriter=true`), { canWrite: true, severalWriters: false });
  });

  await t.test('with a URL', (t) => everything(t, db, `${url}&singleWriter=true`));

  await t.test('with a store', (t) =>
    everything(t, db, opendalStore({ service: 'webdav', options, prefix: 'two', singleWriter: true })),
  );

  await t.test('a second process is noticed', async (t) => {
    const location = `${url.replace('one/users', 'three')}&singleWriter=true`;
    const dir = tempDir(t);
    const second = (body: string) => {
      writeFileSync(
        dir('second.js'),
        `const { BackupEngine, Database } = require(${JSON.stringify(library)});
         (async () => {
           const engine = await BackupEngine.open(${JSON.stringify(location)});
           ${body}
           await engine.close();
         })();`,
      );
      const { stdout, stderr } = spawnSync(process.execPath, [dir('second.js')], {
        env: environment(),
        encoding: 'utf8',
      });
      return stdout + stderr;
    };
    const engine = await BackupEngine.open(location, { backupRateLimit: 300_000 });
    await fill(db, 'g', { count: 1000 });
    let said = '';
    await engine.createBackup(db, {
      onProgress() {
        // This process waits meanwhile. Its lease is renewed every 20 seconds, so it is seen to be alive by its process.
        said ||= second('await engine.garbageCollect().catch((error) => console.log(error.code));');
      },
    });
    t.equal(said, 'BACKUP_LOCKED\n');
    t.equal(second('await engine.verifyBackup(1, { checksum: true }); console.log("read");'), 'read\n');
    t.equal(second('await engine.deleteBackup(1); console.log("deleted");'), 'deleted\n', 'one after the other');
    t.same(await idsIn(engine), []);
    await engine.close();
  });
});

t.test('a store of its own', async (t) => {
  for (const conditions of ['refused', 'ignored'] as const) {
    const store = new MemoryStore();
    store.conditions = conditions;
    await t.rejects(BackupEngine.open(store), { code: 'STORE_REFUSED', advice: 'singleWriter' });
    t.equal(store.objects.size, 0);
    const promising = new MemoryStore();
    promising.conditions = conditions;
    promising.singleWriter = true;
    await t.test(conditions, async (t) => everything(t, await openDatabase(t, tempDir(t)('db')), promising));
  }
});

t.test('services of OpenDAL that need no server', { skip: withoutOpendal() }, async (t) => {
  for (const [service, options] of [
    ['memory', {}],
    ['fs', { root: tempDir(t)() }],
  ] as const) {
    const store = opendalStore({ service, options, prefix: 'users', singleWriter: true });
    await t.test(service, async (t) => everything(t, await openDatabase(t, tempDir(t)('db')), store));
  }
});
