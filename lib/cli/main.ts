#!/usr/bin/env node
import { run } from './run.js';

run(process.argv.slice(2)).then(
  (code) => {
    // Do not call process.exit: output may still be on its way into a pipe.
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`rocksdb-backup: error: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  },
);
