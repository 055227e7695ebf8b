import type { Context } from './context.js';
import type { Exit } from './exit-codes.js';
import type { Result } from './output/output.js';
import type { JsonSchema } from './schema.js';

/** An option of a command, for parsing, help and completion. */
export interface OptionSpec {
  /** The type of its value. A flag has no value. */
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
  /** A single letter, for example for `-q`. */
  short?: string;
  /** The name of the value in help texts. @default derived from the type */
  placeholder?: string;
  choices?: readonly string[];
  /** The default value in words, for help texts. */
  default?: string;
  /** The smallest allowed integer. @default 1 */
  min?: number;
}

/** A positional argument. */
export interface PositionalSpec {
  name: string;
  summary: string;
  /** What completion offers for it. */
  type: 'database' | 'backups' | 'backup' | 'directory' | 'text' | 'choice';
  optional?: boolean;
  /** Takes all arguments that follow. */
  many?: boolean;
  /**
   * Whether an empty string is allowed. In most arguments an empty string is refused, because it usually comes from an unset shell
   * variable.
   */
  mayBeEmpty?: boolean;
  choices?: readonly string[];
}

/** The argument of nearly every command. */
export const dirArgument = {
  name: 'DIR',
  type: 'backups',
  summary: 'the repository: a directory, or the URL of a store such as s3://bucket/prefix',
} as const;

export const idArgument = { name: 'ID', type: 'backup', summary: "the number of a backup, or 'latest'" } as const;

interface Example {
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

/** The command has already written its answer. Only the exit code is left. */
interface Streamed {
  streamed: true;
  exit: Exit;
}

/** A command, with everything that parsing, help, completion, the reference and the tests need to know about it. */
export interface Command<
  P extends readonly PositionalSpec[] = readonly PositionalSpec[],
  O extends OptionSpecs = OptionSpecs,
> {
  name: string;
  /** One line, without a full stop at the end. */
  summary: string;
  /** Paragraphs of the help text. */
  description: readonly string[];
  positionals: P;
  options: O;
  examples: readonly Example[];
  /** Exits that are possible in addition to ok, failed and usage. */
  exits: readonly Exit[];
  /** The schema of the answer with --json. */
  schema: JsonSchema;
  /** The command says what it is going to destroy and asks first. It has the option --yes. */
  destructive?: boolean;
  /** The command is recorded in the history, and in the file of --audit-log. */
  recorded?: boolean;
  /** Runs until it is stopped, and then ends its work in its own way. */
  keepsRunning?: boolean;
  /** Returns undefined if the command has already written its answer itself. */
  run(
    context: Context,
    args: Arguments<P>,
    options: OptionValues<O> & AddedValues,
  ): Promise<Result | Streamed | undefined>;
}

/** Checks the types of a command's declaration, and then hides them, so that all commands fit into one table. */
export function defineCommand<const P extends readonly PositionalSpec[], const O extends OptionSpecs>(
  command: Command<P, O>,
): Command {
  return command as unknown as Command;
}

/** The options of every command. */
export const commonOptions = {
  json: { type: 'flag', summary: 'print one JSON value on stdout, also for errors' },
  quiet: { type: 'flag', short: 'q', summary: 'print only errors and the shortest form of the result' },
  color: {
    type: 'choice',
    choices: ['auto', 'always', 'never'],
    placeholder: 'WHEN',
    summary: 'use colours; auto: on a terminal, unless NO_COLOR is set',
    default: 'auto',
  },
  help: { type: 'flag', short: 'h', summary: 'show this help' },
} as const satisfies OptionSpecs;

const destructiveOptions = {
  yes: { type: 'flag', short: 'y', summary: 'do it without asking; required if there is no terminal' },
} as const satisfies OptionSpecs;

const recordedOptions = {
  'audit-log': {
    type: 'path',
    placeholder: 'FILE',
    summary: 'also append a JSON line about each operation to this file',
  },
} as const satisfies OptionSpecs;

/** The values of options that only destructive or recorded commands have. In other commands they look as if they were not given. */
type AddedValues = { yes: boolean; 'audit-log': string | undefined };

/** The options of a command itself, plus those that it has because it is destructive or recorded, plus the common ones. */
export function optionsOf(command: Command): OptionSpecs {
  return {
    ...command.options,
    ...(command.destructive ? destructiveOptions : {}),
    ...(command.recorded ? recordedOptions : {}),
    ...commonOptions,
  };
}
