import type { Context } from './context.js';
import type { Exit } from './exit-codes.js';
import type { Result } from './output/output.js';
import type { JsonSchema } from './schema.js';

/** An option of a command: how it is parsed, helped with and completed. */
export interface OptionSpec {
  /** What its value is; a flag has none. */
  type:
    | 'flag'
    | 'text'
    | 'path'
    | 'directory'
    | 'integer'
    | 'size'
    | 'rate'
    | 'duration'
    | 'time'
    | 'choice'
    | 'backup';
  summary: string;
  /** One letter, for `-q`. */
  short?: string;
  /** What the value is called in help. @default as the type */
  placeholder?: string;
  choices?: readonly string[];
  /** The default in words, for help. */
  default?: string;
  /** The least that an integer may be. @default 1 */
  min?: number;
}

/** An argument that is known by its place. */
export interface PositionalSpec {
  name: string;
  summary: string;
  /** What completion offers. */
  type: 'database' | 'backups' | 'backup' | 'directory' | 'text' | 'choice';
  optional?: boolean;
  /** Takes all that follow. */
  many?: boolean;
  /** Whether an empty text is an answer. Elsewhere it is a variable of the shell that is not set, more often than not. */
  mayBeEmpty?: boolean;
  choices?: readonly string[];
}

export interface Example {
  line: string;
  does: string;
}

type ValueOf<O extends OptionSpec> = O['type'] extends 'flag'
  ? boolean
  : O['type'] extends 'integer' | 'size' | 'rate' | 'duration'
    ? number | undefined
    : O['type'] extends 'time'
      ? Date | undefined
      : O['type'] extends 'choice'
        ? (O['choices'] extends readonly (infer C)[] ? C : string) | undefined
        : string | undefined;

export type OptionSpecs = Record<string, OptionSpec>;
export type OptionValues<O extends OptionSpecs> = { [K in keyof O]: ValueOf<O[K]> };

type Required1<P> = P extends { many: true } ? string[] : P extends { optional: true } ? string | undefined : string;
export type Arguments<P extends readonly PositionalSpec[]> = { [K in P[number] as K['name']]: Required1<K> };

/** The answer was written already; only how it ended is left to say. */
export interface Streamed {
  streamed: true;
  exit: Exit;
}

/** One command: everything that parsing, help, completion, the reference and the tests know of it. */
export interface Command<
  P extends readonly PositionalSpec[] = readonly PositionalSpec[],
  O extends OptionSpecs = OptionSpecs,
> {
  name: string;
  /** One line, without a full stop. */
  summary: string;
  /** Paragraphs of help. */
  description: readonly string[];
  positionals: P;
  options: O;
  examples: readonly Example[];
  /** How it may end, besides ok, failed and usage. */
  exits: readonly Exit[];
  /** Of what it answers with --json. */
  schema: JsonSchema;
  /** Says what it is going to destroy and asks; has --yes. */
  destructive?: boolean;
  /** Is written to the history, and to --audit-log. */
  recorded?: boolean;
  /** Undefined where the command has written its answer by itself. */
  run(
    context: Context,
    args: Arguments<P>,
    options: OptionValues<O> & AddedValues,
  ): Promise<Result | Streamed | undefined>;
}

/** Keeps the types of what is declared, and forgets them for the table. */
export function defineCommand<const P extends readonly PositionalSpec[], const O extends OptionSpecs>(
  command: Command<P, O>,
): Command {
  return command as unknown as Command;
}

/** What every command has. */
export const commonOptions = {
  json: { type: 'flag', summary: 'answer with one JSON value on stdout, also for errors' },
  quiet: { type: 'flag', short: 'q', summary: 'print errors only, and what was asked for in its shortest form' },
  color: {
    type: 'choice',
    choices: ['auto', 'always', 'never'],
    placeholder: 'WHEN',
    summary: 'use colours; auto means on a terminal, unless NO_COLOR is set',
    default: 'auto',
  },
  help: { type: 'flag', short: 'h', summary: 'show this help' },
} as const satisfies OptionSpecs;

const destructiveOptions = {
  yes: { type: 'flag', short: 'y', summary: 'do it without asking; needed where there is no terminal' },
} as const satisfies OptionSpecs;

const recordedOptions = {
  'audit-log': { type: 'path', placeholder: 'FILE', summary: 'append what was done, as a JSON line, to this file too' },
} as const satisfies OptionSpecs;

/** The values of options that a command has for what it is; as if not given where it has not. */
type AddedValues = { yes: boolean; 'audit-log': string | undefined };

/** A command's own options and those it has for what it is. */
export function optionsOf(command: Command): OptionSpecs {
  return {
    ...command.options,
    ...(command.destructive ? destructiveOptions : {}),
    ...(command.recorded ? recordedOptions : {}),
    ...commonOptions,
  };
}
