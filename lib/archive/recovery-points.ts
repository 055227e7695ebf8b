import type { RecoveryPoint } from '../database/archive.js';
import type { NativePoint } from '../native/native-archive.js';

/** JavaScript's dates have milliseconds. What is cut off makes the date earlier, never later. */
export function toDate(micros: number | undefined): Date | undefined {
  return micros === undefined ? undefined : new Date(Math.floor(micros / 1000));
}

export function recoveryPoint({ name, sequence, time }: NativePoint, timeline: number): RecoveryPoint {
  return { name, timeline, sequence, time: toDate(time) };
}
