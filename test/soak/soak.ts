// npm run soak -- --minutes 60 --seed 5
//
// A service writes without pause while its manager backs up, prunes, verifies and drills. It is stopped and killed at random, and started
// again. In the end every backup that was kept is restored and compared with what the writer knows.

import { fork } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BackupEngine, type BackupInfo, Database, readInventory } from '../../lib/index.js';
import { onLines } from '../fixtures/lines.js';
import { Random } from '../fixtures/random.js';
import { COUNT_KEY, Model } from './model.js';
import type { ServiceEvent, ServiceOptions } from './service.js';

export interface SoakOptions {
  seed: number;
  directory: string;
  /** Ends after this many lives of the service ... */
  rounds?: number | undefined;
  /** ... or after this many milliseconds. */
  ms?: number | undefined;
  service?: Partial<ServiceOptions> | undefined;
  /** Called before everything is checked. If it damages something, the check must find that. */
  beforeCheck?: ((directory: string) => Promise<void>) | undefined;
  say?: ((line: string) => void) | undefined;
}

export interface SoakSummary {
  rounds: number;
  kills: number;
  batches: number;
  made: number;
  full: number;
  pruned: number;
  verified: number;
  drills: number;
  kept: number;
  pinned: number;
  keysCompared: number;
}

/** Something was found that must not be. */
export class Discrepancy extends Error {}

type End = 'kill' | 'stop';

/** When and how a life of the service ends. */
interface Fate {
  end: End;
  /** At the nth event of this name, or after this many milliseconds. */
  at: { event: 'backup' | 'start' | 'verified'; count: number } | { ms: number };
}

function fateOf(random: Random, byTime: boolean): Fate {
  const end = random.below(3) === 0 ? 'stop' : 'kill';
  if (byTime && random.below(2) === 0) return { end, at: { ms: 200 + random.below(12_000) } };
  const event = random.pick(['backup', 'start', 'verified'] as const);
  return { end, at: { event, count: 1 + random.below(4) } };
}

/** One life of the service. */
async function live(options: ServiceOptions, fate: Fate, summary: SoakSummary): Promise<void> {
  const child = fork(join(__dirname, 'service.js'), [JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const counts = new Map<string, number>();
  const wrong: string[] = [];
  let ended = false;
  const end = () => {
    if (!ended) child.kill(fate.end === 'kill' ? 'SIGKILL' : 'SIGTERM');
    ended = true;
  };
  const timer = 'ms' in fate.at ? setTimeout(end, fate.at.ms) : undefined;
  const stuck = setTimeout(() => {
    wrong.push('the service did nothing more for two minutes');
    child.kill('SIGKILL');
  }, 120_000);
  onLines(child.stdout, (line) => {
    stuck.refresh();
    const { event, ...detail } = JSON.parse(line) as ServiceEvent;
    const count = (counts.get(event) ?? 0) + 1;
    counts.set(event, count);
    if (event === 'failure' || event === 'lost') wrong.push(`${detail.operation ?? ''} ${detail.message}`);
    if (event === 'backup') {
      summary.made++;
      if (detail.kind === 'full') summary.full++;
    }
    if (event === 'verified') summary.verified++;
    if (event === 'drilled') summary.drills++;
    if (event === 'pruned') summary.pruned += (detail.deleted as number[]).length;
    if ('event' in fate.at && event === fate.at.event && count === fate.at.count) end();
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.on('close', (...how) => resolve(how)),
  );
  clearTimeout(timer);
  clearTimeout(stuck);
  if (fate.end === 'kill' ? signal !== 'SIGKILL' : code !== 0) {
    wrong.push(`it ended with ${signal ?? `exit code ${code}`}`);
  }
  if (fate.end === 'stop' && !counts.has('stopped')) wrong.push('it did not stop cleanly');
  if (wrong.length > 0) throw new Discrepancy(`the service, round ${options.round}: ${wrong.join('; ')}`);
  summary.rounds++;
  if (fate.end === 'kill') summary.kills++;
}

/** Runs the soak. Throws a {@link Discrepancy} if anything is wrong. */
export async function soak(options: SoakOptions): Promise<SoakSummary> {
  const { seed, directory, rounds, ms = 0, say = () => {} } = options;
  const random = new Random(seed);
  const summary: SoakSummary = {
    rounds: 0,
    kills: 0,
    batches: 0,
    made: 0,
    full: 0,
    pruned: 0,
    verified: 0,
    drills: 0,
    kept: 0,
    pinned: 0,
    keysCompared: 0,
  };
  mkdirSync(join(directory, 'drills'), { recursive: true });
  const until = performance.now() + ms;
  for (let round = 1; rounds === undefined ? performance.now() < until : round <= rounds; round++) {
    const fate = fateOf(random, rounds === undefined);
    const service = {
      directory,
      seed,
      round,
      finalBackup: random.below(2) === 0,
      minInterval: 500,
      schedule: 2000,
      drill: 3000,
    };
    await live({ ...service, ...options.service }, fate, summary);
    say(
      `round ${round}: ${fate.end === 'kill' ? 'killed' : 'stopped'}; ${summary.made} backups, ${summary.pruned} pruned, ${summary.drills} drills`,
    );
  }
  // The last life ends properly, so that there is something of it to compare.
  const last = { directory, seed, round: 0, finalBackup: true, minInterval: 500, schedule: 2000, drill: 3000 };
  await live({ ...last, ...options.service }, { end: 'stop', at: { event: 'backup', count: 1 } }, summary);
  await options.beforeCheck?.(directory);
  await check(seed, directory, summary, say);
  return summary;
}

/** Compares everything that was kept with what the writer knows. */
async function check(
  seed: number,
  directory: string,
  summary: SoakSummary,
  say: (line: string) => void,
): Promise<void> {
  const engine = await BackupEngine.open(join(directory, 'backups'), { readOnly: true });
  try {
    const corrupt = await engine.getCorruptedBackups();
    if (corrupt.length > 0) throw new Discrepancy(`backups ${corrupt.join(', ')} cannot be read`);
    const { backups } = await readInventory(engine);
    summary.kept = backups.length;
    checkPins(directory, backups, summary);
    const acknowledged = Number(readFileSync(join(directory, 'acknowledged'), 'utf8'));
    const restored: { backup: BackupInfo; n: number; path: string }[] = [];
    for (const backup of backups) {
      const { backupId } = backup;
      const path = join(directory, 'restored', String(backupId));
      await about(backupId, () => engine.verifyBackup(backupId, { checksum: true }));
      await about(backupId, () => engine.restoreBackup(backupId, path));
      const db = await Database.open(path, { createIfMissing: false });
      const n = Number((await db.get(COUNT_KEY, { encoding: 'utf8' })) ?? 0);
      await db.close();
      const before = Number((JSON.parse(backup.appMetadata) as { acknowledged: number }).acknowledged);
      if (n < before)
        throw new Discrepancy(`backup ${backupId} has batch ${n}; ${before} was acknowledged before it began`);
      if (n > acknowledged) throw new Discrepancy(`backup ${backupId} has batch ${n}, which was never acknowledged`);
      restored.push({ backup, n, path });
    }
    const latest = restored.at(-1);
    if (latest === undefined) throw new Discrepancy('there is no backup');
    if (latest.n !== acknowledged) {
      throw new Discrepancy(`the final backup has batch ${latest.n}, the service had written ${acknowledged}`);
    }
    const model = new Model(seed);
    for (const { backup, n, path } of restored.sort((a, b) => a.n - b.n)) {
      model.advanceTo(n);
      const db = await Database.open(path, { createIfMissing: false });
      const keys = await about(backup.backupId, () => model.compare(db));
      await db.close();
      rmSync(path, { recursive: true });
      summary.keysCompared += keys;
      say(`backup ${backup.backupId}: ${keys} keys as of batch ${n}`);
    }
    summary.batches = acknowledged;
  } finally {
    await engine.close();
  }
}

function checkPins(directory: string, backups: (BackupInfo & { pinned: boolean })[], summary: SoakSummary): void {
  const log = join(directory, 'pins.log');
  const pins = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').filter(Boolean) : [];
  for (const pin of pins) {
    const found = backups.find(({ backupId, timestamp }) => `${backupId} ${timestamp.toISOString()}` === pin);
    if (found === undefined) throw new Discrepancy(`backup ${pin} was pinned, and is gone`);
    if (!found.pinned) throw new Discrepancy(`backup ${pin} was pinned, and is not any more`);
  }
  summary.pinned = pins.length;
}

async function about<T>(backupId: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Discrepancy(`backup ${backupId}: ${(error as Error).message}`, { cause: error });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { minutes: { type: 'string' }, seed: { type: 'string' }, keep: { type: 'boolean' } },
  });
  const minutes = Number(values.minutes ?? 2);
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  const directory = mkdtempSync(join(tmpdir(), 'rocksdb-backup-soak-'));
  console.log(`soak: ${minutes} minutes, --seed ${seed}, in ${directory}`);
  try {
    const summary = await soak({ seed, directory, ms: minutes * 60_000, say: (line) => console.log(line) });
    console.log(
      Object.entries(summary)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
    );
    console.log('soak: passed');
    if (!values.keep) rmSync(directory, { recursive: true });
  } catch (error) {
    console.error(
      `soak: FAILED with --seed ${seed}; what there is, is left in ${directory}\n${error instanceof Discrepancy ? error.message : (error as Error).stack}`,
    );
    process.exitCode = 1;
  }
}

if (require.main === module) {
  void main();
}
