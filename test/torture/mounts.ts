// File systems of an experiment's own. Root can mount them, on Linux.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { Torture } from './experiment.js';

export class Mounts {
  readonly #torture: Torture;
  readonly #mounted: string[] = [];

  constructor(torture: Torture) {
    this.#torture = torture;
  }

  /** Mounts one at a path, which is made. @returns what hinders, or undefined */
  mount(path: string, type: string, options: string, source = type): string | undefined {
    mkdirSync(path, { recursive: true });
    const args = type === 'bind' ? ['--bind', source, path] : ['-t', type, '-o', options, source, path];
    const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' });
    if (status !== 0) return error?.message ?? stderr.trim();
    this.#mounted.unshift(path);
    return undefined;
  }

  /** A tmpfs, or undefined and a figure that says that it was skipped. */
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
