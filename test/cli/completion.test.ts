// Completion scripts, run in the real shells if these are installed.

import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { optionsOf } from '../../lib/cli/command.js';
import { commands } from '../../lib/cli/commands/index.js';
import { completionScripts, offerFor, shells } from '../../lib/cli/completion.js';
import { optionText } from '../../lib/cli/help.js';
import { environment, program } from '../fixtures/cli.js';
import { cliScenes } from '../fixtures/cli-scene.js';

const without = (shell: string) => (spawnSync(shell, ['-c', 'true']).error === undefined ? false : `needs ${shell}`);

t.test('every command and every option is offered, with what help says of it', async (t) => {
  const offered = (...words: string[]) => offerFor(words, commands, async () => ['7']);
  const names = await offered('');
  for (const { name, summary } of commands) {
    t.ok(
      [...names].some((each) => each[0] === name && each[1] === summary),
      name,
    );
  }
  for (const command of commands) {
    const options = await offered(command.name, '-');
    for (const [name, spec] of Object.entries(optionsOf(command))) {
      t.ok(
        [...options].some((each) => each[0] === `--${name}` && each[1] === optionText(spec)),
        `--${name}`,
      );
    }
  }
  t.same(
    await offered('--color', 'always', 'verify', '/backups', '7'),
    [['7', '']],
    'options may stand before the command',
  );
  t.same(await offered('help', 'unp'), [['unpin', 'unpin a backup']]);
  t.same(await offered('nonsense', ''), []);
  t.same(await offered('create', '--audit-log', ''), 'files');
});

/** A directory in which `rocksdb-backup` is a command, and a repository. */
async function installed(t: Test) {
  const { dir, backups } = (await cliScenes(t))(t);
  mkdirSync(dir('bin'));
  writeFileSync(dir('bin', 'rocksdb-backup'), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`, {
    mode: 0o755,
  });
  mkdirSync(dir('work', 'some folder'), { recursive: true });
  symlinkSync(backups, dir('work', 'store'));
  writeFileSync(dir('work', 'sour'), '');
  for (const shell of shells) writeFileSync(dir(`${shell}.script`), completionScripts[shell]);
  const run = (shell: string, code: string) => {
    const { stdout, stderr, status } = spawnSync(shell, ['-c', code], {
      encoding: 'utf8',
      cwd: dir('work'),
      env: environment({ PATH: `${dir('bin')}${delimiter}${process.env.PATH}`, HOME: dir('work') }),
      timeout: 20_000,
    });
    return { stdout, stderr, status };
  };
  return { dir, run, script: (shell: string) => join(dir(), `${shell}.script`) };
}

t.test(
  'bash completes commands, options, their values, directories and numbers of backups',
  { skip: without('bash') },
  async (t) => {
    const { run, script } = await installed(t);
    t.match(run('bash', `bash -n ${script('bash')}`), { status: 0, stderr: '' });
    const complete = (...words: string[]) => {
      const quoted = words.map((word) => `'${word}'`).join(' ');
      const { stdout, stderr } = run(
        'bash',
        `source ${script('bash')}; COMP_WORDS=(rocksdb-backup ${quoted}); COMP_CWORD=${words.length}; _rocksdb_backup; printf '%s\\n' "\${COMPREPLY[@]}"`,
      );
      t.equal(stderr, '');
      return stdout.split('\n').filter(Boolean).sort();
    };
    t.same(
      complete('re'),
      ['recover', 'report', 'restore'].filter((name) => commands.some((command) => command.name === name)),
    );
    t.same(complete('create', '--ra'), ['--rate-limit']);
    t.same(complete('create', '--verify', ''), ['checksum', 'size']);
    t.same(complete('list', 's'), ['some folder', 'store']);
    t.same(complete('verify', 'store', ''), ['1', '2', '3', 'latest']);
    t.same(complete('delete', 'store', '1', '2', ''), ['1', '2', '3', 'latest']);
    t.same(
      complete('restore', 'store', '--rate-limit', '50MB/s', 'some'),
      ['some folder'],
      'the value of an option is no argument',
    );
    t.same(complete('restore', 'store', 'target', '--id', 'l'), ['latest']);
    t.same(complete('--json', 'completion', 'z'), ['zsh']);
    t.same(complete('create', '--metadata', ''), [], 'nothing is offered for a text');
  },
);

t.test('zsh takes its script', { skip: without('zsh') }, async (t) => {
  const { run, script } = await installed(t);
  t.match(run('zsh', `zsh -n ${script('zsh')}`), { status: 0, stderr: '' });
  const loaded = run(
    'zsh',
    `autoload -U compinit && compinit -u -d ./dump && source ${script('zsh')} && print $_comps[rocksdb-backup]`,
  );
  t.match(loaded, { status: 0, stdout: /_rocksdb_backup/ }, loaded.stderr);
});

t.test('fish completes with its script', { skip: without('fish') }, async (t) => {
  const { run, script } = await installed(t);
  t.match(run('fish', `fish -n ${script('fish')}`), { status: 0, stderr: '' });
  const complete = (line: string) =>
    run('fish', `source ${script('fish')}; complete -C '${line}'`)
      .stdout.split('\n')
      .map((each) => each.split('\t')[0])
      .filter(Boolean)
      .sort();
  t.same(complete('rocksdb-backup pru'), ['prune']);
  t.same(complete('rocksdb-backup create --rate'), ['--rate-limit']);
  t.same(complete('rocksdb-backup create --verify '), ['checksum', 'size']);
  t.same(complete('rocksdb-backup verify store '), ['1', '2', '3', 'latest']);
  t.same(complete('rocksdb-backup list s'), ['some folder/', 'store/']);
});
