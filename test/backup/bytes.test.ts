// Progress in special cases: other layouts, excluded files, files of the same name; and stops at any event.

import { rmSync } from 'node:fs';
import t from 'tap';
import { type BackupEngineOptions, type Progress, RateLimiter } from '../../lib/index.js';
import {
  contentsAt,
  contentsOf,
  fill,
  isBackupData,
  keyOf,
  openDatabase,
  openEngine,
  settled,
} from '../fixtures/backups.js';
import { bytesBelow, filesBelow, tempDir } from '../fixtures/files.js';

const layouts: BackupEngineOptions[] = [
  { shareFilesWithChecksum: false },
  { shareTableFiles: false },
  { shareFilesWithChecksumNaming: 'legacyCrc32cAndFileSize' },
  { includeFileSizeInName: false },
  { backupLogFiles: false },
  { maxBackgroundOperations: 1, sync: false, callbackTriggerIntervalSize: 1 },
];

for (const options of layouts) {
  t.test(`bytes are exact with ${JSON.stringify(options)}`, async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'));
    const engine = await openEngine(t, dir('backups'), options);
    for (let round = 0; round < 2; round++) {
      await fill(db, `round${round}-`, { count: 100 });
      await fill(db, `logged${round}-`, { flush: false });
      const before = filesBelow(dir('backups')).filter(isBackupData);
      const events: Progress[] = [];
      await engine.createBackup(db, { onProgress: (event) => events.push(event) });
      const added = filesBelow(dir('backups')).filter((path) => isBackupData(path) && !before.includes(path));
      t.equal(events[0]!.bytesDone, 0);
      t.match(events.at(-1), {
        bytesDone: bytesBelow(dir('backups'), (path) => added.includes(path)),
        bytesTotal: events.at(-1)!.bytesDone,
        filesDone: added.length,
        filesTotal: added.length,
      });
      for (const [n, event] of events.entries()) {
        if (event.bytesDone > event.bytesTotal || event.bytesDone < (events[n - 1]?.bytesDone ?? 0)) {
          t.fail(`event ${n} of ${events.length} is out of order`);
        }
      }
    }
  });
}

t.test('another database’s files of the same name and size are not taken for copied ones', async (t) => {
  const dir = tempDir(t);
  const engine = await openEngine(t, dir('backups'), { backupRateLimit: 400_000, maxBackgroundOperations: 1 });
  for (const name of ['one', 'two']) {
    const db = await openDatabase(t, dir(name), { compression: 'none' });
    for (let n = 0; n < 100; n++) await db.put(keyOf('k', n), Buffer.alloc(1000, name));
    await db.flush();
    const before = bytesBelow(dir('backups'), isBackupData);
    const events: Progress[] = [];
    await engine.createBackup(db, { allowOtherDatabase: true, onProgress: (event) => events.push(event) });
    const middle = events.filter((event) => event.bytesDone > 50_000 && event.phase === 'copy');
    const written = bytesBelow(dir('backups'), isBackupData) - before;
    t.ok(written > 100_000);
    t.match(events.at(-1), { bytesDone: written, bytesTotal: written });
    t.ok(middle.length > 0);
    t.ok(
      middle.every((event) => event.bytesTotal === written),
      'and the total says so as soon as it is known',
    );
  }
});

t.test('excluded files count in no total, and those that alternates give count in the restore', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  for (const prefix of ['a', 'b', 'c']) await fill(db, prefix, { count: 100 });
  const alternate = await openEngine(t, dir('alternate'));
  await alternate.createBackup(db);
  const engine = await openEngine(t, dir('backups'), { schemaVersion: 2 });
  const events: Progress[] = [];
  const onProgress = (event: Progress) => events.push(event);
  const { size } = await engine.createBackup(db, { onProgress, excludeFiles: (files) => files.slice(1) });
  const written = bytesBelow(dir('backups'), isBackupData);
  t.equal(size, written);
  t.match(events.at(-1), { bytesDone: written, bytesTotal: written });
  const committing = events.find((event) => event.phase === 'commit')!;
  t.match(
    committing,
    { bytesDone: written, bytesTotal: written, filesDone: committing.filesTotal },
    'before the end too',
  );

  events.length = 0;
  await engine.verifyBackup(1, { checksum: true, onProgress });
  t.match(events.at(-1), { bytesDone: written, bytesTotal: written });

  events.length = 0;
  await engine.restoreBackup(1, dir('restored'), { alternates: [alternate], onProgress });
  const restored = bytesBelow(dir('restored'));
  t.ok(restored > written + 200_000);
  t.match(events[0], { bytesDone: 0, bytesTotal: restored });
  t.match(events.at(-1), { bytesDone: restored, bytesTotal: restored });
});

t.test(
  'an abort at any event of a backup, verify or restore either ends it without a trace or comes too late',
  async (t) => {
    const dir = tempDir(t);
    const db = await openDatabase(t, dir('db'));
    await fill(db, 'a', { count: 100 });
    const contents = await contentsOf(db);
    // A tenth of a second each, because JS is told of an event a moment later. The test waits for the first event: a stop there is never
    // too late.
    const limit = new RateLimiter({ bytesPerSecond: 1_000_000, mode: 'all' });
    const engine = await openEngine(t, dir('backups'), { backupRateLimit: limit, restoreRateLimit: limit });
    await engine.createBackup(db);
    const clean = filesBelow(dir('backups'));
    const operations = {
      create: (signal: AbortSignal, onProgress: () => void) =>
        engine.createBackup(db, { signal, onProgress, flushBeforeBackup: true }),
      verify: (signal: AbortSignal, onProgress: () => void) =>
        engine.verifyBackup(1, { signal, onProgress, checksum: true }),
      restore: (signal: AbortSignal, onProgress: () => void) =>
        engine.restoreBackup(1, dir('restored'), { signal, onProgress }),
    };
    for (const [name, run] of Object.entries(operations)) {
      let stopped = 0;
      let last = false;
      for (let at = 1; !last; at++) {
        const abort = new AbortController();
        let events = 0;
        if (at === 1) limit.bytesPerSecond = 5000;
        const { error } = await settled<unknown>(
          run(abort.signal, () => {
            if (++events === at) abort.abort(`event ${at}`);
            limit.bytesPerSecond = 1_000_000;
          }),
        );
        last = !abort.signal.aborted;
        if (error !== undefined) {
          stopped++;
          t.equal(error as unknown, `event ${at}`);
          t.same(filesBelow(dir('backups')), clean);
          t.same(filesBelow(dir('restored')), []);
        } else if (name === 'create') {
          await engine.deleteBackup((await engine.getLatestBackupInfo())!.backupId);
        } else if (name === 'restore') {
          t.same(await contentsAt(dir('restored')), contents);
          rmSync(dir('restored'), { recursive: true });
        }
      }
      t.ok(stopped > 0, `${name} was stopped ${stopped} times`);
    }
  },
);

t.test('onProgress that throws at any event makes the operation reject with it', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { count: 100 });
  const engine = await openEngine(t, dir('backups'));
  let thrown = true;
  for (let at = 1; thrown; at++) {
    thrown = false;
    let events = 0;
    const { error } = await settled(
      engine.createBackup(db, {
        onProgress: () => {
          if (++events !== at) return;
          thrown = true;
          throw new Error(`event ${at}`);
        },
      }),
    );
    t.equal(error?.message, thrown ? `event ${at}` : undefined);
    for (const { backupId } of await engine.getBackupInfo()) await engine.verifyBackup(backupId, { checksum: true });
    t.same(await engine.getCorruptedBackups(), [], 'what is in the list is whole');
  }
});
