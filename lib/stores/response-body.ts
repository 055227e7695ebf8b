import { addYoungGarbage } from '../base/young-garbage.js';

export interface Body extends AsyncIterable<Uint8Array> {
  destroy(error?: Error): void;
}

/**
 * Reads a body to its end: into `into`, if the length is known and finds room there. A vendor's library may stop to look at the signal once
 * the body has begun, and may take a body that was cut off for a whole one.
 */
export async function bodyOf(
  body: Body | undefined,
  length: number | undefined,
  { signal, into }: { readonly signal: AbortSignal; readonly into?: Uint8Array | undefined },
): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array(0);
  const stop = () => body.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    const bytes = await (length !== undefined && into !== undefined && length <= into.length
      ? readInto(into.subarray(0, length), body, signal)
      : readAll(body));
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

async function readAll(body: Body): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
    addYoungGarbage(chunk.length);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** After the signal, the memory belongs to others. */
async function readInto(memory: Uint8Array, body: Body, signal: AbortSignal): Promise<Uint8Array> {
  let size = 0;
  for await (const chunk of body) {
    signal.throwIfAborted();
    if (size + chunk.length > memory.length) throw new Error('the answer is longer than the store said');
    memory.set(chunk, size);
    size += chunk.length;
    addYoungGarbage(chunk.length);
  }
  return memory.subarray(0, size);
}
