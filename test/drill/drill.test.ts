// A restore drill succeeds if the restored database equals the backup, fails if anything differs, and leaves nothing behind.

import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { digestDatabase } from '../../lib/compare/digest.js';
import { between, planSample } from '../../lib/compare/sample.js';
import {
  type DrillOptions,
  type DrillProgress,
  drillBackup as drillBackupIn,
  drillWith as drillWithIn,
} from '../../lib/drill/drill.js';
import { makeDrillDirectory, removeAbandonedDrills } from '../../lib/drill/drill-directory.js';
import { type BackupEngine, Database } from '../../lib/index.js';
import { fill, openDatabase, openEngine, SLOW, settled } from '../fixtures/backups.js';
import { failureOf, openDb } from '../fixtures/databases.js';
import { damages, filesBelow, snapshotOf, tempDir } from '../fixtures/files.js';
import { diskOnly, onStore } from '../fixtures/place.js';
import { Random } from '../fixtures/random.js';

/** In a store, a drill has no default directory. */
const placed = (engine: BackupEngine, options: DrillOptions): DrillOptions =>
  onStore && typeof options === 'object' && options !== null
    ? { directory: dirname(engine.location), ...options }
    : options;
const drillBackup = (engine: BackupEngine, id: number, options: DrillOptions = {}) =>
  drillBackupIn(engine, id, placed(engine, options));
const drillWith: typeof drillWithIn = (engine, id, options, afterRestore) =>
  drillWithIn(engine, id, placed(engine, options), afterRestore);

interface Scene {
  dir: (...path: string[]) => string;
  db: Database;
  engine: BackupEngine;
}

/** Two backups of a database with two families. Part of the data is only in the log. */
async function scene(t: Test, slow = false): Promise<Scene> {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'), slow ? { restoreRateLimit: SLOW } : {});
  await db.createColumnFamily('users');
  await db.createColumnFamily('empty');
  for (const prefix of ['a', 'b']) {
    await fill(db, prefix, { count: 1500, valueSize: 100 });
    await db.columnFamily('users').put(`${prefix}:1`, 'Ada');
    await engine.createBackup(db);
  }
  return { dir, db, engine };
}

/** Runs a drill in which `change` modifies the restored database before it is compared. */
async function drillOf(engine: BackupEngine, change: (db: Database) => Promise<unknown>, options: DrillOptions = {}) {
  return failureOf(() =>
    drillWith(engine, 1, options, async (path) => {
      const db = await Database.open(path);
      await change(db);
      await db.close();
    }),
  );
}

t.test('a backup that can be restored passes, and nothing is left', async (t) => {
  const { dir, engine, db } = await scene(t);
  // A lease in a store was written and deleted.
  const look = onStore ? filesBelow : snapshotOf;
  const before = look(dir('backups'));
  const names = readdirSync(dir());
  for (const [backupId, keys] of [
    [1, 1501],
    [2, 3002],
  ] as const) {
    const { timestamp } = await engine.getBackupInfo(backupId);
    const result = await drillBackup(engine, backupId);
    t.match(result, { backupId, timestamp, ok: true, keys, sampled: false });
    t.ok(result.durationMs >= result.restoreMs);
    const backup = await engine.openBackup(backupId);
    t.same(result.digest, await digestDatabase(backup));
    await backup.close();
  }
  t.same((await drillBackup(engine, 2)).digest, await digestDatabase(db), 'the database has the same still');
  t.same(readdirSync(dir()), names, 'beside the repository, by default');
  t.same(look(dir('backups')), before, 'the backups are as they were');
  await engine.deleteBackup(2);
});

t.test('a directory that cannot be removed is named, and hides no failure of the drill itself', async (t) => {
  const { engine } = await scene(t);
  const { rm } = promises;
  const failing = () => Promise.reject(new Error('EIO: i/o error, rmdir'));
  Object.assign(promises, { rm: failing });
  t.teardown(() => Object.assign(promises, { rm }));
  await t.rejects(drillBackup(engine, 1), {
    code: 'DRILL_DIRECTORY_UNUSABLE',
    message: /rocksdb-backup-drill-\d+-[0-9a-f]+ of a restore drill could not be removed: EIO/,
  });
  t.equal((await drillOf(engine, (db) => db.put('a', 'b'))).code, 'DRILL_FAILED');
});

t.test('the directory can be told, and is made if it is missing', async (t) => {
  const { dir, engine } = await scene(t);
  let seen: string[] = [];
  await drillWith(engine, 1, { directory: dir('x', 'drills') }, async (path) => {
    seen = readdirSync(dir('x', 'drills'));
    t.ok(path.startsWith(dir('x', 'drills')));
  });
  t.equal(seen.length, 1);
  t.match(seen[0], new RegExp(`^rocksdb-backup-drill-${process.pid}-`));
  t.same(readdirSync(dir('x', 'drills')), []);
});

t.test('where no directory can be made, the drill says so, and what to do', async (t) => {
  const { dir, engine } = await scene(t);
  writeFileSync(dir('file'), '');
  const failure = await failureOf(() => drillBackup(engine, 1, { directory: dir('file') }));
  t.match(failure, { code: 'DRILL_DIRECTORY_UNUSABLE', message: /file.*Nothing was restored; choose another place/ });
  await engine.deleteBackup(1);
});

t.test('whatever is wrong with what was restored is found, and the first key that differs is named', async (t) => {
  const { dir, engine } = await scene(t);
  const names = readdirSync(dir());
  const wrong: [string, (db: Database) => Promise<unknown>, string][] = [
    ['a key is missing', (db) => db.delete('a000700'), 'column family "default", key "a000700": it is missing'],
    ['a value differs', (db) => db.put('a000700', 'other'), 'key "a000700": its value differs'],
    ['a value has become empty', (db) => db.put('a001499', ''), 'key "a001499": its value differs'],
    ['there is one key more', (db) => db.put('a000700+', 'x'), 'key "a000700+": only the restored database has it'],
    [
      'a key of a family is missing',
      (db) => db.columnFamily('users').delete('a:1'),
      'column family "users", key "a:1"',
    ],
    ['an empty family is missing', (db) => db.dropColumnFamily('empty'), 'column family "empty": only one has it'],
    ['a family is missing', (db) => db.dropColumnFamily('users'), 'column family "users", key "a:1": it is missing'],
    ['everything is missing', (db) => db.deleteRange('', 'z'), 'key "a000000": it is missing'],
  ];
  for (const [what, change, words] of wrong) {
    const failure = await drillOf(engine, change);
    t.match(failure, { code: 'DRILL_FAILED', message: /^the drill of backup 1 of 20\d\d-.* failed/ }, what);
    t.ok(failure.message.includes(words), failure.message);
    t.same(readdirSync(dir()), names, 'and nothing is left');
  }
  const outcome = await settled(
    drillWith(engine, 1, {}, async (path) => {
      const db = await Database.open(path);
      await db.deleteRange('a000100', 'a000200');
      await db.close();
    }),
  );
  const { differences } = outcome.error as Error & { differences: { key: Buffer }[] };
  t.equal(differences.length, 10);
  t.equal(String(differences[9]?.key), 'a000109');
});

t.test('a backup that cannot be restored, or is not there, fails the drill, and nothing is left', async (t) => {
  const { dir, engine } = await scene(t);
  const names = readdirSync(dir());
  await t.rejects(drillBackup(engine, 99), { code: 'BACKUP_NOT_FOUND' });
  await t.rejects(drillBackup(engine, 0), { code: 'INVALID_OPTION' });
  const table = filesBelow(dir('backups')).find((path) => path.endsWith('.sst'))!;
  damages.changed(dir('backups', table));
  await t.rejects(drillBackup(engine, 1), { code: 'BACKUP_CORRUPT' });
  const failure = await failureOf(() =>
    drillWith(engine, 2, {}, async (path) => damages.removed(join(path, 'CURRENT'))),
  );
  t.match(failure.code, /^(ROCKSDB_|BACKUP_CORRUPT)/);
  t.same(readdirSync(dir()), names);
});

t.test('a drill can be stopped at any time, and nothing is left', async (t) => {
  const { dir, engine } = await scene(t, true);
  const names = readdirSync(dir());
  const reason = new Error('enough');
  await t.rejects(drillBackup(engine, 1, { signal: AbortSignal.abort(reason) }), reason);
  const restoring = new AbortController();
  const onProgress = ({ phase, done }: DrillProgress) => phase === 'restore' && done > 0 && restoring.abort(reason);
  await t.rejects(drillBackup(engine, 1, { signal: restoring.signal, onProgress }), reason);
  t.same(readdirSync(dir()), names);

  const fast = await openEngine(t, dir('backups'));
  for (const last of ['backup', 'restored']) {
    const reading = new AbortController();
    const stop = ({ phase }: DrillProgress) => phase === last && reading.abort(reason);
    await t.rejects(
      drillBackup(fast, 2, { signal: reading.signal, onProgress: stop }),
      reason,
      `while reading: ${last}`,
    );
    t.same(readdirSync(dir()), names);
  }
  await fast.deleteBackup(2);
});

t.test('progress goes from the restore to the keys of both', async (t) => {
  const { engine } = await scene(t);
  const phases: string[] = [];
  const onProgress = ({ phase, done, total }: DrillProgress) => {
    if (phases.at(-1) !== phase) phases.push(phase);
    if (done > total) t.fail(`${done} of ${total}`);
  };
  await drillBackup(engine, 2, { onProgress });
  t.same(phases, ['restore', 'backup', 'restored']);
});

t.test('while it is drilled, a backup is not deleted', async (t) => {
  const { engine } = await scene(t);
  await drillWith(engine, 1, {}, async () => {
    await t.rejects(engine.deleteBackup(1), { code: 'BACKUP_IN_USE' });
  });
  await engine.deleteBackup(1);
});

t.test('wrong options are refused before anything is made', async (t) => {
  const { dir, engine } = await scene(t);
  const names = readdirSync(dir());
  const wrong: unknown[] = [
    { sample: 0 },
    { sample: -1 },
    { sample: 1.5 },
    { sample: Number.NaN },
    { sample: '10%' },
    { directory: '' },
    { directory: 7 },
    { onProgress: true },
    { smaple: 0.5 },
    null,
  ];
  for (const options of wrong) {
    await t.rejects(
      drillBackup(engine, 1, options as DrillOptions),
      { code: 'INVALID_OPTION' },
      JSON.stringify(options),
    );
  }
  t.same(readdirSync(dir()), names);
});

t.test('a sample reads about as much as it is told to, of all families, and finds what differs there', async (t) => {
  const { engine } = await scene(t);
  const tenth = await drillBackup(engine, 2, { sample: 0.1 });
  t.ok(tenth.sampled);
  t.ok(tenth.keys > 50 && tenth.keys < 700, `${tenth.keys} keys of 3002`);
  t.same(
    tenth.digest.columnFamilies.map(({ name, keys }) => [name, keys > 0]),
    [
      ['default', true],
      ['empty', false],
      ['users', true],
    ],
  );
  const some = await drillBackup(engine, 2, { sample: 300 });
  t.ok(some.keys > 50 && some.keys < 700, `${some.keys} keys`);
  for (const sample of [1, 1_000_000]) {
    t.match(await drillBackup(engine, 2, { sample }), { keys: 3002, sampled: false }, 'all there is');
  }
  const most = await drillBackup(engine, 2, { sample: 0.99 });
  t.ok(
    most.keys > 1000 && most.keys <= 3002,
    `${most.keys} keys: runs of about the same length, of parts that are not`,
  );
  const failure = await drillOf(engine, (db) => db.deleteRange('a000000', 'a001400'), { sample: 0.5 });
  t.match(failure, { code: 'DRILL_FAILED', message: /key "a000000": it is missing/ });
});

for (const comparator of ['bytewise', 'reverseBytewise'] as const) {
  t.test(`samples are spread over the data, and in order: ${comparator}`, async (t) => {
    const random = Random.of(t);
    const db = await openDb(t, tempDir(t)('db'), { comparator, compression: 'none' });
    // Keys that are not spread evenly: most of them have a long common prefix.
    const keyOf = (n: number) => `tenant/0000000001/user/${String(n).padStart(8, '0')}`;
    for (let n = 0; n < 20_000; n += 1000) {
      const batch = db.batch();
      for (let m = n; m < n + 1000; m++) batch.put(keyOf(m), 'v'.repeat(200));
      await batch.write();
      await db.flush();
    }
    await db.put('a', 'first');
    await db.put('z', 'last');
    await db.flush();
    const sample = (await planSample(db, 0.1, () => random.next()))!;
    const runs = sample.runs.get('default')!;
    t.ok(runs.length >= 15, `${runs.length} runs`);
    t.equal(String(runs[0]!.from), 'a');
    t.equal(String(runs.at(-1)!.from), 'z');
    for (const [n, { from, to }] of runs.entries()) {
      if (to !== undefined && Buffer.compare(from, to) >= 0) t.fail('an empty run');
      if (n > 0 && Buffer.compare(runs[n - 1]!.to!, from) > 0) t.fail('runs overlap');
    }
    const quarters = new Set(runs.slice(1, -1).map(({ from }) => Math.floor(Number(String(from).slice(-8)) / 5000)));
    t.equal(quarters.size, 4, 'from all quarters of the keys');
    const { keys } = await digestDatabase(db, { sample });
    t.ok(keys > 1000 && keys < 3000, `${keys} keys of 20002`);
    const other = (await planSample(db, 0.1, () => random.next()))!;
    t.notSame(other.runs.get('default'), runs, 'at other places each time');
  });
}

t.test('what lies between two keys lies between them', async (t) => {
  const random = Random.of(t);
  let found = 0;
  for (let n = 0; n < 5000; n++) {
    const bytes = () => Buffer.from(Array.from({ length: random.below(10) }, () => random.pick([0, 1, 97, 98, 255])));
    const [from, to] = [bytes(), bytes()].sort(Buffer.compare) as [Buffer, Buffer];
    if (from.equals(to)) continue;
    const middle = between(from, to, random.next());
    if (middle === undefined) continue;
    found++;
    if (Buffer.compare(from, middle) >= 0 || Buffer.compare(middle, to) >= 0) {
      t.fail(`${middle.toString('hex')} between ${from.toString('hex')} and ${to.toString('hex')}`);
    }
  }
  t.ok(found > 3000, `${found} found`);
  t.equal(between(Buffer.from('a'), Buffer.from('a\0'), 0.5), undefined);
});

// ── What killed drills leave behind ─────────────────────────────────────────────────────────────────────────────────

const gone = 2 ** 22 + 1; // no process has such a high pid

function leftOver(parent: string, name: string, marker: unknown): string {
  mkdirSync(join(parent, name, 'db'), { recursive: true });
  writeFileSync(join(parent, name, 'db', 'CURRENT'), 'MANIFEST-000001\n');
  if (marker !== undefined) writeFileSync(join(parent, name, 'rocksdb-backup.drill.json'), JSON.stringify(marker));
  return name;
}

t.test('what drills left whose process is gone is removed, and nothing else', async (t) => {
  const dir = tempDir(t);
  const id = '0123456789abcdef';
  const host = hostname();
  const marker = { drill: id, pid: gone, host };
  const abandoned = leftOver(dir(), `rocksdb-backup-drill-${gone}-${id}`, marker);
  const reborn = leftOver(dir(), `rocksdb-backup-drill-${process.pid}-${id}`, { ...marker, pid: process.pid });
  const others = [
    leftOver(dir(), `rocksdb-backup-drill-${gone}-1111111111111111`, undefined),
    leftOver(dir(), `rocksdb-backup-drill-${gone}-2222222222222222`, marker),
    leftOver(dir(), `rocksdb-backup-drill-${gone}-${id}.bak`, marker),
    leftOver(dir(), `x-rocksdb-backup-drill-${gone}-${id}`, marker),
    leftOver(dir(), `rocksdb-backup-drill-${gone + 1}-${id}`, marker),
    leftOver(dir(), `rocksdb-backup-drill-${process.ppid}-${id}`, { ...marker, pid: process.ppid }),
    leftOver(dir(), 'rocksdb-backup-drill-3333333333333333', marker),
    leftOver(dir(), `rocksdb-backup-drill-${gone}-4444444444444444`, {
      drill: '4444444444444444',
      pid: gone,
      host: 'other',
    }),
    leftOver(dir(), `rocksdb-backup-drill-${gone}-5555555555555555`, 'nonsense'),
    leftOver(dir(), `rocksdb-backup-drill-${gone}-8888888888888888`, undefined),
  ];
  if (process.platform !== 'win32') {
    execFileSync('mkfifo', [dir(others.at(-1) as string, 'rocksdb-backup.drill.json')]);
  }
  const linked = `rocksdb-backup-drill-${gone}-6666666666666666`;
  leftOver(dir('elsewhere'), 'real', { drill: '6666666666666666', pid: gone, host });
  symlinkSync(dir('elsewhere', 'real'), dir(linked));
  const file = `rocksdb-backup-drill-${gone}-7777777777777777`;
  writeFileSync(dir(file), '');

  const live = await makeDrillDirectory(dir());
  t.same((await removeAbandonedDrills(dir())).sort(), [dir(abandoned), dir(reborn)].sort());
  for (const name of [...others, linked, file]) t.ok(existsSync(dir(name)), `${name} stays`);
  t.ok(existsSync(dir('elsewhere', 'real', 'db', 'CURRENT')));
  t.ok(existsSync(live.path), 'a drill of this process that is running stays');
  await live.remove();
  t.notOk(existsSync(live.path));
  t.same(await removeAbandonedDrills(dir('missing')), []);
});

t.test('what a killed drill left is removed by the next one', { skip: diskOnly }, async (t) => {
  const { dir, engine } = await scene(t);
  const names = readdirSync(dir());
  const child: ChildProcess = fork(join(__dirname, '..', 'fixtures', 'drill-main.js'), [dir('backups')], {
    stdio: 'inherit',
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  t.equal(readdirSync(dir()).length, names.length + 1, 'it is in the middle of its drill');
  await drillBackup(engine, 1);
  t.equal(readdirSync(dir()).length, names.length + 1, 'while it lives, it is left alone');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await drillBackup(engine, 1);
  t.same(readdirSync(dir()), names);
});
