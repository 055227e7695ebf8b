// A proxy that passes requests on to a server, and loses the answers that a test names: the server has done its work, and nobody hears
// of it. Or it holds requests, like a store that hangs.

import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Teardown } from '../../fixtures/files.js';

export class LossyProxy {
  url = '';
  /** How many answers were lost. */
  lost = 0;
  /** Whether the answer to this request is lost. */
  lose: (request: { method: string; url: string }) => boolean = () => false;

  /** Whether this request is held: the server does not hear of it, and it is never answered. */
  hold: (request: { method: string; url: string }) => boolean = () => false;

  static async start(t: Teardown, target: string): Promise<LossyProxy> {
    const proxy = new LossyProxy();
    const { hostname, port, pathname } = new URL(target);
    const server = createServer((incoming, response) => {
      const { method = '', url = '', headers } = incoming;
      if (proxy.hold({ method, url })) {
        incoming.resume();
        return;
      }
      const outgoing = request({ hostname, port, method, path: url, headers }, async (answer: IncomingMessage) => {
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk);
        if (proxy.lose({ method, url })) {
          proxy.lost++;
          response.destroy();
        } else {
          response.writeHead(answer.statusCode!, answer.headers).end(Buffer.concat(chunks));
        }
      });
      outgoing.on('error', () => response.destroy());
      incoming.pipe(outgoing);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname.replace(/\/$/, '')}`;
    return proxy;
  }
}
