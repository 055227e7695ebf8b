import { native } from '../native/binding.js';
import type { NativeRateLimiter } from '../native/native-backup-engine.js';

/** Options of a {@link RateLimiter}. */
export interface RateLimiterOptions {
  /**
   * The limit. It must allow at least one byte in each refill period, so at least 10 with the default period; 20 times that with
   * `autoTuned`.
   */
  bytesPerSecond: number;
  /**
   * Which operations the limit applies to. The default limits only writing; `all` also limits reading the source.
   *
   * @default 'writes'
   */
  mode?: 'reads' | 'writes' | 'all' | undefined;
  /** How often RocksDB grants new bytes, in microseconds, from 1,000 to 250,000. @default 100000 */
  refillPeriodMicros?: number | undefined;
  /** Once in this many times, requests of low priority go first. @default 10 */
  fairness?: number | undefined;
  /** Lets the limit move between a twentieth of its value and its full value, depending on demand. @default false */
  autoTuned?: boolean | undefined;
}

const natives = new WeakMap<RateLimiter, NativeRateLimiter>();

/**
 * RocksDB's rate limiter: one limit that several engines and several operations share. It can be changed while they run.
 *
 * @example
 * const limiter = new RateLimiter({ bytesPerSecond: 20e6 });
 * const engine = await BackupEngine.open('/backups/users', { backupRateLimit: limiter });
 * limiter.bytesPerSecond = 100e6; // night
 */
export class RateLimiter {
  constructor(options: RateLimiterOptions) {
    natives.set(this, native.newRateLimiter(options));
  }

  /** The limit. A new value takes effect on running operations. */
  get bytesPerSecond(): number {
    return Number(nativeLimiter(this).bytesPerSecond);
  }

  set bytesPerSecond(value: number) {
    nativeLimiter(this).setBytesPerSecond(value);
  }

  /** How many bytes have passed through the limiter so far. */
  get totalBytes(): number {
    return Number(nativeLimiter(this).totalBytes);
  }

  /** How many requests have passed through the limiter so far. */
  get totalRequests(): number {
    return Number(nativeLimiter(this).totalRequests);
  }
}

/** @internal The native object behind a limiter. */
export function nativeLimiter(limiter: RateLimiter): NativeRateLimiter {
  const found = natives.get(limiter);
  if (found === undefined) {
    throw new TypeError('not a RateLimiter');
  }
  return found;
}
