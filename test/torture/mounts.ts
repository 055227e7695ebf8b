// File systems for an experiment. On Linux, root can mount them.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { Torture } from './experiment.js';

export class Mounts {
  readonly #torture: Torture;
  readonly #mounted: string[] = [];

  constructor(torture: Torture) {
    this.#torture = torture;
  }

  /** Creates a directory and mounts a file system there. @returns the problem if that fails, otherwise undefined */
  mount(path: string, type: string, options: string, source = type): string | undefined {
    mkdirSync(path, { recursive: true });
    const args = type === 'bind' ? ['--bind', source, path] : ['-t', type, '-o', options, source, path];
    const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' });
    if (status !== 0) return error?.message ?? stderr.trim();
    this.#mounted.unshift(path);
    return undefined;
  }

  /** Mounts a tmpfs. If that fails, returns undefined and adds a figure that says that the part was skipped. */
  tmpfs(path: string, options: string, what: string): string | undefined {
    const hindrance = this.mount(path, 'tmpfs', options);
    if (hindrance === undefined) return path;
    this.#torture.figure(what, `skipped: needs root to mount (${hindrance})`);
    return undefined;
  }

  remount(path: string, options: string): boolean {
    return spawnSync('mount', ['-o', `remount,${options}`, path]).status === 0;
  }

  unmount(path: string): void {
    const at = this.#mounted.indexOf(path);
    if (at >= 0 && spawnSync('umount', [path]).status === 0) this.#mounted.splice(at, 1);
  }

  unmountAll(): void {
    for (const path of [...this.#mounted]) {
      if (spawnSync('umount', [path]).status !== 0) spawnSync('umount', ['-l', path]);
    }
    this.#mounted.length = 0;
  }
}
