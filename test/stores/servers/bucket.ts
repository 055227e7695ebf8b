import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { Teardown } from '../../fixtures/files.js';
import { type CephServer, startCeph } from './ceph.js';

/** Ceph with the bucket `backups`, and a client of it. */
export async function startBucket(t: Teardown): Promise<CephServer & { client: S3Client }> {
  const server = await startCeph(t);
  const { endpoint, credentials } = server;
  // The SDK writes into the credentials that it gets.
  const client = new S3Client({ endpoint, credentials: { ...credentials }, region: 'us-east-1', forcePathStyle: true });
  t.teardown(() => client.destroy());
  await client.send(new CreateBucketCommand({ Bucket: 'backups' }));
  return { ...server, client };
}

/** From now on, the SDK finds these credentials in the environment. */
export function signIn({ accessKeyId, secretAccessKey }: CephServer['credentials']): void {
  process.env.AWS_ACCESS_KEY_ID = accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = secretAccessKey;
}
