// Output: text that is safe, tables, progress, colours, exit codes, signals.

import t from 'tap';
import { codeOf, messageOf, StoppedError, UsageError } from '../../lib/cli/errors.js';
import { exitOf } from '../../lib/cli/exit-codes.js';
import { Interrupts } from '../../lib/cli/interrupts.js';
import { bytesAsJson, bytesAsJsonParts } from '../../lib/cli/json.js';
import { keyRange } from '../../lib/cli/key-range.js';
import { barLine, reporterFor, told } from '../../lib/cli/output/progress.js';
import { styleFor } from '../../lib/cli/output/style.js';
import { pairs, table } from '../../lib/cli/output/table.js';
import {
  bytesAsText,
  bytesAsTextParts,
  ranges,
  safe,
  shortened,
  textAsBytes,
  width,
  wrap,
} from '../../lib/cli/output/text.js';
import { type Progress, RocksDBError } from '../../lib/index.js';
import { Random } from '../fixtures/random.js';

t.test(
  'text from elsewhere is shown without what moves a cursor, turns writing round or is no character',
  async (t) => {
    t.equal(safe('plain, ümläut, 漢字, 👍'), 'plain, ümläut, 漢字, 👍');
    t.equal(safe('a\x1b[2J\r\n\tb\x7f\x9b'), 'a\\x1b[2J\\r\\n\\tb\\x7f\\u009b');
    t.equal(safe('\u202eabc\u2066\ufeff\u2028'), '\\u202eabc\\u2066\\ufeff\\u2028');
    t.equal(safe('\ud83d'), '\\ud83d', 'half a pair');
  },
);

t.test('a long name is shortened in the middle', (t) => {
  t.equal(shortened('s3://backups/users', 18), 's3://backups/users');
  t.equal(shortened('s3://backups/users', 12), 's3://...sers');
  t.equal(shortened('👍'.repeat(20), 9), '👍👍👍...👍👍👍');
  for (const most of [30, 31]) t.equal(shortened('x'.repeat(1000), most).length, most);
  t.end();
});

t.test('bytes as text stand for these bytes only', async (t) => {
  const cases: [number[] | string, string][] = [
    ['user:1', 'user:1'],
    ['a\\x00', 'a\\\\x00'],
    [[0, 0x41, 0xff], '\\x00A\\xff'],
    [[0xc3, 0xbc, 0xc3], 'ü\\xc3'],
    [[0xed, 0xa0, 0x80], '\\xed\\xa0\\x80'],
    [[0xef, 0xbf, 0xbd], '\ufffd'],
    [[0xf0, 0x9f, 0x91, 0x8d, 0x80], '👍\\x80'],
    ['', ''],
  ];
  for (const [bytes, text] of cases) t.equal(bytesAsText(Buffer.from(bytes as string)), text);
  const seen = new Map<string, string>();
  for (let n = 0; n < 65_536; n++) {
    const bytes = Buffer.from([0x5c, n >> 8, n & 0xff]);
    const text = bytesAsText(bytes);
    if (seen.has(text)) t.fail(`${bytes.toString('hex')} and ${seen.get(text)} are both ${text}`);
    seen.set(text, bytes.toString('hex'));
    if (!textAsBytes(text)?.equals(bytes)) t.fail(`${text} is not taken as ${bytes.toString('hex')}`);
  }
  for (const [bytes, text] of cases) t.same(textAsBytes(text), Buffer.from(bytes as string));
  t.same(
    textAsBytes('\\x1b[2J\\r\\n\\t\\u202e\\xFF'),
    Buffer.concat([Buffer.from('\x1b[2J\r\n\t\u202e'), Buffer.from([0xff])]),
  );
  for (const wrong of ['a\\b', '\\', '\\x', '\\x0', '\\xg0', '\\ud83d', '\\u12'])
    t.equal(textAsBytes(wrong), undefined, wrong);
  t.same(bytesAsJson(Buffer.from('ü')), 'ü');
  t.same(bytesAsJson(Buffer.from([0xff])), { base64: '/w==' });
});

t.test('a large value is printed in parts that are together what it is in one', async (t) => {
  const random = new Random(7);
  const long = (piece: string, count: number) => Buffer.from(piece.repeat(count));
  const values = [
    Buffer.alloc(0),
    long('plain text\n', 30_000),
    long('ü', 100_000),
    Buffer.concat([Buffer.from('x'), long('漢', 100_000)]),
    Buffer.concat([Buffer.from('xy'), long('👍\\', 60_000)]),
    Buffer.alloc(300_000, 0x80),
    Buffer.concat([long('👍', 50_000), Buffer.from([0xf0, 0x9f])]),
    Buffer.from(Array.from({ length: 300_000 }, () => random.below(256))),
    Buffer.from(Array.from({ length: 300_000 }, () => random.pick([0xf0, 0x9f, 0x91, 0x8d, 0xe6, 0x20]))),
  ];
  for (const [n, value] of values.entries()) {
    const asText = [...bytesAsTextParts(value)];
    t.ok(asText.join('') === bytesAsText(value), `value ${n} as text`);
    const asJson = [...bytesAsJsonParts(value)];
    t.ok(asJson.join('') === JSON.stringify(bytesAsJson(value)), `value ${n} as JSON`);
    t.ok(Math.max(0, ...[...asText, ...asJson].map((part) => part.length)) <= 4 * 65_536, 'in small parts');
  }
});

t.test('tables are as wide as they need be, and cut nothing off', async (t) => {
  const lines = table(
    [{ title: 'ID', align: 'right' }, { title: 'NAME' }, { title: 'NONE' }, { title: 'SIZE', align: 'right' }],
    [
      ['1', '漢字', '', '10 B'],
      ['12', '\x1b[32mgreen\x1b[39m', '', '9 kB'],
    ],
  );
  t.same(lines, ['ID  NAME   SIZE', ' 1  漢字   10 B', '12  \x1b[32mgreen\x1b[39m  9 kB']);
  t.same(
    pairs([
      ['a', '1'],
      ['long', '2'],
      ['none', undefined],
    ]),
    ['a     1', 'long  2'],
  );
  t.equal(width('e\u0301👍'), 3);
  t.same(wrap('one two three', 7), ['one two', 'three']);
  t.equal(ranges([7, 1, 2, 3, 9, 10]), '1-3, 7, 9, 10');
});

const progress: Progress = {
  phase: 'copy',
  bytesDone: 25e6,
  bytesTotal: 100e6,
  filesDone: 1,
  filesTotal: 4,
  file: 'x',
  bytesPerSecond: 5e6,
  secondsLeft: 15,
};

t.test('a bar has share, speed and time left, and fits into any terminal', async (t) => {
  const line = barLine('backup', told(progress), 100);
  t.match(line, /^backup \[#+\.+\] {2}25% copying 25 MB of 100 MB, 5 MB\/s, 15 s left$/);
  t.match(
    barLine('backup', told({ ...progress, secondsLeft: Number.POSITIVE_INFINITY, bytesPerSecond: 0 }), 100),
    /100 MB$/,
  );
  for (let columns = 1; columns < 120; columns++) {
    if (width(barLine('backup', told(progress), columns)) >= columns) t.fail(`too wide for ${columns}`);
  }
  t.match(barLine('backup', told({ ...progress, phase: 'commit' }), 100), /100% bringing it to the disk/);
  t.match(
    barLine('backup', told({ ...progress, bytesDone: 0, bytesTotal: 0 }), 100),
    / 0% /,
    'nothing to do is no error',
  );
});

t.test('where there is no terminal there is a line at the start, and then one every five seconds', async (t) => {
  let now = 1000;
  let text = '';
  const stream = { write: (part: string) => (text += part) };
  const reporter = reporterFor(stream, 'backup', { silent: false, now: () => now });
  reporter.update(told({ ...progress, phase: 'flush' }));
  t.equal(text, '');
  for (; now < 12_000; now += 100) reporter.update(told(progress));
  reporter.end();
  t.equal(text, 'backup: 25%, copying 25 MB of 100 MB, 5 MB/s, 15 s left\n'.repeat(3));
  text = '';
  reporterFor(stream, 'x', { silent: true }).update(told(progress));
  t.equal(text, '');
});

t.test('a bar hides the cursor and gives it back', async (t) => {
  let text = '';
  const exits = process.listenerCount('exit');
  const reporter = reporterFor({ isTTY: true, columns: 80, write: (part: string) => (text += part) }, 'x', {
    silent: false,
  });
  reporter.update(told(progress));
  t.ok(text.startsWith('\x1b[?25l'));
  t.equal(process.listenerCount('exit'), exits + 1, 'also when the process ends');
  reporter.end();
  reporter.end();
  t.ok(text.endsWith('\r\x1b[K\x1b[?25h'));
  t.equal(process.listenerCount('exit'), exits);
});

t.test('colours are for terminals, unless somebody says otherwise', async (t) => {
  const isColoured = (isTTY: boolean, choice: 'auto' | 'always' | 'never', env = {}) =>
    styleFor({ isTTY }, choice, env).bad('x') !== 'x';
  t.ok(isColoured(true, 'auto'));
  t.notOk(isColoured(false, 'auto'));
  t.notOk(isColoured(true, 'auto', { NO_COLOR: '1' }));
  t.ok(isColoured(true, 'auto', { NO_COLOR: '' }), 'as no-color.org has it');
  t.notOk(isColoured(true, 'auto', { TERM: 'dumb' }));
  t.ok(isColoured(false, 'always', { NO_COLOR: '1' }));
  t.notOk(isColoured(true, 'never'));
});

t.test('errors have the exit code of what went wrong, and speak of options as one types them', async (t) => {
  const of = (code: string, message = 'x') => new RocksDBError(message, code);
  t.equal(exitOf(new UsageError('x')), 'usage');
  t.equal(exitOf(of('BACKUP_NOT_FOUND')), 'notFound');
  t.equal(exitOf(of('DATABASE_IN_USE')), 'locked');
  t.equal(exitOf(of('ROCKSDB_CORRUPTION')), 'corrupt');
  t.equal(exitOf(new StoppedError('x')), 'stopped');
  t.equal(exitOf(new DOMException('x', 'AbortError')), 'stopped');
  for (const other of [new Error('x'), of('constructor'), of('NO_SPACE'), undefined, 'text', { code: 7 }]) {
    t.equal(exitOf(other), 'failed');
  }
  const advised = new RocksDBError('It is not empty', 'TARGET_EXISTS', { advice: 'overwrite' });
  t.match(messageOf(advised), /^It is not empty\. Restore to a new directory, or pass --overwrite, which/);
  t.match(advised.message, /^It is not empty\. Restore to a new directory, or pass overwrite: true, which/);
  t.equal(messageOf('text'), 'text');
  const unreadable = new RocksDBError(
    'backup 2 cannot be used: IO error: /b/meta/2: Input/output error',
    'BACKUP_CORRUPT',
    {
      why: 'io',
    },
  );
  t.match(
    messageOf(unreadable),
    /Input\/output error\. See to the disk or the store, which does not give it, then verify it\.$/,
  );
  t.equal(messageOf(of('BACKUP_CORRUPT', '/b/meta/2 is missing')), '/b/meta/2 is missing');
  t.equal(codeOf({}), 'FAILED');
});

t.test('the first signal aborts, the second one exits with its number', async (t) => {
  let now = 0;
  const said: string[] = [];
  const listeners = process.listenerCount('SIGHUP');
  const exits: number[] = [];
  const interrupts = new Interrupts(
    (text) => said.push(text),
    (code) => exits.push(code),
    () => now,
  );
  interrupts.install();
  process.emit('SIGINT');
  t.ok(interrupts.signal.aborted);
  now += 100;
  process.emit('SIGINT'); // the same Ctrl-C again, as npx passes it on
  now += 1000;
  t.same([said, exits], [['stopping; press Ctrl-C again to exit at once'], []]);
  process.emit('SIGINT');
  process.emit('SIGTERM');
  t.same(exits, [130, 143]);
  interrupts.remove();
  t.equal(process.listenerCount('SIGHUP'), listeners);
});

t.test('a range of keys is the part that all its limits leave, in either order', async (t) => {
  const b = (text: string) => Buffer.from(text);
  t.same(keyRange(b('p'), undefined, undefined, 1), { gte: b('p'), lt: b('q') });
  t.same(keyRange(b('p'), undefined, undefined, -1), { gt: b('q'), lte: b('p') });
  t.same(keyRange(b('p'), b('pa'), b('z'), 1), { gte: b('pa'), lt: b('q') });
  t.same(keyRange(undefined, b('z'), b('a'), -1), { gte: b('z'), lt: b('a') });
  t.same(keyRange(Buffer.from([0xff, 0xff]), undefined, undefined, 1), { gte: Buffer.from([0xff, 0xff]) });
  t.same(keyRange(undefined, undefined, undefined, 1), {});
});
