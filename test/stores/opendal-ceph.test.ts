// The adapter of OpenDAL with a service that has conditional writes: S3, by Ceph.

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import t from 'tap';
import { opendalStore } from '../../lib/stores/opendal.js';
import { testContract } from './object-store-contract.js';
import { startCeph, withoutCeph } from './servers/ceph.js';
import { withoutOpendal } from './servers/opendal.js';

t.test("OpenDAL's S3, by Ceph", { skip: withoutOpendal() || withoutCeph() }, async (t) => {
  const { endpoint, credentials } = await startCeph(t);
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  t.teardown(() => client.destroy());
  await client.send(new CreateBucketCommand({ Bucket: 'backups' }));
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
