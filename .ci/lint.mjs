// The linters, one by name or all of them.
//
//   node .ci/lint.mjs [clang-format] [clang-tidy] [biome] [types] [layers]
//   node .ci/lint.mjs clang-tidy --all       every source, not only what changed since it passed
//   node .ci/lint.mjs --fix                  formats C++ and TypeScript, and repairs what biome can

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from '../deps/setup.mjs';
import { jobs } from './quietly.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const fix = process.argv.includes('--fix');
const all = process.argv.includes('--all');
const asked = process.argv.slice(2).filter((word) => !word.startsWith('--'));

function sources(folders, pattern) {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((name) => `${folder}/${name}`))
    .filter((name) => pattern.test(name));
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error?.code === 'ENOENT') console.error(`${command} is missing: install it (apt install ${command}).`);
  return status === 0;
}

/** What clang-tidy has found nothing in: a source is checked again when it, or anything of ours that it includes, has changed. */
const TIDY_PASSED = join(root, '.ci', 'clang-tidy-passed.json');

/** A folder with the commands of the sources one by one. The build compiles several at a time, and clang-tidy looks at one. */
function tidyDatabase() {
  const commands = JSON.parse(readFileSync(join(root, 'build', 'compile_commands.json'), 'utf8'));
  const entries = Object.entries({ 'binding/core': 'core.dir', 'binding/napi': 'rocksdb_backup.dir' }).flatMap(
    ([folder, target]) => {
      const several = commands.find(({ file }) => file.includes(`/${target}/`) && file.endsWith('.cxx'));
      return sources([folder], /\.cc$/).map((name) => {
        const file = join(root, name);
        return { ...several, file, command: several.command.replaceAll(several.file, file) };
      });
    },
  );
  const folder = join(root, 'build', 'tidy');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'compile_commands.json'), JSON.stringify(entries));
  return folder;
}

function hashWithIncludes(file) {
  const seen = new Set();
  const hash = createHash('sha256').update(readFileSync(join(root, 'binding', '.clang-tidy')));
  const add = (name) => {
    if (seen.has(name) || !existsSync(join(root, name))) return;
    seen.add(name);
    const text = readFileSync(join(root, name), 'utf8');
    hash.update(`${name}\n${text}`);
    for (const [, included] of text.matchAll(/^#include "(.*)"/gm)) add(`binding/${included}`);
  };
  add(file);
  return hash.digest('hex').slice(0, 16);
}

/** What a command printed, and how it ended. */
async function ended(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk) => (said += chunk));
  const code = await new Promise((done) => {
    child.on('error', (error) => {
      said = `${error.message}: install ${command} (apt install ${command}).`;
      done(1);
    });
    child.on('close', done);
  });
  return { code, output: output || said };
}

const npmTool = (...path) => join(root, 'node_modules', ...path);

const linters = {
  'clang-format': () => {
    const files = sources(['binding', 'test', 'bench/native'], /\.(cc|h)$/);
    return run('clang-format', [
      '--style=file:binding/.clang-format',
      ...(fix ? ['-i'] : ['--dry-run', '--Werror']),
      ...files,
    ]);
  },

  'clang-tidy': async () => {
    await setup(); // which leaves build/compile_commands.json
    const database = tidyDatabase();
    const passed = existsSync(TIDY_PASSED) ? JSON.parse(readFileSync(TIDY_PASSED, 'utf8')) : {};
    const hashes = Object.fromEntries(
      sources(['binding/core', 'binding/napi'], /\.cc$/).map((file) => [file, hashWithIncludes(file)]),
    );
    const queue = Object.keys(hashes).filter((file) => all || passed[file] !== hashes[file]);
    console.log(`clang-tidy: ${queue.length} of ${Object.keys(hashes).length} files`);
    const failed = new Set();
    const worker = async () => {
      for (let file = queue.shift(); file; file = queue.shift()) {
        const args = ['-p', database, '--quiet', '--config-file=binding/.clang-tidy'];
        // The flags are the compiler's, and clang need not know all of them.
        args.push('--extra-arg=-Wno-unknown-warning-option', file);
        const { code, output } = await ended('clang-tidy', args);
        if (code === 0) continue;
        failed.add(file);
        console.log(output);
      }
    };
    await Promise.all(Array.from({ length: Number(jobs) }, worker));
    for (const file of failed) delete hashes[file];
    if (!process.env.CI_CHECKS) writeFileSync(TIDY_PASSED, `${JSON.stringify(hashes, null, 2)}\n`);
    return failed.size === 0;
  },

  biome: () =>
    run(process.execPath, [
      npmTool('@biomejs', 'biome', 'bin', 'biome'),
      'check',
      '--config-path=.ci/typescript-lint.json',
      ...(fix ? ['--write'] : []),
      '.',
    ]),

  types: () => run(process.execPath, [npmTool('typescript', 'bin', 'tsc'), '--noEmit']),

  layers: () => run(process.execPath, [join(root, '.ci', 'layers.mjs')]),
};

await setup({ withAddon: false, compile: false });
let passed = true;
for (const name of asked.length ? asked : fix ? ['clang-format', 'biome'] : Object.keys(linters)) {
  const started = Date.now();
  const ok = await linters[name]();
  console.log(`${name}: ${ok ? 'passed' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  passed &&= ok;
}
process.exitCode = passed ? 0 : 1;
