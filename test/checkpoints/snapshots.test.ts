// Checkpoints appear only when they are complete, are not confused with other things beside a database, and are deleted only when they
// should be.

import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  createSnapshot,
  deleteSnapshot,
  listSnapshots,
  pinSnapshot,
  planSnapshots,
  pruneSnapshots,
  unpinSnapshot,
} from '../../lib/checkpoints/snapshots.js';
import { Database } from '../../lib/index.js';
import { contentsAt, contentsOf, fill, openDatabase } from '../fixtures/backups.js';
import { failureOf, openDb } from '../fixtures/databases.js';
import { bytesBelow, snapshotOf, tempDir } from '../fixtures/files.js';

async function scene(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a');
  return { dir, db };
}

const names = async (path: string) => (await listSnapshots(path)).map(({ name }) => name);

t.test('a snapshot is a database of what was there, beside it', async (t) => {
  const { dir, db } = await scene(t);
  t.same(await listSnapshots(dir('db')), []);
  const then = await contentsOf(db);
  const made = await createSnapshot(db, { note: 'before the migration' });
  await fill(db, 'b');
  t.equal(made.path, dir('db.snapshots', made.name));
  t.match(made.name, /^\d{8}T\d{9}Z$/);
  t.match(made, { order: 1, note: 'before the migration', pinned: false, timestamp: Date });
  t.equal(made.timestamp.toISOString().replace(/[-:.]/g, ''), made.name);
  const second = await createSnapshot(db);
  t.same(await names(dir('db')), [made.name, second.name]);
  t.equal(second.order, 2);
  await db.close();
  t.same(await names(dir('db')), [made.name, second.name], 'also of a database that is closed');
  t.same(await names(`${dir('db')}/`), [made.name, second.name]);
  t.same(await contentsAt(made.path), then);
  t.equal(Object.keys(await contentsAt(second.path)).length, 40);
});

t.test('own bytes are those that deleting frees', async (t) => {
  const { dir, db } = await scene(t);
  const { name, size, ownBytes } = await createSnapshot(db);
  t.equal(size, bytesBelow(dir('db.snapshots', name)), 'the size is that of all files');
  t.ok(ownBytes < 5000, `${ownBytes} bytes: the table is the database's as well`);
  await createSnapshot(db);
  await db.deleteRange('', 'z');
  await db.compactRange();
  const shared = await listSnapshots(dir('db'));
  t.ok(shared[0]!.ownBytes < 5000, 'the database has dropped the table, but another snapshot has it');
  t.ok(planSnapshots(shared, { last: 9 }, new Date()).bytesBefore > 20_000, 'which both together take');
  t.ok(planSnapshots(shared, { last: 9 }, new Date()).bytesBefore < 40_000, 'once');
  await deleteSnapshot(dir('db'), shared[1]!.name);
  const [left] = await listSnapshots(dir('db'));
  t.ok(left!.ownBytes > 20_000, 'now it is the only one');
});

t.test('many at once all appear, each by a name and a place of its own', async (t) => {
  const { dir, db } = await scene(t);
  const made = await Promise.all(Array.from({ length: 8 }, () => createSnapshot(db)));
  const listed = await listSnapshots(dir('db'));
  t.same(listed.map(({ name }) => name).sort(), made.map(({ name }) => name).sort());
  t.same(
    listed.map(({ order }) => order),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
});

t.test('nothing but a snapshot is listed, deleted or pinned', async (t) => {
  const { dir, db } = await scene(t);
  const { name } = await createSnapshot(db);
  const place = dir('db.snapshots');
  const marker = 'rocksdb-backup.snapshot.json';
  const make = (path: string, ...files: string[]) => {
    mkdirSync(path, { recursive: true });
    for (const file of files) writeFileSync(join(path, file), '{"version":1,"order":9,"pinned":false}');
  };
  make(join(place, '20260101T000000000Z'), 'CURRENT');
  make(join(place, '20260102T000000000Z'), marker);
  make(join(place, '20261399T000000000Z'), 'CURRENT', marker);
  make(join(place, 'my-data'), 'CURRENT', marker);
  make(dir('elsewhere'), 'CURRENT', marker);
  symlinkSync(dir('elsewhere'), join(place, '20260103T000000000Z'));
  writeFileSync(join(place, '20260104T000000000Z'), '');
  make(join(place, '20260105T000000000Z'), 'CURRENT');
  if (process.platform !== 'win32') {
    execFileSync('mkfifo', [join(place, '20260105T000000000Z', marker)]);
  }
  t.same(await names(dir('db')), [name]);
  const before = snapshotOf(dir('elsewhere'));
  for (const other of readdirSync(place).filter((other) => other !== name)) {
    const refused = await failureOf(() => deleteSnapshot(dir('db'), other));
    t.match(refused.code, /^(INVALID_OPTION|SNAPSHOT_NOT_FOUND)$/, `${other} is not deleted`);
    await t.rejects(pinSnapshot(dir('db'), other));
    t.ok(existsSync(join(place, other)));
  }
  for (const hostile of [
    '',
    '.',
    '..',
    '../db',
    `../db.snapshots/${name}`,
    `${name}/`,
    `./${name}`,
    '/',
    `${name}\0`,
    7,
    null,
  ]) {
    for (const attempt of [deleteSnapshot, pinSnapshot, unpinSnapshot]) {
      await t.rejects(attempt(dir('db'), hostile as string), { code: 'INVALID_OPTION' }, `${attempt.name} ${hostile}`);
    }
  }
  await t.rejects(deleteSnapshot(dir('db'), '20200101T000000000Z'), { code: 'SNAPSHOT_NOT_FOUND' });
  await t.rejects(listSnapshots(''), { code: 'INVALID_OPTION' });
  await t.rejects(createSnapshot(db, { notes: 'x' } as object), { code: 'INVALID_OPTION' });
  await t.rejects(listSnapshots(dir('db'), { note: 'x' } as object), { code: 'INVALID_OPTION' });
  await t.rejects(createSnapshot(db, { directory: '' }), { code: 'INVALID_OPTION' });
  t.same(snapshotOf(dir('elsewhere')), before);
  await deleteSnapshot(dir('db'), name);
  t.same(await names(dir('db')), []);
  t.same(Object.keys(await contentsOf(db)).length, 20, 'the database has what it had');
});

t.test('a snapshot that is open is not deleted', async (t) => {
  const { dir, db } = await scene(t);
  const { name, path } = await createSnapshot(db);
  const opened = await openDb(t, path);
  await t.rejects(deleteSnapshot(dir('db'), name), { code: 'DATABASE_IN_USE' });
  t.same(await names(dir('db')), [name]);
  await opened.close();
  await deleteSnapshot(dir('db'), name);
  t.same(await names(dir('db')), []);
});

t.test('one that cannot be opened any more can be deleted', async (t) => {
  const { dir, db } = await scene(t);
  const { name } = await createSnapshot(db);
  for (const file of readdirSync(dir('db.snapshots', name))) {
    if (/^MANIFEST/.test(file)) rmSync(dir('db.snapshots', name, file));
  }
  await deleteSnapshot(dir('db'), name);
  t.same(await names(dir('db')), []);
});

t.test('a pinned one stays until it is unpinned', async (t) => {
  const { dir, db } = await scene(t);
  const { name } = await createSnapshot(db, { note: 'first' });
  await pinSnapshot(dir('db'), name);
  t.match(await listSnapshots(dir('db')), [{ pinned: true, note: 'first' }]);
  await t.rejects(
    pinSnapshot(dir('db'), name, { note: 5 } as object),
    TypeError,
    'what would be dropped when it is read is refused',
  );
  await pinSnapshot(dir('db'), name, { note: 'the audit needs it' });
  t.match(await listSnapshots(dir('db')), [{ pinned: true, note: 'the audit needs it' }]);
  await t.rejects(deleteSnapshot(dir('db'), name), { code: 'SNAPSHOT_PINNED' });
  await createSnapshot(db);
  t.same(await pruneSnapshots(dir('db'), { last: 1 }, new Date()), []);
  await unpinSnapshot(dir('db'), name);
  t.same(await pruneSnapshots(dir('db'), { last: 1 }, new Date()), [name]);
});

t.test('one whose marker is damaged counts as pinned', async (t) => {
  const { dir, db } = await scene(t);
  const { name, path } = await createSnapshot(db);
  await createSnapshot(db);
  writeFileSync(join(path, 'rocksdb-backup.snapshot.json'), '{');
  t.match((await listSnapshots(dir('db')))[0], { name, pinned: true, note: /damaged/ });
  t.same(await pruneSnapshots(dir('db'), { last: 1 }, new Date()), []);
});

t.test('pruning follows the order in which they were made, not the clock, and keeps the newest', async (t) => {
  const { dir, db } = await scene(t);
  for (let n = 0; n < 5; n++) await createSnapshot(db);
  const made = await names(dir('db'));
  // The clock was set back before the fourth was made.
  renameSync(dir('db.snapshots', made[3]!), dir('db.snapshots', '20200101T000000000Z'));
  t.same(await pruneSnapshots(dir('db'), { last: 2 }, new Date()), made.slice(0, 3));
  t.same(await names(dir('db')), ['20200101T000000000Z', made[4]]);
  await t.rejects(pruneSnapshots(dir('db'), { last: 0 }, new Date()), { code: 'INVALID_OPTION' });
  t.same(await pruneSnapshots(dir('db'), { maxBackups: 1 }, new Date()), ['20200101T000000000Z']);
});

t.test('a snapshot that somebody reads is left for another time, and the others go', async (t) => {
  const { dir, db } = await scene(t);
  const made: string[] = [];
  for (let n = 0; n < 3; n++) made.push((await createSnapshot(db)).name);
  const read = await Database.open(dir('db.snapshots', made[0]!));
  t.same(await pruneSnapshots(dir('db'), { last: 1 }, new Date()), [made[1]]);
  await read.close();
  t.same(await pruneSnapshots(dir('db'), { last: 1 }, new Date()), [made[0]]);
  t.same(await names(dir('db')), [made[2]]);
});

t.test('what a killed process left is removed by the next one, and never listed', async (t) => {
  const { dir, db } = await scene(t);
  const place = dir('db.snapshots');
  const gone = 2 ** 22 + 1; // no process has such a high pid
  const left = [
    `.making-20260101T000000000Z-${gone}-0123456789abcdef`,
    `.making-20260101T000000000Z-${gone}-0123456789abcdef.tmp`,
    `.deleting-20260101T000000000Z-${gone}-0123456789abcdef`,
  ];
  const others = [`.making-20260101T000000000Z-${process.ppid}-0123456789abcdef`, '.making-x', `.making-${gone}`];
  for (const name of [...left, ...others]) {
    mkdirSync(join(place, name), { recursive: true });
    writeFileSync(join(place, name, 'CURRENT'), '');
  }
  t.same(await names(dir('db')), []);
  const { name } = await createSnapshot(db);
  t.same(await names(dir('db')), [name]);
  for (const path of left) t.notOk(existsSync(join(place, path)), path);
  for (const path of others) t.ok(existsSync(join(place, path)), path);
});

t.test('the directory can be told', async (t) => {
  const { dir, db } = await scene(t);
  const directory = dir('x', 'snapshots');
  const { name, path } = await createSnapshot(db, { directory });
  t.equal(path, join(directory, name));
  t.same(await names(dir('db')), []);
  t.same((await listSnapshots(dir('db'), { directory })).length, 1);
  await pinSnapshot(dir('db'), name, { directory });
  await unpinSnapshot(dir('db'), name, { directory });
  await deleteSnapshot(dir('db'), name, { directory });
  t.same(await listSnapshots(dir('db'), { directory }), []);
});

t.test('a checkpoint that fails leaves nothing', async (t) => {
  const { dir, db } = await scene(t);
  await db.close();
  await t.rejects(createSnapshot(db), { code: 'DATABASE_CLOSED' });
  t.same(
    readdirSync(dir('db.snapshots')).filter((name) => !name.endsWith('.lock')),
    [],
  );
});

t.test('a database behind a link has its snapshots beside itself', async (t) => {
  const { dir, db } = await scene(t);
  symlinkSync(dir('db'), dir('link'));
  const through = dir('link');
  await db.close();
  const again = await Database.open(through);
  t.teardown(() => again.close());
  const { path, name } = await createSnapshot(again);
  t.equal(path, dir('db.snapshots', name));
  t.same(await names(through), [name]);
  linkSync(join(path, 'CURRENT'), dir('another-link'));
  t.equal((await listSnapshots(through)).length, 1);
});
