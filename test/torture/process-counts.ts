// The resources of a process: memory, descriptors, threads, and handles of the event loop.

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';

export interface Counts {
  /** Bytes of the process's own memory that are resident: what the allocators keep, without pages of files. */
  anonymous: number;
  /** Bytes of ArrayBuffers and of other memory that JS objects keep. */
  external: number;
  heap: number;
  descriptors: number;
  threads: number;
  handles: number;
}

function field(name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'latin1'));
  return Number(found?.[1] ?? Number.NaN);
}

/** Collects garbage, and waits for things that end a moment after their promise, for up to ten seconds. */
export async function countProcess(expected?: Counts): Promise<Counts> {
  const end = performance.now() + 10_000;
  for (;;) {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.();
      await after(1);
    }
    const memory = process.memoryUsage();
    const counts = {
      anonymous: field('RssAnon') * 1024,
      external: memory.external,
      heap: memory.heapUsed,
      descriptors: readdirSync('/proc/self/fd').length,
      threads: readdirSync('/proc/self/task').length,
      handles: process.getActiveResourcesInfo().length,
    };
    const settled =
      expected === undefined ||
      (counts.descriptors <= expected.descriptors &&
        counts.threads <= expected.threads &&
        counts.handles <= expected.handles);
    if (settled || performance.now() > end) return counts;
    await after(20);
  }
}
