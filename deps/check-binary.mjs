// Asserts what the packed binary promises: what it needs, from which glibc on, what it shows, and how large it is.
//
//   node deps/check-binary.mjs [file.node ...]     default: every binary in prebuilds/ for linux
//
// Uses binutils' objdump, which comes with the compiler.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GLIBC_FLOOR = '2.28';
const LARGEST = 12 * 1024 * 1024;
const NEEDED = /^(libc\.so\.6|libm\.so\.6|ld-linux-[a-z0-9-]+\.so\.\d|libc\.musl-[a-z0-9_]+\.so\.1)$/;
const EXPORTED = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
// What node itself gives: N-API, and the zlib that it exports.
const FROM_NODE =
  /^(napi_|node_api_|(deflate|inflate)(Init2_|Bound|End|Reset|SetDictionary)?$|zlibVersion$|crc32$|adler32$)/;

const atMost = (version, limit) => {
  const [a, b] = [version, limit].map((text) => text.split('.').map(Number));
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) < (b[i] ?? 0);
  }
  return true;
};

/** The faults of one ELF binary, and a line that says what it is. */
export function checkBinary(file) {
  const faults = [];
  const objdump = (flag) => execFileSync('objdump', [flag, file], { encoding: 'utf8', maxBuffer: 1 << 28 });

  const needed = [...objdump('-p').matchAll(/^\s+NEEDED\s+(\S+)/gm)].map((match) => match[1]);
  for (const library of needed) if (!NEEDED.test(library)) faults.push(`needs ${library}`);
  if (/^\s+(RPATH|RUNPATH)\s/m.test(objdump('-p'))) faults.push('has an RPATH');

  let floor = '0';
  const exported = [];
  for (const line of objdump('-T').split('\n')) {
    const symbol = /^[0-9a-f]+ (.{7}) (\S+)\s+[0-9a-f]+\s+(.*)$/.exec(line);
    if (!symbol) continue;
    const [, flags, section, rest] = symbol;
    const name = rest.trim().split(/\s+/).at(-1);
    const version = /GLIBC_([0-9.]+)/.exec(rest)?.[1];
    if (section !== '*UND*') {
      if (/[gu]/.test(flags)) exported.push(name);
    } else if (/^(__cxa_)?atexit$/.test(name)) {
      faults.push(
        `${name}: exit() would destroy its static objects while its threads use them (binding/napi/runtime/at_exit.cc)`,
      );
    } else if (version) {
      if (!atMost(version, floor)) floor = version;
      if (!atMost(version, GLIBC_FLOOR)) faults.push(`${name} needs glibc ${version}, above ${GLIBC_FLOOR}`);
    } else if (/GLIBCXX|CXXABI|GCC_/.test(rest)) {
      faults.push(`${name} needs a shared libstdc++ or libgcc`);
    } else if (
      !flags.includes('w') &&
      !FROM_NODE.test(name) &&
      needed.some((library) => library.startsWith('libc.so'))
    ) {
      faults.push(`${name} is undefined`);
    }
  }
  for (const name of exported) if (!EXPORTED.includes(name)) faults.push(`exports ${name}`);
  for (const name of EXPORTED) if (!exported.includes(name)) faults.push(`does not export ${name}`);

  const { size } = statSync(file);
  if (size > LARGEST) faults.push(`has ${size} bytes, more than ${LARGEST}`);
  const text = `${(size / 1024 / 1024).toFixed(2)} MiB, needs ${needed.join(', ')}, glibc ${floor}`;
  return { faults, text };
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  const prebuilds = join(dirname(dirname(fileURLToPath(import.meta.url))), 'prebuilds');
  let files = process.argv.slice(2);
  if (files.length === 0 && existsSync(prebuilds)) {
    files = readdirSync(prebuilds)
      .filter((folder) => folder.startsWith('linux-'))
      .flatMap((folder) => readdirSync(join(prebuilds, folder)).map((name) => join(prebuilds, folder, name)))
      .filter((name) => name.endsWith('.node'));
  }
  if (files.length === 0 && process.platform === 'linux') {
    console.error('no binary to check: run `npm run prebuild` first');
    process.exitCode = 1;
  }
  for (const file of files) {
    const { faults, text } = checkBinary(file);
    console.log(`${file}: ${text}`);
    for (const fault of faults) console.error(`  ${fault}`);
    if (faults.length) process.exitCode = 1;
  }
}
