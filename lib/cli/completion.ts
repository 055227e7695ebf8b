// Makes the completion scripts from the table of commands.

import { type Command, type OptionSpec, optionsOf, type PositionalSpec } from './command.js';
import { optionText } from './help.js';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const PROGRAM = 'rocksdb-backup';
const general = ['--help', '--version'];

export function completionScript(shell: Shell, commands: readonly Command[]): string {
  return { bash, zsh, fish }[shell](commands);
}

const takesValue = ({ type }: OptionSpec) => type !== 'flag';
const isDirectory = ({ type }: OptionSpec | PositionalSpec) =>
  type === 'directory' || type === 'database' || type === 'backups';

function bash(commands: readonly Command[]): string {
  const cases = commands.map((command) => {
    const specs = Object.entries(optionsOf(command));
    const words = specs.flatMap(([name, { short }]) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]);
    const values = specs.filter(([, spec]) => takesValue(spec));
    const valueCases = values.flatMap(([name, spec]) => {
      const pattern = `        --${name}${spec.short === undefined ? '' : `|-${spec.short}`})`;
      if (spec.choices !== undefined)
        return [`${pattern} _rocksdb_backup_words "${spec.choices.join(' ')}"; return ;;`];
      if (isDirectory(spec)) return [`${pattern} _rocksdb_backup_directories; return ;;`];
      if (spec.type === 'path') return [`${pattern} _rocksdb_backup_files; return ;;`];
      if (spec.type === 'backup') return [`${pattern} _rocksdb_backup_ids; return ;;`];
      return [`${pattern} return ;;`];
    });
    const places = command.positionals.map((positional, at) => {
      const pattern = positional.many ? '*' : String(at);
      const action =
        positional.choices !== undefined
          ? `_rocksdb_backup_words "${positional.choices.join(' ')}"`
          : isDirectory(positional)
            ? '_rocksdb_backup_directories'
            : positional.type === 'backup'
              ? '_rocksdb_backup_ids'
              : ':';
      return `        ${pattern}) ${action} ;;`;
    });
    return [
      `    ${command.name})`,
      `      valued='${values.map(([name]) => `--${name}`).join(' ')}'`,
      '      _rocksdb_backup_place',
      '      case "$previous" in',
      ...valueCases,
      '      esac',
      '      if [[ $current == -* ]]; then',
      `        _rocksdb_backup_words "${words.join(' ')}"`,
      '        return',
      '      fi',
      '      case "$place" in',
      ...places,
      '        *) ;;',
      '      esac',
      '      ;;',
    ].join('\n');
  });
  const dirAt = commands
    .map(({ name, positionals }) => `    ${name}) at=${positionals.findIndex(({ type }) => type === 'backups')} ;;`)
    .join('\n');
  return `# bash completion for ${PROGRAM}; to have it: source <(${PROGRAM} completion bash)

_rocksdb_backup_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_rocksdb_backup_directories() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -d -- "$current")
}

_rocksdb_backup_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

# The numbers of the backups in the directory that is on the line already.
_rocksdb_backup_ids() {
  local at=-1
  case "$command" in
${dirAt}
  esac
  local ids=latest
  if ((at >= 0)) && [[ -n \${places[at]:-} ]]; then
    ids+=" $("\${COMP_WORDS[0]}" list --quiet -- "\${places[at]}" 2>/dev/null)"
  fi
  _rocksdb_backup_words "$ids"
}

# Which argument the cursor is at, without options and their values.
_rocksdb_backup_place() {
  local at skip=
  places=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    local word=\${COMP_WORDS[at]}
    if [[ -n $skip ]]; then
      skip=
    elif [[ $word == -* ]]; then
      [[ " $valued " == *" $word "* ]] && skip=1
    else
      places+=("$word")
    fi
  done
  places=("\${places[@]:1}")
  place=\${#places[@]}
}

_rocksdb_backup() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command= valued= place=0 at
  local places=()
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    if [[ \${COMP_WORDS[at]} != -* ]]; then
      command=\${COMP_WORDS[at]}
      break
    fi
  done
  case "$command" in
    '')
      _rocksdb_backup_words "${[...commands.map(({ name }) => name), 'help', ...general].join(' ')}"
      ;;
    help)
      _rocksdb_backup_words "${commands.map(({ name }) => name).join(' ')}"
      ;;
${cases.join('\n')}
  esac
}

complete -F _rocksdb_backup ${PROGRAM}
`;
}

const zshQuote = (text: string) => text.replaceAll("'", "'\\''");
/** In a specification of _arguments, these characters end a part. */
const zshText = (text: string) => zshQuote(text.replace(/[[\]:\\]/g, '\\$&'));

function zsh(commands: readonly Command[]): string {
  const action = (spec: OptionSpec | PositionalSpec): string =>
    spec.choices !== undefined
      ? `(${spec.choices.join(' ')})`
      : isDirectory(spec)
        ? '_files -/'
        : spec.type === 'path'
          ? '_files'
          : spec.type === 'backup'
            ? '_rocksdb_backup_ids'
            : ' ';
  const cases = commands.map((command) => {
    const options = Object.entries(optionsOf(command)).flatMap(([name, spec]) => {
      const text = `[${zshText(optionText(spec))}]`;
      const value = takesValue(spec) ? `:${name}:${action(spec)}` : '';
      const equals = takesValue(spec) ? '=' : '';
      return [
        `'--${name}${equals}${text}${value}'`,
        ...(spec.short === undefined ? [] : [`'-${spec.short}${text}${value}'`]),
      ];
    });
    const positionals = command.positionals.map(
      (positional, at) =>
        `'${positional.many ? '*' : at + 1}${positional.optional ? '::' : ':'}${zshText(positional.name)}:${action(positional)}'`,
    );
    return `        ${command.name})\n          _arguments -s ${[...options, ...positionals].join(' \\\n            ')}\n          ;;`;
  });
  return `#compdef ${PROGRAM}
# zsh completion for ${PROGRAM}; to have it: ${PROGRAM} completion zsh > ~/.zfunc/_${PROGRAM}, with ~/.zfunc in fpath

# The numbers of the backups in the directory that is on the line already.
_rocksdb_backup_ids() {
  local word
  local -a ids
  for word in "\${words[@]:1}"; do
    if [[ $word != -* && -d $word/meta ]]; then
      ids=(\${(f)"$(_call_program ids ${PROGRAM} list --quiet -- \${(q)word} 2>/dev/null)"})
    fi
  done
  compadd -- latest $ids
}

_rocksdb_backup() {
  local curcontext="$curcontext" state line
  _arguments -C '--help[show help]' '--version[show the version]' '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands
      commands=(
${commands.map(({ name, summary }) => `        '${name}:${zshQuote(summary.replaceAll(':', '\\:'))}'`).join('\n')}
        'help:show help'
      )
      _describe command commands
      ;;
    argument)
      case $line[1] in
        help) compadd -- ${commands.map(({ name }) => name).join(' ')} ;;
${cases.join('\n')}
      esac
      ;;
  esac
}

if [[ $funcstack[1] == _${PROGRAM} ]]; then
  _rocksdb_backup "$@"
else
  compdef _rocksdb_backup ${PROGRAM}
fi
`;
}

const fishQuote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fish(commands: readonly Command[]): string {
  const lines = commands.flatMap((command) => {
    const seen = `-n '__fish_seen_subcommand_from ${command.name}'`;
    const base = `complete -c ${PROGRAM} ${seen}`;
    const options = Object.entries(optionsOf(command)).map(([name, spec]) => {
      const parts = [base, `-l ${name}`];
      if (spec.short !== undefined) parts.push(`-s ${spec.short}`);
      if (takesValue(spec)) parts.push(fishValue(spec));
      parts.push(`-d ${fishQuote(optionText(spec))}`);
      return parts.join(' ');
    });
    const words = command.positionals.flatMap((positional) =>
      positional.choices !== undefined
        ? [`${base} -a ${fishQuote(positional.choices.join(' '))}`]
        : isDirectory(positional)
          ? [`${base} -a '(__fish_complete_directories)'`]
          : positional.type === 'backup'
            ? [`${base} -a '(__rocksdb_backup_ids)'`]
            : [],
    );
    return [...options, ...words];
  });
  const names = commands.map(({ name }) => name).join(' ');
  return `# fish completion for ${PROGRAM}; to have it: ${PROGRAM} completion fish > ~/.config/fish/completions/${PROGRAM}.fish

# The numbers of the backups in the directory that is on the line already.
function __rocksdb_backup_ids
    for word in (commandline -opc)
        if test -d $word/meta
            echo latest
            ${PROGRAM} list --quiet -- $word 2>/dev/null
            return
        end
    end
end

complete -c ${PROGRAM} -f
complete -c ${PROGRAM} -n __fish_use_subcommand -l help -s h -d 'show help'
complete -c ${PROGRAM} -n __fish_use_subcommand -l version -s V -d 'show the version'
${commands.map(({ name, summary }) => `complete -c ${PROGRAM} -n __fish_use_subcommand -a ${name} -d ${fishQuote(summary)}`).join('\n')}
complete -c ${PROGRAM} -n __fish_use_subcommand -a help -d 'show help'
complete -c ${PROGRAM} -n '__fish_seen_subcommand_from help' -a '${names}'
${lines.join('\n')}
`;
}

function fishValue(spec: OptionSpec): string {
  if (spec.choices !== undefined) return `-x -a ${fishQuote(spec.choices.join(' '))}`;
  if (isDirectory(spec)) return `-x -a '(__fish_complete_directories)'`;
  if (spec.type === 'path') return '-r -F';
  if (spec.type === 'backup') return `-x -a '(__rocksdb_backup_ids)'`;
  return '-x';
}
