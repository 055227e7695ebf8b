// Merge operators of databases that others wrote.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { BackupEngine, type ColumnFamilyOptions, Database } from '../../lib/index.js';
import { failureOf } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';

/** A database with merges that are only in the write-ahead log. The name of the default family's operator is then changed. */
async function writeForeign(path: string, mergeOperator: ColumnFamilyOptions['mergeOperator'], foreign: string) {
  const db = await Database.open(path, { mergeOperator });
  const plain = await db.createColumnFamily('plain');
  await db.put('before', 'a');
  await db.merge('merged', 'b');
  await db.merge('merged', 'c');
  await db.put('after', 'd');
  await plain.put('elsewhere', 'e');
  await db.close();
  for (const name of readdirSync(path).filter((name) => name.startsWith('OPTIONS'))) {
    const text = readFileSync(`${path}/${name}`, 'utf8');
    writeFileSync(`${path}/${name}`, text.replace(/ merge_operator=(?!nullptr).*/, ` merge_operator=${foreign}`));
  }
}

async function contentsOf(db: Database): Promise<(string | undefined)[]> {
  const values = await db.getMany(['before', 'merged', 'after'], { encoding: 'utf8' });
  return [...values, await db.columnFamily('plain').get('elsewhere', { encoding: 'utf8' })];
}

for (const foreign of ['SomebodysOperator', '{id=SomebodysOperator;delimiter=,;}']) {
  t.test(`a database that merges with ${foreign} is not opened without an operator, and keeps its log`, async (t) => {
    const dir = tempDir(t);
    await writeForeign(dir('db'), 'max', foreign);
    const refused = {
      code: 'MERGE_OPERATOR_UNKNOWN',
      message: /open .*"default" .*"SomebodysOperator".* mergeOperator/,
    };
    t.match(await failureOf(() => Database.open(dir('db'))), refused);
    t.match(await failureOf(() => Database.open(dir('db'), { mode: 'readOnly' })), refused);
    const of_plain = { columnFamilies: { plain: { mergeOperator: 'max' as const } } };
    t.match(await failureOf(() => Database.open(dir('db'), of_plain)), refused);

    const db = await Database.open(dir('db'), { columnFamilies: { default: { mergeOperator: 'max' } } });
    t.same(await contentsOf(db), ['a', 'c', 'd', 'e'], 'nothing was lost');
    await db.close();
    const again = await Database.open(dir('db'));
    t.same(await contentsOf(again), ['a', 'c', 'd', 'e'], 'and now it is known');
    await again.close();
  });
}

t.test("an operator given by RocksDB's own name does as well", async (t) => {
  const dir = tempDir(t);
  await writeForeign(dir('db'), 'stringappend', 'SomebodysOperator');
  const db = await Database.open(dir('db'), { rocksdb: { merge_operator: 'stringappend' } });
  t.same(await contentsOf(db), ['a', 'b,c', 'd', 'e']);
  await using engine = await BackupEngine.open(dir('backups'));
  const { backupId } = await engine.createBackup(db);
  await db.close();
  await engine.restoreBackup(backupId, dir('restored'));
  const restored = await Database.open(dir('restored'));
  t.same(await contentsOf(restored), ['a', 'b,c', 'd', 'e'], 'and a backup knows it');
  await restored.close();
});

t.test('repair keeps what was merged and not written out', async (t) => {
  const dir = tempDir(t);
  const db = await Database.open(dir('db'), { mergeOperator: 'stringappend' });
  await db.merge('merged', 'a');
  await db.merge('merged', 'b');
  await db.close();
  await Database.repair(dir('db'));
  const repaired = await Database.open(dir('db'), { mergeOperator: 'stringappend' });
  t.equal(await repaired.get('merged', { encoding: 'utf8' }), 'a,b');
  await repaired.close();
});
