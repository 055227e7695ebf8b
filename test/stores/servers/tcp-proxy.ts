// A proxy that passes bytes on to a server, and does to them what a test says. It knows nothing of HTTP.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Teardown } from '../../fixtures/files.js';

/** What happens to the bytes of one connection. Bytes that are returned are passed on. */
export interface Wire {
  up?(bytes: Buffer): Buffer | Promise<Buffer>;
  down?(bytes: Buffer): Buffer | Promise<Buffer>;
  ended?(): void;
}

export interface Connection {
  /** Ends it in both directions, as a lost line does. */
  readonly cut: () => void;
  /** Aborted when it has ended. */
  readonly signal: AbortSignal;
}

export class TcpProxy {
  /** The server's URL, through this proxy. */
  readonly url: string;
  /** How many connections were made so far. */
  connections = 0;
  readonly #server: Server;
  readonly #open = new Set<() => void>();

  static async start(
    t: Teardown,
    target: string,
    wire: (connection: Connection) => Wire | Promise<Wire>,
  ): Promise<TcpProxy> {
    const { hostname, port, pathname } = new URL(target);
    const server = createServer((client) => void proxy.#serve(client, () => connect(Number(port), hostname), wire));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const own = (server.address() as { port: number }).port;
    const proxy = new TcpProxy(server, `http://127.0.0.1:${own}${pathname.replace(/\/$/, '')}`);
    t.teardown(() => proxy.#end());
    return proxy;
  }

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  async #serve(
    client: Socket,
    reach: () => Socket,
    wire: (connection: Connection) => Wire | Promise<Wire>,
  ): Promise<void> {
    this.connections++;
    const ended = new AbortController();
    let server: Socket | undefined;
    const cut = () => {
      ended.abort();
      client.destroy();
      server?.destroy();
    };
    this.#open.add(cut);
    client.on('error', cut).on('close', cut);
    const closed = new Promise<void>((resolve) => client.once('close', resolve));
    const { up = same, down = same, ended: tell } = await wire({ cut, signal: ended.signal });
    if (!ended.signal.aborted) {
      server = reach().on('error', cut);
      client.setNoDelay(true);
      server.setNoDelay(true);
      pump(client, server, up).catch(cut);
      pump(server, client, down).catch(cut);
      await closed;
    }
    cut();
    this.#open.delete(cut);
    tell?.();
  }

  /** Ends all connections of now. */
  cutAll(): void {
    for (const cut of [...this.#open]) cut();
  }

  #end(): Promise<void> {
    this.cutAll();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

const same = (bytes: Buffer) => bytes;

/** Passes on what comes from a socket, until it ends. What is slow keeps the sender waiting. */
async function pump(from: Socket, to: Socket, treat: (bytes: Buffer) => Buffer | Promise<Buffer>): Promise<void> {
  for await (const bytes of from) {
    const passed = await treat(bytes);
    if (passed.length > 0 && !to.write(passed)) await once(to, 'drain');
  }
  to.end();
}
