// The gateway of a bucket is killed under an operation, and comes back.

import { setTimeout as after } from 'node:timers/promises';
import { BackupEngine } from '../../../lib/index.js';
import type { Torture } from '../experiment.js';
import { Ledger, OPERATIONS, type Operation } from './ledger.js';
import type { Servers } from './servers.js';

/** How long the gateway is gone at most, beside the time that it takes to start. */
const LONGEST_GONE = 2000;

export async function killGateway(torture: Torture, servers: Servers): Promise<void> {
  const { random } = torture;
  // One of these takes four seconds or so.
  const rounds = Math.ceil(torture.rounds(200, 1000) / 14);
  const ledger = await Ledger.make(torture, servers, 'gateway');
  const engine = await BackupEngine.open(servers.url('gateway'));
  const took = new Map<Operation, number>();
  let under = 0;
  for (let round = 0; round < rounds && torture.failed < 20; round++) {
    const operation = OPERATIONS[round % OPERATIONS.length] as Operation;
    const known = took.get(operation);
    const begun = performance.now();
    let running = true;
    const moment = known === undefined ? undefined : random.next() * known;
    const doing = ledger.do(`round ${round}, ${operation}, after ${moment} ms`, operation, engine).finally(() => {
      running = false;
    });
    if (moment === undefined) {
      await doing;
      took.set(operation, performance.now() - begun);
    } else {
      await Promise.race([after(moment), doing]);
      if (running) under++;
      await servers.gateway.kill();
      await after(random.below(LONGEST_GONE));
      await servers.gateway.start();
      await doing;
    }
    await ledger.inspect();
  }
  await engine.close();
  await ledger.close();
  torture.figure('gateway: killed', `${rounds - took.size} times, ${under} of them under an operation`);
  ledger.tell();
}
