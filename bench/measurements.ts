/** One operation, as a child process measured it. */
export interface Measured {
  seconds: number;
  /** Of all threads. */
  cpuSeconds: number;
  /** Size of the backup. */
  bytes: number;
}

/** Milliseconds between turns of the event loop, of which 1 is the clock's own resolution. */
export interface Delay {
  seconds: number;
  samples: number;
  p50: number;
  p99: number;
  max: number;
  /** Milliseconds of each second that the thread was ready to run and had no processor. */
  waitedForCpu: number;
}

export interface LoopDelay {
  progressEvents: number;
  busy: Delay;
  idle: Delay;
}

/** In bytes. */
export interface MemoryAdded {
  bytes: number;
  samples: number;
  rssBefore: number;
  rssAdded: number;
  anonymousAdded: number;
}

/** What is compared: a C++ program, that program through binding/core, and node. */
export type Side = 'baseline' | 'core' | 'ours';

/** One run of each, right after each other. */
export type Round = Record<Side, Measured>;

/** How fast a side is where the baseline is 1. */
export interface Ratio {
  median: number;
  min: number;
  max: number;
  /** Its fastest run against the baseline's fastest: what is left when other load is not. */
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
