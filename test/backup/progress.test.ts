// Progress is exact to the byte: for backups, verifies and restores, also small ones.

import t, { type Test } from 'tap';
import type { LongOperation, Progress } from '../../lib/index.js';
import { fill, isBackupData, openDatabase, openEngine } from '../fixtures/backups.js';
import { bytesBelow, filesBelow, tempDir } from '../fixtures/files.js';

/** Runs an operation and checks everything that must hold for the events of every operation. */
async function watch<T>(
  t: Test,
  start: (operation: LongOperation) => Promise<T>,
  phases: RegExp,
): Promise<{ result: T; last: Progress; events: Progress[] }> {
  const events: Progress[] = [];
  const began = performance.now();
  const result = await start({ onProgress: (progress) => events.push(progress) });
  const elapsed = performance.now() - began;
  const first = events[0]!;
  const last = events.at(-1)!;
  t.equal(first.bytesDone, 0, 'the first event is at 0');
  t.equal(first.filesDone, 0);
  t.equal(last.bytesDone, last.bytesTotal, 'the last event is at 100 %');
  t.equal(last.filesDone, last.filesTotal);
  t.match([...new Set(events.map((event) => event.phase))].join(), phases);
  for (const [n, event] of events.entries()) {
    const before = events[n - 1] ?? event;
    if (event.bytesDone < before.bytesDone || event.filesDone < before.filesDone) t.fail(`event ${n} goes back`);
    if (event.bytesDone > event.bytesTotal || event.filesDone > event.filesTotal)
      t.fail(`event ${n} is beyond the total`);
    if (!(event.secondsLeft >= 0) || !(event.bytesPerSecond >= 0)) t.fail(`event ${n} has an impossible speed`);
  }
  // One event for each phase, the first, the last, and twenty a second between them.
  t.ok(events.length <= elapsed / 50 + 6, `${events.length} events in ${elapsed} ms`);
  return { result, last, events };
}

t.test('a backup tells exactly the bytes and files that it writes, full and incremental', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  const data = () => bytesBelow(dir('backups'), isBackupData);
  const files = () => filesBelow(dir('backups')).filter(isBackupData).length;
  for (const [round, count] of [2000, 3, 500].entries()) {
    await fill(db, `round${round}-`, { count });
    await fill(db, `logged${round}-`, { count: 5, flush: false });
    const before = { bytes: data(), files: files() };
    const { result, last, events } = await watch(t, (options) => engine.createBackup(db, options), /^copy,commit$/);
    t.equal(last.bytesDone, data() - before.bytes, `${last.bytesDone} bytes`);
    t.equal(last.filesDone, files() - before.files, `${last.filesDone} files`);
    t.equal(events[0]!.bytesTotal, last.bytesTotal, 'the total was right from the start');
    t.equal(events[0]!.filesTotal, last.filesTotal);
    t.ok(round === 0 ? last.bytesDone === result.size : last.bytesDone < result.size);
  }
});

t.test('a backup that flushes first says so, and goes on with exact bytes', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a', { count: 300, flush: false });
  const { last } = await watch(
    t,
    (options) => engine.createBackup(db, { ...options, flushBeforeBackup: true }),
    /^flush,copy,commit$/,
  );
  t.equal(last.bytesDone, bytesBelow(dir('backups'), isBackupData));
});

t.test('backup, verify and restore of three keys begin at 0 and end at 100 %', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  for (const key of ['a', 'b', 'c']) await db.put(key, key);
  const created = await watch(t, (options) => engine.createBackup(db, options), /^copy,commit$/);
  t.equal(created.last.bytesDone, bytesBelow(dir('backups'), isBackupData));
  await watch(t, (options) => engine.verifyBackup(1, { ...options, checksum: true }), /^verify$/);
  const restored = await watch(t, (options) => engine.restoreBackup(1, dir('restored'), options), /^restore,commit$/);
  t.equal(restored.last.bytesDone, bytesBelow(dir('restored')));
});

t.test('verify and restore tell exactly the bytes that they read and write', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  for (const prefix of ['a', 'b']) await fill(db, prefix, { count: 1500 });
  const { size, numberFiles } = await engine.createBackup(db);
  const verified = await watch(t, (o) => engine.verifyBackup(1, { ...o, checksum: true }), /^verify$/);
  t.match(verified.last, { bytesDone: size, filesDone: numberFiles });
  t.match(verified.events[0], { bytesTotal: size, filesTotal: numberFiles });
  const restored = await watch(t, (o) => engine.restoreBackup(1, dir('restored'), o), /^restore,commit$/);
  t.match(restored.last, { bytesDone: size, filesDone: numberFiles });
  t.match(restored.events[0], { bytesTotal: size, filesTotal: numberFiles });
  t.equal(bytesBelow(dir('restored')), size);
  const latest = await watch(t, (o) => engine.restoreLatestBackup(dir('latest'), o), /^restore,commit$/);
  t.equal(latest.last.bytesDone, size);
  await watch(t, (o) => engine.verifyBackup(1, o), /^verify$/); // it reads nothing, but still has a first and a last event
});

t.test('a slow backup tells its speed, the time left, and the file it is at', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  for (const prefix of ['a', 'b', 'c', 'd']) await fill(db, prefix, { count: 150 });
  const engine = await openEngine(t, dir('backups'), { backupRateLimit: 1_000_000 });
  const { events } = await watch(t, (options) => engine.createBackup(db, options), /^copy,commit$/);
  const middle = events.filter((event) => event.bytesDone > 0 && event.bytesDone < event.bytesTotal);
  t.ok(middle.length > 0, `${middle.length} events in the middle`);
  t.ok(middle.every((event) => event.file !== ''));
  t.ok(middle.at(-1)!.bytesPerSecond > 0);
  t.ok(Number.isFinite(middle.at(-1)!.secondsLeft));
});

t.test('of hundreds of files, no more is told than twenty times a second', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'), { rocksdb: { target_file_size_base: 2048 } });
  await fill(db, 'a', { count: 800 });
  await db.compactRange({ bottommostLevelCompaction: 'force' });
  const engine = await openEngine(t, dir('backups'));
  const { result } = await watch(t, (options) => engine.createBackup(db, options), /^copy,commit$/);
  t.ok(result.numberFiles > 100, `${result.numberFiles} files`);
  await watch(t, (options) => engine.verifyBackup(1, { ...options, checksum: true }), /^verify$/);
  await watch(t, (options) => engine.restoreBackup(1, dir('restored'), options), /^restore,commit$/);
});
