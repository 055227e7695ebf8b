// How the sources below the binding are fetched, and the messages if a tool is missing.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import t from 'tap';

interface Fetch {
  verify(label: string, bytes: Buffer, expected: string): void;
  unpack(tgz: Buffer, folder: string, licenses: string[], target: string): string;
  readSources(): Record<string, { version: string; package: string; folder: string; integrity: string }>;
}

const root = join(__dirname, '..', '..', '..');
const script = (name: string) => pathToFileURL(join(root, 'deps', name)).href;
// The scripts are plain JavaScript, without declarations.
const load = (url: string) => import(url) as Promise<Fetch>;

/** A .tgz as npm writes it: ustar headers, blocks of 512 bytes. */
function tarball(files: Record<string, string>): Buffer {
  const blocks: Buffer[] = [];
  for (const [name, text] of Object.entries(files)) {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('0', 156);
    header.write('ustar\0', 257);
    blocks.push(header, Buffer.from(text.padEnd(Math.ceil(text.length / 512) * 512, '\0')));
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

t.test('a tarball with another hash is refused, and both hashes are named', async (t) => {
  const { verify } = await load(script('fetch.mjs'));
  const bytes = Buffer.from('not the pinned one');
  const actual = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const expected = `sha512-${createHash('sha512').update('pinned').digest('base64')}`;
  t.throws(() => verify('lib@1.0.0', bytes, expected), new RegExp(expected.replace(/[+/]/g, '.')));
  t.throws(() => verify('lib@1.0.0', bytes, expected), new RegExp(actual.replace(/[+/]/g, '.')));
  t.doesNotThrow(() => verify('lib@1.0.0', bytes, actual));
});

t.test('only the folder asked for and the licenses are unpacked, and nothing is left half done', async (t) => {
  const { unpack } = await load(script('fetch.mjs'));
  const dir = t.testdir({});
  const target = join(dir, 'lib');
  const tgz = tarball({
    'package/package.json': '{}',
    'package/LICENSE': 'free',
    'package/deps/lib/a.c': 'int a;',
    'package/deps/lib/sub/b.h': 'int b;',
    'package/deps/other/c.c': 'int c;',
  });
  unpack(tgz, 'deps/lib', ['LICENSE'], target);
  t.same(readdirSync(target).sort(), ['a.c', 'licenses', 'sub']);
  t.equal(readFileSync(join(target, 'sub', 'b.h'), 'utf8'), 'int b;');
  t.equal(readFileSync(join(target, 'licenses', 'LICENSE'), 'utf8'), 'free');
  t.throws(() => unpack(tgz, 'deps/none', [], join(dir, 'none')), /has no package\/deps\/none/);
  t.throws(
    () => unpack(tarball({ 'package/deps/lib/../../../evil': 'x' }), 'deps/lib', [], join(dir, 'evil')),
    /outside the package/,
  );
  t.same(readdirSync(dir), ['lib']);
});

t.test('every library is pinned by version and sha512', async (t) => {
  const { readSources } = await load(script('fetch.mjs'));
  const sources = readSources();
  t.same(Object.keys(sources), ['rocksdb', 'zstd', 'lz4', 'snappy']);
  for (const [name, source] of Object.entries(sources)) {
    t.match(source.integrity, /^sha512-[A-Za-z0-9+/]{86}==$/, name);
    t.match(source.package, /@\d+\.\d+\.\d+$/, name);
    t.ok(existsSync(join(root, 'deps', `${name}.cmake`)), name);
  }
});

t.test('a missing cmake, compiler or make is told in one sentence', async (t) => {
  // Makes a PATH with only the given tools.
  const toolsWith = (names: string[]) => {
    const bin = join(t.testdir({}), names.join('-') || 'none');
    mkdirSync(bin);
    for (const name of names) {
      if (name === 'cmake') writeFileSync(join(bin, name), '#!/bin/sh\necho cmake version 3.25.1\n', { mode: 0o755 });
      else if (name === 'c++') writeFileSync(join(bin, name), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
      else symlinkSync(process.execPath, join(bin, name));
    }
    const code = `import(${JSON.stringify(script('setup.mjs'))}).then((setup) => {
      try { setup.checkTools(); console.log('complete'); } catch (error) { console.log(error.message); }
    })`;
    const env = { ...process.env, PATH: bin, CXX: '' };
    return spawnSync(process.execPath, ['-e', code], { encoding: 'utf8', env }).stdout.trim();
  };
  t.match(
    toolsWith([]),
    /^Building the addon needs CMake 3\.20 or newer: install it \([^)]*apt install cmake[^)]*\)\.$/,
  );
  if (process.platform === 'win32') return;
  t.match(toolsWith(['cmake']), /^Building the addon needs a C\+\+20 compiler [^\n]*apt install g\+\+[^\n]*\.$/);
  t.match(
    toolsWith(['cmake', 'c++']),
    /^Building the addon needs make or ninja: install one [^\n]*apt install make[^\n]*\.$/,
  );
});

t.test(
  'a build folder of a checkout that was copied or moved is begun anew, one that is at home is kept',
  async (t) => {
    const { dropStaleBuild } = (await import(script('setup.mjs'))) as { dropStaleBuild(folder: string): void };
    const folder = t.testdir({});
    const configured = (home: string, cacheFolder: string, tool = process.execPath) => {
      mkdirSync(join(folder, 'CMakeFiles'), { recursive: true });
      writeFileSync(
        join(folder, 'CMakeCache.txt'),
        `CMAKE_HOME_DIRECTORY:INTERNAL=${home}\nCMAKE_CACHEFILE_DIR:INTERNAL=${cacheFolder}\nCMAKE_MAKE_PROGRAM:FILEPATH=${tool}\n`,
      );
      dropStaleBuild(folder);
      return [existsSync(join(folder, 'CMakeCache.txt')), existsSync(join(folder, 'CMakeFiles'))];
    };
    t.same(configured(root, folder), [true, true]);
    t.same(configured('/somewhere/else', folder), [false, false], 'of another checkout');
    t.same(configured(root, '/somewhere/else/build'), [false, false], 'copied here');
    t.same(configured(root, folder, '/usr/bin/no-such-ninja'), [false, false], 'its make is gone');
    dropStaleBuild(folder); // nothing there
  },
);
