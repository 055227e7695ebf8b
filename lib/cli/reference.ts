// Makes the reference of the command line: docs/cli.md from the table of commands, and the JSON schema of their answers.

import { type Command, commonOptions, type OptionSpecs, optionsOf } from './command.js';
import { exitCodes } from './exit-codes.js';
import { exitsOf, optionText, optionTitle, usageLine } from './help.js';
import { definitions } from './json.js';
import { configSchema } from './watch-config.js';

const BEGIN = '<!-- What follows is made by `npm run docs:cli`. -->';

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``;

function optionTable(options: OptionSpecs): string[] {
  return [
    '| option | |',
    '|---|---|',
    ...Object.entries(options).map(
      ([name, spec]) => `| ${code(optionTitle(name, spec))} | ${cell(optionText(spec))} |`,
    ),
  ];
}

function section(command: Command): string[] {
  const own = Object.fromEntries(Object.entries(optionsOf(command)).filter(([name]) => !(name in commonOptions)));
  return [
    '',
    `### ${command.name}`,
    '',
    '```',
    usageLine(command),
    '```',
    ...command.description.flatMap((paragraph) => ['', paragraph]),
    '',
    ...command.positionals.map(({ name, summary }) => `* \`${name}\`: ${summary}`),
    ...(Object.keys(own).length === 0 ? [] : ['', ...optionTable(own)]),
    '',
    '```sh',
    ...command.examples.map(({ line, does }) => `${line}   # ${does}`),
    '```',
    '',
    `Exit codes: ${exitsOf(command)
      .map((exit) => `${exitCodes[exit].number}`)
      .join(', ')}. Its JSON: \`${command.name}\` in [cli-schema.json](cli-schema.json).`,
  ];
}

/** The generated part of docs/cli.md. */
function referenceText(commands: readonly Command[]): string {
  return [
    BEGIN,
    '',
    '## Commands',
    '',
    '| command | |',
    '|---|---|',
    ...commands.map(({ name, summary }) => `| [${name}](#${name}) | ${cell(summary)} |`),
    '',
    'Every command has these:',
    '',
    ...optionTable(commonOptions),
    ...commands.flatMap(section),
    '',
  ].join('\n');
}

/** The JSON Schema of the answers of all commands with --json. The schema of each command is in `$defs`. */
export function schemaText(commands: readonly Command[]): string {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What the commands of rocksdb-backup answer with --json',
    $defs: {
      ...definitions,
      watchConfig: configSchema,
      ...Object.fromEntries(commands.map((command) => [command.name, command.schema])),
    },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** Replaces the generated part of a page. */
export function withReference(page: string, commands: readonly Command[]): string {
  const at = page.indexOf(BEGIN);
  return `${at < 0 ? `${page.trimEnd()}\n\n` : page.slice(0, at)}${referenceText(commands)}`;
}
