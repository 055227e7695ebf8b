export interface Body extends AsyncIterable<Uint8Array> {
  destroy(error?: Error): void;
}

/**
 * Reads a body to its end. A vendor's library may stop to look at the signal once the body has begun, and may take a body that was cut off
 * for a whole one.
 */
export async function bodyOf(
  body: Body | undefined,
  length: number | undefined,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array(0);
  const stop = () => body.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    if (length !== undefined && bytes.length !== length) {
      const code = 'ECONNRESET';
      throw Object.assign(new Error(`the answer ended after ${bytes.length} of ${length} bytes`), { code });
    }
    return bytes;
  } finally {
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
}
