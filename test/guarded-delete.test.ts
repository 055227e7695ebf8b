// Deleting what was decided a moment ago, while others pin and delete.

import t, { type Test } from 'tap';
import { deleteUnlessPinned, pinBackup } from '../lib/manager/guarded-delete.js';
import { isPinned, readState } from '../lib/manager/state.js';
import { fill, openDatabase, openEngine } from './fixtures/backups.js';
import { tempDir } from './fixtures/files.js';

async function scene(t: Test, backups: number) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a');
  const engine = await openEngine(t, dir('backups'));
  for (let n = 0; n < backups; n++) await engine.createBackup(db);
  const ids = async () => (await engine.getBackupInfo()).map(({ backupId }) => backupId);
  return { engine, ids, infos: await engine.getBackupInfo() };
}

t.test('what is pinned, the newest, or another one than was meant is left alone', async (t) => {
  const { engine, ids, infos } = await scene(t, 3);
  const [first, second, third] = infos as [(typeof infos)[0], (typeof infos)[0], (typeof infos)[0]];
  await pinBackup(engine, first);
  t.equal(await deleteUnlessPinned(engine, first), undefined);
  t.equal(await deleteUnlessPinned(engine, { ...second, timestamp: new Date(0) }), undefined);
  t.equal(await deleteUnlessPinned(engine, third), undefined);
  t.same(await ids(), [1, 2, 3]);
  t.match(await deleteUnlessPinned(engine, second), { backupId: 2 });
  t.match(await deleteUnlessPinned(engine, third, { named: true }), { backupId: 3 });
  t.same(await ids(), [1]);
});

t.test('who pins a backup while it is being deleted has it, or is told that it is gone', async (t) => {
  const { engine, ids, infos } = await scene(t, 13);
  const outcomes = await Promise.all(
    infos.slice(0, 12).map(async (info) => {
      const [gone, pinned] = await Promise.allSettled([deleteUnlessPinned(engine, info), pinBackup(engine, info)]);
      t.equal(gone.status, 'fulfilled');
      if (pinned.status === 'rejected') t.equal(pinned.reason.code, 'BACKUP_NOT_FOUND');
      return { info, isPinned: pinned.status === 'fulfilled' };
    }),
  );
  const left = await ids();
  const state = await readState(engine.location);
  for (const outcome of outcomes) {
    t.equal(left.includes(outcome.info.backupId), outcome.isPinned);
    t.equal(isPinned(state, outcome.info), outcome.isPinned);
  }
});
