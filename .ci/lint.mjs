// The linters, one by name or all of them.
//
//   node .ci/lint.mjs [clang-format] [clang-tidy] [biome] [types]
//   node .ci/lint.mjs --fix                  formats C++ and TypeScript, and repairs what biome can

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from '../deps/setup.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const fix = process.argv.includes('--fix');
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
    if (!existsSync(join(root, 'build', 'compile_commands.json'))) await setup();
    const queue = sources(['binding/core', 'binding/napi'], /\.cc$/);
    let ok = true;
    const worker = async () => {
      for (let file = queue.shift(); file; file = queue.shift()) {
        const args = ['-p', 'build', '--quiet', '--config-file=binding/.clang-tidy', file];
        const child = spawn('clang-tidy', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
        let text = '';
        let said = '';
        child.stdout.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        child.stderr.setEncoding('utf8').on('data', (chunk) => (said += chunk));
        const code = await new Promise((done) => {
          child.on('error', (error) => {
            said = `${error.message}: install clang-tidy (apt install clang-tidy).`;
            done(1);
          });
          child.on('close', done);
        });
        if (code !== 0) {
          ok = false;
          console.log(`${text}${text ? '' : said}`);
        }
      }
    };
    await Promise.all(
      Array.from({ length: Number(process.env.ROCKSDB_BACKUP_JOBS) || availableParallelism() }, worker),
    );
    return ok;
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
