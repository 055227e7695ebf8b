// Runs libFuzzer on the code that parses data of others: test/core/fuzz.

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BackupEngine, Database } from '../../lib/index.js';
import { filesBelow } from '../fixtures/files.js';
import { ended } from './ended.js';
import type { Experiment, Torture } from './experiment.js';

const ROOT = join(__dirname, '..', '..', '..');

interface Target {
  name: string;
  /** How many inputs to try: about 15 seconds in the short form, ten minutes in the long one. */
  short: number;
  full: number;
  longest: number;
}

const TARGETS: readonly Target[] = [
  { name: 'backup_directory', short: 800, full: 40_000, longest: 16_384 },
  { name: 'options', short: 600, full: 30_000, longest: 4096 },
  { name: 'options_file', short: 1000, full: 50_000, longest: 16_384 },
];

/** Repositories that this package wrote, as inputs: one file each, "\x01<path>\n<contents>". */
async function seedDirectories(torture: Torture, corpus: string): Promise<void> {
  for (const schemaVersion of [1, 2] as const) {
    const db = await Database.open(torture.path(`database-${schemaVersion}`));
    const directory = torture.path(`backups-${schemaVersion}`);
    const engine = await BackupEngine.open(directory, { schemaVersion });
    for (let n = 1; n <= 3; n++) {
      await db.put(`key ${n}`, 'value');
      if (n < 3) await db.flush();
      const metadata = n === 2 ? 'metadata\n' : undefined;
      const excludeFiles = schemaVersion === 2 && n === 3 ? (files: string[]) => files.slice(0, 1) : undefined;
      await engine.createBackup(db, { metadata, excludeFiles });
      const files = filesBelow(directory).filter((path) => /^(meta|private|shared)/.test(path));
      // Before a restore, only the sizes of these files matter. Long contents would only distract a fuzzer.
      const whole = files.map((path) => [path, readFileSync(join(directory, path), 'latin1')] as const);
      const text = whole
        .filter(([path, contents]) => path.startsWith('meta/') || contents.length < 1200)
        .map(([path, contents]) => `\x01${path}\n${contents.replaceAll('\x01', '?')}`)
        .join('');
      writeFileSync(join(corpus, `schema-${schemaVersion}-${n}`), text, 'latin1');
    }
    await engine.close();
    await db.close();
  }
}

async function seedOptions(torture: Torture, files: string, lines: string): Promise<void> {
  const path = torture.path('database-1');
  for (const name of readdirSync(path).filter((file) => file.startsWith('OPTIONS-'))) {
    const text = readFileSync(join(path, name), 'latin1');
    writeFileSync(join(files, name), text, 'latin1');
    const values = [...text.matchAll(/^ *([a-z_.]+=.*)$/gm)].map(([, line]) => line as string);
    for (let at = 0; at < values.length; at += 10) {
      writeFileSync(join(lines, `${name}-${at}`), values.slice(at, at + 10).join('\n'), 'latin1');
    }
  }
}

async function fuzzOne(torture: Torture, executable: string, target: Target, corpus: string): Promise<void> {
  const runs = torture.rounds(target.short, target.full);
  const artifacts = torture.path(`found-${target.name}/`);
  mkdirSync(artifacts, { recursive: true });
  const args = [corpus, `-seed=${torture.seed || 1}`, `-runs=${runs}`, `-max_len=${target.longest}`];
  args.push('-timeout=20', '-rss_limit_mb=1024', '-malloc_limit_mb=256', `-artifact_prefix=${artifacts}`);
  args.push('-print_final_stats=1', '-verbosity=1');
  const began = performance.now();
  const child = spawn(executable, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    // RocksDB's library is not instrumented, so the sanitizer does not see what that library does to a string.
    env: {
      ...process.env,
      ASAN_OPTIONS: 'detect_container_overflow=0:detect_odr_violation=0:detect_leaks=0:quarantine_size_mb=32',
    },
  });
  const { code, err: log } = await ended(child);
  const executed = Number(/stat::number_of_executed_units: *(\d+)/.exec(log)?.[1] ?? 0);
  const coverage = [...log.matchAll(/ cov: (\d+)/g)].at(-1)?.[1] ?? '0';
  torture.figure(
    target.name,
    `${executed} inputs in ${((performance.now() - began) / 1000).toFixed(0)} s, ${coverage} edges, ${/stat::peak_rss_mb: *(\d+)/.exec(log)?.[1]} MiB`,
  );
  const good = torture.check(
    code === 0 && executed >= runs,
    `${runs} inputs to ${target.name} end in an answer, within 20 s and 1 GiB`,
    `it ended with ${code} after ${executed}`,
  );
  if (!good) {
    torture.quote(log, 60);
    for (const name of readdirSync(artifacts)) {
      torture.say(
        `  input ${name}, base64: ${readFileSync(join(artifacts, name)).toString('base64').slice(0, 20_000)}`,
      );
    }
  }
}

export const fuzz: Experiment = {
  name: 'fuzz',
  about:
    'backup directories, OPTIONS files and options out of random bytes crash nothing, and our list is the engine’s',
  async run(torture) {
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, '.ci', 'fuzz-build.mjs')], {
      maxBuffer: 2 ** 26,
    });
    const corpus = Object.fromEntries(TARGETS.map(({ name }) => [name, torture.path(`corpus-${name}`)]));
    for (const folder of Object.values(corpus)) mkdirSync(folder, { recursive: true });
    await seedDirectories(torture, corpus.backup_directory as string);
    await seedOptions(torture, corpus.options_file as string, corpus.options as string);
    for (const target of TARGETS) {
      await fuzzOne(torture, join(stdout.trim(), `fuzz_${target.name}`), target, corpus[target.name] as string);
    }
  },
};
