import { describe, errorCode, invalidOption } from '../base/errors.js';
import type { LongOperation } from '../native/backup-info.js';
import { native } from '../native/binding.js';
import type { NativeOperation } from '../native/native-backup-engine.js';

// biome-ignore lint/suspicious/noExplicitAny: any function of the caller's, kept as it is
type Callback = (...args: any[]) => any;
/** Wraps a callback of the caller. If it throws, the operation stops and rejects with that error. */
type Guard = <F extends Callback>(callback: F, onError: ReturnType<F> | undefined) => F;

/**
 * Runs an operation that reports its progress and can be stopped. `start` begins it and passes its other callbacks through the guard. If
 * the signal stopped the operation, rejects with the signal's reason.
 */
export async function runOperation<T>(
  { signal, onProgress }: LongOperation,
  start: (operation: NativeOperation, guard: Guard) => Promise<T>,
): Promise<T> {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidOption(TypeError, 'signal', 'an AbortSignal', describe(signal));
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidOption(TypeError, 'onProgress', 'a function', describe(onProgress));
  }
  signal?.throwIfAborted();
  let thrown: { error: unknown } | undefined;
  const guard: Guard = (callback, onError) =>
    ((...args) => {
      try {
        return callback(...args);
      } catch (error) {
        thrown ??= { error };
        operation.stop();
        return onError;
      }
    }) as typeof callback;
  const operation: NativeOperation = native.newOperation(onProgress && guard(onProgress, undefined));
  const stop = () => operation.stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const result = await start(operation, guard);
    if (thrown !== undefined) {
      throw thrown.error;
    }
    return result;
  } catch (error) {
    if (thrown !== undefined) {
      throw thrown.error;
    }
    // Only if the signal stopped the operation, and not if it failed for another reason while the signal was aborted.
    if (signal?.aborted && isStopped(error)) {
      throw signal.reason;
    }
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function isStopped(error: unknown): boolean {
  const code = errorCode(error);
  return ['BACKUP_STOPPED', 'VERIFY_STOPPED', 'RESTORE_STOPPED', 'OPEN_STOPPED'].includes(code ?? '');
}
