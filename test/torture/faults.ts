import type { Experiment } from './experiment.js';
import { runNative } from './native.js';

export const faults: Experiment = {
  name: 'faults',
  about:
    'every operation with the nth call of every kind failing: a typed error that names the file, or success, and nothing harmed',
  async run(torture) {
    // For each operation, this many cases, chosen at random; or all cases.
    await runNative(torture, 'Faults.*', { rounds: torture.rounds(40, 1_000_000) });
  },
};
