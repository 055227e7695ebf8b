import { parseArgs } from 'node:util';
import { parseDuration, parseRate, parseSize } from '../base/units.js';
import { didYouMean } from '../base/unknown-option.js';
import { isStoreUrl } from '../stores/store-url.js';
import { type Command, commonOptions, type OptionSpec, type OptionSpecs, optionsOf } from './command.js';
import { UsageError } from './errors.js';
import { parseTime } from './time.js';

/** A parsed command line. Nothing in it has been checked against the file system. */
interface Parsed {
  command: Command;
  args: Record<string, string | string[] | undefined>;
  options: Record<string, unknown>;
}

/** The parts of a command line that are read first, even if the rest of it is wrong. */
interface EarlyParts {
  /** The first word that is not an option. */
  commandName: string | undefined;
  json: boolean;
  quiet: boolean;
  color: 'auto' | 'always' | 'never';
  help: boolean;
  version: boolean;
}

interface OptionToken {
  kind: 'option';
  name: string;
  rawName: string;
  value: string | undefined;
  inlineValue: boolean | undefined;
}

type Token = OptionToken | { kind: 'positional'; value: string };

const versionOption = {
  version: { type: 'flag', short: 'V', summary: 'show the version' },
} as const satisfies OptionSpecs;

function allOptions(commands: readonly Command[]): OptionSpecs {
  return Object.assign({}, ...commands.map(optionsOf), commonOptions, versionOption);
}

/**
 * Splits a command line into tokens. Options may stand anywhere, so the options of all commands must be known before the command is. A word
 * with one dash whose letters are not all options (`-dash/db`) is not an option: it may be a path, and its letters must not count.
 */
function tokensOf(argv: readonly string[], commands: readonly Command[]): Token[] {
  const all = allOptions(commands);
  const letters = new Set(Object.values(all).map(({ short }) => short));
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      Object.entries(all).map(([name, { type, short }]) => [
        name,
        { type: type === 'flag' ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) } as const,
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const unknown = new Set<number>();
  return tokens.flatMap((token): Token[] => {
    if (token.kind === 'option-terminator') {
      return [];
    }
    const word = argv[token.index]!;
    if (
      token.kind === 'positional' ||
      word.startsWith('--') ||
      [...word.slice(1)].every((letter) => letters.has(letter))
    ) {
      return [token as Token];
    }
    if (unknown.has(token.index)) {
      return [];
    }
    unknown.add(token.index);
    return [{ kind: 'option', name: word, rawName: word, value: undefined, inlineValue: undefined }];
  });
}

export function parseEarlyParts(argv: readonly string[], commands: readonly Command[]): EarlyParts {
  const tokens = tokensOf(argv, commands);
  const has = (name: string) => tokens.some((token) => token.kind === 'option' && token.name === name);
  const color = tokens.find((token): token is OptionToken => token.kind === 'option' && token.name === 'color')?.value;
  return {
    commandName: tokens.find((token) => token.kind === 'positional')?.value,
    json: has('json'),
    quiet: has('quiet'),
    color: color === 'always' || color === 'never' ? color : 'auto',
    help: has('help'),
    version: has('version'),
  };
}

/** Parses a command line. Throws a usage error that says what is wrong with it. */
export function parseLine(argv: readonly string[], commands: readonly Command[], now: Date): Parsed {
  const tokens = tokensOf(argv, commands);
  const positionals = tokens.filter((token) => token.kind === 'positional').map(({ value }) => value!);
  const name = positionals.shift();
  if (name === undefined) {
    refuseUnknownOptions(tokens, commands);
  }
  const command = findCommand(name, commands);
  const specs = optionsOf(command);
  const options: Record<string, unknown> = {};
  for (const [option, { type }] of Object.entries(specs)) {
    options[option] = type === 'flag' ? false : undefined;
  }
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option') {
      const spec = findOption(token, command, specs);
      if (given.has(token.name) && spec.type !== 'flag') {
        throw new UsageError(`${token.rawName} is given twice`, helpOf(command));
      }
      given.add(token.name);
      options[token.name] = optionValue(token, spec, now);
    }
  }
  return { command, args: assign(command, positionals), options };
}

const helpOf = (command: Command) => `rocksdb-backup ${command.name} --help`;

/** Names of these commands in other programs. */
const otherNames: Readonly<Record<string, string>> = {
  backup: 'create',
  save: 'create',
  ls: 'list',
  snapshots: 'list',
  check: 'verify',
  info: 'show',
  rm: 'delete',
  remove: 'delete',
  forget: 'prune',
  clean: 'gc',
  cleanup: 'gc',
  dump: 'scan',
  cat: 'get',
  daemon: 'watch',
};

export function findCommand(name: string | undefined, commands: readonly Command[]): Command {
  if (name === undefined) {
    throw new UsageError('a command is missing', 'rocksdb-backup --help');
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command !== undefined) {
    return command;
  }
  const meant = Object.hasOwn(otherNames, name)
    ? `; did you mean '${otherNames[name]}'?`
    : didYouMean(
        name,
        commands.map((candidate) => candidate.name),
        (near) => `'${near}'`,
      );
  throw new UsageError(`there is no command '${name}'${meant}`, 'rocksdb-backup --help');
}

/** If the line has no command, but an option that no command has, reports that option. */
function refuseUnknownOptions(tokens: readonly Token[], commands: readonly Command[]): void {
  const known = Object.keys(allOptions(commands));
  const unknown = tokens.find((token): token is OptionToken => token.kind === 'option' && !known.includes(token.name));
  if (unknown !== undefined) {
    const { name, rawName } = unknown;
    const meant = rawName.startsWith('--') ? didYouMean(name, known, (near) => `'--${near}'`) : '';
    throw new UsageError(`there is no option '${rawName}'${meant}`, 'rocksdb-backup --help');
  }
}

function findOption(token: OptionToken, command: Command, specs: OptionSpecs): OptionSpec {
  const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
  if (spec !== undefined) {
    return spec;
  }
  const advice = token.rawName.startsWith('--')
    ? didYouMean(token.name, Object.keys(specs), (near) => `'--${near}'`)
    : token.rawName.includes('/')
      ? `; write a path that begins with '-' as './${token.rawName}'`
      : '';
  throw new UsageError(`${command.name} has no option '${token.rawName}'${advice}`, helpOf(command));
}

function optionValue(token: OptionToken, spec: OptionSpec, now: Date): unknown {
  const { rawName: name, value, inlineValue } = token;
  if (spec.type === 'flag') {
    if (value !== undefined) {
      throw new UsageError(`${name} takes no value, but got '${value}'`);
    }
    return true;
  }
  if (value === undefined || (value.startsWith('-') && !inlineValue && spec.type !== 'integer')) {
    throw new UsageError(`${name} needs a value; write a value that begins with '-' as ${name}=${value ?? 'VALUE'}`);
  }
  if (value === '') {
    throw new UsageError(`${name} needs a value that is not empty`);
  }
  return convert(name, value, spec, now);
}

function convert(name: string, value: string, spec: OptionSpec, now: Date): unknown {
  const amountOf = (parse: (value: string, name: string) => number, least: number, expected: string): number => {
    let amount: number | undefined;
    try {
      amount = parse(value, name);
    } catch {
      // Reported below: the library's message mentions numbers too, but a command line has only text.
    }
    if (amount === undefined || amount < least) {
      throw new UsageError(`${name} must be ${expected}, not '${value}'`);
    }
    return amount;
  };
  switch (spec.type) {
    case 'integer': {
      const least = spec.min ?? 1;
      if (!/^\d+$/.test(value) || Number(value) < least || !Number.isSafeInteger(Number(value))) {
        throw new UsageError(`${name} must be a whole number, ${least} or more, not '${value}'`);
      }
      return Number(value);
    }
    case 'size':
      return amountOf(parseSize, 1, 'a size greater than 0, such as 50MB, 64MiB or 1.5GB, or a number of bytes');
    case 'rate': {
      const rate = amountOf(parseRate, 0, 'a rate such as 50MB/s or 64MiB/s, or a number of bytes per second');
      if (rate < 1000) {
        // A lower rate is surely a mistake, and with it an operation would hardly react to a stop.
        throw new UsageError(`${name} must be 1kB/s or more, such as 50MB/s, not '${value}'`);
      }
      return rate;
    }
    case 'duration':
      return amountOf(parseDuration, 1, 'a duration longer than 0, such as 30s, 5m, 1h30m or 7d');
    case 'time':
      return parseTime(value, name, now);
    case 'choice':
      if (!spec.choices?.includes(value)) {
        throw new UsageError(`${name} must be one of ${spec.choices?.join(', ')}, not '${value}'`);
      }
      return value;
    case 'path':
    case 'directory':
      return local(name, value);
    default:
      return value;
  }
}

/** A place that must be on this machine. */
export function local(name: string, value: string): string {
  if (isStoreUrl(value)) {
    throw new UsageError(`${name} must be a path on this machine, not a URL: '${value.replace(/\?.*$/s, '')}'`);
  }
  return value;
}

function assign(command: Command, given: string[]): Parsed['args'] {
  const args: Parsed['args'] = {};
  const values = [...given];
  const specAt = (at: number) => command.positionals[at] ?? command.positionals.filter(({ many }) => many).at(-1);
  const empty = values.findIndex((value, at) => value === '' && !specAt(at)?.mayBeEmpty);
  if (empty >= 0) {
    throw new UsageError(`argument ${empty + 1} of ${command.name} is empty`, helpOf(command));
  }
  for (const { name, type, optional, many, choices } of command.positionals) {
    if (values.length === 0 && !optional) {
      throw new UsageError(`${command.name} needs ${name}`, helpOf(command));
    }
    const value = values[0];
    if (choices !== undefined && value !== undefined && !choices.includes(value)) {
      throw new UsageError(`${name} must be one of ${choices.join(', ')}, not '${value}'`, helpOf(command));
    }
    if ((type === 'directory' || type === 'database') && value !== undefined) {
      local(name, value);
    }
    args[name] = many ? values.splice(0) : values.shift();
  }
  if (values.length > 0) {
    throw new UsageError(`${command.name} does not take '${values[0]}'`, helpOf(command));
  }
  return args;
}

export function parseBackupId(text: string, name: string): number | 'latest' {
  if (text === 'latest') {
    return text;
  }
  if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > 0xffffffff) {
    throw new UsageError(`${name} must be the number of a backup or 'latest', not '${text}'`);
  }
  return Number(text);
}
