// Operations over lines that are bad.

import { BackupEngine, type ObjectStore } from '../../../lib/index.js';
import { withRetries } from '../../../lib/stores/retries.js';
import { s3Store } from '../../../lib/stores/s3.js';
import type { Teardown } from '../../fixtures/files.js';
import { TcpProxy } from '../../stores/servers/tcp-proxy.js';
import type { Torture } from '../experiment.js';
import { BadLine, type Trouble } from './bad-line.js';
import { Ledger, OPERATIONS, type Operation } from './ledger.js';
import { BUCKET } from './repository.js';
import type { Servers } from './servers.js';

const TROUBLES: Readonly<Record<string, Trouble>> = {
  cuts: { cuts: 0.7, within: 2_000_000 },
  'early cuts': { cuts: 0.7, within: 2000 },
  waits: { waits: 0.2, longestWait: 100 },
  slow: { rate: 10e6, waits: 0.05, longestWait: 200 },
  'few connections': { most: 2, cuts: 0.4, within: 2_000_000 },
  silence: { silent: 0.5, within: 1_000_000 },
  all: { cuts: 0.4, silent: 0.15, within: 2_000_000, waits: 0.05, longestWait: 50, rate: 20e6, most: 3 },
};

/** How soon after an AbortSignal an operation must have ended. */
const STOPPED_WITHIN = 1000;

/** The store over a line, whose requests are given up sooner than a minute. */
function hurriedStore({ credentials }: Servers, endpoint: string, name: string): ObjectStore {
  return withRetries(s3Store({ bucket: BUCKET, prefix: name, endpoint, credentials }), {
    requestTimeout: 1500,
    bytesPerSecond: 4e6,
    budget: 60_000,
  });
}

export async function troubleLines(torture: Torture, t: Teardown, servers: Servers): Promise<void> {
  const { random } = torture;
  const rounds = Math.ceil(torture.rounds(200, 1000) / 7);
  const line = await BadLine.start(t, servers.endpoint, random);
  const ledger = await Ledger.make(torture, servers, 'lines');
  const byUrl = await BackupEngine.open(`s3://${BUCKET}/lines?endpoint=${line.url}`);
  const byStore = await BackupEngine.open(hurriedStore(servers, line.url, 'lines'));
  const names = Object.keys(TROUBLES);
  for (let round = 0; round < rounds && torture.failed < 20; round++) {
    const name = names[round % names.length] as string;
    const operation = OPERATIONS[Math.floor(round / names.length) % OPERATIONS.length] as Operation;
    const trouble = TROUBLES[name] as Trouble;
    // By the URL, a request may take a minute.
    const engine = trouble.silent !== undefined || random.below(2) === 0 ? byStore : byUrl;
    line.renew(trouble);
    await ledger.do(`round ${round}, ${operation}, ${name}`, operation, engine);
    line.renew({});
    await ledger.inspect();
  }
  let slowest = 0;
  for (const operation of ['create', 'verify', 'restore'] as const) {
    for (const engine of [byUrl, byStore])
      slowest = Math.max(slowest, await stop(torture, line, ledger, operation, engine));
  }
  line.renew({});
  await byUrl.close();
  await byStore.close();
  await ledger.close();
  torture.figure('lines: connections cut, silenced, refused', `${line.cut}, ${line.silenced}, ${line.refused}`);
  torture.figure('lines: the slowest stop', `${slowest.toFixed(0)} ms`);
  ledger.tell();
}

/** Nothing answers any more in the middle of an operation, which is then stopped. @returns how long it took to end */
async function stop(
  torture: Torture,
  line: BadLine,
  ledger: Ledger,
  operation: Operation,
  engine: BackupEngine,
): Promise<number> {
  const controller = new AbortController();
  line.renew({ silent: 1, within: 300 }); // a connection has at most one answer: it may be that only one direction is silent
  const what = `a ${operation} over a line that is silent`;
  const doing = ledger.do(what, operation, engine, { signal: controller.signal });
  await new Promise((resolve) => setTimeout(resolve, 200 + torture.random.below(800)));
  const begun = performance.now();
  controller.abort(new Error('stop'));
  const outcome = await doing;
  const took = performance.now() - begun;
  torture.check(outcome === 'aborted', `${what} is aborted`, outcome);
  torture.check(took < STOPPED_WITHIN, `${what} ends within a second`, took);
  line.renew({});
  await ledger.inspect();
  return took;
}

/** A request that is never answered is sent again after a minute, while the client goes on with everything else. */
export async function loseARequest(torture: Torture, t: Teardown, servers: Servers): Promise<void> {
  let lost = 0;
  const proxy = await TcpProxy.start(t, servers.endpoint, () => {
    let silent = false;
    return {
      up(bytes) {
        if (lost === 0 && /^PUT \S*\/private\//.test(bytes.toString('latin1', 0, 200))) {
          lost++;
          silent = true;
        }
        return silent ? Buffer.alloc(0) : bytes;
      },
    };
  });
  const ledger = await Ledger.make(torture, servers, 'patience');
  const engine = await BackupEngine.open(`s3://${BUCKET}/patience?endpoint=${proxy.url}`);
  const begun = performance.now();
  const outcome = await ledger.do('a request is lost', 'create', engine);
  torture.check(outcome === 'done' && lost === 1, 'a create goes on after a request that was never answered', outcome);
  torture.figure('patience: a create with a lost request', `${((performance.now() - begun) / 1000).toFixed(0)} s`);
  await ledger.inspect();
  await engine.close();
  await ledger.close();
}
