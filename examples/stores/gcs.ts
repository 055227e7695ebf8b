// Backups in Google Cloud Storage. Google's library finds the credentials: GOOGLE_APPLICATION_CREDENTIALS, for instance, or a login with
// `gcloud auth application-default login`. The bucket must exist.
//
//   node dist/examples/stores/gcs.js my-bucket example
//
// With a URL, gs://my-bucket/example, it is one line, as in s3.ts. This one makes Google's client itself: so an application can use the
// client that it has. GCS_ENDPOINT and GCS_TOKEN are for a service that is not Google's.

import { createRequire } from 'node:module';
import { Storage } from '@google-cloud/storage';
import { type GcsStorage, gcsStore } from '../../lib/stores/gcs.js';
import { argument, roundTrip } from './round-trip.js';

const usage = 'dist/examples/stores/gcs.js BUCKET PREFIX';
const { GCS_ENDPOINT: apiEndpoint, GCS_TOKEN } = process.env;

function otherService(): Storage {
  const { OAuth2Client } = createRequire(require.resolve('@google-cloud/storage'))('google-auth-library');
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: GCS_TOKEN, expiry_date: Date.now() + 3_600_000 });
  return new Storage({ apiEndpoint: apiEndpoint!, authClient, projectId: 'none' });
}

const client: GcsStorage = apiEndpoint === undefined ? new Storage() : otherService();
void roundTrip(gcsStore({ bucket: argument(1, usage), prefix: argument(2, usage), client }));
