// Servers for tests: they listen on 127.0.0.1 only, and end with the test, also if the test is killed.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Teardown } from '../../fixtures/files.js';

/** Ends the server when its standard input ends: this process closes it, or has ended itself. */
const KEEPER = '"$@" </dev/null & read -r _; kill -9 $! 2>/dev/null; wait';

export interface Daemon {
  readonly stop: () => Promise<void>;
}

/** Starts a server. What it says goes to the file `log`. */
export function startDaemon(t: Teardown, command: readonly string[], log: string, env: NodeJS.ProcessEnv = {}): Daemon {
  const out = openSync(log, 'a');
  const child: ChildProcess = spawn('sh', ['-c', KEEPER, 'sh', ...command], {
    stdio: ['pipe', out, out],
    env: { ...process.env, ...env },
  });
  closeSync(out);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = () => {
    child.stdin!.end();
    return ended;
  };
  t.teardown(stop);
  return { stop };
}

/** Waits until something is true. A server that does not get there shows the end of its log. */
export async function ready(what: string, log: string, isReady: () => Promise<boolean>): Promise<void> {
  const giveUp = performance.now() + 90_000;
  while (!(await isReady())) {
    if (performance.now() > giveUp)
      throw new Error(`${what} did not start:\n${readFileSync(log, 'utf8').slice(-2000)}`);
    await sleep(50);
  }
}

/** A port of 127.0.0.1 on which nothing listens. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
