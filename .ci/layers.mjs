// Which folder may use which. Layers know only those below them, and no two files know each other, types included.
//
//   node .ci/layers.mjs
//
// Reads the imports of lib and the includes of binding. Whoever adds a folder adds a line here.

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
    storage: ['base', 'native'],
    database: ['base', 'native'],
    backup: ['base', 'native', 'storage', 'database'],
    retention: ['base'],
    compare: ['base', 'native', 'database'],
    checkpoints: ['base', 'native', 'database', 'retention'],
    drill: ['base', 'native', 'database', 'backup', 'compare'],
    manager: ['base', 'native', 'storage', 'database', 'backup', 'retention', 'checkpoints', 'drill'],
    level: ['base', 'native', 'database', 'backup'],
    cli: ['base', 'native', 'storage', 'database', 'backup', 'retention', 'compare', 'drill', 'manager'],
    '.': ['base', 'native', 'storage', 'database', 'backup', 'retention', 'compare', 'checkpoints', 'drill', 'manager'],
  },
  'binding/core': {
    base: [],
    storage: ['base'],
    database: ['base', 'storage'],
    backup: ['base', 'storage', 'database'],
    restore: ['base', 'storage', 'database', 'backup'],
    repository: ['base', 'storage', 'database', 'backup', 'restore'],
  },
  'binding/napi': {
    runtime: [],
    values: ['runtime'],
    database: ['runtime', 'values'],
    backup: ['runtime', 'values', 'database'],
    '.': ['runtime', 'values', 'database', 'backup'],
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
for (const [top, table] of Object.entries(MAY_USE)) {
  for (const file of filesBelow(top)) {
    const folder = folderOf(top, file);
    const allowed = table[folder];
    if (allowed === undefined) wrong.push(`${file}: .ci/layers.mjs does not know its folder`);
    const used = usedBy(file).filter((name) => existsSync(join(root, name)));
    graph.set(file, used);
    for (const name of used) {
      if (name.startsWith('binding/napi/') && top === 'binding/core')
        wrong.push(`${file} uses ${name}: core knows no Node`);
      if (!name.startsWith(`${top}/`)) continue;
      const target = folderOf(top, name);
      if (target !== folder && allowed !== undefined && !allowed.includes(target)) {
        wrong.push(`${file} uses ${name}: ${folder} may not use ${target}`);
      }
    }
  }
}

const done = new Set();
for (const file of graph.keys()) {
  const circle = circleFrom(file, graph, done);
  if (circle === undefined) continue;
  wrong.push(`a circle: ${circle.join(' -> ')}`);
  for (const member of circle) done.add(member);
}

for (const line of wrong) console.error(line);
console.log(
  `layers: ${graph.size} files, ${wrong.length === 0 ? 'each uses what lies below it' : `${wrong.length} wrong`}`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
