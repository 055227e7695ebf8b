/** The outcome of a request that cannot be aborted, or the signal's reason as soon as it is aborted. */
export function orAbort<T>(signal: AbortSignal, request: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    request.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
