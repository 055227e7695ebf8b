import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** An absolute path with its links resolved, as far as there is something at it. */
export function realPathOf(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(realPathOf(parent), basename(absolute));
  }
}
