// Repositories in object stores: clients and the server are killed, and the line between them is bad.

import type { Teardown } from '../fixtures/files.js';
import { withoutCeph } from '../stores/servers/ceph.js';
import type { Experiment } from './experiment.js';
import { killGateway } from './stores/gateway.js';
import { killClients } from './stores/kills.js';
import { loseARequest, troubleLines } from './stores/network.js';
import { startServers } from './stores/servers.js';
import { together } from './stores/together.js';

export const stores: Experiment = {
  name: 'stores',
  about:
    'clients and the gateway of a bucket are killed, lines are cut: what was confirmed is there, and nothing is wrong',
  async run(torture) {
    const why = withoutCeph();
    if (why !== false) throw new Error(why);
    const undo: (() => unknown)[] = [];
    const t: Teardown = { teardown: (handler) => void undo.unshift(handler as () => unknown) };
    try {
      const servers = await startServers(t);
      // The first waits for a minute, and does nothing meanwhile.
      await together([loseARequest(torture, t, servers), killClients(torture, t, servers)]);
      await troubleLines(torture, t, servers);
      await killGateway(torture, servers);
    } finally {
      for (const each of undo) await each();
    }
  },
};
