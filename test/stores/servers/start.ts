// Starts a server to try something by hand. It ends with this program.
//
//   node dist/test/stores/servers/start.js ceph | azurite | webdav | gcs
//
// Prints where it is, and what it wants to be told. Ceph, Azurite and the fake of Google have a bucket named backups.

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { startAzurite, withoutAzurite } from './azurite.js';
import { startCeph, withoutCeph } from './ceph.js';
import { FakeGcs } from './fake-gcs.js';
import { startWebdav, withoutWebdav } from './webdav.js';

const ends: (() => unknown)[] = [];
const owner = {
  teardown: (end: () => unknown) => {
    ends.unshift(end);
  },
} as Parameters<typeof startCeph>[0];

const servers: Record<string, { without?: () => string | false; start: () => Promise<object> }> = {
  ceph: {
    without: withoutCeph,
    async start() {
      const server = await startCeph(owner);
      const client = new S3Client({
        endpoint: server.endpoint,
        credentials: { ...server.credentials },
        region: 'us-east-1',
        forcePathStyle: true,
      });
      await client.send(new CreateBucketCommand({ Bucket: 'backups' }));
      client.destroy();
      return server;
    },
  },
  azurite: {
    without: withoutAzurite,
    async start() {
      const server = await startAzurite(owner);
      const credential = new StorageSharedKeyCredential(server.account, server.accountKey);
      await new BlobServiceClient(server.endpoint, credential).createContainer('backups');
      return server;
    },
  },
  webdav: { without: withoutWebdav, start: () => startWebdav(owner) },
  gcs: { start: async () => ({ endpoint: (await FakeGcs.start(owner)).url, token: 'tester-token' }) },
};

async function main(name = ''): Promise<void> {
  const server = servers[name];
  if (server === undefined) throw new Error(`usage: start.js ${Object.keys(servers).join(' | ')}`);
  const why = server.without?.() ?? false;
  if (why !== false) throw new Error(why);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, async () => {
      for (const end of ends) await end();
      process.exit();
    });
  }
  console.log(JSON.stringify(await server.start()));
}

main(process.argv[2]).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
