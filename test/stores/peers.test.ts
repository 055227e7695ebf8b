// The packages of the vendors are not there, or too old.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { tempDir } from '../fixtures/files.js';

const root = join(__dirname, '..', '..', '..');

/** What a program says that uses the stores of a folder which has these packages only. */
function said(folder: string, program: string): string {
  for (const name of ['base', 'stores'])
    cpSync(join(root, 'dist', 'lib', name), join(folder, 'lib', name), { recursive: true });
  const caught = `try { ${program} } catch (error) { console.log(error.code + ': ' + error.message); }`;
  const env = { PATH: process.env.PATH, AZURE_STORAGE_KEY: 'a2V5' };
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', caught], { cwd: folder, encoding: 'utf8', env });
  return stdout + stderr;
}

const put = (folder: string, name: string, files: Record<string, string>) => {
  mkdirSync(join(folder, 'node_modules', name), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, 'node_modules', name, file), text);
};

t.test('a package that is missing is named, in one sentence', async (t) => {
  for (const [call, name] of [
    ["require('./lib/stores/s3.js').s3Store({ bucket: 'backups' })", '@aws-sdk/client-s3'],
    ["require('./lib/stores/gcs.js').gcsStore({ bucket: 'backups' })", '@google-cloud/storage'],
    ["require('./lib/stores/azure.js').azureStore({ account: 'a', container: 'backups' })", '@azure/storage-blob'],
    ["require('./lib/stores/opendal.js').opendalStore({ service: 'fs' })", 'opendal'],
  ] as const) {
    const message = `PACKAGE_MISSING: this store needs the package ${name}: run \`npm install ${name}\`\n`;
    t.equal(said(tempDir(t)(), call), message);
  }
});

t.test('a package that is there and broken says so itself', async (t) => {
  const folder = tempDir(t)();
  put(folder, 'opendal', { 'index.js': "require('./not-built.node');" });
  const answer = said(folder, "require('./lib/stores/opendal.js').opendalStore({ service: 'fs' })");
  t.match(answer, /^STORE_UNUSABLE: the package opendal, .*: Cannot find module '\.\/not-built\.node'/);
});

t.test('an SDK that would drop the condition of a put without a word is refused', async (t) => {
  const use = "require('./lib/stores/s3.js').s3Store({ bucket: 'backups' })";
  const sdk = (version: string) => {
    const folder = tempDir(t)();
    const files = { 'package.json': JSON.stringify({ version }), 'index.js': 'exports.S3Client = class {};' };
    put(folder, '@aws-sdk/client-s3', files);
    return said(folder, use);
  };
  const message =
    'PACKAGE_TOO_OLD: @aws-sdk/client-s3 3.699.0 has no conditional puts: run `npm install @aws-sdk/client-s3@3`\n';
  t.equal(sdk('3.699.0'), message);
  t.equal(sdk('3.700.0'), '');
  t.equal(sdk('4.0.0'), '');
  const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  t.equal(peerDependencies['@aws-sdk/client-s3'], '>=3.700.0 <4');
});

t.test('the entries of the package compile without the types of the vendors', async (t) => {
  const folder = tempDir(t)();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'rocksdb-backup'));
  symlinkSync(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'));
  const declarations = join(root, 'dist', 'lib', 'stores');
  for (const name of readdirSync(declarations).filter((name) => name.endsWith('.d.ts'))) {
    t.notMatch(readFileSync(join(declarations, name), 'utf8'), /(?:from |import\()['"](?!\.|node:)/, name);
  }
  writeFileSync(
    join(folder, 'program.ts'),
    `import { azureStore } from 'rocksdb-backup/azure';
import { gcsStore } from 'rocksdb-backup/gcs';
import { opendalStore } from 'rocksdb-backup/opendal';
import { s3Store } from 'rocksdb-backup/s3';
export const stores = [
  azureStore({ account: 'acme', container: 'backups', credential: { accountKey: 'k' } }),
  gcsStore({ bucket: 'backups', storageClass: 'NEARLINE' }),
  opendalStore({ service: 'webdav', options: { endpoint: 'https://dav.example.com' } }),
  s3Store({ bucket: 'backups', objectLock: { mode: 'GOVERNANCE', days: 7 } }),
];
// @ts-expect-error
s3Store({ bucket: 7 });
`,
  );
  const compilerOptions = { module: 'node16', target: 'es2022', strict: true, noEmit: true, types: ['node'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  const tsc = join(root, 'node_modules', '@typescript', `typescript-${process.platform}-${process.arch}`, 'lib', 'tsc');
  t.equal(spawnSync(tsc, [], { cwd: folder, encoding: 'utf8' }).stdout, '');
});
