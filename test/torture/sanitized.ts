// Runs the tests of this package with the addon and RocksDB under AddressSanitizer and UndefinedBehaviorSanitizer.

import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type Ended, ended } from './ended.js';
import type { Experiment } from './experiment.js';

const ROOT = join(__dirname, '..', '..', '..');

/** The test files that use most of the native code. They run before every landing. */
const SHORT = [
  'backup/lifecycle',
  'database/database',
  'database/iterator',
  'database/write-batch',
  'checkpoints/snapshots',
  'backup/bytes',
  'backup/create',
  'backup/hostile',
  'restore/restore',
  'backup/stop',
  'backup/write-queue',
  'backup/worker-ends',
];

/** Test files that are left out, and why. */
const LEFT_OUT: Record<string, string> = {
  'backup/stop-latency': 'measures milliseconds, which the sanitizers multiply',
  'database/reads-from-memory': 'measures which reads wait',
  'database/threadpool': 'measures which calls wait for others',
  'backup/leaks': 'counts what the process holds, of which the sanitizers hold some',
  'package/deps': 'tests the build, in which nothing is instrumented',
  'cli/report': 'starts a browser, which does not start with the library of the sanitizers in it',
  'cli/terminal': 'starts other programs in a terminal, with the library of the sanitizers in them',
  'cli/completion': 'starts shells with the library of the sanitizers in them',
};

/** All test files of this package, named like those above. */
async function testNames(): Promise<string[]> {
  const url = pathToFileURL(join(ROOT, '.ci', 'test-files.mjs')).href;
  const { testFiles } = (await import(url)) as { testFiles(): string[] };
  return testFiles().map((path) => `${basename(dirname(path))}/${basename(path, '.test.js')}`);
}

function runTest(file: string, env: NodeJS.ProcessEnv): Promise<Ended> {
  return ended(
    spawn(process.execPath, [join(ROOT, 'dist', 'test', `${file}.test.js`)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env, TAP_TIMEOUT: '3000', TAP_BAIL: '0' },
    }),
  );
}

/** What a sanitizer wrote while one file ran. Each report is returned only once. */
function newReports(folder: string, seen: Set<string>): string[] {
  const fresh = readdirSync(folder).filter((name) => !seen.has(name));
  for (const name of fresh) seen.add(name);
  return fresh.map((name) => readFileSync(join(folder, name), 'utf8').slice(0, 6000));
}

export const sanitized: Experiment = {
  name: 'sanitized',
  about: 'the tests pass with the addon and RocksDB under AddressSanitizer and UndefinedBehaviorSanitizer',
  async run(torture) {
    const folder = torture.path('reports');
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, '.ci', 'sanitized-addon.mjs'), folder], {
      maxBuffer: 2 ** 26,
    });
    const env = JSON.parse(stdout) as NodeJS.ProcessEnv;
    const all = await testNames();
    const files = torture.full ? all.filter((name) => !(name in LEFT_OUT)) : SHORT;
    torture.check(
      files.every((name) => all.includes(name)),
      'every file that is named is there',
      files.filter((name) => !all.includes(name)),
    );
    const seen = new Set<string>();
    let assertions = 0;
    const limit = torture.rounds(files.length, files.length);
    for (const file of files.slice(0, limit)) {
      const began = performance.now();
      const { code, text } = await runTest(file, env);
      const reports = newReports(folder, seen);
      const passed = text.match(/^ *ok \d/gm)?.length ?? 0;
      assertions += passed;
      const whole =
        torture.check(
          code === 0 && passed > 0,
          `${file}.test.js passes under the sanitizers`,
          `it ended with ${code}`,
        ) && torture.check(reports.length === 0, `the sanitizers find nothing in ${file}.test.js`);
      if (!whole)
        torture.quote([...reports, text.match(/^ *not ok [\s\S]{0,1500}/gm)?.join('\n') ?? text].join('\n'), 80);
      if (torture.full) torture.say(`   ${file}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
    }
    torture.figure('files', `${Math.min(limit, files.length)} of ${all.length}`);
    torture.figure('assertions that passed', assertions);
    if (torture.full) {
      for (const [name, why] of Object.entries(LEFT_OUT)) torture.figure(`left out: ${name}`, why);
    }
  },
};
