// Fills prebuilds/<platform>-<arch>/ with the addon for this platform, stripped and tagged with its libc, and checks it.
//
// prebuildify starts node-gyp. What it gets in its place is this file with --as-node-gyp, which lets cmake-js build, and hands a
// copy on in a folder of its own: prebuildify strips its input where it lies, and processes that have it loaded would die of that.

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fetchAll } from './fetch.mjs';
import { buildAddon, setup } from './setup.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The licenses of what is linked into the binary: each asks to be handed on with it. */
function licenses() {
  const parts = Object.entries(fetchAll()).flatMap(([name, { version, folder }]) => {
    const from = existsSync(join(folder, 'licenses')) ? join(folder, 'licenses') : folder;
    const texts = readdirSync(from).filter((file) => /^(LICENSE|COPYING)/.test(file));
    return texts.map((file) => `${name} ${version}: ${file}\n\n${readFileSync(join(from, file), 'utf8').trim()}\n`);
  });
  return parts.join(`\n${'-'.repeat(100)}\n\n`);
}

try {
  if (process.argv.includes('--as-node-gyp')) {
    await buildAddon();
    const release = join('build', 'Release');
    mkdirSync(release, { recursive: true });
    for (const name of readdirSync(join(root, release)).filter((name) => name.endsWith('.node'))) {
      copyFileSync(join(root, release, name), join(release, name));
    }
  } else {
    await setup({ withAddon: false });
    const platform = process.env.PREBUILD_PLATFORM ?? process.platform;
    const arch = process.env.PREBUILD_ARCH ?? process.arch;
    rmSync(join(root, 'prebuilds', `${platform}-${arch}`), { recursive: true, force: true });
    const prebuildify = createRequire(import.meta.url)('prebuildify');
    const folder = mkdtempSync(join(tmpdir(), 'rocksdb-backup-prebuild-'));
    copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
    await promisify(prebuildify)({
      cwd: folder,
      out: root,
      targets: [process.versions.node],
      napi: true,
      strip: true,
      tagLibc: platform === 'linux',
      nodeGyp: `"${process.execPath}" "${fileURLToPath(import.meta.url)}" --as-node-gyp`,
      shell: true,
    }).finally(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(root, 'prebuilds', 'LICENSES.txt'), licenses());
    if (platform === 'linux') {
      process.exitCode =
        spawnSync(process.execPath, [join(root, 'deps', 'check-binary.mjs')], { stdio: 'inherit' }).status ?? 1;
    }
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
