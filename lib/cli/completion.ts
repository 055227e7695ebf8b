// What shells offer after Tab. Their scripts ask `rocksdb-backup completion SHELL -- WORDS`, so the table of commands decides in one place.

import { type Command, type OptionSpec, optionsOf, type PositionalSpec } from './command.js';
import { optionText } from './help.js';
import { parseEarlyParts } from './parse.js';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** What can stand at the end of a line: some words, each with its description, or the name of a directory or of a file. */
type Offer = readonly (readonly [word: string, description: string])[] | 'directories' | 'files';

/** `words`: those after the name of the program, up to the one at the cursor. `idsIn` lists the backups in a directory. */
export async function offerFor(
  words: readonly string[],
  commands: readonly Command[],
  idsIn: (directory: string) => Promise<readonly string[]>,
): Promise<Offer> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? '';
  const offer = await offerAt(before, current, commands, idsIn);
  return typeof offer === 'string' ? offer : offer.filter(([word]) => word.startsWith(current));
}

const named = (commands: readonly Command[]) => commands.map(({ name, summary }) => [name, summary] as const);

async function offerAt(
  before: readonly string[],
  current: string,
  commands: readonly Command[],
  idsIn: (directory: string) => Promise<readonly string[]>,
): Promise<Offer> {
  const { commandName } = parseEarlyParts(before, commands);
  if (commandName === undefined) {
    const general = [
      ['help', 'show help'],
      ['--help', 'show help'],
      ['--version', 'show the version'],
    ] as const;
    return [...named(commands), ...general];
  }
  const command = commands.find(({ name }) => name === commandName);
  if (command === undefined) {
    return commandName === 'help' ? named(commands) : [];
  }
  const options = Object.entries(optionsOf(command)).flatMap(([name, spec]) =>
    [`--${name}`, ...(spec.short === undefined ? [] : [`-${spec.short}`])].map((word) => [word, spec] as const),
  );
  const places: string[] = [];
  let awaiting: OptionSpec | undefined;
  for (const word of before) {
    const spec =
      awaiting === undefined && word.startsWith('-') ? options.find(([each]) => each === word)?.[1] : undefined;
    if (awaiting === undefined && !word.startsWith('-')) {
      places.push(word);
    }
    awaiting = spec?.type === 'flag' ? undefined : spec;
  }
  const args = places.slice(1);
  const { positionals } = command;
  if (awaiting === undefined && current.startsWith('-')) {
    return options.map(([word, spec]) => [word, optionText(spec)]);
  }
  const last = positionals.at(-1);
  const spec = awaiting ?? positionals[args.length] ?? (last?.many ? last : undefined);
  return spec === undefined
    ? []
    : offerOf(spec, () => idsIn(args[positionals.findIndex(({ type }) => type === 'backups')] ?? ''));
}

async function offerOf(
  { choices, type }: OptionSpec | PositionalSpec,
  ids: () => Promise<readonly string[]>,
): Promise<Offer> {
  if (choices !== undefined) {
    return choices.map((choice) => [choice, '']);
  }
  switch (type) {
    case 'directory':
    case 'database':
    case 'backups':
      return 'directories';
    case 'path':
      return 'files';
    case 'backup':
      return ['latest', ...(await ids())].map((id) => [id, '']);
    default:
      return [];
  }
}

/** An offer as the script of a shell reads it: its kind, and then its words. */
export function offerLines(shell: Shell, offer: Offer): string[] {
  if (typeof offer === 'string') {
    return [offer];
  }
  const line = {
    bash: (word: string) => word,
    zsh: (word: string, description: string) => `${word}${description && `:${description}`}`,
    fish: (word: string, description: string) => `${word}${description && `\t${description}`}`,
  }[shell];
  return ['words', ...offer.map(([word, description]) => line(word, description))];
}

export const completionScripts: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for rocksdb-backup; to have it: source <(rocksdb-backup completion bash)

_rocksdb_backup() {
  local current=\${COMP_WORDS[COMP_CWORD]} offer
  mapfile -t offer < <("\${COMP_WORDS[0]}" completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  case "\${offer[0]}" in
    directories)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      ;;
    files)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
    *) COMPREPLY=("\${offer[@]:1}") ;;
  esac
}

complete -F _rocksdb_backup rocksdb-backup
`,
  zsh: `#compdef rocksdb-backup
# zsh completion for rocksdb-backup; to have it: rocksdb-backup completion zsh > ~/.zfunc/_rocksdb-backup, with ~/.zfunc in fpath

_rocksdb_backup() {
  local -a offer
  offer=("\${(@f)$(rocksdb-backup completion zsh -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  case $offer[1] in
    directories) _files -/ ;;
    files) _files ;;
    *)
      shift offer
      _describe rocksdb-backup offer
      ;;
  esac
}

if [[ $funcstack[1] == _rocksdb-backup ]]; then
  _rocksdb_backup "$@"
else
  compdef _rocksdb_backup rocksdb-backup
fi
`,
  fish: `# fish completion for rocksdb-backup; to have it: rocksdb-backup completion fish > ~/.config/fish/completions/rocksdb-backup.fish

function __rocksdb_backup_offer
    set -l words (commandline -opc) (commandline -ct)
    set -l offer (rocksdb-backup completion fish -- $words[2..-1] 2>/dev/null)
    switch "$offer[1]"
        case directories
            __fish_complete_directories (commandline -ct)
        case files
            __fish_complete_path (commandline -ct)
        case words
            string join -- \\n $offer[2..-1]
    end
end

complete -c rocksdb-backup -f -a '(__rocksdb_backup_offer)'
`,
};
