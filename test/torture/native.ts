// Experiments that are written in C++: test/core/torture. They are built and run in the same way as test/core.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ended } from './ended.js';
import type { Torture } from './experiment.js';

const ROOT = join(__dirname, '..', '..', '..');

/**
 * Builds the GoogleTests of test/core/torture and runs those that match a filter. TORTURE_SEED gives them their seed, TORTURE_FULL (1 or 0)
 * the form, and TORTURE_ROUNDS, if set, the number of rounds. Lines that they print as `figure: what = value` go into the table at the end,
 * with a `label` if one experiment runs them more than once.
 */
export async function runNative(
  torture: Torture,
  filter: string,
  options: { sanitizer?: 'thread' | 'address'; rounds?: number; seed?: number; label?: string } = {},
): Promise<void> {
  const args = [join(ROOT, '.ci', 'core-test.mjs'), ...(options.sanitizer ? [options.sanitizer] : [])];
  args.push('--torture', `--gtest_filter=${filter}`);
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TORTURE_SEED: String(options.seed ?? torture.seed),
      TORTURE_FULL: torture.full ? '1' : '0',
      ...(options.rounds !== undefined && { TORTURE_ROUNDS: String(options.rounds) }),
    },
  });
  const { code, text } = await ended(child);
  for (const [, what, value] of text.matchAll(/^figure: (.*?) = (.*)$/gm))
    torture.figure(`${options.label ?? ''}${what}`, value as string);
  const passed = Number(/^\[ {2}PASSED {2}\] (\d+) test/m.exec(text)?.[1] ?? 0);
  const failed = Number(/^\[ {2}FAILED {2}\] (\d+) tests?, listed below/m.exec(text)?.[1] ?? 0);
  torture.count(passed, failed);
  if (code !== 0 || passed + failed === 0) {
    torture.quote(text, 200);
    if (failed === 0) torture.check(false, `the tests ${filter} ran and ended well`, code);
    else torture.say(`  again: ${torture.replay}`);
  }
}
