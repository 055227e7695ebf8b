// Work that is repeated thousands of times in one process leaves nothing behind in it.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Experiment, Torture } from './experiment.js';
import type { LeaksOrder } from './leaks-child.js';
import type { Counts } from './process-counts.js';

const MIB = 2 ** 20;

/**
 * How much memory may grow between two windows of rounds, however long they are: the C library's arenas take long to settle, and the size
 * of heaps varies. In the thousands of rounds of the long form, a leak of one kilobyte in each round becomes visible.
 */
const TOLERANCE = { anonymous: 8 * MIB, external: 1 * MIB, heap: 3 * MIB };

async function countsOf(order: LeaksOrder): Promise<{ rounds: number; windows: Counts[] }> {
  const args = ['--expose-gc', join(__dirname, 'leaks-child.js'), JSON.stringify(order)];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    maxBuffer: 16 * MIB,
    // With these settings, freed memory goes back to the system, and threads share arenas. So memory that grows is memory that is kept.
    env: { ...process.env, MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' },
  });
  return JSON.parse(stdout);
}

/** The smallest value of some windows. Memory that is kept for good is in all of them; memory that comes and goes is not. */
function least(windows: Counts[], what: keyof Counts): number {
  return Math.min(...windows.map((counts) => counts[what]));
}

function judge(torture: Torture, work: string, windows: Counts[], rounds: number): void {
  const early = windows.slice(2, 6);
  const late = windows.slice(-4);
  for (const what of ['anonymous', 'external', 'heap'] as const) {
    const grown = least(late, what) - least(early, what);
    torture.figure(`${work}: ${what} bytes more at the end`, `${(grown / 1024).toFixed(0)} KiB`);
    torture.check(
      grown <= TOLERANCE[what],
      `${rounds} rounds of ${work} leave ${what} memory as it was, ${TOLERANCE[what] / MIB} MiB apart`,
      windows.map((counts) => counts[what]),
    );
  }
  for (const what of ['descriptors', 'threads', 'handles'] as const) {
    const grown = least(late, what) - least(early, what);
    torture.figure(`${work}: ${what}`, `${least(early, what)} then ${least(late, what)}`);
    torture.check(
      grown <= 0,
      `${rounds} rounds of ${work} leave as many ${what} as there were`,
      windows.map((counts) => counts[what]),
    );
  }
}

export const leaks: Experiment = {
  name: 'leaks',
  about:
    'opens and closes, backups, verifies, restores, iterators and aborts leave memory, descriptors, threads and handles',
  async run(torture) {
    if (!existsSync('/proc/self/task')) {
      torture.figure('skipped', 'there is no /proc to count in');
      return;
    }
    const plans = [
      { work: 'opens', rounds: torture.rounds(500, 10_000) },
      { work: 'backups', rounds: torture.rounds(100, 1000) },
    ] as const;
    for (const { work, rounds } of plans) {
      const directory = torture.path(work);
      const began = performance.now();
      const counted = await countsOf({ work, directory, rounds, seed: torture.seed });
      torture.figure(`${work}: rounds`, `${counted.rounds} in ${((performance.now() - began) / 1000).toFixed(0)} s`);
      judge(torture, work, counted.windows, counted.rounds);
      const left = readdirSync(directory).sort();
      torture.check(
        left.every((name) => ['backups', 'db'].includes(name)),
        `${work} leave no temporary files beside their directories`,
        left,
      );
    }
  },
};
