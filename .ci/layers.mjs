// Which folder may use which, and which of its files. Layers know only those below them, and no two files know each other, types included.
//
//   node .ci/layers.mjs
//
// Reads the imports of lib and the includes of binding. A new folder needs a line in both tables.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Folder: those that it may use beside itself. '.' is the files at the top. */
const MAY_USE = {
  lib: {
    base: [],
    native: ['base'],
    stores: ['base'],
    storage: ['base', 'native', 'stores'],
    database: ['base', 'native', 'storage'],
    backup: ['base', 'native', 'storage', 'database', 'retention'],
    archive: ['base', 'native', 'storage', 'database', 'backup'],
    retention: ['base'],
    compare: ['base', 'native', 'database'],
    checkpoints: ['base', 'native', 'database', 'retention'],
    drill: ['base', 'native', 'storage', 'database', 'backup', 'compare'],
    manager: ['base', 'native', 'storage', 'database', 'backup', 'retention', 'checkpoints', 'drill'],
    copy: ['base', 'native', 'storage', 'backup', 'manager'],
    status: ['base', 'native', 'stores', 'storage', 'backup', 'manager'],
    level: ['base', 'native', 'database', 'backup', 'archive'],
    cli: [
      ...'base native stores storage database backup archive retention compare drill manager copy status'.split(' '),
    ],
    '.': [
      ...'base native stores storage database backup archive retention compare checkpoints drill manager copy status'.split(
        ' ',
      ),
    ],
  },
  'binding/core': {
    base: [],
    storage: ['base'],
    stores: ['base', 'storage'],
    database: ['base', 'storage'],
    wal: ['base', 'storage', 'database'],
    backup: ['base', 'storage', 'database'],
    restore: ['base', 'storage', 'database', 'backup'],
    recovery: ['base', 'storage', 'database', 'wal', 'backup', 'restore'],
    repository: ['base', 'storage', 'database', 'wal', 'backup', 'restore', 'recovery'],
  },
  'binding/napi': {
    runtime: [],
    values: ['runtime'],
    database: ['runtime', 'values'],
    backup: ['runtime', 'values', 'database'],
    stores: ['runtime', 'values', 'backup'],
    '.': ['runtime', 'values', 'database', 'backup', 'stores'],
  },
};

/**
 * Folder: its face, the files that other folders may use. A folder without a line has none. 'all': its files are for everybody.
 *
 * lib/index.ts is the face of the package. It names each public type where that is declared, in whatever file.
 */
const FACE = {
  lib: {
    base: 'all',
    native: [
      'backup-info',
      'binding',
      'block',
      'cursor',
      'engine-info',
      'handle',
      'native-archive',
      'native-backup-engine',
      'native-database',
      'native-storage',
      'options',
      'packed-batch',
      'settle',
      'snapshot',
    ],
    stores: ['object-store', 'probe', 'retries', 'store-policy', 'store-url', 'trouble'],
    storage: ['storage'],
    database: ['archive', 'block-reader', 'database', 'database-options', 'key-space', 'write-batch'],
    archive: ['archive', 'point-in-time-recovery'],
    backup: [
      'backup-engine',
      'backup-options',
      'backup-plan',
      'deletion-guard',
      'known-damage',
      'long-operation',
      'rate-limiter',
      'restore-leftovers',
      'state-file',
    ],
    retention: ['databases', 'retention'],
    compare: ['diff', 'digest', 'sample'],
    checkpoints: ['snapshots'],
    copy: ['copy-backups'],
    status: ['repository-status'],
    drill: ['drill'],
    manager: [
      'backup-manager',
      'damage',
      'guarded-delete',
      'inventory',
      'manager-events',
      'manager-options',
      'manager-state',
      'operation-record',
      'pins',
      'pruner',
      'recorder',
      'state',
      'unreadable-backups',
      'verify-backup',
    ],
  },
  'binding/core': {
    base: 'all',
    storage: [
      'archive_files',
      'directories',
      'disk_cache',
      'local_storage',
      'locked_fs',
      'noted_deletes',
      'storage',
      'text_file',
    ],
    wal: ['archive', 'archiver', 'fixed_hex'],
    recovery: ['recover'],
    stores: ['object_storage', 'object_store'],
    database: [
      'archive_marker',
      'commit_clock',
      'database',
      'database_options',
      'iterator',
      'newer_rocksdb',
      'open_databases',
      'snapshot',
    ],
    backup: [
      'backup_create',
      'backup_engine_session',
      'backup_reading',
      'backup_record',
      'backup_verify',
      'database_identity',
      'directory_look',
      'meta_file',
    ],
    restore: ['backup_restore', 'restore_leftovers'],
    repository: ['backup_repository'],
  },
  'binding/napi': {
    runtime: ['addon_data', 'at_exit', 'errors', 'js_callback', 'napi_setup', 'pin_library', 'task', 'wrap'],
    values: 'all',
    database: ['database', 'database_options', 'iterator', 'snapshot', 'write_batch'],
    backup: ['backup_engine', 'storage_handle'],
    stores: ['js_store'],
  },
};

const IMPORT = /(?:\bfrom|\bimport\(|\brequire\(|^import) ?'(\.[^']*)\.js'/gm;
const INCLUDE = /^#include "((?:core|napi)\/[^"]+)"/gm;

/** What a file uses, as paths from the root. */
function usedBy(file) {
  const text = readFileSync(join(root, file), 'utf8');
  return file.endsWith('.ts')
    ? [...text.matchAll(IMPORT)].map(([, path]) => `${normalize(join(dirname(file), path))}.ts`)
    : [...text.matchAll(INCLUDE)].map(([, path]) => `binding/${path}`);
}

const filesBelow = (folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .map((name) => `${folder}/${name.split(sep).join('/')}`)
    .filter((name) => /\.(ts|cc|h)$/.test(name));

const folderOf = (top, file) => {
  const [first, ...rest] = relative(top, file).split(sep);
  return rest.length === 0 ? '.' : first;
};

/** A circle of files that is reached from `file`; undefined if there is none. */
function circleFrom(file, graph, done, path = []) {
  if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
  if (done.has(file)) return undefined;
  for (const used of graph.get(file) ?? []) {
    const circle = circleFrom(used, graph, done, [...path, file]);
    if (circle !== undefined) return circle;
  }
  done.add(file);
  return undefined;
}

const wrong = [];
const graph = new Map();
const unused = new Set(
  Object.entries(FACE).flatMap(([top, faces]) =>
    Object.entries(faces).flatMap(([folder, face]) =>
      face === 'all' ? [] : face.map((name) => `${top}/${folder}/${name}`),
    ),
  ),
);
for (const [top, table] of Object.entries(MAY_USE)) {
  for (const file of filesBelow(top)) {
    const folder = folderOf(top, file);
    const allowed = table[folder];
    if (allowed === undefined) wrong.push(`${file}: .ci/layers.mjs does not know its folder`);
    const used = usedBy(file).filter((name) => existsSync(join(root, name)));
    graph.set(file, used);
    for (const name of used) {
      const place = Object.keys(MAY_USE).find((each) => name.startsWith(`${each}/`));
      const target = folderOf(place, name);
      if (place === top && target === folder) continue;
      if (place === 'binding/napi' && top === 'binding/core') wrong.push(`${file} uses ${name}: core knows no Node`);
      if (place === top && !allowed?.includes(target))
        wrong.push(`${file} uses ${name}: ${folder} may not use ${target}`);
      const face = FACE[place][target] ?? [];
      const bare = name.replace(/\.(ts|h)$/, '');
      if (file !== 'lib/index.ts') unused.delete(bare);
      if (file !== 'lib/index.ts' && face !== 'all' && !face.includes(relative(`${place}/${target}`, bare)))
        wrong.push(`${file} uses ${name}: that is not in the face of ${place}/${target}`);
    }
  }
}
for (const name of unused) wrong.push(`${name}: no other folder uses it, so it belongs in no face`);

const done = new Set();
for (const file of graph.keys()) {
  const circle = circleFrom(file, graph, done);
  if (circle === undefined) continue;
  wrong.push(`a circle: ${circle.join(' -> ')}`);
  for (const member of circle) done.add(member);
}

for (const line of wrong) console.error(line);
console.log(
  `layers: ${graph.size} files, ${wrong.length === 0 ? 'each uses only faces, and only of what lies below it' : `${wrong.length} wrong`}`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
