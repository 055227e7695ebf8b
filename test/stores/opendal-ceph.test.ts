// The adapter of OpenDAL with a service that has conditional writes: S3, by Ceph.

import t from 'tap';
import { opendalStore } from '../../lib/stores/opendal.js';
import { testContract } from './object-store-contract.js';
import { startBucket } from './servers/bucket.js';
import { withoutCeph } from './servers/ceph.js';
import { withoutOpendal } from './servers/opendal.js';

t.test("OpenDAL's S3, by Ceph", { skip: withoutOpendal() || withoutCeph() }, async (t) => {
  const { endpoint, credentials } = await startBucket(t);
  const options = {
    endpoint,
    bucket: 'backups',
    region: 'us-east-1',
    access_key_id: credentials.accessKeyId,
    secret_access_key: credentials.secretAccessKey,
  };
  testContract(t, {
    store: opendalStore({ service: 's3', options, prefix: 'one' }),
    stranger: opendalStore({ service: 's3', options: { ...options, secret_access_key: 'wrong' } }),
    // Ceph takes no ETag with quotes, and OpenDAL sends them. So nobody replaces anything, which is safe.
    limits: { ifMatch: 'CONDITION_FAILED', deleteNowhere: false },
    nowhere: opendalStore({ service: 's3', options: { ...options, bucket: 'no-such-bucket' } }),
  });
});
