// A server that takes requests and never answers.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Teardown } from '../../fixtures/files.js';

/** @returns its URL */
export async function startSilentServer(t: Teardown, onRequest: (url: string) => void = () => {}): Promise<string> {
  const server = createServer((request) => {
    request.resume();
    onRequest(request.url ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
