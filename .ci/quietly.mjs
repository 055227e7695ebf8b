// Builds that others wait for: what they say is shown only if they fail.

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** How many compilers at a time. */
export const jobs = process.env.ROCKSDB_BACKUP_JOBS ?? String(availableParallelism());

/** The output of a command; ends this process if it fails. `needs` says what must be there for it. */
export function quietly(command, args, needs = '') {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) {
    console.error(`${stdout ?? ''}\n${stderr ?? ''}`.split('\n').slice(-80).join('\n'));
    console.error(`${error?.message ?? `${command} ended with ${signal ?? status}`}${needs && `: ${needs}`}`);
    process.exit(1);
  }
  return stdout;
}
