// Database.open with the option `archive`, and PointInTimeRecovery.

import { existsSync, readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type Archive, BackupEngine, Database, type OpenOptions, PointInTimeRecovery } from '../../lib/index.js';
import { failureOf } from '../fixtures/databases.js';
import { until } from '../fixtures/fake-clock.js';
import { tempDir } from '../fixtures/files.js';
import { placeOf } from '../fixtures/place.js';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function scene(t: Test, options: OpenOptions = {}) {
  const dir = tempDir(t);
  const engine = await BackupEngine.open(placeOf(dir('repository')));
  t.teardown(() => engine.close());
  const open = async () => {
    const db = await Database.open(dir('db'), { ...options, archive: { to: engine, maxDelay: 50 } });
    t.teardown(() => db.close());
    return db;
  };
  const db = await open();
  const recovery = await PointInTimeRecovery.open(engine);
  const valueIn = async (path: string, key: string) => {
    const recovered = await Database.open(path, options);
    try {
      return await recovered.get(key, { encoding: 'utf8' });
    } finally {
      await recovered.close();
    }
  };
  return { dir, engine, db, archive: db.archive as Archive, open, recovery, valueIn };
}

const hasBase = (archive: Archive) =>
  until(() => archive.status().timeline !== undefined && !archive.status().needsBase);

t.test('the first backup is made by itself, and every moment after it can be recovered', async (t) => {
  const { dir, db, archive, recovery, valueIn } = await scene(t);
  await hasBase(archive);
  await db.put('key', '1');
  await pause(5);
  const time = new Date();
  await pause(5);
  await db.put('key', '2');
  const point = await archive.createRecoveryPoint('before the mistake');
  t.match(point, { name: 'before the mistake', timeline: 1, sequence: 2 });
  await db.delete('key');
  await archive.flush();
  t.match(archive.status(), { state: 'archiving', timelineReason: 'first', lagWrites: 0, archivedSequence: 3 });

  t.match(await recovery.listRecoveryPoints(), [
    { timeline: 1, firstSequence: 0, lastSequence: 3, backupIds: [1], points: [{ name: 'before the mistake' }] },
  ]);
  const estimate = await recovery.estimateRecovery(time);
  t.match(estimate, { sequence: 1, backupId: 1, writesToReplay: 1 });
  const result = await recovery.recoverToTimestamp(time, { into: dir('time') });
  t.match(result, { sequence: 1, writesReplayed: 1, restored: { backupId: 1 } });
  t.equal(await valueIn(dir('time'), 'key'), '1');
  await recovery.recoverToPoint('before the mistake', { into: dir('point') });
  t.equal(await valueIn(dir('point'), 'key'), '2');
  await recovery.recoverToLatest({ into: dir('latest') });
  t.equal(await valueIn(dir('latest'), 'key'), undefined);
  await recovery.recoverToSequence(2, { into: dir('latest'), overwrite: true });
  t.equal(await valueIn(dir('latest'), 'key'), '2');
});

t.test('what is not archived when the database is closed is archived then', async (t) => {
  const { dir, db, archive, recovery, valueIn, open } = await scene(t);
  await hasBase(archive);
  for (let i = 0; i < 100; i++) await db.put(`key${i}`, 'value');
  await db.close();
  await db.close();
  t.equal((await recovery.listRecoveryPoints())[0]?.lastSequence, 100);
  const again = await open();
  await until(() => again.archive?.status().timeline === 1);
  await again.put('key100', 'value');
  await again.close();
  await recovery.recoverToLatest({ into: dir('latest') });
  t.equal(await valueIn(dir('latest'), 'key100'), 'value');
});

t.test('backups of the database in the same repository are what a recovery begins with', async (t) => {
  const { engine, db, archive, recovery } = await scene(t);
  await hasBase(archive);
  for (let i = 0; i < 10; i++) await db.put('key', `${i}`);
  const { backupId } = await engine.createBackup(db);
  for (let i = 0; i < 10; i++) await db.put('key', `${i}`);
  await archive.flush();
  const latest = await recovery.recoverToLatest({ into: `${db.path}-latest` });
  t.equal(latest.backupId, backupId);
  t.equal(latest.writesReplayed, 10);
});

t.test('merges, ranges and families', async (t) => {
  const { dir, db, archive, recovery } = await scene(t, { mergeOperator: 'stringappend' });
  await hasBase(archive);
  const users = await db.createColumnFamily('users', { comparator: 'reverseBytewise' });
  await users.put('a', '1');
  await users.put('b', '2');
  await db.merge('list', 'x');
  await db.merge('list', 'y');
  await db.put('r1', '1');
  await db.put('r2', '2');
  await db.deleteRange('r1', 'r2');
  await db.put('single', '1');
  await db.singleDelete('single');
  await archive.flush();
  await recovery.recoverToLatest({ into: dir('latest') });
  const recovered = await Database.open(dir('latest'));
  t.teardown(() => recovered.close());
  t.equal(await recovered.get('list', { encoding: 'utf8' }), 'x,y');
  t.equal(await recovered.get('r1'), undefined);
  t.equal(await recovered.get('r2', { encoding: 'utf8' }), '2');
  t.equal(await recovered.get('single'), undefined);
  const keys: string[] = [];
  for await (const key of recovered.columnFamily('users').keys({ encoding: 'utf8' })) keys.push(key);
  t.same(keys, ['b', 'a'], 'in the order of their comparator');
});

t.test('errors say what is there', async (t) => {
  const { dir, db, archive, recovery } = await scene(t);
  const empty = await BackupEngine.open(placeOf(dir('empty')));
  t.teardown(() => empty.close());
  const none = await PointInTimeRecovery.open(empty);
  t.match(await failureOf(() => none.recoverToLatest({ into: dir('x') })), { code: 'ARCHIVE_EMPTY' });
  await hasBase(archive);
  await db.put('key', '1');
  await archive.createRecoveryPoint('twice');
  await archive.createRecoveryPoint('twice');
  t.equal((await recovery.recoverToPoint('twice', { into: dir('once') })).sequence, 1);
  await db.put('key', '1');
  await archive.createRecoveryPoint('twice');
  const into = dir('x');
  for (const [attempt, code] of [
    [() => recovery.recoverToTimestamp('2020-01-01T00:00:00Z', { into }), 'TARGET_BEFORE_WINDOW'],
    [() => recovery.recoverToTimestamp(new Date(Date.now() + 60_000), { into }), 'TARGET_AFTER_WINDOW'],
    [() => recovery.recoverToSequence(3, { into }), 'TARGET_AFTER_WINDOW'],
    [() => recovery.recoverToPoint('never', { into }), 'POINT_NOT_FOUND'],
    [() => recovery.recoverToPoint('twice', { into }), 'AMBIGUOUS_POINT'],
    [() => recovery.recoverToLatest({ into, timeline: 7 }), 'ARCHIVE_EMPTY'],
    [() => recovery.recoverToTimestamp('2026-11-28 14:02', { into }), 'INVALID_OPTION'],
    [() => recovery.recoverToTimestamp('yesterday', { into }), 'INVALID_OPTION'],
    [() => db.put('key', '2', { disableWAL: true }), 'PITR_NEEDS_WAL'],
    [() => archive.createRecoveryPoint(''), 'INVALID_OPTION'],
  ] as const) {
    const failure = await failureOf(attempt);
    t.equal(failure.code, code, failure.message);
  }
  t.notOk(existsSync(into));
  t.equal(
    readdirSync(dir()).filter((name) => name.includes('.restore')).length,
    0,
    'nothing is left beside the target',
  );
  t.equal(await db.get('key', { encoding: 'utf8' }), '1');
});

t.test('an archive of two databases', async (t) => {
  const dir = tempDir(t);
  const engine = await BackupEngine.open(placeOf(dir('repository')));
  t.teardown(() => engine.close());
  t.match(await failureOf(() => Database.open(dir('db'), { archive: engine, mode: 'readOnly' })), {
    code: 'INVALID_OPTION',
  });
  t.match(await failureOf(() => Database.open(dir('db'), { archive: engine, rocksdb: { wal_compression: 'kZSTD' } })), {
    code: 'INVALID_OPTION',
  });
  const db = await Database.open(dir('db'), { archive: engine });
  t.equal(typeof db.archive?.status().needsBase, 'boolean');
  await db.close();
  const plain = await Database.open(dir('db'));
  t.equal(plain.archive, undefined);
  await plain.close();
});
