// What package.json says, and how other packages and tools understand it.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { tempDir } from '../fixtures/files.js';

const root = join(__dirname, '..', '..', '..');

interface Manifest {
  types: string;
  exports: Record<string, string | { types: string; default: string }>;
  typesVersions: Record<string, Record<string, string[]>>;
  dependencies: Record<string, string>;
}

const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

t.test('TypeScript finds every part of the package also where it does not read "exports"', async (t) => {
  // `module: commonjs` looks only at "types" and "typesVersions".
  const found: Record<string, string | undefined> = { '.': manifest.types };
  for (const [name, [path]] of Object.entries(manifest.typesVersions['*'] ?? {})) found[`./${name}`] = path;
  const parts = Object.entries(manifest.exports).flatMap(([name, to]) =>
    typeof to === 'string' ? [] : [[name, to.types] as const],
  );
  t.ok(parts.length >= 3);
  t.same(found, Object.fromEntries(parts));
});

t.test('what it depends on is asked for as others ask for it, so that an application has it once', async (t) => {
  for (const [name, range] of Object.entries(manifest.dependencies)) t.match(range, /^\^\d+\.\d+\.\d+$/, name);
});

t.test(
  'the types need no generic Buffer, which is new in TypeScript 5.7 and in @types/node of that time',
  async (t) => {
    const lib = join(root, 'dist', 'lib');
    const declared = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'));
    t.ok(declared.length > 100);
    for (const name of declared) {
      const generic = /\b(?:Buffer|Uint8Array|DataView)<.*/.exec(readFileSync(join(lib, name), 'utf8'))?.[0];
      if (generic !== undefined) t.fail(`${name}: ${generic}`);
    }
  },
);

// Use the compiler itself and not its wrapper: tap puts its own loader into every node process that it starts.
const nativeTypeScript = join(
  root,
  'node_modules',
  '@typescript',
  `typescript-${process.platform}-${process.arch}`,
  'lib',
  'tsc',
);

/** The messages of the compiler about a program. */
function compiled(folder: string, source: string): string {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  for (const name of ['classic-level', 'abstract-level', '@types']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
  symlinkSync(root, join(folder, 'node_modules', 'rocksdb-backup'));
  writeFileSync(join(folder, 'program.ts'), source);
  const options = {
    module: 'node16',
    target: 'es2022',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['program.ts'] }));
  const tsc = spawnSync(nativeTypeScript, [], {
    cwd: folder,
    encoding: 'utf8',
  });
  return tsc.stdout + tsc.stderr;
}

const types =
  'AdditionalIteratorOptions, BatchOperation, BatchOptions, ChainedBatch, ChainedBatchWriteOptions, DatabaseOptions, ' +
  'DelOptions, GetManyOptions, GetOptions, HasManyOptions, HasOptions, Iterator, IteratorOptions, KeyIterator, ' +
  'KeyIteratorOptions, OpenOptions, PutOptions, Snapshot, StartEndOptions, ValueIterator, ValueIteratorOptions';

const program = `
type Db = ClassicLevel<string, Buffer>;
const options: DatabaseOptions<string, Buffer> = { valueEncoding: 'buffer', cacheSize: 1, compression: true };
const open: OpenOptions = { createIfMissing: false, maxFileSize: 1 };
const read: GetOptions<string, Buffer> = { fillCache: false };
const readMany: GetManyOptions<string, Buffer> = read;
const has: HasOptions<string> = { fillCache: false };
const hasMany: HasManyOptions<string> = has;
const put: PutOptions<string, Buffer> = { sync: true };
const del: DelOptions<string> = { sync: true };
const batch: BatchOptions<string, Buffer> = { sync: true };
const write: ChainedBatchWriteOptions = { sync: true };
const range: StartEndOptions<string> = { keyEncoding: 'utf8' };
const additional: AdditionalIteratorOptions = { fillCache: true, highWaterMarkBytes: 1 };
const entries: IteratorOptions<string, Buffer> = { ...additional, gte: 'a' };
const keys: KeyIteratorOptions<string> = { ...additional, gte: 'a' };
const values: ValueIteratorOptions<string, Buffer> = { ...additional, gte: 'a' };

export async function main(): Promise<number> {
  const db: Db = new ClassicLevel('db', options);
  await db.open(open);
  const operations: BatchOperation<Db, string, Buffer>[] = [{ type: 'put', key: 'a', value: Buffer.of(1) }];
  await db.batch(operations, batch);
  const chained: ChainedBatch<Db, string, Buffer> = db.batch();
  await chained.put('b', Buffer.of(2)).write(write);
  await db.put('c', Buffer.of(3), put);
  await db.del('c', del);
  const snapshot: Snapshot = db.snapshot();
  const value: Buffer | undefined = await db.get('a', { ...read, snapshot });
  const many: (Buffer | undefined)[] = await db.getMany(['a'], readMany);
  const there: boolean[] = [await db.has('a', has), ...(await db.hasMany(['a'], hasMany))];
  const iterator: Iterator<Db, string, Buffer> = db.iterator(entries);
  const keyIterator: KeyIterator<Db, string> = db.keys(keys);
  const valueIterator: ValueIterator<Db, string, Buffer> = db.values(values);
  for await (const [key, value] of iterator) key.charCodeAt(value.readInt8());
  const all = [...(await keyIterator.all()), ...(await valueIterator.all())];
  await db.compactRange('a', 'b', range);
  return all.length + there.length + many.length + (value?.length ?? 0) + (await db.approximateSize('a', 'b', range));
}
`;

t.test("a program written for classic-level's types compiles with one line changed", async (t) => {
  const dir = tempDir(t);
  const before = `import { ClassicLevel, ${types} } from 'classic-level';\n`;
  const after = `import { RocksLevel as ClassicLevel, ${types} } from 'rocksdb-backup/level';\n`;
  t.equal(compiled(dir('before'), before + program), '');
  t.equal(compiled(dir('after'), after + program), '');
  t.match(compiled(dir('wrong'), `${after + program}const wrong: OpenOptions = { cacheSize: [] };`), /TS2322/);
});

t.test('code that was bundled together with its caller says that it must not be', async (t) => {
  const dir = tempDir(t);
  mkdirSync(dir('app', 'out'), { recursive: true });
  writeFileSync(dir('app', 'package.json'), JSON.stringify({ name: 'app' }));
  cpSync(join(root, 'dist', 'lib', 'native', 'binding.js'), dir('app', 'out', 'server', 'binding.js'));
  for (const file of ['errors.js', 'advice.js'])
    cpSync(join(root, 'dist', 'lib', 'base', file), dir('app', 'out', 'base', file));
  const run = (file: string) => spawnSync(process.execPath, [file], { encoding: 'utf8' }).stderr;
  const said = run(dir('app', 'out', 'server', 'binding.js'));
  t.match(said, /was bundled into .*server.*mark it as external/);
  t.notMatch(said, /build:addon/);
  // ES modules have no __dirname; a bundle may be one.
  const code = readFileSync(dir('app', 'out', 'server', 'binding.js'), 'utf8');
  const module = `import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\nconst exports = {};\n`;
  writeFileSync(dir('app', 'out', 'server', 'bundle.mjs'), module + code.replace(/^"use strict";/, ''));
  t.match(run(dir('app', 'out', 'server', 'bundle.mjs')), /was bundled, .*mark it as external/);
});
