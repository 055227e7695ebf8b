#!/usr/bin/env node
import { run } from './run.js';

// The SDK's warning about its own future says nothing to who runs a command.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

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
