// Writes the generated part of docs/cli.md, and docs/cli-schema.json, from the table of commands. Needs dist/.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const { commands } = require(join(root, 'dist', 'lib', 'cli', 'commands', 'index.js'));
const { schemaText, withReference } = require(join(root, 'dist', 'lib', 'cli', 'reference.js'));

const page = join(root, 'docs', 'cli.md');
writeFileSync(page, withReference(readFileSync(page, 'utf8'), commands));
writeFileSync(join(root, 'docs', 'cli-schema.json'), schemaText(commands));
