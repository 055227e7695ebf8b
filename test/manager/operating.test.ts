// Runs everything that docs/operating.md shows, in its order: commands in a shell, code in this process. Paths are moved to the test's own
// directory.

import { EventEmitter, once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BackupEngine, BackupManager, Database } from '../../lib/index.js';
import { damages } from '../fixtures/files.js';
import { type Block, blocksOf, type Sandbox, sandbox } from '../fixtures/page.js';

const root = join(__dirname, '..', '..', '..');
const page = readFileSync(join(root, 'docs', 'operating.md'), 'utf8');

const blocks = blocksOf(page);

/** Runs the blocks of a section, one after the other. */
async function run(t: Test, heading: string, box: Sandbox, given: Record<string, unknown> = {}): Promise<void> {
  const found = blocks.filter((block) => block.heading === heading);
  t.ok(found.length > 0, `${heading} shows something`);
  for (const { language, text } of found) {
    if (language === 'sh') await box.shell(text);
    else if (language === 'js') await box.script(text, given);
    else if (language === 'json') writeFileSync(box.dir('etc', 'rocksdb-backup.json'), box.here(text));
    else t.fail(`a block of ${language} under ${heading}`);
    tried.add(text);
  }
}

const tried = new Set<string>();

/** Three backups of a database. Users are in the second and not in the third. */
async function history(box: Sandbox, { kinds = [true, false, false] } = {}): Promise<void> {
  const db = await Database.open(box.dir('data/users'));
  for (let n = 0; n < 100; n++) await db.put(`user:${n}`, `user ${n}`);
  await db.flush();
  const full = await BackupEngine.open(box.dir('backups/users'), { shareTableFiles: false });
  const incremental = await BackupEngine.open(box.dir('backups/users'));
  for (const [index, isFull] of kinds.entries()) {
    await (isFull ? full : incremental).createBackup(db);
    if (index === 1) await db.deleteRange('user:', 'user;');
    await db.put('last', String(index));
  }
  for (const each of [full, incremental, db]) await each.close();
}

async function usersIn(path: string): Promise<number> {
  const db = await Database.open(path, { createIfMissing: false });
  let count = 0;
  for await (const key of db.keys({ gte: 'user:', lt: 'user;' })) count += key.length > 0 ? 1 : 0;
  await db.close();
  return count;
}

t.test('the manager of the page is set up, runs, tells and stops as it says', async (t) => {
  const box = sandbox(t);
  const db = await Database.open(box.dir('data/users'));
  const said: unknown[] = [];
  const logger = { error: (...all: unknown[]) => said.push(all), warn: (...all: unknown[]) => said.push(all) };
  const [first] = blocks.filter(({ heading, language }) => heading === 'Set up' && language === 'js');
  const manager = (await box.script(`${first!.text}\nreturn manager;`, { db, logger })) as BackupManager;
  tried.add(first!.text);
  t.ok(manager instanceof BackupManager);
  await once(manager as unknown as NodeJS.EventEmitter, 'backup');

  const routes = new Map<string, (request: unknown, response: unknown) => Promise<void>>();
  const app = {
    get: (path: string, handler: (request: unknown, response: unknown) => Promise<void>) => routes.set(path, handler),
  };
  const printed: unknown[][] = [];
  const console = { log: (...all: unknown[]) => printed.push(all) };
  const fakeProcess = new EventEmitter();
  const given = { db, manager, logger, app, console, process: fakeProcess };
  for (const heading of ['Schedules', 'What is kept', 'Snapshots', 'Proof', 'Being told'])
    await run(t, heading, box, given);
  t.ok(printed.some(([line]) => /keys were restored and compared/.test(String(line))));
  t.ok(printed.some(([id, action]) => id === 1 && action === 'keep'));
  let scraped = '';
  const response = { type: () => response, send: (text: string) => (scraped = text) };
  await routes.get('/metrics')!(undefined, response);
  t.match(scraped, /rocksdb_backup_last_good_backup_age_seconds\{directory=/);
  t.same(said, [], 'nothing failed');

  await run(t, 'Stopping', box, given);
  await db.put('one', 'more');
  const stopped = once(manager as unknown as NodeJS.EventEmitter, 'stopped');
  fakeProcess.emit('SIGTERM');
  await stopped;
  t.equal(manager.status().lastSuccess?.trigger, 'final');
  await t.rejects(
    async () => {
      for (;;) await db.get('one');
    },
    { code: 'DATABASE_CLOSED' },
  );
  await db.close(); // the code of the page has begun to close it
});

t.test('backups are copied to a second place, and both are watched', async (t) => {
  const box = sandbox(t);
  await history(box);
  await run(t, 'A second place', box);
  const engine = await BackupEngine.open(box.dir('backups/elsewhere/users'), { readOnly: true });
  t.equal((await engine.getBackupInfo()).length, 3);
  await engine.close();
});

t.test('after the disk died the database is back', async (t) => {
  const box = sandbox(t);
  await history(box);
  rmSync(box.dir('data/users'), { recursive: true });
  const [list, verify, restore, replace, moveAway] = blocks.filter(({ heading }) => heading === 'The disk died');
  for (const block of [list, verify, restore]) await box.shell(block!.text);
  t.equal(await usersIn(box.dir('data/users')), 0, 'as in the latest');
  await box.shell(replace!.text);
  t.equal(await usersIn(box.dir('data/users')), 0);
  t.ok(readdirSync(box.dir('data')).some((name) => name.startsWith('users.replaced-')));
  rmSync(box.dir('data/users', 'CURRENT'));
  await box.shell(`${replace!.text.trim()}   # exits with 1`);
  await box.shell(moveAway!.text);
  t.equal(await usersIn(box.dir('data/users')), 0);
  t.ok(existsSync(box.dir('data/users.dead')));
  for (const { text } of [list, verify, restore, replace, moveAway] as Block[]) tried.add(text);
});

t.test('what somebody deleted is back', async (t) => {
  const box = sandbox(t);
  await history(box);
  t.equal(await usersIn(box.dir('data/users')), 0);
  const shown = blocks.filter(({ heading }) => heading === 'Somebody deleted the data');
  for (const { language, text } of shown) {
    if (language === 'sh') {
      await box.shell(text);
    } else {
      const db = await Database.open(box.dir('data/users'));
      await box.script(text, { db });
      t.equal(String(await db.get('user:42')), 'user 42');
      t.equal(String(await db.get('last')), '2', 'and what was written since is kept');
      await db.close();
    }
    tried.add(text);
  }
  t.equal(await usersIn(box.dir('data/users')), 100);
});

t.test('corrupt backups are found and deleted, and the good ones stay', async (t) => {
  const box = sandbox(t);
  await history(box, { kinds: [true, false, false, true] });
  const shared = box.dir('backups/users/shared_checksum');
  for (const name of readdirSync(shared)) damages.changed(join(shared, name));
  const db = await Database.open(box.dir('data/users'));
  const manager = new BackupManager({ db, location: box.dir('backups/users') });
  await t.rejects(manager.verify(3), { code: 'BACKUP_CORRUPT' });
  await run(t, 'A backup is corrupt', box, { manager });
  const { backups } = await manager.stats();
  t.equal(backups, 3);
  await manager.backupNow(); // copies everything again: nothing is shared with the full one
  await manager.backupNow();
  t.equal(manager.status().lastSuccess?.kind, 'incremental', 'then as before');
  await manager.stop();
  await db.close();
});

t.test('the configuration that the page shows is right', async (t) => {
  const box = sandbox(t);
  await history(box);
  await run(t, 'Without a service', box);
});

t.test('the other commands of the page work', async (t) => {
  const box = sandbox(t);
  await history(box);
  await run(t, 'Other failures', box);
});

t.test('everything that the page shows was run', async (t) => {
  t.ok(blocks.length > 15);
  t.same(
    blocks.filter(({ text }) => !tried.has(text)).map(({ heading }) => heading),
    [],
  );
});

t.test('what the page links to is there', async (t) => {
  const anchors = new Set(
    [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title!.toLowerCase().replaceAll(' ', '-')),
  );
  for (const [, target] of page.matchAll(/\]\(([^)]+)\)/g)) {
    if (target!.startsWith('#')) t.ok(anchors.has(target!.slice(1)), target);
    else t.ok(existsSync(join(root, 'docs', target!.replace(/#.*/, ''))), target);
  }
});
