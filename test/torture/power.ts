import type { Experiment } from './experiment.js';
import { runNative } from './native.js';

/** Rounds for one database. The database grows with every round, and with it the time that a round takes. */
const ROUNDS_AT_ONCE = 500;

export const power: Experiment = {
  name: 'power',
  about: 'the power goes during creates, deletes, purges and restores: what was reported is there and whole',
  async run(torture) {
    const rounds = torture.rounds(ROUNDS_AT_ONCE, 10 * ROUNDS_AT_ONCE);
    for (let done = 0, seed = torture.seed; done < rounds; done += ROUNDS_AT_ONCE, seed++) {
      await runNative(torture, 'Power.*', {
        rounds: Math.min(ROUNDS_AT_ONCE, rounds - done),
        seed,
        label: rounds > ROUNDS_AT_ONCE ? `seed ${seed}: ` : '',
      });
    }
  },
};
