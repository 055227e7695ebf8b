// Databases that exist already: written by other packages for Node, opened, backed up and restored here, and then read by those packages
// again.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { BackupEngine, Database, type OpenOptions } from '../../lib/index.js';
import { type Contents, digestOf } from '../fixtures/existing-data.js';
import { tempDir } from '../fixtures/files.js';

const fixture = join(__dirname, '..', 'fixtures', 'existing-data.js');

function node(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

/** Runs a package in its own process. */
function run(name: string, mode: 'write' | 'read', path: string): Contents {
  const { status, stdout, stderr } = node(fixture, name, mode, path);
  if (status !== 0) throw new Error(`${name} could not ${mode}: ${stderr}`);
  return JSON.parse(stdout) as Contents;
}

/** Why a package cannot be used here: such packages have binaries for only a few platforms. */
function missing(name: string): string | false {
  return node('-e', 'require(process.argv[1])', '--', join(__dirname, '..', '..', '..', 'node_modules', name))
    .status === 0
    ? false
    : `${name} has no binary for this platform`;
}

async function contentsOf(db: Database): Promise<Contents> {
  const contents: Contents = {};
  for (const name of db.columnFamilies) {
    const entries = async function* () {
      for await (const [key, value] of db.columnFamily(name).iterator()) yield { key, value };
    };
    contents[name] = await digestOf(entries());
  }
  return contents;
}

async function backUp(db: Database, backups: string, target: string): Promise<void> {
  await using engine = await BackupEngine.open(backups);
  const { backupId } = await engine.createBackup(db);
  await engine.verifyBackup(backupId, { checksum: true });
  await engine.restoreBackup(backupId, target);
}

const cases: { name: string; options: OpenOptions }[] = [
  { name: 'rocksdb', options: { compatibility: '6.6' } },
  {
    name: '@nxtedition/rocksdb',
    // Its own operator, maxRev, gives the same result as max while revisions are as long as their numbers. Its tables have format 6.
    options: {
      compression: 'zstd',
      rocksdb: { format_version: 6 },
      columnFamilies: { revisions: { mergeOperator: 'max' } },
    },
  },
  { name: 'rocksdb-native', options: { compression: 'none' } },
];

for (const { name, options } of cases) {
  const skip = missing(name);

  t.test(`what ${name} wrote is all there, and its backup restored is all there for ${name}`, { skip }, async (t) => {
    const dir = tempDir(t);
    const written = run(name, 'write', dir('db'));
    t.ok(Object.values(written).every(({ count }) => count > 0));
    const db = await Database.open(dir('db'), options);
    t.teardown(() => db.close());
    t.same(await contentsOf(db), written);
    await backUp(db, dir('backups'), dir('restored'));
    t.same(run(name, 'read', dir('restored')), written);
    await db.close();
    t.same(run(name, 'read', dir('db')), written, 'and so is the database itself');
  });

  t.test(`with ${JSON.stringify(options)}, ${name} reads what is written here, and writes on`, { skip }, async (t) => {
    const dir = tempDir(t);
    run(name, 'write', dir('db'));
    const db = await Database.open(dir('db'), options);
    t.teardown(() => db.close());
    for (const family of db.columnFamilies.map((family) => db.columnFamily(family))) {
      for (let i = 0; i < 2000; i++) {
        await family.put(`ours:${i}`, `of this library ${i} `.repeat(1 + (i % 30)));
      }
      await family.flush();
      await family.deleteRange('ours:100', 'ours:200');
      await family.compactRange({ bottommostLevelCompaction: 'force' });
      await family.put('ours:last', 'in the log');
    }
    const expected = await contentsOf(db);
    await backUp(db, dir('backups'), dir('restored'));
    await db.close();
    t.same(run(name, 'read', dir('restored')), expected);
    t.same(run(name, 'read', dir('db')), expected);

    const writtenOn = run(name, 'write', dir('restored'));
    const again = await Database.open(dir('restored'), options);
    t.teardown(() => again.close());
    t.same(await contentsOf(again), writtenOn, 'and is read here again');
  });
}
