/** The measurement of one operation in a child process. */
export interface Measured {
  seconds: number;
  /** Processor time of all threads. */
  cpuSeconds: number;
  /** Size of the backup. */
  bytes: number;
}

/** Milliseconds between turns of the event loop. 1 of these is the resolution of the clock itself. */
export interface Delay {
  seconds: number;
  samples: number;
  p50: number;
  p99: number;
  max: number;
  /** How many milliseconds of each second the thread was ready to run but had no processor. */
  waitedForCpu: number;
}

export interface LoopDelay {
  progressEvents: number;
  busy: Delay;
  idle: Delay;
}

/** All values are in bytes. */
export interface MemoryAdded {
  bytes: number;
  samples: number;
  rssBefore: number;
  rssAdded: number;
  anonymousAdded: number;
}

/** What is compared: a C++ program, the same program through binding/core, and node. */
export type Side = 'baseline' | 'core' | 'ours';

/** One run of each, one right after the other. */
export type Round = Record<Side, Measured>;

/** The speed of a side, relative to the baseline. */
export interface Ratio {
  median: number;
  min: number;
  max: number;
  /** Its fastest run against the baseline's fastest run. That removes most of the influence of other load. */
  fastest: number;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function ratio(rounds: Round[], side: Side, of: 'seconds' | 'cpuSeconds' = 'seconds'): Ratio {
  const ratios = rounds.map((round) => round.baseline[of] / round[side][of]);
  const fastest = (each: Side) => Math.min(...rounds.map((round) => round[each][of]));
  return {
    median: median(ratios),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
    fastest: fastest('baseline') / fastest(side),
  };
}
