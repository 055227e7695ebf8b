// Runs the tests on other versions of node, whose binaries come from the npm registry, pinned in .ci/nodes.json.
//
//   node .ci/test-nodes.mjs                  every pinned version
//   node .ci/test-nodes.mjs 20 26            those majors
//   node .ci/test-nodes.mjs oldest newest
//   ... --but-this                           leaves out the version that runs this, for which `npm test` is enough
//   ... --native                             only the tests of what depends on the version most: the addon and what calls it.
//                                            The manager and the command line are TypeScript over it

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchSource } from '../deps/fetch.mjs';
import { setup } from '../deps/setup.mjs';
import { testFiles } from './test-files.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const platform = `${process.platform}-${process.arch}`;
const pinned = JSON.parse(readFileSync(join(root, '.ci', 'nodes.json'), 'utf8'))[platform];
if (!pinned) {
  console.error(`.ci/nodes.json has no node for ${platform}`);
  process.exit(1);
}
const versions = Object.keys(pinned).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
const butThis = process.argv.includes('--but-this');
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const chosen = versions.filter(
  (version, at) =>
    wanted.length === 0 ||
    wanted.some((word) =>
      word === 'oldest'
        ? at === 0
        : word === 'newest'
          ? at === versions.length - 1
          : `${version}.`.startsWith(`${word}.`),
    ),
);
if (chosen.length === 0) {
  console.error(`.ci/nodes.json has ${versions.join(', ')}, not ${wanted.join(', ')}`);
  process.exit(1);
}

if (butThis && chosen.includes(process.versions.node)) {
  console.log(`# node ${process.versions.node} is left out: it runs this`);
  chosen.splice(chosen.indexOf(process.versions.node), 1);
}

await setup();

/** Folders whose tests go through the addon. What lies over it (the manager, the command line) is TypeScript. */
const NATIVE = ['backup', 'checkpoints', 'database', 'level', 'package', 'restore'];
const native = process.argv.includes('--native');
const tests = testFiles((folder) => !native || NATIVE.includes(folder));
const results = chosen.map((version) => {
  const source = { version, package: `node-${platform}@${version}`, folder: 'bin', integrity: pinned[version] };
  const { folder } = fetchSource('node', source);
  const node = join(folder, 'node');
  if (!existsSync(node)) throw new Error(`node-${platform}@${version} has no bin/node`);
  console.log(`# node ${version}`);
  const { status } = spawnSync(
    node,
    [join(root, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs'), 'run', '--disable-coverage', ...tests],
    { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` } },
  );
  return { version, passed: status === 0 };
});
for (const { version, passed } of results) console.log(`# node ${version}: ${passed ? 'passed' : 'FAILED'}`);
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
