// Makes a checkout ready: packages, compiled TypeScript, the addon. Does only what is missing or older than its sources, so
// it may stand before every command.
//
//   node deps/setup.mjs            everything
//   node deps/setup.mjs --no-addon packages and TypeScript only
//
// In an installed package (which has no lock file) it builds the addon alone, with its tools in the user's cache.
// ROCKSDB_SOURCE_DIR=<checkout> builds against another RocksDB. Uses nothing but node.

import { spawn, spawnSync } from 'node:child_process';
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheRoot, readSources } from './fetch.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const inRoot = (...parts) => join(root, ...parts);
const buildDir = inRoot('build');
const addon = inRoot('build', 'Release', 'rocksdb_backup.node');
const windows = process.platform === 'win32';

/** A fault that one sentence explains. */
class Fault extends Error {}

const mtime = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Every file below the folder, as paths relative to root. */
function* files(folder, accept) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path, accept);
    else if (accept(entry.name)) yield relative(root, path);
  }
}

/** Runs a command with its output in build/setup.log; shows the end of it if the command fails. */
async function run(what, command, args, options = {}) {
  const started = process.hrtime.bigint();
  mkdirSync(buildDir, { recursive: true });
  const log = createWriteStream(join(buildDir, 'setup.log'), { flags: 'a' });
  const live = process.stderr.isTTY;
  if (!live) process.stderr.write(`${what} ...\n`);
  let tail = '';
  const code = await new Promise((done) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], shell: windows, ...options });
    const take = (chunk) => {
      log.write(chunk);
      tail = (tail + chunk).slice(-20_000);
      if (live) {
        const last = tail.trimEnd().split('\n').at(-1).trim();
        const seconds = Math.round(Number(process.hrtime.bigint() - started) / 1e9);
        process.stderr.write(`\r\x1b[K${`${what} ${seconds} s  ${last}`.slice(0, (process.stderr.columns ?? 80) - 1)}`);
      }
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (error) => {
      tail += `${error.message}\n`;
      done(1);
    });
    child.on('close', done);
  });
  await new Promise((done) => log.end(done));
  const seconds = (Number(process.hrtime.bigint() - started) / 1e9).toFixed(1);
  if (live) process.stderr.write('\r\x1b[K');
  if (code !== 0) {
    process.stderr.write(`${tail.split('\n').slice(-80).join('\n')}\n`);
    throw new Fault(`${what} failed; the whole output is in build/setup.log.`);
  }
  process.stderr.write(`${what}: ${seconds} s\n`);
}

/** One build at a time in a folder: the others wait, and then find nothing left to do. */
export async function locked(work, folder = buildDir) {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, 'setup.lock');
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      try {
        process.kill(Number(readFileSync(lock, 'utf8')) || process.pid, 0);
      } catch (gone) {
        if (gone.code === 'ESRCH' || gone.code === 'ENOENT') rmSync(lock, { force: true });
      }
      await new Promise((done) => setTimeout(done, 200));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20)
    throw new Fault(`rocksdb-backup needs Node.js 20 or newer; this is ${process.versions.node}: install a newer one.`);
}

const installed = () => mtime(inRoot('node_modules', '.package-lock.json')) >= mtime(inRoot('package-lock.json'));
const tapBuilt = () => existsSync(inRoot('node_modules', '.rocksdb-backup-tap'));

async function installPackages() {
  if (!installed()) await run('installing packages', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  if (!tapBuilt()) {
    // tap generates its test class from its list of plugins, which is not the default one here.
    await run('preparing tap', process.execPath, [inRoot('node_modules', 'tap', 'dist', 'esm', 'run.mjs'), 'build']);
    writeFileSync(inRoot('node_modules', '.rocksdb-backup-tap'), '');
  }
}

const typescriptStamp = inRoot('dist', '.sources');

function typescriptSources() {
  const folders = ['lib', 'test', 'bench', 'examples'].map((name) => inRoot(name)).filter(existsSync);
  return folders.flatMap((folder) => [...files(folder, (name) => /\.[cm]?ts$/.test(name))]).sort();
}

function typescriptFresh(sources) {
  if (!existsSync(typescriptStamp) || readFileSync(typescriptStamp, 'utf8') !== sources.join('\n')) return false;
  const stamp = mtime(typescriptStamp);
  return [...sources, 'tsconfig.json'].every((name) => mtime(inRoot(name)) < stamp);
}

async function compileTypeScript() {
  const sources = typescriptSources();
  if (sources.length === 0 || typescriptFresh(sources)) return;
  const started = new Date();
  rmSync(commandTable, { force: true });
  // Outputs whose source is gone would still be found by the test runner.
  if (existsSync(typescriptStamp)) {
    for (const name of readFileSync(typescriptStamp, 'utf8').split('\n')) {
      if (name && !sources.includes(name)) {
        for (const suffix of ['.js', '.js.map', '.d.ts'])
          rmSync(inRoot('dist', name.replace(/\.ts$/, suffix)), { force: true });
      }
    }
  }
  await run('compiling TypeScript', process.execPath, [inRoot('node_modules', 'typescript', 'bin', 'tsc')]);
  writeFileSync(typescriptStamp, sources.join('\n'));
  // A source that was saved while tsc ran is newer than this.
  const { utimesSync } = await import('node:fs');
  utimesSync(typescriptStamp, started, started);
}

const commandTable = inRoot('dist', 'lib', 'cli', 'commands', 'table.json');

const commandTableFresh = () => !existsSync(typescriptStamp) || mtime(commandTable) > mtime(typescriptStamp);

/** What the command line knows of its commands without loading them. It is made of them, for which the addon is needed. */
export async function writeCommandTable() {
  if (commandTableFresh()) return;
  const code = "require('./dist/lib/cli/command-table.js').writeCommandTable()";
  await run('writing the table of commands', process.execPath, ['-e', code]);
}

const addonStamp = join(buildDir, 'addon.stamp');
const addonVariant = () => JSON.stringify({ rocksdb: process.env.ROCKSDB_SOURCE_DIR ?? readSources().rocksdb.version });

function addonFresh() {
  let binary = addon;
  if (!existsSync(addon)) {
    if (process.env.ROCKSDB_SOURCE_DIR) return false;
    try {
      binary = createRequire(import.meta.url)('node-gyp-build').resolve(root);
    } catch {
      return false;
    }
  } else if (
    existsSync(addonStamp) ? readFileSync(addonStamp, 'utf8') !== addonVariant() : process.env.ROCKSDB_SOURCE_DIR
  ) {
    return false;
  }
  const built = mtime(binary);
  const sources = [
    ...files(inRoot('binding'), (name) => /\.(cc|h)$/.test(name)),
    ...files(inRoot('deps'), (name) => !name.endsWith('.mjs')),
  ];
  return [...sources, 'CMakeLists.txt'].every((name) => mtime(inRoot(name)) <= built);
}

function output(command, args, input) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'ignore'] });
  return status === 0 ? stdout : undefined;
}

/** Says what to install before cmake would say it in a hundred lines. */
export function checkTools() {
  const version = /cmake version (\d+)\.(\d+)/.exec(output('cmake', ['--version']) ?? '');
  if (!version || Number(version[1]) * 100 + Number(version[2]) < 320) {
    throw new Fault(
      `Building the addon needs CMake 3.20 or newer${version ? `, this one is ${version[1]}.${version[2]}` : ''}: install it ` +
        '(apt install cmake, dnf install cmake, apk add cmake, brew install cmake, or winget install Kitware.CMake).',
    );
  }
  if (windows) return; // cmake-js looks for Visual Studio and says what is missing
  const compilers = process.env.CXX ? [process.env.CXX.split(' ')[0]] : ['c++', 'g++', 'clang++'];
  const compiles = (compiler, standard) =>
    output(
      compiler,
      [`-std=${standard}`, '-fsyntax-only', '-x', 'c++', '-'],
      '#include <concepts>\n#include <span>\n',
    ) !== undefined;
  if (!compilers.some((compiler) => compiles(compiler, 'c++20'))) {
    throw new Fault(
      'Building the addon needs a C++20 compiler (GCC 11, Clang 14 or newer): install it (apt install g++, ' +
        'dnf install gcc-c++, apk add g++, or xcode-select --install).',
    );
  }
  if (!['ninja', 'make'].some((tool) => output(tool, ['--version']))) {
    throw new Fault(
      'Building the addon needs make or ninja: install one (apt install make, dnf install make, or apk add make).',
    );
  }
}

/** cmake-js and node-addon-api: the checkout's own, or in an installed package a copy in the cache. */
async function buildTools() {
  const { devDependencies } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  const names = ['cmake-js', 'node-addon-api'];
  if (existsSync(inRoot('node_modules', 'cmake-js'))) return inRoot('node_modules');
  const specs = names.map((name) => `${name}@${devDependencies[name]}`);
  const folder = join(cacheRoot, `tools-${specs.join('-').replace(/[^\w.-]/g, '_')}`);
  if (!names.every((name) => existsSync(join(folder, 'node_modules', name)))) {
    mkdirSync(folder, { recursive: true });
    await run(
      'installing cmake-js',
      'npm',
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder, ...specs],
      {
        cwd: folder,
      },
    );
  }
  return join(folder, 'node_modules');
}

/** A build folder knows where it was made, and by which tools: one in a checkout that was copied or moved since is begun anew. */
export function dropStaleBuild(folder) {
  const cache = join(folder, 'CMakeCache.txt');
  if (!existsSync(cache)) return;
  const text = readFileSync(cache, 'utf8');
  const entry = (name) => new RegExp(`^${name}:[^=]*=(.*)$`, 'm').exec(text)?.[1] ?? '';
  const here = (path, wanted) => existsSync(path) && realpathSync(path) === realpathSync(wanted);
  const tools = ['CMAKE_MAKE_PROGRAM', 'CMAKE_CXX_COMPILER'].map(entry).filter((path) => isAbsolute(path));
  if (
    here(entry('CMAKE_CACHEFILE_DIR'), folder) &&
    here(entry('CMAKE_HOME_DIRECTORY'), root) &&
    tools.every(existsSync)
  )
    return;
  rmSync(cache);
  rmSync(join(folder, 'CMakeFiles'), { recursive: true, force: true });
}

/**
 * Configures a folder by cmake-js and builds targets of CMakeLists.txt in it. The addon, the C++ tests and the benchmark's C++
 * program of one kind of build (`defines`) share a folder, and so one compiled binding/core.
 */
export async function build({ folder = buildDir, targets = ['rocksdb_backup'], defines = {} } = {}) {
  checkTools();
  const modules = await buildTools();
  const jobs = process.env.ROCKSDB_BACKUP_JOBS ?? String((await import('node:os')).availableParallelism());
  mkdirSync(folder, { recursive: true });
  dropStaleBuild(folder);
  const all = { NODE_EXECUTABLE: process.execPath, NODE_ADDON_API_DIR: join(modules, 'node-addon-api'), ...defines };
  await run('configuring (the first time, this compiles RocksDB: a few minutes)', process.execPath, [
    ...[join(modules, 'cmake-js', 'bin', 'cmake-js'), '--log-level', 'warn', '--out', folder, 'configure'],
    ...Object.entries(all).map(([name, value]) => `--CD${name}=${value}`),
  ]);
  const what = targets.map((target) => (target === 'rocksdb_backup' ? 'the addon' : target)).join(', ');
  const args = ['--build', folder, '--config', 'Release', '--parallel', jobs, '--target', ...targets];
  await run(`building ${what}`, 'cmake', args);
}

export async function buildAddon() {
  await build();
  writeFileSync(addonStamp, addonVariant());
  // Nothing to link leaves the file as old as it was; it fits its sources all the same.
  const now = new Date();
  (await import('node:fs')).utimesSync(addon, now, now);
}

/** Does what is missing: packages, the compiled TypeScript (compile) and the addon (withAddon). */
export async function setup({ withAddon = true, compile = true } = {}) {
  checkNode();
  const checkout = existsSync(inRoot('package-lock.json'));
  const ready = () =>
    checkout &&
    installed() &&
    tapBuilt() &&
    (!compile || typescriptFresh(typescriptSources())) &&
    (!withAddon || (addonFresh() && (!compile || commandTableFresh())));
  if (ready()) return;
  await locked(async () => {
    if (checkout) {
      await installPackages();
      if (compile) await compileTypeScript();
      if (withAddon && !addonFresh()) await buildAddon();
      if (compile && addonFresh()) await writeCommandTable();
    } else {
      await buildAddon();
    }
  });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    await setup({ withAddon: !process.argv.includes('--no-addon') });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
