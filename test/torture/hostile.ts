// Repositories that somebody made to do harm. The cases are in test/core/torture/hostile.cc.

import type { Experiment } from './experiment.js';
import { runNative } from './native.js';

export const hostile: Experiment = {
  name: 'hostile',
  about:
    'malformed backup directories: every operation ends, with a code, in bounded memory, and touches nothing outside',
  run: (torture) => runNative(torture, 'Hostile.*', { rounds: torture.rounds(400, 20_000) }),
};
