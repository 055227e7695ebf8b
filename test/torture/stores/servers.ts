// The server of the stores experiment.

import type { S3Client } from '@aws-sdk/client-s3';
import type { Teardown } from '../../fixtures/files.js';
import { signIn, startBucket } from '../../stores/servers/bucket.js';
import type { CephServer } from '../../stores/servers/ceph.js';
import { BUCKET } from './repository.js';

export interface Servers extends CephServer {
  /** Asks the server itself. */
  readonly client: S3Client;
  /** The URL of a repository with this name. */
  readonly url: (name: string) => string;
}

export async function startServers(t: Teardown): Promise<Servers> {
  const server = await startBucket(t);
  signIn(server.credentials);
  return { ...server, url: (name) => `s3://${BUCKET}/${name}?endpoint=${server.endpoint}` };
}
