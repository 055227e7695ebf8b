// The command line itself: parsing, help, completion and documentation.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nearest } from '../../lib/base/unknown-option.js';
import { optionsOf } from '../../lib/cli/command.js';
import { commandTable } from '../../lib/cli/command-table.js';
import { commands } from '../../lib/cli/commands/index.js';
import { exitCodes } from '../../lib/cli/exit-codes.js';
import { latestBefore } from '../../lib/cli/find-before.js';
import { parseEarlyParts, parseLine } from '../../lib/cli/parse.js';
import { schemaText, withReference } from '../../lib/cli/reference.js';
import { parseTime } from '../../lib/cli/time.js';
import { cli, cliAnswer, environment } from '../fixtures/cli.js';

const root = join(__dirname, '..', '..', '..');
const now = new Date('2026-03-01T12:00:00Z');
const parse = (...argv: string[]) => parseLine(argv, commands, now);

t.test('options stand anywhere, with = or without, and after -- nothing is one', async (t) => {
  for (const line of [
    ['--json', 'create', '--rate-limit', '50MB/s', 'db', 'backups', '-q'],
    ['create', 'db', '--quiet', 'backups', '--rate-limit=50MB/s', '--json'],
  ]) {
    const { command, args, options } = parse(...line);
    t.equal(command.name, 'create');
    t.same(args, { DB: 'db', DIR: 'backups' });
    t.match(options, { json: true, quiet: true, 'rate-limit': 50e6, flush: false, metadata: undefined });
  }
  t.same(parse('get', 'dir', '1', '--', '--json').args, { DIR: 'dir', ID: '1', KEY: '--json' });
  t.same(parse('get', 'dir', '1', '').args, { DIR: 'dir', ID: '1', KEY: '' }, 'the empty key is a key');
  t.equal(parse('create', 'a', 'b', '--metadata=--odd').options.metadata, '--odd');
  t.same(parse('delete', 'dir', '1', '2', 'latest').args, { DIR: 'dir', ID: ['1', '2', 'latest'] });
});

t.test('what is wrong with a command line is said, with what may have been meant', async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /a command is missing/],
    [['-x'], /^there is no option '-x'$/],
    [['--versoin'], /^there is no option '--versoin'; did you mean '--version'\?$/],
    [['--json', '--keep', '3'], /a command is missing/],
    [['lst', 'dir'], /no command 'lst'; did you mean 'list'/],
    [['constructor'], /no command 'constructor'$/],
    [['ls', 'dir'], /no command 'ls'; did you mean 'list'\?$/],
    [['check', 'dir'], /no command 'check'; did you mean 'verify'\?$/],
    [['backup', 'a', 'b'], /no command 'backup'; did you mean 'create'\?$/],
    [['create', 'a', 'b', '--rate-limt', '1'], /no option '--rate-limt'; did you mean '--rate-limit'/],
    [['create', 'a', 'b', '--checksum'], /create has no option '--checksum'/],
    [['list', 'a', '-x'], /list has no option '-x'/],
    [
      ['create', '-dash/db', 'b5'],
      /create has no option '-dash\/db'; write a path that begins with '-' as '.\/-dash\/db'/,
    ],
    [['create', '-dash/db', '-hq', 'b5'], /create has no option '-dash\/db'/],
    [['list', '-qx', 'a'], /list has no option '-qx'/],
    [['list', '--toString', 'a'], /list has no option '--toString'/],
    [['create', 'a'], /create needs DIR/],
    [['list', 'a', 'b'], /list does not take 'b'/],
    [['restore', '', 'b'], /argument 1 of restore is empty/],
    [['get', 'a', '', ''], /argument 2 of get is empty/],
    [['list', 'a', ''], /argument 2 of list is empty/],
    [['create', 'a', 'b', '--rate-limit'], /--rate-limit needs a value/],
    [['create', 'a', 'b', '--rate-limit', '--json'], /--rate-limit needs a value/],
    [['create', 'a', 'b', '--rate-limit='], /--rate-limit needs a value/],
    [['create', 'a', 'b', '--rate-limit', 'fast'], /--rate-limit must be .*fast/],
    [['create', 'a', 'b', '--rate-limit', '50'], /--rate-limit must be 1kB\/s or more, .*'50'/],
    [['create', 'a', 'b', '--verify', 'all'], /--verify must be one of size, checksum, not 'all'/],
    [['create', 'a', 'b', '--metadata', 'x', '--metadata', 'y'], /--metadata is given twice/],
    [['list', 'a', '--json=no'], /--json takes no value/],
    [['purge', 'a', '--keep', '0'], /--keep must be a whole number, 1 or more, not '0'/],
    [['purge', 'a', '--keep', '-1'], /--keep must be a whole number/],
    [['purge', 'a', '--keep', '1e3'], /--keep must be a whole number/],
    [['restore', 'a', 'b', '--before', 'yesterday'], /--before must be a time such as .*yesterday/],
    [['prune', 'a', '--keep-within', '5'], /^--keep-within must be a duration longer than 0, such as .* 7d, not '5'$/],
    [['prune', 'a', '--keep-within', '0s'], /^--keep-within must be a duration longer than 0, .*, not '0s'$/],
    [['prune', 'a', '--max-bytes', '0'], /^--max-bytes must be a size greater than 0, .*, not '0'$/],
    [['prune', 'a', '--max-bytes', 'all'], /^--max-bytes must be a size .*, or a number of bytes, not 'all'$/],
    [['completion', 'tcsh'], /SHELL must be one of bash, zsh, fish, not 'tcsh'/],
  ];
  for (const [argv, message] of cases) {
    t.throws(() => parse(...argv), { message, code: 'USAGE' }, argv.join(' '));
  }
  t.equal(nearest('verfy', ['verify', 'version']), 'verify');
  t.equal(nearest('xyz', ['verify']), undefined);
});

t.test('a URL is not taken where only a path of this machine can be, in any command', async (t) => {
  let places = 0;
  for (const { name, positionals, ...command } of commands) {
    const words = positionals.map(({ type }) => (type === 'backup' ? '1' : 'x'));
    const refuse = (args: string[], what: string) => {
      const message = new RegExp(`^${what} must be a path on this machine, not a URL: 's3://bucket/x'$`);
      t.throws(() => parse(name, ...args), { code: 'USAGE', message }, args.join(' '));
      places++;
    };
    positionals.forEach(({ name: what, type }, at) => {
      if (type === 'database' || type === 'directory') {
        refuse(
          words.map((word, n) => (n === at ? 's3://bucket/x?region=a' : word)),
          what,
        );
      }
    });
    for (const [option, { type }] of Object.entries(optionsOf({ name, positionals, ...command }))) {
      if (type === 'path' || type === 'directory') refuse([...words, `--${option}`, 's3://bucket/x'], `--${option}`);
    }
  }
  t.ok(places > 10, `${places} places`);
  t.same(parse('copy', 'gs://a/b', 's3://c/d').args, { FROM: 'gs://a/b', TO: 's3://c/d' });
  t.same(parse('restore', 's3://a/b', './s3:/x').args.TARGET, './s3:/x');
  const restored = await cli(t, ['restore', 's3://bucket/x', 's3://bucket/target']);
  t.match(restored, { code: 2, stderr: /TARGET must be a path on this machine/ });
});

t.test('a local time that was left out, or was twice, is told', (t) => {
  const zone = process.env.TZ;
  process.env.TZ = 'Europe/Berlin';
  t.teardown(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });
  const of = (text: string) => parseTime(text, '--before', now).toISOString();
  t.throws(() => of('2026-03-29 02:30'), {
    code: 'USAGE',
    message: /'2026-03-29 02:30' did not exist in Europe\/Berlin: .*, such as 2026-03-29T03:30:00\+02:00/,
  });
  t.throws(() => of('2026-10-25 02:30'), {
    code: 'USAGE',
    message: /twice in Europe\/Berlin.* 2026-10-25T02:30:00\+02:00 or 2026-10-25T02:30:00\+01:00/,
  });
  t.equal(of('2026-10-25T02:30:00+01:00'), '2026-10-25T01:30:00.000Z');
  t.equal(of('2026-03-29 01:59:59'), '2026-03-29T00:59:59.000Z');
  t.equal(of('2026-03-29 03:00'), '2026-03-29T01:00:00.000Z');
  t.equal(of('2026-10-25 01:59'), '2026-10-24T23:59:00.000Z');
  t.equal(of('2026-10-25 03:00'), '2026-10-25T02:00:00.000Z');
  process.env.TZ = 'Australia/Lord_Howe';
  t.throws(
    () => of('2026-10-04 02:10'),
    { message: /'2026-10-04 02:10' did not exist/ },
    'half an hour is left out there',
  );
  t.throws(() => of('2026-04-05 01:45'), { message: /twice/ });
  process.env.TZ = 'America/Sao_Paulo';
  t.equal(of('2018-11-04'), '2018-11-04T03:00:00.000Z', 'a day whose midnight was left out begins at one');
  t.end();
});

t.test('the backup before a time is found by the times, also when a clock was wrong', (t) => {
  const at = (backupId: number, day: string) => ({
    backupId,
    timestamp: new Date(`${day}T00:00:00Z`),
  });
  const before = (backups: ReturnType<typeof at>[], day: string) => {
    const result = latestBefore(backups, new Date(`${day}T00:00:00Z`));
    return result && [result.found.backupId, result.contradicting.map(({ backupId }) => backupId)];
  };
  const right = [at(1, '2026-01-01'), at(2, '2026-01-02'), at(3, '2026-01-03')];
  t.same(before(right, '2026-01-03'), [2, []]);
  t.same(before(right, '2027-01-01'), [3, []]);
  t.equal(before(right, '2026-01-01'), undefined);
  const setBack = [...right, at(4, '2020-01-01'), at(5, '2026-01-05')];
  t.same(before(setBack, '2026-01-03'), [2, [4]], 'not 4, which was made later, by its number');
  t.same(before(setBack, '2027-01-01'), [5, []]);
  const setForward = [at(1, '2026-01-01'), at(2, '2030-01-01'), at(3, '2026-01-03')];
  t.same(before(setForward, '2026-01-04'), [3, [2]]);
  t.same(before([at(1, '2026-01-01'), at(2, '2026-01-01')], '2026-01-02'), [2, []], 'of one second, the later');
  t.end();
});

t.test('help and version load neither the engine nor the code of the commands', (t) => {
  const script = (argv: string[]) => `
    const { run } = require(${JSON.stringify(join(__dirname, '..', '..', 'lib', 'cli', 'run.js'))});
    run(${JSON.stringify(argv)}).then(() => process.stderr.write('LOADED' + JSON.stringify(Object.keys(require.cache))));`;
  const loaded = (...argv: string[]) => {
    const { stderr } = spawnSync(process.execPath, ['-e', script(argv)], {
      encoding: 'utf8',
      env: environment(),
    });
    return JSON.parse(stderr.split('LOADED')[1]!) as string[];
  };
  for (const argv of [['--help'], ['--version'], ['help', 'restore'], ['list', '--help']]) {
    const files = loaded(...argv);
    t.same(
      files.filter((file) => file.endsWith('.node') || /\/commands\//.test(file)),
      [],
      argv.join(' '),
    );
    t.ok(files.length < 36, `${argv.join(' ')}: ${files.length} files`);
  }
  const files = loaded('completion', 'bash');
  t.ok(
    loaded('list', '/nowhere').some((file) => file.endsWith('/commands/list.js')),
    'only that of the one that runs',
  );
  t.ok(files.some((file) => file.endsWith('/commands/completion.js')));
  t.end();
});

t.test('the table of commands is what the commands are', (t) => {
  const plain = (of: readonly unknown[]) =>
    JSON.parse(JSON.stringify(of, (name, value) => (name === 'schema' ? undefined : value)));
  t.same(plain(commandTable()), plain(commands));
  t.end();
});

t.test('times are local dates and moments, moments with a zone, or how long ago', async (t) => {
  const of = (text: string) => parseTime(text, '--before', now).getTime();
  t.equal(of('2026-01-31'), new Date(2026, 0, 31).getTime(), 'the day begins at local midnight');
  t.equal(of('2026-01-31 03:04'), new Date(2026, 0, 31, 3, 4).getTime());
  t.equal(of('2026-01-31T03:04:05'), new Date(2026, 0, 31, 3, 4, 5).getTime());
  t.equal(of('2026-01-31T03:04:05Z'), Date.UTC(2026, 0, 31, 3, 4, 5));
  t.equal(of('2026-01-31T03:04:05.000Z'), Date.UTC(2026, 0, 31, 3, 4, 5), 'as --json prints it');
  t.equal(of('2026-01-31T03:04+02:00'), Date.UTC(2026, 0, 31, 1, 4));
  t.equal(of('2h'), now.getTime() - 7_200_000);
  t.equal(of('1h30m'), now.getTime() - 5_400_000);
  const late = new Date(now.getTime() + 700);
  t.equal(parseTime('1s', '--before', late).getTime(), now.getTime() - 1000, 'a whole second, as backups know them');
  for (const text of ['2026-02-30', '2026-13-01', '2026-01-31 25:00', 'now', '31.1.2026', '2026-1-1']) {
    t.throws(() => of(text), { code: 'USAGE' }, text);
  }
});

t.test('the README lists every command', (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const [, listed = ''] = /^`(create list [a-z ]+)`/m.exec(readme) ?? [];
  t.strictSame(listed.split(' ').sort(), commands.map(({ name }) => name).sort());
  t.end();
});

t.test('the table of commands is whole', async (t) => {
  const kinds = new Map<string, string>();
  for (const command of commands) {
    t.match(command.summary, /^[a-z].*[^.]$/, `${command.name} has a summary`);
    t.ok(command.examples.length > 0 && command.description.length > 0, `${command.name} has help and examples`);
    for (const { line } of command.examples) {
      t.ok(line.includes(`rocksdb-backup ${command.name}`), `an example of ${command.name} is of ${command.name}`);
    }
    const shorts = new Set<string>();
    for (const [name, { type, short, choices, summary }] of Object.entries(optionsOf(command))) {
      // The parser tells options from arguments before it knows the command.
      const kind = `${type === 'flag'} ${short}`;
      t.equal(kinds.get(name) ?? kind, kind, `--${name} is of one kind in all commands`);
      kinds.set(name, kind);
      t.equal(type === 'choice', choices !== undefined, `--${name}`);
      t.ok(summary.length > 10, `--${name} is explained`);
      if (short !== undefined) {
        t.notOk(shorts.has(short), `-${short} of ${command.name} is of one option`);
        shorts.add(short);
      }
    }
    const optional = command.positionals.findIndex((positional) => positional.optional || positional.many);
    t.ok(optional < 0 || optional === command.positionals.length - 1, 'what may be missing comes last');
  }
  const numbers = Object.values(exitCodes).map(({ number }) => number);
  t.equal(new Set(numbers).size, numbers.length, 'exit codes are distinct');
});

t.test('every example can be typed', async (t) => {
  for (const { line } of commands.flatMap(({ examples }) => examples)) {
    const own = line.replace(/^source <\((.*)\)$/, '$1').replace(/ [|>].*$/, '');
    const words = [...own.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!);
    t.equal(words.shift(), 'rocksdb-backup');
    t.doesNotThrow(() => parse(...words), line);
  }
});

t.test('docs/cli.md and docs/cli-schema.json are as the table says: npm run docs:cli', async (t) => {
  const page = readFileSync(join(root, 'docs', 'cli.md'), 'utf8');
  t.equal(withReference(page, commands), page);
  t.equal(readFileSync(join(root, 'docs', 'cli-schema.json'), 'utf8'), schemaText(commands));
  for (const { number, meaning } of Object.values(exitCodes)) {
    const documented = page.replaceAll('`diff`', 'diff').includes(`| ${number} | ${meaning} |`);
    t.ok(documented, `exit code ${number} is documented`);
  }
});

t.test('--help of every command shows its usage, options, examples and exit codes', async (t) => {
  for (const { name, options, examples } of commands) {
    const { code, stdout, stderr } = await cli(t, name === 'list' ? ['help', name] : [name, '--help', '--nonsense']);
    t.match({ code, stderr }, { code: 0, stderr: '' }, name);
    t.ok(stdout.startsWith(`Usage: rocksdb-backup ${name}`), name);
    for (const option of [...Object.keys(options), 'json', 'quiet']) {
      t.match(stdout, new RegExp(`--${option}\\b`), `${name} --${option}`);
    }
    t.ok(examples.every(({ line }) => stdout.includes(line)));
    t.match(stdout, /Exit codes\n {2}0 +done/);
    t.notOk(stdout.includes('\x1b'), 'no colours in a pipe');
    t.ok(
      stdout.split('\n').every((line) => line.length <= 80 || line.includes('rocksdb-backup ')),
      'lines fit into 80 columns',
    );
  }
});

t.test('without a command there is help and a usage error; with --help and --version there is none', async (t) => {
  const bare = await cli(t, []);
  t.match(bare, { code: 2, stdout: '', stderr: /^Usage: rocksdb-backup COMMAND/ });
  const help = await cli(t, ['--help']);
  t.match(help, { code: 0, stderr: '' });
  for (const { name, summary } of commands) {
    t.match(help.stdout, new RegExp(`^ {2}${name} `, 'm'));
    t.ok(help.stdout.replace(/\s+/g, ' ').includes(summary), name);
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  t.match(await cli(t, ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  t.match(await cli(t, ['help', 'crate']), { code: 2, stdout: '', stderr: /did you mean 'create'/ });
});

t.test('with --json an error is one JSON value on stdout, and a sentence on stderr', async (t) => {
  const { code, json, stderr } = await cliAnswer(t, ['lst', 'dir']);
  t.same(json, { error: { code: 'USAGE', message: "there is no command 'lst'; did you mean 'list'?", exitCode: 2 } });
  t.equal(code, 2);
  t.match(stderr, /^rocksdb-backup: error: there is no command 'lst'.*\n {2}try: rocksdb-backup --help\n$/);
  t.ok(parseEarlyParts(['x', '--json', '--bad'], commands).json, 'also where the rest of the line is wrong');
  t.match(
    parseEarlyParts(['create', '-dash/db', 'b5'], commands),
    { help: false, quiet: false },
    'a path is no cluster of letters',
  );
  t.match(parseEarlyParts(['create', '-hq'], commands), { help: true, quiet: true });
});
