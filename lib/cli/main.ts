#!/usr/bin/env node
import { run } from './run.js';

run(process.argv.slice(2)).then((code) => {
  // Not process.exit: what was printed may still be on its way into a pipe.
  process.exitCode = code;
});
