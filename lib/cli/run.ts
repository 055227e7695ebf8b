import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatDuration } from '../base/units.js';
import { onStoreTrouble } from '../stores/trouble.js';
import type { Command } from './command.js';
import { commandTable } from './command-table.js';
import { Context } from './context.js';
import { codeOf, reasonOf, StoppedError } from './errors.js';
import { exitCodes, exitOf } from './exit-codes.js';
import { commandHelp, generalHelp } from './help.js';
import { Interrupts } from './interrupts.js';
import { Output } from './output/output.js';
import { findCommand, parseEarlyParts, parseLine } from './parse.js';
import { localTime } from './time.js';

/** Runs one command line in this process. Returns the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const commands = commandTable();
  const seen = parseEarlyParts(argv, commands);
  const { stdout, stderr, stdin } = process;
  const out = new Output({ stdout, stderr, json: seen.json, quiet: seen.quiet, color: seen.color, env: process.env });
  const interrupts = new Interrupts((text) => {
    context.endProgress();
    stderr.write(`${stderr.isTTY ? '\n' : ''}rocksdb-backup: ${text}\n`);
  });
  const context: Context = new Context(out, interrupts, stdin);
  onWarning((text) => {
    context.endProgress();
    out.warn(text);
  });
  onStoreTrouble(({ store, why, lasts, until }) => {
    context.endProgress();
    const since = `no request to ${store} has succeeded for ${formatDuration(lasts)}`;
    out.note(`rocksdb-backup: ${since}: ${why}. They are repeated until ${localTime(new Date(until))}`);
  });
  onBrokenPipe(interrupts, commands.find(({ name }) => name === seen.commandName)?.keepsRunning === true);
  try {
    const help = helpWanted(argv, commands, seen, out);
    if (help !== undefined) {
      out.result(help);
      return exitCodes.ok.number;
    }
    if (seen.commandName === undefined && argv.length === 0) {
      stderr.write(`${generalHelp(commands, columnsOf(out), out.style).join('\n')}\n`);
      return exitCodes.usage.number;
    }
    const { command, args, options } = parseLine(argv, commands, context.now());
    context.setAuditLog(options['audit-log'] as string | undefined);
    interrupts.install();
    if (!command.keepsRunning) {
      interrupts.signal.addEventListener('abort', stopWaitingForStores, { once: true });
    }
    const result = await command.run(context, args as never, options as never);
    context.endProgress();
    if (result !== undefined && !('streamed' in result)) {
      out.result(result);
    }
    return exitCodes[result?.exit ?? 'ok'].number;
  } catch (thrown) {
    context.endProgress();
    const error = interrupts.signal.aborted ? whyStopped(interrupts.signal.reason, thrown) : thrown;
    out.failure(error);
    return exitCodes[exitOf(error)].number;
  } finally {
    interrupts.remove();
  }
}

/** What requests that a stop has given up end as, and what rests on them. */
const GIVEN_UP = /^(STORE_|STATE_|LOCK_LOST$|ROCKSDB_IO_ERROR$|ROCKSDB_ABORTED$)/;

/** The error of a command that was asked to stop. It says what was not finished. */
function whyStopped(reason: unknown, error: unknown): unknown {
  return reason instanceof StoppedError && GIVEN_UP.test(codeOf(error))
    ? new StoppedError(`${reason.message}: ${reasonOf(error)}`)
    : error;
}

/** Loaded only when it is needed, because it loads the engine too. */
function stopWaitingForStores(): void {
  (require('../storage/storage.js') as typeof import('../storage/storage.js')).stopWaitingForStores();
}

const columnsOf = (out: Output) => Math.min(100, Math.max(40, (out.stdout.isTTY && out.stdout.columns) || 80));

export function version(): string {
  const path = join(__dirname, '..', '..', '..', 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/** Handles `help`, `help COMMAND`, `--help` and `--version`, whatever else is on the line. */
function helpWanted(
  argv: readonly string[],
  commands: readonly Command[],
  seen: ReturnType<typeof parseEarlyParts>,
  out: Output,
) {
  if (seen.version) {
    return { json: { version: version() }, text: () => [version()], quiet: () => [version()] };
  }
  const isHelp = seen.commandName === 'help';
  if (!isHelp && !seen.help) {
    return undefined;
  }
  const words = argv.filter((word) => !word.startsWith('-'));
  const name = isHelp ? words[words.indexOf('help') + 1] : seen.commandName;
  const command = name === undefined ? undefined : findCommand(name, commands);
  const lines = () =>
    command === undefined
      ? generalHelp(commands, columnsOf(out), out.style)
      : commandHelp(command, columnsOf(out), out.style);
  return { json: helpAsJson(command === undefined ? commands : [command]), text: lines, quiet: lines };
}

function helpAsJson(of: readonly Command[]): unknown {
  return {
    commands: of.map(({ name, summary, positionals, options, exits }) => ({
      name,
      summary,
      positionals,
      options,
      exits,
    })),
  };
}

/** Prints warnings of the library and of Node in the form of this program. */
function onWarning(say: (text: string) => void): void {
  process.removeAllListeners('warning'); // Node's own listener, which prints warnings
  process.on('warning', ({ name, message }) => {
    // Node 20 is new enough for this program. The AWS SDK's warning about its own future would be printed by every command.
    if (`${name}: ${message}`.includes('NodeVersionSupportWarning: The AWS SDK')) return;
    const isOurs = ['Warning', 'Error', 'BackupManagerWarning'].includes(name);
    say(isOurs ? message : `${name}: ${message}`);
  });
}

/** The reader of our answer may close the pipe early: `list | head -1`. That is not a failure. */
function onBrokenPipe(interrupts: Interrupts, keepsRunning: boolean): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      process.stderr.write(`rocksdb-backup: stdout cannot be written: ${error.message}\n`);
      process.exit(exitCodes.failed.number);
    }
    if (keepsRunning) {
      interrupts.stop('no program reads the log any more');
      return;
    }
    process.exit(process.exitCode ?? exitCodes.ok.number);
  });
  process.stderr.on('error', () => undefined);
}
