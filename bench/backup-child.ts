// One measurement of bench/backup.ts, in its own process. Prints one line of JSON.
//
//   create DB BACKUPS THREADS | verify BACKUPS THREADS | restore BACKUPS TARGET THREADS
//   loop   DB BACKUPS THREADS     event-loop delay during a backup, and idle for as long
//   memory DB BACKUPS THREADS     resident memory that a backup adds

import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackupEngine, Database } from '../lib/index.js';
import type { Delay, LoopDelay, Measured, MemoryAdded } from './measurements.js';

const [command = '', ...words] = process.argv.slice(2);
const maxBackgroundOperations = Number(words.pop());
const [first = '', second = ''] = words;

const seconds = () => Number(process.hrtime.bigint()) / 1e9;

async function measure(operation: () => Promise<unknown>): Promise<Omit<Measured, 'bytes'>> {
  await sleep(100); // V8's work in the background after the start is over then
  const cpu = process.cpuUsage();
  const start = seconds();
  await operation();
  const elapsed = seconds() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: elapsed, cpuSeconds: (user + system) / 1e6 };
}

async function create(): Promise<Measured> {
  await using db = await Database.open(first, { createIfMissing: false });
  await using engine = await BackupEngine.open(second, { maxBackgroundOperations });
  let bytes = 0;
  const measured = await measure(async () => {
    bytes = (await engine.createBackup(db)).size;
  });
  return { ...measured, bytes };
}

async function verify(): Promise<Measured> {
  await using engine = await BackupEngine.open(first, { maxBackgroundOperations });
  const { backupId, size } = (await engine.getLatestBackupInfo())!;
  return { ...(await measure(() => engine.verifyBackup(backupId, { checksum: true }))), bytes: size };
}

async function restore(): Promise<Measured> {
  await using engine = await BackupEngine.open(first, { maxBackgroundOperations });
  const { backupId, size } = (await engine.getLatestBackupInfo())!;
  return { ...(await measure(() => engine.restoreBackup(backupId, second))), bytes: size };
}

/** How many milliseconds this thread was ready to run but had no processor. */
function waitedForCpu(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

async function watchLoop(work: () => Promise<unknown>): Promise<Delay> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  const waited = waitedForCpu();
  const start = seconds();
  histogram.enable();
  await work();
  histogram.disable();
  const elapsed = seconds() - start;
  return {
    seconds: elapsed,
    samples: histogram.count,
    p50: histogram.percentile(50) / 1e6,
    p99: histogram.percentile(99) / 1e6,
    max: histogram.max / 1e6,
    waitedForCpu: (waitedForCpu() - waited) / elapsed,
  };
}

/** With progress events, as in a program that shows them. */
async function loop(): Promise<LoopDelay> {
  await using db = await Database.open(first, { createIfMissing: false });
  await using engine = await BackupEngine.open(second, { maxBackgroundOperations });
  let progressEvents = 0;
  const busy = await watchLoop(() => engine.createBackup(db, { onProgress: () => progressEvents++ }));
  const idle = await watchLoop(() => sleep(busy.seconds * 1000));
  return { progressEvents, busy, idle };
}

const status = process.platform === 'linux' ? openSync('/proc/self/status', 'r') : -1;
const statusText = Buffer.alloc(8192);

/** A value of /proc/self/status, in bytes. */
function readStatus(...names: string[]): number[] {
  const text = statusText.toString('latin1', 0, readSync(status, statusText, 0, statusText.length, 0));
  return names.map((name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024);
}

async function memory(): Promise<MemoryAdded> {
  await using db = await Database.open(first, { createIfMissing: false });
  await using engine = await BackupEngine.open(second, { maxBackgroundOperations });
  const peak = { rss: 0, anonymous: 0, samples: 0 };
  const sample = () => {
    const [rss, anonymous] = readStatus('VmRSS', 'RssAnon') as [number, number];
    peak.rss = Math.max(peak.rss, rss);
    peak.anonymous = Math.max(peak.anonymous, anonymous);
    peak.samples++;
  };
  // The memory for the sampling itself is allocated before the first value counts.
  const timer = setInterval(sample, 2);
  await sleep(200);
  globalThis.gc?.();
  writeFileSync('/proc/self/clear_refs', '5'); // from here on, VmHWM is measured again
  const [rssBefore, anonymousBefore] = readStatus('VmRSS', 'RssAnon') as [number, number];
  Object.assign(peak, { rss: 0, anonymous: 0, samples: 0 });
  const { size } = await engine.createBackup(db);
  clearInterval(timer);
  const [highest] = readStatus('VmHWM') as [number];
  closeSync(status);
  return {
    bytes: size,
    samples: peak.samples,
    rssBefore,
    rssAdded: Math.max(highest, peak.rss) - rssBefore,
    anonymousAdded: peak.anonymous - anonymousBefore,
  };
}

const commands: Record<string, () => Promise<unknown>> = { create, verify, restore, loop, memory };

async function main() {
  const run = commands[command];
  if (run === undefined) throw new Error(`unknown command ${command}`);
  console.log(JSON.stringify(await run()));
}

void main();
