// A server that answers as a test says.

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Teardown } from '../../fixtures/files.js';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Script {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** What the server answers, or a function that does with the connection what it likes. */
export type Answer = Script | ((response: ServerResponse) => void);

export class ScriptedServer {
  /** What the server was asked. */
  readonly seen: SeenRequest[] = [];
  answer: (request: SeenRequest) => Answer = () => ({});
  /** How many connections were made. */
  connections = 0;
  url = '';

  static async start(t: Teardown): Promise<ScriptedServer> {
    const scripted = new ScriptedServer();
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { method = '', url = '', headers } = request;
      const seen = { method, url, headers, body: Buffer.concat(chunks) };
      scripted.seen.push(seen);
      const answer = scripted.answer(seen);
      if (typeof answer === 'function') answer(response);
      else {
        const length = { 'content-length': `${Buffer.byteLength(answer.body ?? '')}` };
        response.writeHead(answer.status ?? 200, { ...length, ...answer.headers }).end(answer.body);
      }
    });
    server.on('connection', () => {
      scripted.connections++;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    scripted.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return scripted;
  }

  /** Answers every request so from now on, and forgets what it was asked. */
  answers(answer: Answer): void {
    this.seen.length = 0;
    this.answer = () => answer;
  }
}

/** Begins an answer and leaves it: cuts the connection, or sends nothing more. */
export const halfAnAnswer =
  (then: 'cut' | 'hang', headers: Record<string, string> = {}, status = 200) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { 'content-length': '1000', etag: '"abc"', ...headers });
    response.write(Buffer.alloc(500), () => {
      if (then === 'cut') setTimeout(() => response.destroy(), 50);
    });
  };

export const cutConnection = (response: ServerResponse): void => {
  response.destroy();
};
