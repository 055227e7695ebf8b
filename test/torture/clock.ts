// Sets the wall clock forward and back, by seconds and by years, while the engine and a manager work.

import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onLines } from '../fixtures/lines.js';
import type { ClockLine, ClockOptions } from './clock-child.js';
import type { Experiment } from './experiment.js';

const SOURCE = join(__dirname, '..', '..', '..', 'test', 'torture', 'fake_time.cc');

export const clock: Experiment = {
  name: 'clock',
  about: 'the wall clock is set back and forth: order, latest, --before, schedules and retention stay right',
  async run(torture) {
    const library = torture.path('fake_time.so');
    execFileSync(process.env.CXX ?? 'c++', ['-std=c++20', '-O1', '-Wall', '-shared', '-fPIC', '-o', library, SOURCE]);
    const time = torture.path('time');
    writeFileSync(time, Buffer.alloc(8));
    const { directory, seed } = torture;
    const options: ClockOptions = { directory, time, seed, rounds: torture.rounds(50, 500) };
    const child = spawn(process.execPath, [join(__dirname, 'clock-child.js'), JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LD_PRELOAD: library, TORTURE_TIME: time },
    });
    let err = '';
    onLines(child.stdout, (text) => {
      const line = JSON.parse(text) as ClockLine;
      if ('figure' in line) torture.figure(line.figure, line.value);
      else torture.check(line.held, line.what, line.seen);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    torture.check(code === 0, 'the process whose clock is set ends well', { code, err });
  },
};
