// Runs the programs of examples/stores against servers on this machine.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import t, { type Test } from 'tap';
import { startAzurite, withoutAzurite } from './servers/azurite.js';
import { startBucket } from './servers/bucket.js';
import { withoutCeph } from './servers/ceph.js';
import { FakeGcs } from './servers/fake-gcs.js';
import { withoutOpendal } from './servers/opendal.js';
import { startWebdav, withoutWebdav } from './servers/webdav.js';

/** Not spawnSync: some servers live in this process. */
async function runExample(t: Test, name: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const program = join(__dirname, '..', '..', 'examples', 'stores', `${name}.js`);
  const child = spawn(process.execPath, ['--no-warnings', program, ...args], { env: { ...process.env, ...env } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const code = await new Promise((resolve) => child.on('close', resolve));
  t.equal(code, 0, said);
  t.match(said, 'backups 1 (full) and 2 (incremental)\nrestored: Ada and Grace\nleft: 2\n');
  return said;
}

t.test('S3', { skip: withoutCeph() }, async (t) => {
  const { endpoint, credentials } = await startBucket(t);
  const { accessKeyId, secretAccessKey } = credentials;
  const said = await runExample(t, 's3', [`s3://backups/example?endpoint=${endpoint}`], {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  });
  t.match(said, 'repository s3://backups/example\n');
});

t.test('Google', async (t) => {
  const { url } = await FakeGcs.start(t);
  await runExample(t, 'gcs', ['backups', 'example'], { GCS_ENDPOINT: url, GCS_TOKEN: 'tester-token' });
});

t.test('Azure', { skip: withoutAzurite() }, async (t) => {
  const { endpoint, account, accountKey } = await startAzurite(t);
  const service = new BlobServiceClient(endpoint, new StorageSharedKeyCredential(account, accountKey));
  await service.createContainer('backups');
  await runExample(t, 'azure', [`az://${account}/backups/example?endpoint=${endpoint}`], {
    AZURE_STORAGE_KEY: accountKey,
  });
});

t.test(
  'OpenDAL, with a service that has no conditional writes',
  { skip: withoutOpendal() || withoutWebdav() },
  async (t) => {
    const { endpoint, username, password } = await startWebdav(t);
    const said = await runExample(t, 'opendal', [`opendal://webdav/example?endpoint=${endpoint}&singleWriter=true`], {
      OPENDAL_WEBDAV_USERNAME: username,
      OPENDAL_WEBDAV_PASSWORD: password,
    });
    t.match(said, 'repository opendal://webdav/example\n');
  },
);

t.test('a store of its own', async (t) => {
  t.match(await runExample(t, 'custom', []), /\d+ put, \d+ list, /);
});
