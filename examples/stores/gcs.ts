// Backups in Google Cloud Storage. Google's library finds the credentials: GOOGLE_APPLICATION_CREDENTIALS, for instance, or a login with
// `gcloud auth application-default login`. The bucket must exist.
//
//   node dist/examples/stores/gcs.js my-bucket example
//
// With a URL, gs://my-bucket/example, it is one line, as in s3.ts. This one makes Google's client itself: so an application can use the
// client that it has. GCS_ENDPOINT and GCS_TOKEN are for a service that is not Google's.

import { Storage, type StorageOptions } from '@google-cloud/storage';
import { type GcsStorage, gcsStore } from '../../lib/stores/gcs.js';
import { argument, roundTrip } from './round-trip.js';

const usage = 'dist/examples/stores/gcs.js BUCKET PREFIX';
const { GCS_ENDPOINT: apiEndpoint, GCS_TOKEN: token } = process.env;

function options(): StorageOptions {
  if (apiEndpoint === undefined) return {};
  const headers = { authorization: `Bearer ${token}` };
  const authClient = {
    async request({ method, url, body, headers: others }: RequestInit & { url: string }) {
      const answer = await fetch(url, { method, body, headers: { ...(others as object), ...headers } } as RequestInit);
      return { status: answer.status, headers: answer.headers, data: Buffer.from(await answer.arrayBuffer()) };
    },
  };
  return { apiEndpoint, authClient } as unknown as StorageOptions;
}

const client = new Storage(options()) as unknown as GcsStorage;
void roundTrip(gcsStore({ bucket: argument(1, usage), prefix: argument(2, usage), client }));
