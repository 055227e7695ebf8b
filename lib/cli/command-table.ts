import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './command.js';

/** What help, the parser and completion need to know about a command, and where its code is. */
type TableEntry = Omit<Command, 'run' | 'schema'> & {
  module: string;
  exported: string;
};

const directory = join(__dirname, 'commands');
/**
 * This file is written when the package is built. Loading the code of all commands, with the engine, takes longer than most commands run.
 */
const tablePath = join(directory, 'table.json');

/** All commands, in the order of the help text. The code of a command is loaded when it runs. */
export function commandTable(): readonly Command[] {
  let text: string;
  try {
    text = readFileSync(tablePath, 'utf8');
  } catch {
    return loadCommands();
  }
  return (JSON.parse(text) as TableEntry[]).map(({ module, exported, ...rest }) => ({
    ...rest,
    schema: {},
    run: (...args) => (require(join(directory, module)) as Record<string, Command>)[exported]!.run(...args),
  }));
}

/** Writes the table from the commands themselves. */
export function writeCommandTable(): void {
  const commands = loadCommands();
  const places = new Map<unknown, Pick<TableEntry, 'module' | 'exported'>>();
  for (const module of readdirSync(directory).filter((name) => name.endsWith('.js'))) {
    for (const [exported, value] of Object.entries(require(join(directory, module)) as object)) {
      places.set(value, { module, exported });
    }
  }
  const entries = commands.map((command): TableEntry => {
    const { run, schema, ...rest } = command;
    return { ...rest, ...places.get(command)! };
  });
  writeFileSync(tablePath, JSON.stringify(entries));
}

function loadCommands(): readonly Command[] {
  return (require(join(directory, 'index.js')) as { commands: readonly Command[] }).commands;
}
