// The commands copy, probe and status, as scripts and people use them. What they do is tested in test/copy, test/stores and test/status.

import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import { cli, cliAnswer, start } from '../fixtures/cli.js';
import { cliScenes, refused } from '../fixtures/cli-scene.js';
import { tempDir } from '../fixtures/files.js';

interface Copied {
  ok: boolean;
  dryRun: boolean;
  files: number;
  bytes: number;
  pinned: number[];
  backups: { backupId: number; state: string; error?: { code: string } }[];
}

t.test('copy', async (t) => {
  const scene = (await cliScenes(t))(t);
  const to = scene.dir('copied');
  await cli(t, ['pin', scene.backups, '2', '--note', 'keep']);
  const planned = await cliAnswer<Copied>(t, ['copy', scene.backups, to, '--dry-run']);
  t.equal(existsSync(to), false);
  t.match(planned, { code: 0, json: { dryRun: true } });
  const copied = await cliAnswer<Copied>(t, ['copy', scene.backups, to, '--id', '1,2']);
  t.match(copied, { code: 0, json: { ok: true, pinned: [2], backups: [{ state: 'copied' }, { state: 'copied' }] } });
  const rest = await cli(t, ['copy', scene.backups, to]);
  t.match(rest.stdout, /^ +3 +copied/m);
  t.match(rest.stdout, /1 backup of .* copied to .*; 2 were there/);
  t.equal((await cli(t, ['copy', scene.backups, to, '-q'])).stdout, '');
  t.match((await cliAnswer(t, ['list', to])).json, { backups: [{ backupId: 1 }, { pinned: true }, { backupId: 3 }] });
  t.equal((await cli(t, ['verify', to, '--all', '--checksum'])).code, 0);

  const table = readdirSync(join(scene.backups, 'shared_checksum')).sort().at(-1)!;
  const file = join(scene.backups, 'shared_checksum', table);
  const bytes = readFileSync(file);
  bytes[10]! ^= 1;
  writeFileSync(file, bytes);
  const damaged = await cliAnswer<Copied>(t, ['copy', scene.backups, scene.dir('second')]);
  t.equal(damaged.code, 5);
  t.match(damaged.json, { ok: false, backups: [{}, {}, { state: 'failed', error: { code: 'BACKUP_CORRUPT' } }] });
  t.match(damaged.stderr, new RegExp(table));

  await refused(t, ['copy', scene.dir('nothing'), to], 3, /does not exist/);
  await refused(t, ['copy', scene.backups, to, '--id', '9'], 3, /no backup 9/);
  await refused(t, ['copy', scene.backups, to, '--id', 'latest'], 2, /numbers of backups/);
  await refused(t, ['copy', scene.backups, to, '--id', '1,x'], 2, /--id/);
  appendFileSync(join(to, 'meta/1'), 'x');
  const list = await cliAnswer<Copied>(t, ['copy', scene.backups, to]);
  t.match(list, { code: 5, json: { backups: [{ state: 'failed', error: { code: 'BACKUP_CORRUPT' } }, {}, {}] } });
  t.match(list.stderr, /backup 1 in .*copied is damaged: .*meta\/1 .*delete there/);
  const other = (await cliScenes(t))(t);
  await cli(t, ['create', other.db, other.dir('other')]);
  await refused(
    t,
    ['copy', scene.backups, other.dir('other')],
    1,
    /has another backup 1 than .*: the lists of files differ.*--id/,
  );
});

t.test('a copy that is killed goes on', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'), { createIfMissing: true });
  const engine = await BackupEngine.open(dir('from'));
  for (let round = 1; round <= 4; round++) {
    for (let i = 0; i < 8; i++) db.put(`${round}-${i}`, randomBytes(50_000));
    await db.flush();
    await engine.createBackup(db);
  }
  await engine.close();
  await db.close();
  const to = dir('to');
  let killed = 0;
  for (let at = 1; at <= 6; at++) {
    const { child, ended } = start(t, ['copy', dir('from'), to, '--rate-limit', '1MB/s']);
    // Killed when so much is there, and not after a time: machines differ.
    const until = at * 200_000;
    const watch = setInterval(() => sizeOf(to) >= until && child.kill('SIGKILL'), 5);
    const { signal, code, stderr } = await ended;
    clearInterval(watch);
    if (signal === 'SIGKILL') killed++;
    else t.equal(code, 0, stderr);
    if (existsSync(join(to, 'meta')) && readdirSync(join(to, 'meta')).some((name) => /^\d+$/.test(name))) {
      t.equal((await cli(t, ['verify', to, '--all', '--checksum'])).code, 0, 'what is there is whole');
    }
  }
  t.ok(killed > 0, `${killed} were killed`);
  t.equal((await cli(t, ['copy', dir('from'), to])).code, 0);
  t.match(await cliAnswer(t, ['verify', to, '--all', '--checksum']), { code: 0, json: { backups: { length: 4 } } });
  t.strictSame(filesIn(to), filesIn(dir('from')));
});

const filesIn = (dir: string) =>
  ['meta', 'private', 'shared_checksum']
    .flatMap((part) => readdirSync(join(dir, part), { recursive: true }).map((name) => `${part}/${name}`))
    .sort();

function sizeOf(dir: string): number {
  const shared = join(dir, 'shared_checksum');
  const names = existsSync(shared) ? readdirSync(shared) : [];
  return names.filter((name) => !name.startsWith('.')).length * 400_000;
}

t.test('probe', async (t) => {
  await refused(t, ['probe', '/backups'], 2, /not the URL of an object store/);
  await refused(t, ['probe', 'opendal://webdav/a', '--policy', 'writer'], 2, /policies are known for/);
  const { code, json } = await cliAnswer(t, ['probe', 's3://bucket/a', '--policy', 'writer']);
  t.match({ code, json }, { code: 0, json: { Version: '2012-10-17' } });
  const { stdout } = await cli(t, ['probe', 's3://bucket/a', '--policy', 'reader']);
  t.match(JSON.parse(stdout), { Statement: [{ Sid: 'List' }, { Sid: 'Read' }, { Sid: 'Leases' }] });
});

t.test('status', async (t) => {
  const scene = (await cliScenes(t))(t);
  const { backups, dir } = scene;
  t.match(await cliAnswer(t, ['status', backups, '--max-age', '1000d']), {
    code: 0,
    json: { ok: true, repositories: [{ state: 'good', late: false, backups: 3, lastGood: { backupId: 3 } }] },
  });
  t.match(await cliAnswer(t, ['status', backups, '--max-age', '1ms']), {
    code: 1,
    json: { ok: false, repositories: [{ state: 'late', late: true }] },
  });
  await cli(t, ['copy', backups, dir('more/copied')]);
  truncateSync(dir('more/copied/meta/3'), 5);
  const page = dir('page.html');
  const all = await cli(t, ['status', dir(), '--recursive', '--html', page]);
  t.equal(all.code, 5);
  t.match(all.stdout, /more\/copied +damaged .* cannot be read: 3/);
  t.match(all.stdout, /2 repositories in .*: 1 with damage/);
  t.match(readFileSync(page, 'utf8'), /^<!doctype html>[\s\S]*<span class="badge bad">damaged<\/span>/);
  t.match((await cli(t, ['status', dir(), '-r', '-q'])).stdout, /more\/copied\n$/);
  const metrics = (await cli(t, ['status', dir(), '-r', '--prometheus'])).stdout;
  t.match(metrics, /^rocksdb_backup_repository_unreadable_backups\{location=".*more\/copied"\} 1$/m);
  t.match(metrics, /^# TYPE rocksdb_backup_repository_backups gauge$/m);
  await (await BackupEngine.open(dir('empty'))).close();
  t.match(await cliAnswer(t, ['status', dir('empty')]), { code: 0, json: { repositories: [{ state: 'empty' }] } });
  t.match(await cliAnswer(t, ['status', dir('empty'), '--max-age', '1d']), { code: 1 });
  mkdirSync(dir('none/at/all'), { recursive: true });
  const none = ['status', dir('none'), '--recursive'];
  t.match(await cli(t, none), { code: 3, stdout: /^no repository was found in .*none\n$/ });
  t.match(await cliAnswer(t, none), { code: 3, json: { ok: false, repositories: [] } });
  t.match(await cliAnswer(t, [...none, '--max-age', '1d']), { code: 1, json: { ok: false } });
  t.match(await cli(t, [...none, '-q']), { code: 3, stdout: '', stderr: /warning: no repository was found/ });
  t.match(await cli(t, [...none, '--prometheus']), {
    code: 3,
    stdout: /^rocksdb_backup_repositories\{place=".*none"\} 0\n/m,
    stderr: /no repository was found/,
  });
  await refused(t, ['status', dir('nothing')], 3, /does not exist/);
  await refused(t, ['status', dir('db')], 3, /holds a database/);
  await refused(t, ['status', backups, '--html', scene.dir('db/CURRENT')], 2, /not an HTML page/);
});
