// What a disk does to a repository over the years. The cases are in test/core/torture/rot.cc.

import type { Experiment } from './experiment.js';
import { runNative } from './native.js';

export const rot: Experiment = {
  name: 'rot',
  about:
    'metas are flipped and cut at every byte, files damaged in every way: verify names each, list never fails, nothing is deleted',
  run: (torture) => runNative(torture, 'Rot.*'),
};
