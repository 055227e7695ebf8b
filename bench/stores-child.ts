// One measurement of bench/stores.ts, in its own process. Prints one line of JSON. The credentials come from the environment.
//
//   upload DB URL OPERATIONS | download URL TARGET OPERATIONS     by the package
//   loop DB URL                                                   event-loop delay during an upload, and idle for as long
//   bareUpload DB ENDPOINT BUCKET FILES | bareDownload ENDPOINT BUCKET TARGET FILES
//                                                                 by the AWS SDK alone, FILES files at a time
//   list URL                                                      all backups, the first time in a process and again

import { readFileSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackupEngine, Database } from '../lib/index.js';
import { bareDownload, bareUpload } from './stores-bare.js';

const [command = '', ...words] = process.argv.slice(2);
const [first = '', second = '', third = '', fourth = ''] = words;

export interface StoreMeasured {
  seconds: number;
  /** Processor time of all threads of this process. */
  cpuSeconds: number;
  bytes: number;
  /** Resident memory before, and the most that was added. */
  rssBefore: number;
  rssAdded: number;
}

function memory(name: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync('/proc/self/status', 'latin1');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024;
}

async function measure(operation: () => Promise<number>): Promise<StoreMeasured> {
  await sleep(200); // V8's work in the background after the start is over then
  globalThis.gc?.();
  writeFileSync('/proc/self/clear_refs', '5'); // from here on, VmHWM is measured again
  const rssBefore = memory('VmRSS');
  const cpu = process.cpuUsage();
  const start = performance.now();
  const bytes = await operation();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuSeconds: (user + system) / 1e6, bytes, rssBefore, rssAdded: memory('VmHWM') - rssBefore };
}

async function delay(work: () => Promise<unknown>) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  const start = performance.now();
  histogram.enable();
  await work();
  histogram.disable();
  const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max].map((ns) => ns / 1e6);
  return { seconds: (performance.now() - start) / 1000, p50, p99, max };
}

const commands: Record<string, () => Promise<unknown>> = {
  async upload() {
    await using db = await Database.open(first, { createIfMissing: false });
    await using engine = await BackupEngine.open(second, { maxBackgroundOperations: Number(third) });
    await engine.getBackupInfo(); // the SDK is loaded and connected
    return await measure(async () => (await engine.createBackup(db)).size);
  },
  async download() {
    await using engine = await BackupEngine.open(first, { maxBackgroundOperations: Number(third) });
    const { backupId, size } = (await engine.getLatestBackupInfo())!;
    return await measure(async () => {
      await engine.restoreBackup(backupId, second);
      return size;
    });
  },
  async loop() {
    await using db = await Database.open(first, { createIfMissing: false });
    await using engine = await BackupEngine.open(second);
    await engine.getBackupInfo();
    await sleep(200);
    const busy = await delay(() => engine.createBackup(db));
    return { busy, idle: await delay(() => sleep(busy.seconds * 1000)) };
  },
  bareUpload: () => bareUpload(first, second, third, Number(fourth), measure),
  bareDownload: () => bareDownload(first, second, third, Number(fourth), measure),
  async list() {
    await using engine = await BackupEngine.open(first);
    const cold = await measure(async () => (await engine.getBackupInfo()).length);
    const warm = await measure(async () => (await engine.getBackupInfo()).length);
    return { cold, warm };
  },
};

async function main() {
  const run = commands[command];
  if (run === undefined) throw new Error(`unknown command ${command}`);
  console.log(JSON.stringify(await run()));
}

void main();
