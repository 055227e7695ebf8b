// The pieces in which an answer arrives are garbage as soon as they were copied. Each is a small object in V8's heap, and 64 KiB outside of
// it. V8 waits until its heap is full of small objects, or until there are 64 MiB outside: then it looks at its whole heap. Collecting the
// young objects again and again takes less memory, and less time.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const MOST = 2 * 2 ** 20;

let collect: (() => void) | undefined;
let garbage = 0;

/** For a thread that has little else in its heap: from now on, it collects such garbage. */
export function collectYoungGarbage(): void {
  try {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as (options: { type: 'minor' }) => void;
    setFlagsFromString('--no-expose-gc');
    gc({ type: 'minor' });
    collect = () => gc({ type: 'minor' });
  } catch {
    // this runtime collects as it likes
  }
}

/** So many bytes outside of the heap are garbage. */
export function addYoungGarbage(bytes: number): void {
  garbage += bytes;
  if (garbage >= MOST) {
    garbage = 0;
    collect?.();
  }
}
