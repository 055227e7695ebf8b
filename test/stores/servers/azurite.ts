// Azurite, the emulator of Azure's blobs.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Teardown, tempDir } from '../../fixtures/files.js';
import { freePort, listens, ready, startDaemon } from './daemon.js';
import { cachedPackage, unavailable } from './programs.js';

/** The last one that runs on Node 20. */
const VERSION = '3.35.0';

/** The account that every Azurite has. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** Why Azurite cannot be started here, for `skip`. */
export const withoutAzurite = () =>
  unavailable(
    cachedPackage('azurite', VERSION) === undefined && `needs azurite ${VERSION}, which npm could not install`,
  );

export async function startAzurite(t: Teardown): Promise<{ endpoint: string; account: string; accountKey: string }> {
  const dir = tempDir(t);
  mkdirSync(dir('data'));
  const port = await freePort();
  const log = dir('out.log');
  const main = join(cachedPackage('azurite', VERSION)!, 'dist', 'src', 'blob', 'main.js');
  const place = ['--blobHost', '127.0.0.1', '--blobPort', `${port}`, '--location', dir('data')];
  // Its telemetry is on by default, and leaves the machine. Newer SDKs ask for versions of the API that it does not know.
  const flags = ['--silent', '--disableTelemetry', '--skipApiVersionCheck'];
  startDaemon(t, [process.execPath, main, ...place, ...flags], log, { NODE_OPTIONS: '' });
  await ready('Azurite', log, () => listens(port));
  return { endpoint: `http://127.0.0.1:${port}/${ACCOUNT}`, account: ACCOUNT, accountKey: KEY };
}
