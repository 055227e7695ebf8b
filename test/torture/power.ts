import type { Experiment } from './experiment.js';
import { runNative } from './native.js';

export const power: Experiment = {
  name: 'power',
  about: 'the power goes during creates, deletes, purges and restores: what was reported is there and whole',
  async run(torture) {
    await runNative(torture, 'Power.*', { rounds: torture.rounds(500, 5000) });
  },
};
