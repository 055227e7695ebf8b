// Says what a backup would copy, without making one.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type Database, planBackup } from '../../lib/index.js';
import { fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';

async function scene(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  for (const prefix of ['a', 'b']) await fill(db, prefix);
  const engine = await openEngine(t, dir('backups'));
  return { dir, db, engine };
}

t.test('a plan says what the backup then copies, byte for byte', async (t) => {
  const { dir, db, engine } = await scene(t);
  const tables = (plan: Awaited<ReturnType<typeof planBackup>>, wanted: boolean) =>
    plan.files.filter(({ name, copied }) => name.endsWith('.sst') && copied === wanted).length;
  for (const [round, kind] of (['full', 'incremental'] as const).entries()) {
    await fill(db, `round${round}`);
    await db.put('logged', randomBytes(10_000));
    const plan = await planBackup(db, dir('backups'));
    let copied = 0;
    const { size, logBytes, databaseId } = await engine.createBackup(db, {
      onProgress: ({ bytesDone }) => {
        copied = bytesDone;
      },
    });
    t.match(plan, { kind, bytesToCopy: copied, bytesShared: size - copied, logBytes, databaseId, fits: true });
    t.same([tables(plan, true), tables(plan, false)], round === 0 ? [3, 0] : [1, 3]);
  }
  const full = await planBackup(db, dir('backups'), { full: true });
  t.match(full, { kind: 'full', bytesShared: 0 });
  await t.rejects(planBackup(await other(t, dir('other')), dir('backups')), { code: 'DATABASE_DIFFERS' });
});

async function other(t: Test, path: string): Promise<Database> {
  const db = await openDatabase(t, path);
  await fill(db, 'a');
  return db;
}

t.test('wrong arguments are refused', async (t) => {
  const { dir, db } = await scene(t);
  await t.rejects(planBackup({} as Database, dir('backups')), { code: 'INVALID_OPTION' });
  await t.rejects(planBackup(db, ''), { code: 'INVALID_OPTION' });
  await t.rejects(planBackup(db, dir('db')), { code: 'INVALID_OPTION', message: /best on another disk/ });
  await t.rejects(planBackup(db, dir('backups'), { ful: true } as object), { code: 'INVALID_OPTION' });
});

t.test('create --dry-run writes nothing, also where there is no repository yet', async (t) => {
  const { dir, db, engine } = await scene(t);
  await db.put('in', 'the log');
  await db.close();
  const before = snapshotOf(dir());
  const first = await cliAnswer(t, ['create', dir('db'), dir('new', 'place'), '--dry-run']);
  t.match(first, { code: 0, json: { dryRun: true, kind: 'full', bytesShared: 0, fits: true } });
  t.notOk(existsSync(dir('new')));
  t.same(snapshotOf(dir()), before);
  const again = await openDatabase(t, dir('db'));
  await engine.createBackup(again, { flushBeforeBackup: true });
  await again.close();
  const { stdout, code } = await cli(t, ['create', dir('db'), dir('backups'), '--dry-run']);
  t.equal(code, 0);
  t.match(stdout, /000\d+\.sst +\S+ \S+ +share\n/);
  t.match(
    stdout,
    /This would make an incremental backup of .*db in .*backups: .* to copy, .* shared with earlier backups\.\nThere is room/,
  );
  t.equal((await engine.getBackupInfo()).length, 1);
});
