import {
  type Command,
  commonOptions,
  type OptionSpec,
  type OptionSpecs,
  optionsOf,
  type PositionalSpec,
} from './command.js';
import { AT_ONCE, type Exit, exitCodes } from './exit-codes.js';
import type { Style } from './output/style.js';
import { width, wrap } from './output/text.js';

/** How an argument is written in the usage line. */
function usageOf({ name, optional, many, choices }: PositionalSpec): string {
  const word = `${choices?.join('|') ?? name}${many ? '...' : ''}`;
  return optional ? `[${word}]` : word;
}

export function usageLine(command: Command): string {
  return ['rocksdb-backup', command.name, ...command.positionals.map(usageOf), '[options]'].join(' ');
}

const placeholders: Partial<Record<OptionSpec['type'], string>> = {
  text: 'TEXT',
  path: 'FILE',
  directory: 'DIR',
  integer: 'N',
  size: 'SIZE',
  rate: 'RATE',
  duration: 'DURATION',
  time: 'TIME',
  backup: 'ID',
};

/** For example `-q, --quiet`, `--rate-limit RATE`. */
export function optionTitle(name: string, spec: OptionSpec): string {
  const value =
    spec.type === 'flag' ? '' : ` ${spec.placeholder ?? placeholders[spec.type] ?? spec.choices?.join('|')}`;
  return `${spec.short === undefined ? '' : `-${spec.short}, `}--${name}${value}`;
}

/** The whole description of an option, with its values and its default. */
export function optionText({ summary, choices, placeholder, default: byDefault }: OptionSpec): string {
  const values = choices !== undefined && placeholder !== undefined ? `: ${choices.join(', ')}` : '';
  return `${summary}${values}${byDefault === undefined ? '' : ` (default: ${byDefault})`}`;
}

function definitions(entries: readonly (readonly [string, string])[], columns: number): string[] {
  const left = Math.min(28, Math.max(...entries.map(([title]) => width(title)))) + 4;
  return entries.flatMap(([title, text]) => {
    const lines = wrap(text, Math.max(30, columns - left));
    const first =
      width(title) + 4 > left
        ? [`  ${title}`, `${' '.repeat(left)}${lines[0]}`]
        : [`  ${title.padEnd(left - 2)}${lines[0]}`];
    return [...first, ...lines.slice(1).map((line) => `${' '.repeat(left)}${line}`)];
  });
}

const optionEntries = (options: OptionSpecs) =>
  Object.entries(options).map(([name, spec]) => [optionTitle(name, spec), optionText(spec)] as const);

const exitEntries = (exits: readonly Exit[]) =>
  exits.map((exit) => [String(exitCodes[exit].number), exitCodes[exit].meaning] as const);

/** The possible exits of a command. */
export function exitsOf(command: Command): Exit[] {
  const all: Exit[] = ['ok', 'failed', 'usage', ...command.exits];
  return (Object.keys(exitCodes) as Exit[]).filter((exit) => all.includes(exit));
}

export function commandHelp(command: Command, columns: number, style: Style): string[] {
  const own = Object.fromEntries(Object.entries(optionsOf(command)).filter(([name]) => !(name in commonOptions)));
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', style.bold(title), ...lines];
  return [
    `${style.bold('Usage:')} ${usageLine(command)}`,
    ...command.description.flatMap((paragraph) => ['', ...wrap(paragraph, columns)]),
    ...section(
      'Arguments',
      command.positionals.length === 0
        ? []
        : definitions(
            command.positionals.map(({ name, summary }) => [name, summary] as const),
            columns,
          ),
    ),
    ...section('Options', Object.keys(own).length === 0 ? [] : definitions(optionEntries(own), columns)),
    ...section('Options of every command', definitions(optionEntries(commonOptions), columns)),
    ...section(
      'Examples',
      command.examples.flatMap(({ line, does }) => [`  ${style.dim(`# ${does}`)}`, `  ${line}`]),
    ),
    ...section('Exit codes', definitions(exitEntries(exitsOf(command)), columns)),
  ];
}

export function generalHelp(commands: readonly Command[], columns: number, style: Style): string[] {
  return [
    `${style.bold('Usage:')} rocksdb-backup COMMAND [arguments] [options]`,
    '',
    ...wrap(
      'Backs up and restores RocksDB databases. DB is the directory of a database, DIR a repository (a directory of backups, or the URL of a store), ID the ' +
        "number of a backup or 'latest'.",
      columns,
    ),
    '',
    style.bold('Commands'),
    ...definitions(
      commands.map(({ name, summary }) => [name, summary] as const),
      columns,
    ),
    '',
    style.bold('Options of every command'),
    ...definitions([...optionEntries(commonOptions), ['-V, --version', 'show the version'] as const], columns),
    '',
    style.bold('When the disk has died'),
    '  rocksdb-backup list DIR                 # list the backups',
    '  rocksdb-backup verify DIR --checksum    # check the latest',
    '  rocksdb-backup restore DIR DB           # restore it to a new directory',
    '',
    style.bold('Exit codes'),
    ...definitions(
      [
        ...exitEntries(Object.keys(exitCodes) as Exit[]),
        [`${AT_ONCE.SIGINT}`, 'ended at once by a second Ctrl-C (SIGTERM 143, SIGHUP 129)'] as const,
      ],
      columns,
    ),
    '',
    'rocksdb-backup COMMAND --help shows the help of a command.',
  ];
}
