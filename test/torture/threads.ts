import type { Experiment } from './experiment.js';
import { runNative } from './native.js';

export const threads: Experiment = {
  name: 'threads',
  about: 'create, stop, list, verify, restore, delete, close and open from 8 threads, under ThreadSanitizer',
  async run(torture) {
    await runNative(torture, 'Threads.*', { sanitizer: 'thread', rounds: torture.rounds(200, 5000) });
  },
};
