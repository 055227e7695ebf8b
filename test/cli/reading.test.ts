// get, scan and diff read backups in place. No contents of a database can harm a terminal.

import { spawnSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import { cli, cliAnswer, environment, noTerminal, program, startInTerminal } from '../fixtures/cli.js';
import { refused } from '../fixtures/cli-scene.js';
import { tempDir } from '../fixtures/files.js';

const EVIL = Buffer.from('\x1b]0;owned\x07\x1b[2J\r\n\u202e\x9b31m');
const BINARY = Buffer.from([0, 0xff, 0x5c, 0x0a, 0x80]);
let backups: string;
let dir: (...path: string[]) => string;

/** Backup 1; and backup 2, in which one key was added, one changed, one removed, and a family was added. */
t.before(async () => {
  dir = tempDir(t);
  backups = dir('backups');
  const db = await Database.open(dir('db'));
  const engine = await BackupEngine.open(backups);
  const batch = db.batch();
  for (let n = 0; n < 3000; n++) batch.put(`user:${String(n).padStart(4, '0')}`, `value ${n} ${'x'.repeat(100)}`);
  await batch.write();
  await db.put('zoë', 'ü');
  await db.put(BINARY, BINARY);
  await db.put('evil', EVIL);
  await db.put(EVIL, 'evil');
  const family = await db.createColumnFamily('fam\x1b[1mily');
  await family.put('k', 'v');
  await engine.createBackup(db);
  await db.put('user:0001', 'changed');
  await db.put('added', EVIL);
  await db.delete('zoë');
  await family.delete('k');
  await engine.createBackup(db);
  await db.close();
  await engine.close();
});

/** The screen has only line breaks and printable text. `allowed` is what a terminal itself needs. */
function assertHarmless(t: Test, screen: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  t.notMatch(screen.replace(/\r\n/g, '\n'), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
}

t.test(
  'get gives a pipe the value byte for byte, and a terminal something harmless',
  { skip: noTerminal },
  async (t) => {
    t.same((await cli(t, ['get', backups, '1', 'evil'])).stdoutBytes, EVIL);
    t.same((await cli(t, ['get', backups, '1', BINARY.toString('hex'), '--hex'])).stdoutBytes, BINARY);
    t.same((await cli(t, ['get', backups, '1', '\\x00\\xff\\\\\\n\\x80'])).stdoutBytes, BINARY, 'as scan prints it');
    await refused(t, ['get', backups, '1', 'a\\b'], 2, /KEY has a backslash that is not an escape: 'a\\b'/);
    t.equal((await cli(t, ['get', backups, 'latest', 'user:0001'])).stdout, 'changed');
    t.match((await cliAnswer(t, ['get', backups, '1', 'zoë'])).json, { key: 'zoë', value: 'ü', backupId: 1 });
    const binary = await cliAnswer(t, ['get', backups, '1', BINARY.toString('hex'), '--hex']);
    t.match(binary.json, { key: { base64: BINARY.toString('base64') }, value: { base64: BINARY.toString('base64') } });
    const { stdout } = await startInTerminal(t, ['get', backups, '1', 'evil']).ended;
    assertHarmless(t, stdout);
    t.equal(stdout, '\\x1b]0;owned\\x07\\x1b[2J\\r\\n\\u202e\\u009b31m\r\n');
    await refused(t, ['get', backups, '1', 'xyz', '--hex'], 2, /KEY must be hexadecimal digits/);
    const missing = await cli(t, ['get', backups, '1', EVIL.toString('hex').replace('6f', '70'), '--hex']);
    t.equal(missing.code, 3);
    assertHarmless(t, missing.stderr);
  },
);

t.test('the empty key is a key as any other', async (t) => {
  const own = tempDir(t);
  const db = await Database.open(own('db'));
  await db.put('', 'of the empty key');
  await db.put('a', '1');
  await db.close();
  t.equal((await cli(t, ['create', own('db'), own('backups')])).code, 0);
  t.equal((await cli(t, ['get', own('backups'), '1', ''])).stdout, 'of the empty key');
  t.equal((await cli(t, ['get', own('backups'), '1', '', '--hex'])).stdout, 'of the empty key');
  t.match((await cliAnswer(t, ['get', own('backups'), 'latest', ''])).json, { key: '', value: 'of the empty key' });
  await refused(t, ['get', backups, '1', ''], 3, /backup 1 in .* has no key ''/);
});

t.test('scan prints one entry a line, in ranges, both ways, in three formats', async (t) => {
  const keys = async (...args: string[]) =>
    (await cli(t, ['scan', backups, '1', '--keys-only', ...args])).stdout.split('\n').slice(0, -1);
  t.same(await keys('--prefix', 'user:000', '--limit', '2'), ['user:0000', 'user:0001']);
  t.same(await keys('--prefix', 'user:', '--reverse', '--limit', '1'), ['user:2999']);
  t.same(await keys('--from', 'user:2998', '--to', 'z'), ['user:2998', 'user:2999']);
  t.same(await keys('--prefix', 'user:29', '--from', 'user:2999'), ['user:2999']);
  t.same(await keys('--prefix', 'ff', '--hex'), [], 'none');
  t.equal((await keys()).length, 3004, 'keys with line breaks are one line each');
  const entry = await cli(t, ['scan', backups, '1', '--prefix', 'zoë']);
  t.equal(entry.stdout, 'zoë\tü\n');
  const hex = await cli(t, ['scan', backups, '1', '--format', 'hex', '--limit', '1']);
  t.equal(hex.stdout, `${BINARY.toString('hex')}\t${BINARY.toString('hex')}\n`);
  const raw = await cli(t, ['scan', backups, '1', '--format=raw', '--limit', '1']);
  t.same(raw.stdoutBytes, Buffer.concat([BINARY, Buffer.from('\t'), BINARY, Buffer.from('\n')]));
  const text = await cli(t, ['scan', backups, '1', '--limit', '1']);
  t.equal(text.stdout, '\\x00\\xff\\\\\\n\\x80\t\\x00\\xff\\\\\\n\\x80\n');
  const family = await cliAnswer(t, ['scan', backups, '1', '--column-family', 'fam\x1b[1mily']);
  t.match(family.json, { entries: [{ key: 'k', value: 'v' }], count: 1, complete: true });
  const all = await cliAnswer<{ entries: unknown[] }>(t, ['scan', backups, '1']);
  t.match(all.json, { count: 3004, entries: { length: 3004 }, complete: true });
});

t.test('scan to a terminal is harmless, and raw bytes are refused there', { skip: noTerminal }, async (t) => {
  const { code, stdout } = await startInTerminal(t, ['scan', backups, '1', '--prefix', 'e']).ended;
  t.equal(code, 0);
  assertHarmless(t, stdout.replaceAll('\t', ''));
  t.match(await startInTerminal(t, ['scan', backups, '1', '--format', 'raw']).ended, { code: 2, stdout: /use a pipe/ });
  const missing = await startInTerminal(t, ['scan', backups, '1', '--column-family', 'x', '--color', 'never']).ended;
  t.equal(missing.code, 3);
  assertHarmless(t, missing.stdout);
});

t.test('diff tells what was added, changed and removed, as lines, as JSON, and as an exit code', async (t) => {
  const lines = await cli(t, ['diff', backups, '1', '2']);
  t.equal(lines.code, 7);
  t.same(lines.stdout.split('\n'), ['+ added', '~ user:0001', '- zoë', '- [fam\\x1b[1mily] k', '']);
  assertHarmless(t, lines.stdout);
  const values = await cli(t, ['diff', backups, '1', '2', '--values', '--column-family', 'default']);
  t.match(values.stdout, /\n~ user:0001\tvalue 1 x+\tchanged\n- zoë\tü\n$/);
  const { json, code } = await cliAnswer(t, ['diff', backups, '2', '1', '--values', '--column-family', 'default']);
  t.equal(code, 7);
  t.match(json, {
    from: 2,
    to: 1,
    complete: true,
    counts: { default: { added: 1, changed: 1, removed: 1 } },
    changes: [
      { key: 'added', change: 'removed' },
      { change: 'changed', before: 'changed' },
      { key: 'zoë', after: 'ü' },
    ],
  });
  t.match((await cli(t, ['diff', backups, '1', 'latest', '--summary'])).stdout, /default +1 +1 +1\n/);
  t.match(await cli(t, ['diff', backups, '1', '2', '-q']), { code: 7, stdout: '', stderr: '' });
  t.match(await cli(t, ['diff', backups, '2', 'latest']), { code: 0, stdout: '', stderr: '' });
  t.match(await cliAnswer(t, ['diff', backups, '1', '1']), { code: 0, json: { changes: [], counts: {} } });
  await refused(t, ['diff', backups, '1', '2', '--column-family', 'x'], 3, /neither .* column family 'x'/);
  await refused(t, ['diff', backups, '1', '9'], 3, /no backup 9/);
});

t.test('whoever has seen enough of an answer ends it quietly', async (t) => {
  const line = (command: string) => `"${process.execPath}" "${program}" ${command}; echo "ended with $?" >&2`;
  for (const command of [`scan ${backups} 1`, `list ${backups}`, '--help']) {
    const { stdout, stderr } = spawnSync('bash', ['-c', `{ ${line(command)}; } | head -n 1`], {
      encoding: 'utf8',
      env: environment(),
      timeout: 20_000,
    });
    t.equal(stdout.split('\n').length, 2, 'one line');
    t.equal(stderr, 'ended with 0\n', command);
  }
});

t.test('drill restores, reads and compares, and leaves nothing', async (t) => {
  const all = await cliAnswer<{ keys: number; checksum: string }>(t, ['drill', backups, '1']);
  t.match(all, { code: 0, json: { keys: 3005, sampled: false, backup: { backupId: 1 } } });
  const sampled = await cliAnswer<{ keys: number }>(t, ['drill', backups, '--sample', '100']);
  t.ok(sampled.json.keys < 3005);
  t.match(
    (await cli(t, ['drill', backups])).stdout,
    /^backup 2: restored and read, \d+ keys, .* the same as in the backup/,
  );
  await refused(t, ['drill', backups, '--sample', '0'], 2, /--sample must be a share/);
  t.match((await cli(t, ['list', backups])).stdout, / 1 .* drill \d{4}-/);
  const { json } = await cliAnswer(t, ['stats', backups]);
  t.match(json, { backups: 2, operations: [{ operation: 'drill', ok: 3, failed: 0, last: { ok: true } }] });
  t.match(
    (await cli(t, ['stats', backups])).stdout,
    /^Repository .*\nBackups +2 \(\d full, \d incremental\)\nDatabase +\S+\nNewest .* ago\n/,
  );
});
