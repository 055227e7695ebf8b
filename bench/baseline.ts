import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const build = join(root, 'build', 'bench');

function run(command: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) {
    throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? `${stdout}\n${stderr}`}`);
  }
  return stdout;
}

/** Builds bench/native with the libraries that are linked into the addon, and returns the executable. */
export function buildBaseline(): string {
  process.stderr.write('building the C++ program\n');
  const generator =
    existsSync(join(build, 'CMakeCache.txt')) || spawnSync('ninja', ['--version']).status !== 0 ? [] : ['-G', 'Ninja'];
  const jobs = process.env.ROCKSDB_BACKUP_JOBS ?? String(availableParallelism());
  const defines = ['-D', 'BENCH_BASELINE=ON', '-D', `NODE_EXECUTABLE=${process.execPath}`];
  run('cmake', ['-S', root, '-B', build, ...generator, ...defines]);
  run('cmake', ['--build', build, '--parallel', jobs, '--target', 'backup_baseline']);
  return join(build, 'backup_baseline');
}

/** Runs a program that prints one line of JSON, in its own process. */
export function runForJson<T>(command: string, args: string[]): T {
  const text = run(command, args).trim();
  return (text === '' ? undefined : JSON.parse(text.slice(text.lastIndexOf('\n') + 1))) as T;
}
