import { native } from '../native/binding.js';
import type { NativeRateLimiter } from '../native/native-backup-engine.js';

/** Options of a {@link RateLimiter}. */
export interface RateLimiterOptions {
  /** The limit: at least a byte in each refill period, which is 10 if that is not set; 20 times that with `autoTuned`. */
  bytesPerSecond: number;
  /**
   * Which operations count. The default limits what is written; `all` also limits reading the source.
   * @default 'writes'
   */
  mode?: 'reads' | 'writes' | 'all' | undefined;
  /** How often tokens are given out, in microseconds, 1,000 to 250,000. @default 100000 */
  refillPeriodMicros?: number | undefined;
  /** One in so many times, low priority goes first. @default 10 */
  fairness?: number | undefined;
  /** Lets the limit move between a twentieth of it and all of it, by demand. @default false */
  autoTuned?: boolean | undefined;
}

const natives = new WeakMap<RateLimiter, NativeRateLimiter>();

/**
 * RocksDB's rate limiter: one limit that several engines, and several operations, share. It can be changed while they run.
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

  /** The limit. Setting it takes effect on running operations. */
  get bytesPerSecond(): number {
    return Number(nativeLimiter(this).bytesPerSecond);
  }

  set bytesPerSecond(value: number) {
    nativeLimiter(this).setBytesPerSecond(value);
  }

  /** Bytes that went through it so far. */
  get totalBytes(): number {
    return Number(nativeLimiter(this).totalBytes);
  }

  /** Requests that went through it so far. */
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
