import type { ChildProcess } from 'node:child_process';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
  /** Both outputs, in the order in which they arrived. */
  text: string;
}

/** Waits until a process has ended and all its output has arrived. */
export function ended(child: ChildProcess): Promise<Ended> {
  const said = { out: '', err: '', text: '' };
  for (const [name, stream] of [
    ['out', child.stdout],
    ['err', child.stderr],
  ] as const) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
      said.text += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...said }));
  });
}
