// A WebDAV server: rclone.

import { mkdirSync } from 'node:fs';
import { type Teardown, tempDir } from '../../fixtures/files.js';
import { freePort, listens, ready, startDaemon } from './daemon.js';
import { missingPrograms } from './programs.js';

/** Why it cannot be started here, for `skip`. */
export const withoutWebdav = () => missingPrograms(['rclone'], ['rclone']);

export async function startWebdav(t: Teardown): Promise<{ endpoint: string; username: string; password: string }> {
  const dir = tempDir(t);
  mkdirSync(dir('data'));
  const port = await freePort();
  const [username, password] = ['tester', 'tester-secret'];
  const log = dir('out.log');
  const address = ['--addr', `127.0.0.1:${port}`, '--user', username, '--pass', password];
  startDaemon(t, ['rclone', 'serve', 'webdav', dir('data'), ...address], log, { RCLONE_CONFIG: dir('none') });
  await ready('rclone', log, () => listens(port));
  return { endpoint: `http://127.0.0.1:${port}`, username, password };
}
