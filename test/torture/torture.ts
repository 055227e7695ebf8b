// npm run torture -- [NAME ...] [--full] [--seed S] [--rounds N] [--keep]
//
// Without a name, runs the short form of every experiment, each in its own process. The printed seed repeats a run.

import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { newSeed } from '../fixtures/random.js';
import { type Experiment, Torture } from './experiment.js';
import { experiments } from './experiments.js';

interface Arguments {
  names: string[];
  full: boolean;
  seed: number;
  rounds: number | undefined;
  keep: boolean;
}

function read(argv: string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      full: { type: 'boolean', default: false },
      seed: { type: 'string' },
      rounds: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.filter((name) => !experiments.some((experiment) => experiment.name === name));
  if (unknown.length > 0) throw new Error(`no experiment ${unknown.join(', ')}`);
  const number = (name: 'seed' | 'rounds') => {
    const text = values[name];
    if (text !== undefined && !/^\d{1,10}$/.test(text))
      throw new Error(`--${name} takes a whole number, not '${text}'`);
    return text === undefined ? undefined : Number(text);
  };
  return {
    names: positionals,
    full: values.full ?? false,
    seed: number('seed') ?? newSeed(),
    rounds: number('rounds'),
    keep: values.keep ?? false,
  };
}

/** The line that .ci/run reads to count the tests. */
function totals(passed: number, failed: number): string {
  return `# { total: ${passed + failed}, pass: ${passed}, fail: ${failed} }`;
}

async function runHere(experiment: Experiment, { full, seed, rounds, keep }: Arguments): Promise<boolean> {
  const torture = new Torture({ name: experiment.name, full, seed, rounds, keep });
  console.log(`== ${experiment.name}: ${experiment.about}`);
  const began = performance.now();
  try {
    await experiment.run(torture);
  } catch (error) {
    torture.check(false, `${experiment.name} runs to its end`, error);
  } finally {
    torture.clean();
  }
  if (torture.passed + torture.failed === 0) torture.check(false, `${experiment.name} checks something`);
  for (const [what, value] of torture.figures) console.log(`   ${what}: ${value}`);
  console.log(`   ${((performance.now() - began) / 1000).toFixed(1)} s, seed ${seed}`);
  console.log(totals(torture.passed, torture.failed));
  return torture.failed === 0;
}

/** Runs an experiment in its own process, so that memory it leaves, or a crash, does not affect the next one. */
async function runApart(experiment: Experiment, { full, seed, rounds, keep }: Arguments): Promise<boolean> {
  const args = [__filename, experiment.name, '--seed', String(seed)];
  if (full) args.push('--full');
  if (keep) args.push('--keep');
  if (rounds !== undefined) args.push('--rounds', String(rounds));
  const child = spawn(process.execPath, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done) =>
    child.once('exit', (...how) => done(how)),
  );
  if (code === 0 || code === 1) return code === 0;
  console.log(`not ok - ${experiment.name} ended with ${signal ?? code}`);
  console.log(`  again: npm run torture -- ${experiment.name} --seed ${seed}`);
  console.log(totals(0, 1));
  return false;
}

/** If this process was started by runApart(), it ends with that one: so do the servers and the children of an experiment. */
function endWithParent(): void {
  process.once('disconnect', () => process.exit(1));
  process.channel?.unref(); // it keeps no process alive
}

async function main(): Promise<number> {
  endWithParent();
  let args: Arguments;
  try {
    args = read(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n`);
    console.error('npm run torture -- [NAME ...] [--full] [--seed S] [--rounds N] [--keep]\n');
    for (const { name, about } of experiments) console.error(`  ${name.padEnd(12)} ${about}`);
    return 2;
  }
  const chosen = experiments.filter(({ name }) => args.names.length === 0 || args.names.includes(name));
  if (chosen.length === 1) return (await runHere(chosen[0] as Experiment, args)) ? 0 : 1;
  const failed: string[] = [];
  for (const experiment of chosen) {
    if (!(await runApart(experiment, args))) failed.push(experiment.name);
  }
  console.log(failed.length === 0 ? `${chosen.length} experiments passed` : `failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

main().then((code) => {
  process.exitCode = code;
});
