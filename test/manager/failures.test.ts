// Failures in a manager: how it reports them, and that it continues.

import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BackupEngine, BackupManager, type OperationRecord } from '../../lib/index.js';
import { readState } from '../../lib/manager/state.js';
import { Agent, ref } from '../fixtures/agent.js';
import { contentsAt, contentsOf, fill, openEngine, settled } from '../fixtures/backups.js';
import { settleAll, until } from '../fixtures/fake-clock.js';
import { damages, filesBelow } from '../fixtures/files.js';
import { HOUR, MINUTE, managerScene, next, SECOND, start } from '../fixtures/managers.js';
import { diskOnly, placeOf, storageOf } from '../fixtures/place.js';
import { fillFiles, runningBackup } from '../fixtures/running.js';

/** Collects the warnings of the process during a test. */
function warnings(t: Test): string[] {
  const messages: string[] = [];
  const listener = ({ name, message }: Error) => name === 'BackupManagerWarning' && messages.push(message);
  process.on('warning', listener);
  t.teardown(() => process.off('warning', listener));
  return messages;
}

const recordsOf = (path: string): OperationRecord[] =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

t.test('a directory that somebody else writes to is tried again, later each time', async (t) => {
  const { manager, told, clock, db, dir } = await managerScene(t, {
    retry: { attempts: 4, delay: '1s', maxDelay: '3s' },
  });
  const other = await openEngine(t, dir('backups'), { backupRateLimit: 1000 });
  await fillFiles(db, 'much', { files: 1, keys: 100, valueSize: 1000 });
  const theirs = runningBackup(other, db);
  await theirs.begun;
  const backup = settled(manager.backupNow());
  for (const wait of [500, 1000, 1500]) {
    await until(() => clock.waiting === 1, 'a wait');
    t.equal(clock.nextIn, wait, 'half of the longest, as the random number is 0');
    t.equal(manager.status().phase, 'retry');
    await clock.advance(wait);
    await settleAll();
  }
  await until(() => clock.waiting === 1);
  other.stopBackup();
  await settled(theirs.done);
  await clock.advance(HOUR);
  t.ok((await backup).value);
  t.same(
    told.of('retry').map(({ error, attempt, delayMs }) => [(error as { code?: string }).code, attempt, delayMs]),
    [500, 1000, 1500, 1500].map((delay, n) => ['BACKUP_LOCKED', n + 1, delay]),
  );
  t.equal(told.of('backup')[0]!.attempt, 5);
  t.equal(told.count('failure'), 0);
});

t.test('failures in a row are counted over restarts, until a backup goes well', async (t) => {
  const calls: [string, number, string][] = [];
  const { manager, told, another, db, dir, clock } = await managerScene(t, {
    retry: { attempts: 1, delay: '1s' },
    auditLog: undefined,
    onFailure: (error, count, { operation }) => calls.push([error.message, count, operation]),
  });
  const other = await openEngine(t, dir('backups'), { backupRateLimit: 1000 });
  await fillFiles(db, 'much', { files: 1, keys: 100, valueSize: 1000 });
  const theirs = runningBackup(other, db);
  await theirs.begun;
  for (const each of [manager, manager]) {
    const backup = settled(each.backupNow());
    await until(() => clock.waiting === 1);
    await clock.advance(SECOND);
    t.equal((await backup).error?.code, 'BACKUP_LOCKED');
  }
  t.equal(manager.consecutiveFailures, 2);
  t.same(
    told
      .of('failure')
      .map(({ operation, consecutiveFailures, trigger, willRetry }) => [
        operation,
        consecutiveFailures,
        trigger,
        willRetry,
      ]),
    [
      ['create', 1, 'demand', false],
      ['create', 2, 'demand', false],
    ],
  );
  await manager.stop();
  other.stopBackup();
  await settled(theirs.done);
  const second = another({ before: () => Promise.reject(new Error('not ready')) });
  t.match(await settled(second.manager.backupNow()), { error: { message: 'not ready' } });
  t.equal(second.manager.consecutiveFailures, 3, 'of this directory, not of one manager');
  t.match(calls.at(-1), ['not ready', 3, 'hook']);
  const third = another();
  await third.manager.backupNow();
  t.equal(third.manager.consecutiveFailures, 0);
  const { created, failed, successRate } = await third.manager.stats();
  t.same([created, failed, successRate], [1, 3, 0.25]);
});

t.test('a database that is closed is a failure each time a backup is due, and harms nothing', async (t) => {
  const { manager, told, db, advance } = await managerScene(t, { schedule: '10m' });
  await start(manager);
  await advance(0);
  await db.close();
  await advance(20 * MINUTE);
  manager.notifyChange();
  await advance(MINUTE);
  manager.notifyChange();
  await advance(MINUTE);
  t.same(
    told.of('failure').map(({ error, trigger }) => [(error as { code?: string }).code, trigger]),
    ['schedule', 'schedule', 'change', 'change'].map((trigger) => ['DATABASE_CLOSED', trigger]),
  );
  t.equal(told.count('retry'), 0);
  await t.rejects(manager.stop({ finalBackup: true }), { code: 'DATABASE_CLOSED' });
});

t.test('changes of a backup that failed get another, not sooner than the failures allow', async (t) => {
  let fails = 2;
  const { manager, told, db, advance, dir } = await managerScene(t, {
    minInterval: '1s',
    retry: { attempts: 0, delay: '20s', maxDelay: '10m' },
    metadata: () => {
      if (fails-- > 0) throw new Error('no metadata');
      return {};
    },
  });
  await start(manager);
  await db.put('changed', '1');
  manager.notifyChange();
  await advance(0);
  t.equal(told.count('failure'), 1);
  await advance(9 * SECOND);
  t.equal(told.count('failure'), 1);
  await advance(SECOND);
  t.equal(told.count('failure'), 2);
  await advance(20 * SECOND);
  t.equal(told.count('backup'), 1);
  const engine = await openEngine(t, dir('backups'));
  await engine.restoreLatestBackup(dir('restored'));
  t.same(await contentsAt(dir('restored')), await contentsOf(db));
});

t.test('what hooks and listeners throw does no harm, and is not lost', async (t) => {
  const seen = warnings(t);
  const outcomes: boolean[] = [];
  const { manager, told } = await managerScene(t, {
    before: ({ trigger, kind, attempt }) => t.same([trigger, kind, attempt], ['demand', 'incremental', 1]),
    after: (_context, { ok }) => {
      outcomes.push(ok);
      throw new Error('after failed');
    },
    onFailure: () => Promise.reject(new Error('onFailure failed')),
  });
  manager.on('start', () => {
    throw new Error('start failed');
  });
  manager.prependListener('backup', async () => {
    throw new Error('backup failed');
  });
  manager.on('failure', () => {
    throw null;
  });
  manager.on('progress', () => {
    throw new Error('progress failed');
  });
  t.equal((await manager.backupNow()).backupId, 1);
  await settleAll();
  t.same(outcomes, [true]);
  t.same(told.names, ['start', 'verified', 'backup', 'failure']);
  t.match(told.of('failure')[0], { operation: 'hook', error: { message: 'after failed' } });
  t.same([...new Set(seen)].sort(), [
    "a listener of 'backup' rejected: backup failed",
    "a listener of 'failure' threw: null",
    "a listener of 'progress' threw: progress failed",
    "a listener of 'start' threw: start failed",
    'onFailure rejected: onFailure failed',
  ]);
});

t.test('a rejecting before-hook cancels that backup, which is told to the after-hook', async (t) => {
  const outcomes: unknown[] = [];
  const { manager, told, dir } = await managerScene(t, {
    before: async () => {
      throw new Error('the disk is not mounted');
    },
    after: (_context, outcome) => outcomes.push(outcome),
  });
  await t.rejects(manager.backupNow(), { message: 'the disk is not mounted' });
  t.match(outcomes, [{ ok: false, error: { message: 'the disk is not mounted' } }]);
  t.same(told.names, ['failure']);
  t.same(filesBelow(dir('backups/meta')), []);
});

t.test(
  'a damaged shared file is found, the next backups are full, and nothing is deleted until it is gone',
  async (t) => {
    const { manager, told, db, dir, clock } = await managerScene(t, {
      verify: 'checksum',
      retention: { last: 1 },
      auditLog: undefined,
    });
    await manager.backupNow();
    const shared = filesBelow(dir('backups', 'shared_checksum'));
    t.equal(shared.length, 1);
    damages.changed(dir('backups', 'shared_checksum', shared[0]!));
    await fill(db, 'b');
    const pending = manager.backupNow();
    await until(() => clock.waiting === 1, 'a wait before the next attempt');
    t.match(told.of('failure'), [
      { operation: 'verify', backupId: 2, error: { code: 'BACKUP_CORRUPT' }, willRetry: true },
    ]);
    await clock.advance(MINUTE);
    t.equal((await pending).backupId, 3);
    t.equal(told.of('backup')[1]!.kind, 'full');
    t.same(
      manager.status().suspects.map(({ backupId }) => backupId),
      [1, 2],
      'the other that has the file, too',
    );
    t.match(told.of('skipped').at(-1), { operation: 'prune', reason: 'blocked' });
    const engine = await openEngine(t, dir('backups'));
    await engine.restoreLatestBackup(dir('restored'));
    t.same(await contentsAt(dir('restored')), await contentsOf(db), 'what the full one holds is good');

    await manager.backupNow();
    t.equal(told.of('backup')[2]!.kind, 'full', 'as long as a backup has the file');
    await t.rejects(manager.verify(1), { code: 'BACKUP_CORRUPT' });
    await engine.deleteBackup(2);
    await manager.backupNow();
    t.equal(told.of('backup')[3]!.kind, 'full');
    await engine.deleteBackup(1);
    await manager.backupNow();
    const { fileDetails } = await engine.getBackupInfo(6, { fileDetails: true });
    t.ok(
      fileDetails?.some(({ shared }) => shared),
      'then as before',
    );
    t.same(manager.status().suspects, []);
    t.same(
      (await manager.list()).map(({ backupId }) => backupId),
      [6],
      'and old ones are deleted again',
    );
  },
);

t.test(
  'the last good backup is none that was found damaged since, whoever found it, also after a restart',
  async (t) => {
    const scene = await managerScene(t);
    const { manager, dir, clock } = scene;
    await manager.backupFull();
    const first = manager.status().lastGoodBackup;
    for (const id of [2, 3]) {
      await clock.advance(MINUTE);
      await manager.backupFull();
      t.not(manager.status().lastGoodBackup?.getTime(), first?.getTime());
      const table = filesBelow(dir('backups', 'private', `${id}`)).find((name) => name.endsWith('.sst'))!;
      damages.changed(dir('backups', 'private', `${id}`, table));
      if (id === 2) {
        await t.rejects(manager.verify(2), { code: 'BACKUP_CORRUPT' });
      } else {
        await t.rejects(scene.another().manager.verify(3), { code: 'BACKUP_CORRUPT' });
        await manager.stats();
      }
      t.same(manager.status().lastGoodBackup, first, `${id}`);
    }
    t.same((await manager.stats()).lastGoodBackup, first);
    const later = scene.another().manager;
    t.same((await later.stats()).lastGoodBackup, first);
  },
);

t.test('a snapshot before the first backup is written down', async (t) => {
  const { manager, dir } = await managerScene(t);
  await manager.snapshot();
  t.match((await readState(storageOf(dir('backups')))).history, [{ operation: 'snapshot', ok: true }]);
});

t.test('a suspect that is read and found whole is none any more', async (t) => {
  const { manager, told, db, dir, clock } = await managerScene(t, { verify: 'checksum' });
  await manager.backupNow();
  const file = dir('backups', 'shared_checksum', filesBelow(dir('backups', 'shared_checksum'))[0]!);
  const good = readFileSync(file);
  damages.changed(file);
  await t.rejects(manager.verify(), { code: 'BACKUP_CORRUPT' });
  writeFileSync(file, good);
  await manager.verify();
  await fill(db, 'b');
  await manager.backupNow();
  t.equal(told.of('backup')[1]!.kind, 'incremental');
  t.equal(clock.waiting, 0);
});

t.test('an incremental backup that was asked for is a full one as well while a file may be damaged', async (t) => {
  const { manager, told, dir, clock } = await managerScene(t, { verify: 'checksum' });
  await manager.backupNow();
  damages.changed(dir('backups', 'shared_checksum', filesBelow(dir('backups', 'shared_checksum'))[0]!));
  const first = manager.backupIncremental();
  await until(() => clock.waiting === 1, 'a wait');
  await clock.advance(MINUTE);
  await first;
  await manager.backupIncremental();
  t.same(
    told.of('backup').map(({ kind }) => kind),
    ['full', 'full', 'full'],
  );
});

t.test('damage in a full backup spreads to no other: those after it share files, and none is deleted', async (t) => {
  const { manager, another, dir } = await managerScene(t);
  await manager.backupNow();
  await manager.backupFull();
  const table = filesBelow(dir('backups', 'private', '2')).find((name) => name.endsWith('.sst'));
  damages.changed(dir('backups', 'private', '2', table!));
  await t.rejects(manager.verify(2), { code: 'BACKUP_CORRUPT' });
  await manager.stop();
  const { manager: deleting, told } = another({ retention: { last: 1 } });
  await deleting.backupNow();
  await deleting.backupNow();
  t.same(
    told.of('backup').map(({ kind }) => kind),
    ['incremental', 'incremental'],
  );
  t.equal((await deleting.list()).length, 4);
  t.match(told.of('skipped').at(-1), { operation: 'prune', reason: 'blocked', message: /2/ });
});

t.test(
  'where RocksDB stumbles over a truncated shared file, a full backup is made, and the damaged are named',
  async (t) => {
    const { manager, told, db, dir, clock } = await managerScene(t);
    await manager.backupNow();
    damages.truncated(dir('backups', 'shared_checksum', filesBelow(dir('backups', 'shared_checksum'))[0]!));
    const backup = settled(manager.backupNow());
    await until(() => clock.waiting === 1, 'a wait');
    t.match(told.of('failure'), [{ operation: 'create', error: { code: 'ROCKSDB_CORRUPTION' }, willRetry: true }]);
    await clock.advance(MINUTE);
    t.equal((await backup).value?.backupId, 2);
    t.same(
      manager.status().suspects.map(({ backupId }) => backupId),
      [1],
    );
    t.equal(manager.consecutiveFailures, 0);
    const engine = await openEngine(t, dir('backups'));
    await engine.restoreLatestBackup(dir('restored'));
    t.same(await contentsAt(dir('restored')), await contentsOf(db));
    await engine.deleteBackup(1);
    const { backupId } = await manager.backupNow();
    t.equal(told.of('backup')[2]!.kind, 'full', 'there is nothing left that it could share');
    const { fileDetails } = await engine.getBackupInfo(backupId, { fileDetails: true });
    t.ok(
      fileDetails?.some(({ shared }) => shared),
      'it is the others that share with it',
    );
  },
);

t.test('that the damage behind a failure cannot be looked for hides no failure', async (t) => {
  const warned = warnings(t);
  const { manager, told, dir, clock } = await managerScene(t);
  await manager.backupNow();
  damages.truncated(dir('backups', 'shared_checksum', filesBelow(dir('backups', 'shared_checksum'))[0]!));
  const { getBackupInfo } = BackupEngine.prototype;
  let asked = 0;
  BackupEngine.prototype.getBackupInfo = (() => {
    asked++;
    return Promise.reject(new Error('the listing fails'));
  }) as never;
  t.teardown(() => {
    BackupEngine.prototype.getBackupInfo = getBackupInfo;
  });
  const backup = settled(manager.backupNow());
  await until(() => clock.waiting === 1, 'a wait');
  BackupEngine.prototype.getBackupInfo = getBackupInfo;
  t.equal(asked, 1);
  t.match(told.of('failure'), [{ operation: 'create', error: { code: 'ROCKSDB_CORRUPTION' }, willRetry: true }]);
  await clock.advance(MINUTE);
  t.equal((await backup).value?.backupId, 2);
  t.equal(told.of('backup')[1]!.kind, 'full');
  t.match(warned.join(), /could not find out which backups of .* are damaged.*the listing fails/);
});

t.test(
  'backups are pruned after each that verified, pinned ones stay, and all of it is in the audit log',
  async (t) => {
    const scene = await managerScene(t);
    const audit = scene.dir('audit.jsonl');
    const { manager, told } = scene.another({ retention: { last: 2 }, auditLog: audit, fullEvery: 2 });
    await manager.backupNow();
    await manager.pin(1, 'the first');
    for (let n = 0; n < 3; n++) await manager.backupNow();
    t.same(
      (await manager.list()).map(({ backupId, pinned }) => [backupId, pinned]),
      [
        [1, true],
        [3, false],
        [4, false],
      ],
    );
    t.same((await manager.prune({ dryRun: true })).delete, []);
    t.equal(await manager.unpin(1), true);
    t.equal(await manager.unpin(1), false);
    t.same((await manager.prune({ dryRun: true })).delete, [1]);
    t.equal((await manager.list()).length, 3, 'a dry run deletes nothing');
    t.same((await manager.prune()).delete, [1]);
    t.same(
      (await manager.list()).map(({ backupId }) => backupId),
      [3, 4],
    );
    const { bytesOnDisk, fullBackups, incrementalBackups, oldest, duration } = await manager.stats();
    t.ok(bytesOnDisk > 0 && oldest && duration);
    t.same([fullBackups, incrementalBackups], [1, 1]);
    t.ok(told.count('pruned') >= 3);
    const records = recordsOf(audit);
    t.same(
      records.map(({ operation, backupId, kind }) =>
        [operation, backupId, kind].filter((part) => part !== undefined).join(' '),
      ),
      [
        'create 1 full',
        'verify 1',
        'pin 1',
        'create 2 incremental',
        'verify 2',
        'create 3 full',
        'verify 3',
        'create 4 incremental',
        'verify 4',
        'delete 2',
        'prune',
        'unpin 1',
        'unpin 1',
        'verify 4',
        'delete 1',
        'prune',
      ],
    );
    t.ok(records.every(({ ok, pid, host, at }) => ok && pid === process.pid && host && at));
  },
);

t.test('failed attempts are in the audit log, with what went wrong', async (t) => {
  const { db, another, dir } = await managerScene(t);
  const audit = dir('audit.jsonl');
  const { manager } = another({ auditLog: audit });
  await manager.backupNow();
  await db.close();
  await settled(manager.backupNow());
  t.match(recordsOf(audit).at(-1), {
    operation: 'create',
    ok: false,
    error: { code: 'DATABASE_CLOSED' },
    trigger: 'demand',
  });
});

t.test('a state that cannot be read stops no backup, and says so', async (t) => {
  const seen = warnings(t);
  const { manager, dir } = await managerScene(t, { fullEvery: 2 });
  await manager.backupNow();
  writeFileSync(dir('backups', 'rocksdb-backup.state.json'), '{"version": 99}');
  await manager.backupNow();
  await settleAll();
  t.ok(seen.some((message) => /could not be read; backups continue without it/.test(message)));
  rmSync(dir('backups', 'rocksdb-backup.state.json'));
  await manager.backupNow();
  t.equal((await manager.list()).length, 3);
});

t.test('a directory that cannot be made is a failure that is tried again at its time', async (t) => {
  const outcomes: boolean[] = [];
  const { manager, told, dir, advance } = await managerScene(t, {
    schedule: '10m',
    retry: { attempts: 0 },
    after: (_context, { ok }) => outcomes.push(ok),
  });
  writeFileSync(dir('backups'), 'in the way');
  await start(manager);
  await advance(0);
  t.match(told.of('failure'), [{ operation: 'open' }]);
  rmSync(dir('backups'));
  await advance(10 * MINUTE);
  t.equal(told.count('backup'), 1);
  t.same(outcomes, [false, true], 'the after-hook is called for each');
});

t.test('stop ends a wait for another attempt, and the backup has failed', async (t) => {
  const { manager, told, db, dir } = await managerScene(t);
  const other = await openEngine(t, dir('backups'), { backupRateLimit: 1000 });
  await fillFiles(db, 'much', { files: 1, keys: 100, valueSize: 1000 });
  const theirs = runningBackup(other, db);
  await theirs.begun;
  const retried = next(manager, 'retry');
  const backup = settled(manager.backupNow());
  await retried;
  await manager.stop();
  t.equal((await backup).error?.code, 'BACKUP_LOCKED');
  t.equal(told.count('failure'), 1);
  other.stopBackup();
  await settled(theirs.done);
});

t.test(
  'a manager and another process that write to one directory both come to their backups',
  { skip: diskOnly },
  async (t) => {
    const { db, dir } = await managerScene(t);
    const other = Agent.process(t);
    await other.call('Database.open', [dir('other db')], 'db');
    await other.call('BackupEngine.open', [dir('shared')], 'engine');
    const retry = { attempts: 1000, delay: 5, maxDelay: 20 };
    // This uses the real clock. The operating system decides who holds the repository at which time.
    const create = { allowOtherDatabase: true };
    const manager = new BackupManager({ db, location: placeOf(dir('shared')), retry, create });
    const theirs = other.begin<{ made: { backupId: number }[] }>('agent.fight', [ref('engine'), ref('db'), 'they', 15]);
    const ours: number[] = [];
    for (let n = 0; n < 15; n++) ours.push((await manager.backupNow()).backupId);
    const made = (await theirs.done).made.map(({ backupId }) => backupId);
    t.equal(new Set([...ours, ...made]).size, 30, 'no id was given twice');
    t.equal((await manager.list()).length, 30);
    t.equal(manager.consecutiveFailures, 0);
    for (const { backupId } of await manager.list()) await manager.verify(backupId);
    await manager.stop();
  },
);

t.test(
  'failures are counted one by one also where the state cannot be written, and written down when it can',
  async (t) => {
    const counted: number[] = [];
    let error: Error | undefined = new Error('not now');
    const { manager, dir } = await managerScene(t, {
      retry: { attempts: 0 },
      before: () => {
        if (error !== undefined) throw error;
      },
      onFailure: (_, consecutiveFailures) => counted.push(consecutiveFailures),
    });
    await t.rejects(manager.backupNow());
    const inTheWay = join(dir('backups'), 'rocksdb-backup.state.json.tmp');
    mkdirSync(inTheWay);
    for (let n = 0; n < 3; n++) {
      await t.rejects(manager.backupNow());
    }
    t.same(counted, [1, 2, 3, 4]);
    rmdirSync(inTheWay);
    await t.rejects(manager.backupNow());
    t.same(counted, [1, 2, 3, 4, 5]);
    t.match((await readState(storageOf(dir('backups')))).manager, { consecutiveFailures: { create: 5 } });
    error = undefined;
    await manager.backupNow();
    t.equal(manager.consecutiveFailures, 0);
  },
);
