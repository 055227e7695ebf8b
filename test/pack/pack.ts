// Tests the packed package as a user gets it: installed from the tarball, without install scripts, compiler or cmake.
//
// It runs with plain node (`npm run test:pack`), because tap's runner would put its own loader into every process that is started here.

import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import t from 'tap';

const root = join(__dirname, '..', '..', '..');
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rocksdb-backup-pack-')));
const app = join(folder, 'app');
const bin = join(folder, 'bin');
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** npm's own JavaScript, so that npm need not be in PATH. */
function npmCli(): string {
  const candidates = [
    process.env.npm_execpath,
    join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ];
  const found = candidates.find((path) => path?.endsWith('.js') && existsSync(path));
  if (!found) throw new Error('npm-cli.js was not found');
  return found;
}

function node(args: string[], cwd: string, path = bin): string {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|TAP|NODE_OPTIONS|_TAPJS)/i.test(name)),
  );
  return execFileSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    env: { ...env, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const consumer = `
const db = await Database.open(join(dir, 'db'));
await db.put('fruit', 'apple');
const engine = await BackupEngine.open(join(dir, 'backups'));
const info = await engine.createBackup(db);
await db.close();
await engine.restoreBackup(info.backupId, join(dir, 'restored'));
await engine.close();
const restored = await Database.open(join(dir, 'restored'));
console.log(String(await restored.get('fruit')), engineInfo().rocksdb);
await restored.close();
`;
const names = 'BackupEngine, Database, engineInfo';

const levelConsumer = `
const level = new RocksLevel(join(dir, 'level'), { valueEncoding: 'json' });
await level.put('fruit', { name: 'apple' });
const backups = await level.backupEngine(join(dir, 'backups'));
await backups.createBackup(level);
await level.close();
await backups.restoreLatestBackup(join(dir, 'restored'));
await backups.close();
const again = new RocksLevel(join(dir, 'restored'), { valueEncoding: 'json' });
console.log((await again.get('fruit')).name, await again.keys().all(), again instanceof AbstractLevel);
await again.close();
`;

t.before(() => {
  mkdirSync(app);
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  // Packing compiles nothing here: the build scripts ran before this test.
  const [packed] = JSON.parse(
    node([npmCli(), 'pack', '--json', '--ignore-scripts', '--pack-destination', folder], root, process.env.PATH),
  ) as { filename: string }[];
  writeFileSync(join(app, 'package.json'), '{ "private": true }');
  node([npmCli(), 'install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, packed?.filename ?? '')], app);
});

t.test('there is no compiler and no cmake to fall back on', async (t) => {
  t.same(readdirSync(bin), ['node']);
});

t.test('the binary is stripped, and what was built is left as it was: processes may have it loaded', (t) => {
  const symbols = (file: string) => readFileSync(file).includes('.symtab');
  t.ok(symbols(join(root, 'build', 'Release', 'rocksdb_backup.node')));
  const prebuilt = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  const binaries = readdirSync(prebuilt).filter((name) => name.endsWith('.node'));
  t.equal(binaries.length, 1);
  for (const name of binaries) t.notOk(symbols(join(prebuilt, name)), name);
  t.end();
});

t.test('the tarball has a binary for this platform, the types, and nothing that only the checkout needs', async (t) => {
  const installed = join(app, 'node_modules', 'rocksdb-backup');
  const prebuilds = readdirSync(join(installed, 'prebuilds', `${process.platform}-${process.arch}`));
  t.equal(prebuilds.length, 1);
  t.match(
    prebuilds[0],
    process.platform === 'linux' ? /^rocksdb-backup\.(glibc|musl)\.node$/ : /^rocksdb-backup\.node$/,
  );
  t.ok(existsSync(join(installed, 'dist', 'lib', 'index.d.ts')));
  t.ok(existsSync(join(installed, 'prebuilds', 'LICENSES.txt')));
  t.notOk(existsSync(join(installed, 'dist', 'test')));
  t.notOk(existsSync(join(installed, 'build')));
});

t.test(
  'the pages, the schema and the alerts are in it, and links of the README lead somewhere on the registry page too',
  async (t) => {
    const installed = join(app, 'node_modules', 'rocksdb-backup');
    for (const name of ['cli.md', 'operating.md', 'migrate.md', 'cli-schema.json', 'prometheus-rules.yml'])
      t.ok(existsSync(join(installed, 'docs', name)), name);
    // On npm's website, relative links are taken as links into the repository in package.json.
    const { repository } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      repository?: { url: string };
    };
    t.match(repository?.url, /^git\+https:\/\/.*\.git$/);
    const docs = readdirSync(join(installed, 'docs'), { recursive: true, encoding: 'utf8' });
    const pages = docs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name));
    for (const page of ['README.md', ...pages]) {
      const text = readFileSync(join(installed, page), 'utf8');
      for (const [, link = ''] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
        if (/^[a-z]+:/.test(link)) continue;
        t.ok(existsSync(join(root, dirname(page), link)), `${page} links to ${link}`);
        if (basename(link) !== 'CONTRIBUTING.md') {
          t.ok(existsSync(join(installed, dirname(page), link)), `${page} links to ${link}, which is in the package`);
        }
      }
    }
  },
);

t.test('what is installed with it is JavaScript, and needs no script to be installed', async (t) => {
  const manifests = readdirSync(join(app, 'node_modules'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /(^|\/)((@[^/]+\/)?[^@/][^/]*)\/package\.json$/.test(path) && !path.includes('/test/'))
    .map((path) => join(app, 'node_modules', path));
  t.ok(manifests.some((path) => path.endsWith(join('abstract-leveldown', 'package.json'))));
  for (const path of manifests) {
    const { name, scripts = {} } = JSON.parse(readFileSync(path, 'utf8')) as { name: string; scripts?: object };
    const found = ['preinstall', 'install', 'postinstall'].filter((script) => script in scripts);
    t.same([found, existsSync(join(dirname(path), 'binding.gyp'))], [[], false], name);
  }
});

t.test('import gives the named exports, and a backup is made and restored', async (t) => {
  writeFileSync(
    join(app, 'use.mjs'),
    `import { join } from 'node:path';\nimport { ${names} } from 'rocksdb-backup';\nconst dir = process.argv[2];\n${consumer}`,
  );
  t.match(node(['use.mjs', join(folder, 'esm')], app), /^apple \d+\.\d+/);
});

t.test('require() gives the same, and a backup is made and restored', async (t) => {
  writeFileSync(
    join(app, 'use.cjs'),
    `const { join } = require('node:path');\nconst { ${names} } = require('rocksdb-backup');\n(async () => {\nconst dir = process.argv[2];\n${consumer}})();`,
  );
  t.match(node(['use.cjs', join(folder, 'cjs')], app), /^apple \d+\.\d+/);
});

t.test('the command line is installed, and backs up and restores', async (t) => {
  const command = join(app, 'node_modules', '.bin', 'rocksdb-backup');
  accessSync(command, constants.X_OK);
  const run = (...args: string[]) => execFileSync(command, args, { encoding: 'utf8', env: { PATH: bin } });
  t.match(run('--version'), /^\d+\.\d+\.\d+\n$/);
  t.equal(run('create', join(folder, 'cjs', 'db'), join(folder, 'cli-backups'), '--quiet'), '1\n');
  t.match(run('restore', join(folder, 'cli-backups'), join(folder, 'cli-restored')), /^restored backup 1, /);
});

const store = `
const store = rocksdb(join(dir, 'db'));
await new Promise((done) => store.open(done));
await new Promise((done) => store.put('fruit', 'pear', done));
const engine = await BackupEngine.open(join(dir, 'backups'));
await engine.createBackup(store);
await new Promise((done) => store.close(done));
await engine.restoreLatestBackup(join(dir, 'restored'));
await engine.close();
const restored = new rocksdb(join(dir, 'restored'));
await new Promise((done) => restored.open(done));
restored.get('fruit', (error, value) => restored.close(() => console.log(String(value))));
`;

t.test('rocksdb-backup/leveldown is the constructor itself, for import and for require()', async (t) => {
  writeFileSync(
    join(app, 'store.mjs'),
    `import { join } from 'node:path';\nimport rocksdb from 'rocksdb-backup/leveldown';\nimport { BackupEngine } from 'rocksdb-backup';\nconst dir = process.argv[2];\n${store}`,
  );
  t.equal(node(['store.mjs', join(folder, 'store-esm')], app), 'pear\n');
  writeFileSync(
    join(app, 'store.cjs'),
    `const { join } = require('node:path');\nconst rocksdb = require('rocksdb-backup/leveldown');\nconst { BackupEngine } = require('rocksdb-backup');\n(async () => {\nconst dir = process.argv[2];\n${store}})();`,
  );
  t.equal(node(['store.cjs', join(folder, 'store-cjs')], app), 'pear\n');
});

t.test("'rocksdb-backup/level' is there for import and for require()", async (t) => {
  const body = `const dir = process.argv[2];\n${levelConsumer}`;
  writeFileSync(
    join(app, 'level.mjs'),
    `import { join } from 'node:path';\nimport { AbstractLevel } from 'abstract-level';\nimport { RocksLevel } from 'rocksdb-backup/level';\n${body}`,
  );
  t.equal(node(['level.mjs', join(folder, 'level-esm')], app), "apple [ 'fruit' ] true\n");
  writeFileSync(
    join(app, 'level.cjs'),
    `const { join } = require('node:path');\nconst { AbstractLevel } = require('abstract-level');\nconst { RocksLevel } = require('rocksdb-backup/level');\n(async () => {\n${body}})();`,
  );
  t.equal(node(['level.cjs', join(folder, 'level-cjs')], app), "apple [ 'fruit' ] true\n");
});

t.test('the types serve import and require() under module node16, strictly', async (t) => {
  const body = `
export async function use(dir: string): Promise<number> {
  const db: Database = await Database.open(dir);
  await db.put('key', new Uint8Array(1));
  const value: Buffer | undefined = await db.get('key');
  const engine: BackupEngine = await BackupEngine.open(dir);
  const info = await engine.createBackup(db, { onProgress: (progress) => void progress.bytesDone });
  await engine.close();
  const version: string = engineInfo().rocksdb;
  // @ts-expect-error a number is no key
  await db.get(1);
  return info.backupId + version.length + (value?.length ?? 0);
}
`;
  const levelBody = `
interface User { name: string }
export async function use(dir: string): Promise<string> {
  const level = new RocksLevel<string, User>(dir, { valueEncoding: 'json', compression: true, bloomFilterBits: 10 });
  await level.put('1', { name: 'Ada' }, { sync: true });
  await level.batch().put('2', { name: 'Bob' }).write({ sync: true });
  const engine: BackupEngine = await level.backupEngine(dir);
  const { backupId } = await engine.createBackup(level);
  const database: Database = level.database;
  const user: User | undefined = await level.get('1', { fillCache: false });
  const bytes: Buffer | undefined = level.getSync<string, Buffer>('1', { valueEncoding: 'buffer' });
  for await (const [key, { name }] of level.iterator({ gte: '1', fillCache: false })) void [key.length, name.length];
  const texts: RocksLevel = new RocksLevel(database);
  const sub = texts.sublevel<string, number>('n', { valueEncoding: 'json' });
  await sub.put('a', 1);
  const value: string | undefined = await texts.get('a');
  // @ts-expect-error a value is a User
  await level.put('1', 'Ada');
  // @ts-expect-error there is no such compression
  new RocksLevel(dir, { compression: 'best' });
  return [backupId, database.path, user?.name, bytes?.length, value].join();
}
`;
  const levelNames =
    "import type { BackupEngine, Database } from 'rocksdb-backup';\nimport { RocksLevel } from 'rocksdb-backup/level';";
  writeFileSync(join(app, 'level-types.mts'), `${levelNames}\n${levelBody}`);
  writeFileSync(join(app, 'level-types.cts'), `${levelNames}\n${levelBody}`);
  writeFileSync(join(app, 'types.mts'), `import { ${names} } from 'rocksdb-backup';\n${body}`);
  writeFileSync(join(app, 'types.cts'), `import { ${names} } from 'rocksdb-backup';\n${body}`);
  writeFileSync(
    join(app, 'require.cts'),
    `import rocksdb = require('rocksdb-backup');\nimport Database = rocksdb.Database;\nexport const open = Database.open;\n`,
  );
  const stores = `
export const path = (store: rocksdb.Store): string => store.location;
const store = rocksdb('data');
store.open({ createIfMissing: false, compression: true }, (error) => void error?.message);
store.get('key', (error, value) => void (error ?? value.byteLength));
store.get('key', { asBuffer: false }, (error, value) => void (error ?? value.toUpperCase()));
export class Mine extends rocksdb {}
export const backUp = (engine: BackupEngine) => engine.createBackup(new Mine('data'));
rocksdb.destroy('data', () => {});
// @ts-expect-error a number is no key
store.del(1, () => {});
`;
  writeFileSync(
    join(app, 'stores.mts'),
    `import rocksdb from 'rocksdb-backup/leveldown';\nimport type { BackupEngine } from 'rocksdb-backup';\n${stores}`,
  );
  writeFileSync(
    join(app, 'stores.cts'),
    `import rocksdb = require('rocksdb-backup/leveldown');\nimport type { BackupEngine } from 'rocksdb-backup';\n${stores}`,
  );
  writeFileSync(
    join(app, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'es2022',
        module: 'node16',
        moduleResolution: 'node16',
        strict: true,
        noEmit: true,
        types: ['node'],
        typeRoots: [join(root, 'node_modules', '@types')],
      },
      files: [
        'types.mts',
        'types.cts',
        'require.cts',
        'stores.mts',
        'stores.cts',
        'level-types.mts',
        'level-types.cts',
      ],
    }),
  );
  try {
    node([join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'], app);
    t.pass('tsc accepts them');
  } catch (error) {
    t.fail((error as { stdout: string }).stdout);
  }
});
