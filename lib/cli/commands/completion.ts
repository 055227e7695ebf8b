import { defineCommand } from '../command.js';
import { commandTable } from '../command-table.js';
import { completionScript, type Shell, shells } from '../completion.js';
import { object, oneOf, text } from '../schema.js';

export const completion = defineCommand({
  name: 'completion',
  summary: 'print a completion script for a shell',
  description: [
    'Prints a script that lets the shell complete commands, options, directories and the numbers of backups.',
  ],
  positionals: [{ name: 'SHELL', type: 'choice', choices: shells, summary: shells.join(', ') }],
  options: {},
  examples: [
    { line: 'source <(rocksdb-backup completion bash)', does: 'in this bash, or for good from ~/.bashrc' },
    { line: 'rocksdb-backup completion zsh > ~/.zfunc/_rocksdb-backup', does: 'for zsh, where ~/.zfunc is in fpath' },
    {
      line: 'rocksdb-backup completion fish > ~/.config/fish/completions/rocksdb-backup.fish',
      does: 'for fish',
    },
  ],
  exits: [],
  schema: object({ shell: oneOf(...shells), script: text() }),
  async run(_context, { SHELL }) {
    const script = completionScript(SHELL as Shell, commandTable());
    const lines = () => [script.trimEnd()];
    return { json: { shell: SHELL, script }, text: lines, quiet: lines };
  },
});
