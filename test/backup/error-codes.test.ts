// docs/errors.md has every code of the sources, and no other. The table of the README has the codes that a program sees.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RocksDBErrorDetails } from '../../lib/base/errors.js';
import { RocksDBError } from '../../lib/index.js';

const root = join(__dirname, '..', '..', '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');

function sources(folder: string, ...endings: string[]): string {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => read(join(folder, name)))
    .join('\n');
}

const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, word]) => word as string);
const sorted = (words: Iterable<string>) => [...new Set(words)].sort();

const native = sources('binding', '.cc', '.h');
const lib = sources('lib', '.ts');

// Codes of Node and of the packages of stores, which the sources only compare; words for these packages; and the kinds of a StoreError.
const OF_OTHERS = [
  ...['MODULE_NOT_FOUND', 'EAI_AGAIN', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'REQUEST_SEND_ERROR'],
  ...['UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_SOCKET'],
  ...['DEEP_ARCHIVE', 'WHEN_REQUIRED', 'WHEN_SUPPORTED'],
  ...['CONDITION_FAILED', 'NOT_FOUND', 'NO_BUCKET'],
];

const used = sorted([
  // Words with a _ in quotes are codes and subcodes.
  ...found(native, /"([A-Z]+(?:_[A-Z]+)+)"/g),
  ...found(lib, /'([A-Z]+(?:_[A-Z]+)+)'/g),
  // Subcodes of one word, and the command line's codes of one word.
  ...found(native, /case Status::k\w+:\s+return "([A-Z]+)"/g),
  ...found(lib, /\bcode = '([A-Z]+)'/g),
  ...found(lib, /=== 'AbortError' \? '[A-Z]+' : '([A-Z]+)'/g),
]).filter((code) => !OF_OTHERS.includes(code));

/** The words in the first column of each table with such a heading. */
function documented(text: string, heading: string): string[] {
  const tables = text.split(/\n(?!\|)/).map((block) => block.split('\n').filter((line) => line.startsWith('|')));
  return tables
    .filter(([first]) => first?.startsWith(`| ${heading} |`))
    .flatMap((lines) => lines.slice(2))
    .flatMap((line) => found(line.split('|')[1] as string, /`([^`]+)`/g));
}

t.test('docs/errors.md has every code, once, and no other', async (t) => {
  const listed = [...documented(read('docs/errors.md'), 'code'), ...documented(read('docs/errors.md'), 'subcode')];
  t.ok(used.length > 60, 'codes are found in the sources');
  const missing = used.filter((code) => !listed.includes(code));
  const unknown = listed.filter((code) => !used.includes(code));
  t.same(missing, [], 'no code of the sources is missing');
  t.same(unknown, [], 'no code is listed that the sources do not have');
  // NO_SPACE is a code and a subcode.
  t.same(
    listed.filter((code, at) => listed.indexOf(code) !== at),
    ['NO_SPACE'],
  );
});

t.test('the table of the README has only codes of docs/errors.md', async (t) => {
  const listed = documented(read('docs/errors.md'), 'code');
  const named = documented(read('README.md'), 'code').filter((code) => code !== 'ROCKSDB_<STATUS>');
  t.ok(named.length > 30);
  t.same(
    named.filter((code) => !listed.includes(code)),
    [],
  );
});

t.test('docs/errors.md has every fact', async (t) => {
  // The type says at compile time that none is missing here.
  const facts: Required<{ [Name in keyof RocksDBErrorDetails]: true }> = {
    subcode: true,
    severity: true,
    damagedFiles: true,
    leftFiles: true,
    why: true,
    path: true,
    backupId: true,
    databaseId: true,
    holder: true,
    bytesNeeded: true,
    bytesFree: true,
    lockedUntil: true,
    from: true,
    to: true,
    firstSequence: true,
    lastSequence: true,
    status: true,
    storeCode: true,
    requestId: true,
    advice: true,
  };
  t.same(sorted(documented(read('docs/errors.md'), 'fact')), Object.keys(facts).sort());
  const given = sorted(found(native, /\.With\("(\w+)"/g));
  t.same(
    given.filter((name) => !Object.hasOwn(facts, name)),
    [],
    'native code gives no other',
  );
  t.same(Object.keys(new RocksDBError('x', 'NO_SPACE')), ['code'], 'an error without facts has no empty ones');
});
