// All experiments, in the order in which they run.

import { clock } from './clock.js';
import { crash } from './crash.js';
import { disk } from './disk.js';
import { environment } from './environment.js';
import type { Experiment } from './experiment.js';
import { faults } from './faults.js';
import { fight } from './fight.js';
import { fuzz } from './fuzz.js';
import { hostile } from './hostile.js';
import { leaks } from './leaks.js';
import { limits } from './limits.js';
import { options } from './options.js';
import { power } from './power.js';
import { rot } from './rot.js';
import { sanitized } from './sanitized.js';
import { stores } from './stores.js';
import { threads } from './threads.js';
import { workers } from './workers.js';

export const experiments: readonly Experiment[] = [
  crash,
  faults,
  power,
  threads,
  fight,
  workers,
  disk,
  environment,
  clock,
  rot,
  stores,
  hostile,
  options,
  fuzz,
  leaks,
  limits,
  sanitized,
];
