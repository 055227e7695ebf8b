// Runs every ```js and ```ts block of docs/migrate.md.
//
// A block is a program: an ES module, or CommonJS if it calls require(). The blocks of one `## ` section run one after the other in the
// same directory. The directory is empty at first, and a block finds what earlier blocks made. `rocksdb-backup` is this package as it was
// built. Other packages are the dependencies of this one. `prepared` makes what a section needs beforehand, by its heading. A block that
// exits with an error fails the test. Blocks in other languages are not run. tsc checks ts blocks strictly, and the JavaScript that it
// makes of them is run.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import t, { type Test } from 'tap';
import { RocksLevel } from '../../lib/level/index.js';
import { tempDir } from '../fixtures/files.js';

const root = join(__dirname, '..', '..', '..');

interface Section {
  heading: string;
  blocks: { language: string; code: string; line: number }[];
}

function sectionsOf(markdown: string): Section[] {
  const sections: Section[] = [];
  const pattern = /^## (?<heading>.+)$|^```(?<language>js|ts)\n(?<code>[\s\S]*?)^```$|^```[\s\S]*?^```$/gm;
  for (const { groups = {}, index } of markdown.matchAll(pattern)) {
    const { heading, language, code } = groups;
    if (heading !== undefined) sections.push({ heading, blocks: [] });
    if (language === undefined || code === undefined) continue;
    sections.at(-1)?.blocks.push({ language, code, line: markdown.slice(0, index).split('\n').length });
  }
  return sections;
}

/** What the programs of a section find in their directory. */
const prepared: Record<string, (path: (...names: string[]) => string) => Promise<void>> = {
  'abstract-level users': async (path) => {
    const db = new ClassicLevel(path('leveldb'));
    await db.open();
    await db.batch(Array.from({ length: 2500 }, (_, n) => ({ type: 'put', key: `k${n}`, value: `v${n}` })));
    await db.sublevel('sub').put('k', 'in it');
    await db.close();
  },
};

/** What must be true after the programs of a section have run. */
const then: Record<string, (t: Test, path: (...names: string[]) => string) => Promise<void>> = {
  'abstract-level users': async (t, path) => {
    const db = new RocksLevel(path('rocksdb'));
    t.equal((await db.keys().all()).length, 2501);
    t.equal(await db.sublevel('sub').get('k'), 'in it');
    await db.close();
  },
};

/** Lets programs below a directory find the packages. */
function linkPackages(folder: string): void {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const links = { 'rocksdb-backup': root } as Record<string, string>;
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    links[name] = join(root, 'node_modules', name);
  }
  for (const [name, target] of Object.entries(links)) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(target, link, 'junction');
  }
}

function node(args: string[], cwd: string): string {
  try {
    return execFileSync(process.execPath, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${args.at(-1)} failed:\n${stdout}\n${stderr}`);
  }
}

/** The program of a block, in JavaScript. */
function programOf(folder: string, { language, code, line }: Section['blocks'][number]): string {
  const extension = /\brequire\(/.test(code) ? 'c' : 'm';
  const source = join(folder, `line-${line}.${extension}${language}`);
  writeFileSync(source, code);
  if (language === 'ts') {
    const options = '--target es2022 --module node16 --strict --types node --skipLibCheck --outDir .'.split(' ');
    node([join(root, 'node_modules', 'typescript', 'bin', 'tsc'), ...options, source], folder);
  }
  return join(folder, `line-${line}.${extension}js`);
}

const sections = sectionsOf(readFileSync(join(root, 'docs', 'migrate.md'), 'utf8'));

t.test('docs/migrate.md has sections with programs', async (t) => {
  t.ok(sections.length > 0);
  for (const { heading, blocks } of sections) t.ok(blocks.length > 0, heading);
  for (const heading of Object.keys({ ...prepared, ...then })) {
    t.ok(
      sections.some((section) => section.heading === heading),
      `there is a section "${heading}"`,
    );
  }
});

for (const { heading, blocks } of sections) {
  t.test(`what docs/migrate.md tells ${heading} works`, async (t) => {
    const path = tempDir(t);
    linkPackages(path());
    await prepared[heading]?.(path);
    for (const block of blocks) {
      node([programOf(path(), block)], path());
      t.pass(`the program in line ${block.line}`);
    }
    await then[heading]?.(t, path);
  });
}
