// The programs of the servers. What is missing is installed once for this machine, where that is possible.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'rocksdb-backup', 'servers');

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/**
 * Makes sure that programs of Debian are there. @returns why they are not, for `skip`; in CI that is a failure.
 */
export function missingPrograms(programs: readonly string[], packages: readonly string[]): string | false {
  const missing = () => programs.filter((program) => !onPath(program));
  if (missing().length > 0 && process.getuid?.() === 0 && onPath('apt-get')) {
    const wait = ['-o', 'DPkg::Lock::Timeout=300', '-qq'];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', [...wait, 'update'], { env });
    spawnSync('apt-get', [...wait, 'install', '-y', '--no-install-recommends', ...packages], { env });
  }
  return unavailable(missing().length > 0 && `needs ${missing().join(', ')}: apt install ${packages.join(' ')}`);
}

/** The folder of a package of npm, in a cache beside the checkout: too large to be a dependency. Undefined if it cannot be had. */
export function cachedPackage(name: string, version: string): string | undefined {
  const folder = join(CACHE, `${name}-${version}`);
  const module = join(folder, 'node_modules', name);
  if (existsSync(module)) return module;
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  const npm = ['install', '--prefix', fresh, '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${version}`];
  const { status } = spawnSync('npm', npm, { stdio: 'ignore' });
  // Another test may have put it there meanwhile.
  if (status === 0 && !existsSync(folder)) renameSync(fresh, folder);
  rmSync(fresh, { recursive: true, force: true });
  return existsSync(module) ? module : undefined;
}

export function unavailable(why: string | false): string | false {
  if (why !== false && process.env.CI_CHECKS) throw new Error(why);
  return why;
}
