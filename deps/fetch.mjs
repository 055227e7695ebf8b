// Brings the pinned sources of deps/sources.json from the npm registry and unpacks them into the user's cache.
//
//   node deps/fetch.mjs [name ...]     prints the folder of each library, one a line
//   node deps/fetch.mjs --json         the same for CMake: { cache, headers, libraries: { name: { version, folder, id } } },
//                                      where headers is the folder of node's own, and id names the exact content
//
// ROCKSDB_SOURCE_DIR=<checkout> stands in for the pinned RocksDB. Uses nothing but node and npm.

import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));

/** Where everything that outlives a checkout is kept. */
export const cacheRoot = join(
  process.env.XDG_CACHE_HOME || (process.platform === 'win32' && process.env.LOCALAPPDATA) || join(homedir(), '.cache'),
  'rocksdb-backup',
);

export const readSources = () => JSON.parse(readFileSync(join(here, 'sources.json'), 'utf8'));

export const integrityOf = (bytes) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

/** Refuses bytes that are not the pinned ones, naming both hashes. */
export function verify(label, bytes, expected) {
  const actual = integrityOf(bytes);
  if (actual !== expected) {
    throw new Error(`${label}: the tarball is not the pinned one\n  expected ${expected}\n  actual   ${actual}`);
  }
}

/** One package's tarball, downloaded by the npm client (its registry, proxy and certificates apply; no script runs). */
export function download(spec) {
  mkdirSync(cacheRoot, { recursive: true });
  const dir = mkdtempSync(join(cacheRoot, 'download-'));
  try {
    // cwd is the empty folder, so that no package.json around us has a say.
    execFileSync('npm', ['pack', spec, '--ignore-scripts', '--silent', '--pack-destination', dir], {
      cwd: dir,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    });
    const [file] = readdirSync(dir).filter((name) => name.endsWith('.tgz'));
    if (!file) throw new Error(`npm pack ${spec} brought no tarball`);
    return readFileSync(join(dir, file));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The regular files of a .tgz: ustar, with pax records for long names, which is what npm writes. */
export function* tarEntries(tgz) {
  const tar = gunzipSync(tgz);
  const text = (from, length) => {
    const end = tar.indexOf(0, from);
    return tar.toString('utf8', from, end >= from && end < from + length ? end : from + length);
  };
  let longName;
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12).trim() || '0', 8);
    const type = String.fromCharCode(tar[at + 156] || 48);
    const data = tar.subarray(at + 512, at + 512 + size);
    if (type === 'x') {
      longName = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(data.toString('utf8'))?.[1];
    } else {
      const prefix = text(at + 345, 155);
      const name = longName ?? (prefix ? `${prefix}/${text(at, 100)}` : text(at, 100));
      longName = undefined;
      if (type === '0') yield { name, data, mode: Number.parseInt(text(at + 100, 8).trim(), 8) };
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

/** Unpacks what is below package/<folder>, and the licenses into a folder of that name, into target: whole or not at all. */
export function unpack(tgz, folder, licenses, target) {
  const from = `package/${folder}/`.replace(/\/+/g, '/').replace(/\/\.\//g, '/');
  const temporary = `${target}.${randomUUID()}.tmp`;
  let count = 0;
  try {
    for (const { name, data, mode } of tarEntries(tgz)) {
      const inside = name.startsWith(from) ? [name.slice(from.length)] : [];
      if (licenses.some((license) => name === `package/${license}`)) inside.push(join('licenses', basename(name)));
      for (const place of inside) {
        const path = resolve(temporary, place);
        if (!path.startsWith(temporary + sep)) throw new Error(`${name}: a path outside the package`);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, data, { mode: mode & 0o111 ? 0o755 : 0o644 });
        count++;
      }
    }
    if (count === 0) throw new Error(`the tarball has no ${from}`);
    try {
      renameSync(temporary, target);
    } catch (error) {
      if (!existsSync(target)) throw error; // else another process was first, with the same bytes
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return target;
}

/** The folder of a pinned tarball's sources, downloaded if the cache does not have them. */
export function fetchSource(name, source) {
  const { version, licenses = [], integrity } = source;
  const hash = createHash('sha256')
    .update(JSON.stringify([source.folder, licenses, integrity]))
    .digest('hex')
    .slice(0, 16);
  const target = join(cacheRoot, 'sources', `${name}-${version}-${hash}`);
  if (!existsSync(target)) {
    process.stderr.write(`fetching ${name} ${version} (${source.package})\n`);
    const tgz = download(source.package);
    verify(source.package, tgz, integrity);
    mkdirSync(dirname(target), { recursive: true });
    unpack(tgz, source.folder, licenses, target);
  }
  return { version, folder: target, id: integrity };
}

/** A RocksDB of the user's own: its version from version.h, its id from the contents of its sources. */
function ownRocksDB(checkout) {
  const folder = resolve(checkout);
  const header = join(folder, 'include', 'rocksdb', 'version.h');
  if (!existsSync(header))
    throw new Error(`ROCKSDB_SOURCE_DIR=${checkout} is no RocksDB checkout: it has no include/rocksdb/version.h`);
  const text = readFileSync(header, 'utf8');
  const version = ['MAJOR', 'MINOR', 'PATCH']
    .map((part) => new RegExp(`#define ROCKSDB_${part} (\\d+)`).exec(text)?.[1])
    .join('.');
  const hash = createHash('sha512');
  const visit = (dir) => {
    for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) {
        if (!entry.name.startsWith('.')) visit(path);
      } else if (/\.(h|cc|c|S|inc|in|mk)$/.test(entry.name)) {
        hash.update(path.slice(folder.length)).update('\0').update(readFileSync(path));
      }
    }
  };
  visit(folder);
  return { version, folder, id: `sha512-${hash.digest('base64')}` };
}

export function fetchAll(names = Object.keys(readSources())) {
  const sources = readSources();
  const result = {};
  for (const name of names) {
    if (!sources[name]) throw new Error(`deps/sources.json has no ${name}`);
    const own = name === 'rocksdb' && process.env.ROCKSDB_SOURCE_DIR;
    result[name] = own ? ownRocksDB(own) : fetchSource(name, sources[name]);
  }
  return result;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const names = process.argv.slice(2).filter((arg) => arg !== '--json');
    const found = fetchAll(names.length ? names : undefined);
    const headers = resolve(process.execPath, '..', '..', 'include', 'node');
    if (process.argv.includes('--json')) console.log(JSON.stringify({ cache: cacheRoot, headers, libraries: found }));
    else for (const { folder } of Object.values(found)) console.log(folder);
  } catch (error) {
    console.error(`deps/fetch.mjs: ${error.message}`);
    process.exit(1);
  }
}
