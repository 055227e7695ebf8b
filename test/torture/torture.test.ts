// Tests the harness of npm run torture: it counts checks that fail, reports them with the command to repeat the run, and sets the exit
// code.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Torture } from './experiment.js';
import { experiments } from './experiments.js';

const COMMAND = join(__dirname, 'torture.js');

t.test('what does not hold is counted and told once with the way to do it again', async (t) => {
  const said: string[] = [];
  const torture = new Torture({ name: 'x', seed: 7, full: false, rounds: 3, say: (line) => said.push(line) });
  t.ok(torture.check(true, 'one is one'));
  t.notOk(torture.check(false, 'two is one', { two: 2 }));
  t.notOk(torture.check(false, 'three is one'));
  t.same([torture.passed, torture.failed], [1, 2]);
  t.same(said, [
    'not ok - two is one: {"two":2}',
    '  again: npm run torture -- x --seed 7 --rounds 3',
    'not ok - three is one',
  ]);
  torture.clean();
  t.notOk(existsSync(torture.directory));
});

t.test('the same seed has the same chance, and --rounds goes before the form', async (t) => {
  const [one, other] = [1, 2].map(() => new Torture({ name: 'x', seed: 7, full: true })) as [Torture, Torture];
  t.same([one.random.next(), one.random.next()], [other.random.next(), other.random.next()]);
  t.equal(one.rounds(200, 1000), 1000);
  const few = new Torture({ name: 'x', seed: 7, full: true, rounds: 3 });
  t.equal(few.rounds(200, 1000), 3);
  for (const torture of [one, other, few]) torture.clean();
});

t.test('each experiment has a name of its own and says what it is about', async (t) => {
  t.equal(new Set(experiments.map(({ name }) => name)).size, experiments.length);
  for (const { name, about } of experiments) {
    t.match(name, /^[a-z]+$/);
    t.ok(about.length > 20, name);
  }
});

t.test('an experiment ends with the process that started it', async (t) => {
  const outer = spawn(process.execPath, [COMMAND, 'fight', 'disk'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  outer.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (said.includes('== fight')) outer.kill('SIGKILL');
  });
  await once(outer, 'close'); // the experiment has the same output, so it has ended, too
  t.match(said, /== fight/);
  t.notMatch(said, /# \{ total/, 'before it came to its end');
});

t.test('arguments that are none are refused', async (t) => {
  for (const args of [['nothing-of-the-kind'], ['--seed', 'x'], ['--rounds', '-1'], ['--colour']]) {
    t.equal(spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' }).status, 2, args.join(' '));
  }
});
