// The packed package as its user gets it: installed from the tarball, without install scripts, compiler or cmake.
//
// Run by node alone (`npm run test:pack`): tap's runner would slip a loader of its own into every process started here.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';

const root = join(__dirname, '..', '..', '..');
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rocksdb-backup-pack-')));
const app = join(folder, 'app');
const bin = join(folder, 'bin');
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** npm's own JavaScript, so that no npm need be in PATH. */
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

t.before(() => {
  mkdirSync(app);
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  // Packing compiles nothing here: the scripts ran before this test.
  const [packed] = JSON.parse(
    node([npmCli(), 'pack', '--json', '--ignore-scripts', '--pack-destination', folder], root, process.env.PATH),
  ) as { filename: string }[];
  writeFileSync(join(app, 'package.json'), '{ "private": true }');
  node([npmCli(), 'install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, packed?.filename ?? '')], app);
});

t.test('there is no compiler and no cmake to fall back on', async (t) => {
  t.same(readdirSync(bin), ['node']);
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
  t.same(
    readdirSync(join(app, 'node_modules'))
      .filter((name) => !name.startsWith('.'))
      .sort(),
    ['node-gyp-build', 'rocksdb-backup'],
  );
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
  writeFileSync(join(app, 'types.mts'), `import { ${names} } from 'rocksdb-backup';\n${body}`);
  writeFileSync(join(app, 'types.cts'), `import { ${names} } from 'rocksdb-backup';\n${body}`);
  writeFileSync(
    join(app, 'require.cts'),
    `import rocksdb = require('rocksdb-backup');\nimport Database = rocksdb.Database;\nexport const open = Database.open;\n`,
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
      files: ['types.mts', 'types.cts', 'require.cts'],
    }),
  );
  try {
    node([join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'], app);
    t.pass('tsc accepts them');
  } catch (error) {
    t.fail((error as { stdout: string }).stdout);
  }
});
