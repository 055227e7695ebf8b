// Deletes backups that were chosen a moment ago, while others pin and delete.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { STATE_FILE } from '../../lib/backup/state-file.js';
import { systemClock as clock, SteadyClock } from '../../lib/base/clock.js';
import { RateLimiter, RocksDBError } from '../../lib/index.js';
import { deleteUnlessPinned, pinBackup } from '../../lib/manager/guarded-delete.js';
import { freedByEach, readInventory } from '../../lib/manager/inventory.js';
import { ManagerState } from '../../lib/manager/manager-state.js';
import { acknowledgeLostPins, isPinned } from '../../lib/manager/pins.js';
import { prune } from '../../lib/manager/pruner.js';
import { Recorder } from '../../lib/manager/recorder.js';
import { readState, updateState } from '../../lib/manager/state.js';
import { fill, isPartOfBackup, openDatabase, openEngine } from '../fixtures/backups.js';
import { bytesBelow, tempDir } from '../fixtures/files.js';
import { storageOf } from '../fixtures/place.js';
import { fillFiles, runningBackup, UNLIMITED } from '../fixtures/running.js';

async function scene(t: Test, backups: number) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a');
  const limiter = new RateLimiter({ bytesPerSecond: UNLIMITED });
  const engine = await openEngine(t, dir('backups'), {
    backupRateLimit: limiter,
  });
  for (let n = 0; n < backups; n++) await engine.createBackup(db);
  const ids = async () => (await engine.getBackupInfo()).map(({ backupId }) => backupId);
  return { db, limiter, engine, ids, infos: await engine.getBackupInfo() };
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
  const state = await readState(storageOf(engine.location));
  for (const outcome of outcomes) {
    t.equal(left.includes(outcome.info.backupId), outcome.isPinned);
    t.equal(isPinned(state, outcome.info), outcome.isPinned);
  }
});

t.test('while it is not known what was pinned nothing is deleted, not even by its name', async (t) => {
  const { engine, ids, infos } = await scene(t, 2);
  writeFileSync(join(engine.location, STATE_FILE), 'nothing of sense');
  for (const named of [false, true]) t.equal(await deleteUnlessPinned(engine, infos[0]!, { named }), undefined);
  t.same(await ids(), [1, 2]);
  await updateState(storageOf(engine.location), acknowledgeLostPins);
  t.match(await deleteUnlessPinned(engine, infos[0]!, { named: true }), {
    backupId: 1,
  });
});

t.test('what a prune deletes in one pass it records one by one, with the bytes that each freed', async (t) => {
  const { db, engine, ids } = await scene(t, 2);
  await db.compactRange(); // the next backups share nothing with the first two
  for (let n = 0; n < 3; n++) await engine.createBackup(db);
  await engine.verifyBackup(5);
  const { location } = engine;
  const recorder = new Recorder(storageOf(location), {
    auditLog: join(location, 'log.jsonl'),
  });
  const parts = {
    clock,
    steady: new SteadyClock(clock),
    state: new ManagerState(storageOf(location)),
    recorder,
  };
  const infos = await engine.getBackupInfo();
  await recorder.record({
    operation: 'verify',
    at: new Date().toISOString(),
    ok: true,
    durationMs: 0,
    backupId: 5,
    timestamp: infos[4]!.timestamp.toISOString(),
  });
  await pinBackup(engine, infos[2]!);
  let passes = 0;
  const inTurn = engine.inTurn.bind(engine);
  engine.inTurn = (work) => {
    passes++;
    return inTurn(work);
  };
  const before = bytesBelow(location, isPartOfBackup);
  const freed = freedByEach(await readInventory(engine), [1, 2, 4]);
  t.match(await prune(engine, { last: 1 }, parts, 'demand'), {
    deleted: [1, 2, 4],
  });
  t.equal(passes, 1);
  t.same(await ids(), [3, 5]);
  const { history } = await readState(storageOf(location));
  const deletes = history.filter(({ operation }) => operation === 'delete');
  t.match(
    deletes,
    [1, 2, 4].map((backupId) => ({
      backupId,
      ok: true,
      bytes: freed.get(backupId),
      trigger: 'demand',
    })),
  );
  t.ok(freed.get(2)! > freed.get(1)!, 'what two of them share is freed by the last');
  const sum = [...freed.values()].reduce((a, b) => a + b, 0);
  t.equal(before - bytesBelow(location, isPartOfBackup), sum);
  t.match(history.at(-1), {
    operation: 'prune',
    bytes: sum,
    detail: { deleted: [1, 2, 4], kept: 2 },
  });
  const logged = readFileSync(join(location, 'log.jsonl'), 'utf8').trim().split('\n');
  t.equal(logged.length, 5, 'a verify, three deletes and the prune');
});

t.test('a deletion that waits for a backup keeps nobody from pinning, and respects it', async (t) => {
  const { db, limiter, engine, ids, infos } = await scene(t, 3);
  await fillFiles(db, 'new', { files: 4, keys: 100, valueSize: 1000 });
  limiter.bytesPerSecond = 1000;
  const backup = runningBackup(engine, db);
  await backup.begun;
  const deletions = [infos[0]!, infos[1]!].map((info) => deleteUnlessPinned(engine, info));
  await pinBackup(engine, infos[0]!, 'while it waits');
  t.notOk(backup.ended(), 'before its turn came');
  const last = engine.createBackup(db);
  limiter.bytesPerSecond = UNLIMITED;
  await backup.done;
  t.match(await Promise.all(deletions), [undefined, { backupId: 2 }]);
  t.equal((await last).backupId, 5, 'what came after it has its turn, too');
  t.same(await ids(), [1, 3, 4, 5]);
});

t.test(
  'a backup that could not be deleted ends a prune with that error, which is recorded; one that is read is passed over',
  async (t) => {
    const { engine, ids } = await scene(t, 4);
    const { location } = engine;
    await engine.verifyBackup(4);
    const recorder = new Recorder(storageOf(location));
    const parts = { clock, steady: new SteadyClock(clock), state: new ManagerState(storageOf(location)), recorder };
    const newest = (await engine.getBackupInfo())[3]!;
    await recorder.record({
      operation: 'verify',
      at: new Date().toISOString(),
      ok: true,
      durationMs: 0,
      backupId: 4,
      timestamp: newest.timestamp.toISOString(),
    });
    const inTurn = engine.inTurn.bind(engine);
    for (const code of ['ROCKSDB_IO_ERROR', 'BACKUP_CORRUPT', 'BACKUP_LOCKED', 'LOCK_LOST', 'ENGINE_CLOSED']) {
      engine.inTurn = (work) =>
        inTurn((turn) =>
          work({
            ...turn,
            deleteBackups: async (backupIds, options) => {
              if (backupIds.includes(2)) throw new RocksDBError('on purpose', code);
              await turn.deleteBackups(backupIds, options);
            },
          }),
        );
      await t.rejects(prune(engine, { last: 1 }, parts, 'demand'), { code });
      const { last } = await readState(storageOf(location));
      t.match(last, { deleteFailed: { backupId: 2, error: { code } }, pruneFailed: { ok: false, error: { code } } });
    }
    t.same(await ids(), [2, 3, 4], 'what came before it is gone');
    engine.inTurn = inTurn;
    const open = await engine.openBackup(2);
    t.match(await prune(engine, { last: 1 }, parts, 'demand'), { deleted: [3] });
    t.same((await readState(storageOf(location))).last.prune?.detail, { deleted: [3], inUse: [2], kept: 2 });
    await open.close();
    t.match(await prune(engine, { last: 1 }, parts, 'demand'), { deleted: [2] });
  },
);
