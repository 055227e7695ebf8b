import { defineCommand } from '../command.js';
import { commandTable } from '../command-table.js';
import { completionScripts, offerFor, offerLines, type Shell, shells } from '../completion.js';
import { array, object, oneOf, text } from '../schema.js';

export const completion = defineCommand({
  name: 'completion',
  summary: 'print a completion script for a shell',
  description: [
    'Prints a script that lets the shell complete commands, options, directories and the numbers of backups.',
    'With words, it prints what the shell can offer for the last of them. That is what the script asks.',
  ],
  positionals: [
    { name: 'SHELL', type: 'choice', choices: shells, summary: shells.join(', ') },
    {
      name: 'WORDS',
      type: 'text',
      summary: 'a command line up to the cursor, after --',
      optional: true,
      many: true,
      mayBeEmpty: true,
    },
  ],
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
  schema: object({ shell: oneOf(...shells), 'script?': text(), 'offer?': array(text()) }),
  async run(_context, { SHELL, WORDS }) {
    const shell = SHELL as Shell;
    if (WORDS.length === 0) {
      const script = completionScripts[shell];
      const lines = () => [script.trimEnd()];
      return { json: { shell, script }, text: lines, quiet: lines };
    }
    const offer = offerLines(shell, await offerFor(WORDS, commandTable(), idsIn));
    return { json: { shell, offer }, text: () => offer, quiet: () => offer };
  },
});

async function idsIn(directory: string): Promise<string[]> {
  // Loaded only when it is needed, because it loads the engine too.
  const { withDirectory } = require('../directory.js') as typeof import('../directory.js');
  const backups = await withDirectory(directory, (engine) => engine.getBackupInfo()).catch(() => []);
  return backups.map(({ backupId }) => String(backupId));
}
