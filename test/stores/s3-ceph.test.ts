// The adapter of S3 against the gateway of Ceph.

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import t from 'tap';
import { s3Store } from '../../lib/stores/s3.js';
import { testLostAnswers } from './lost-answers.js';
import { testContract, testMultipart } from './object-store-contract.js';
import { startCeph, withoutCeph } from './servers/ceph.js';
import { startSilentServer } from './servers/silent.js';

t.test('S3, by Ceph', { skip: withoutCeph() }, async (t) => {
  const { endpoint, credentials } = await startCeph(t);
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  t.teardown(() => client.destroy());
  await client.send(new CreateBucketCommand({ Bucket: 'backups' }));
  const options = { bucket: 'backups', endpoint, credentials };

  await t.test('below a prefix', async (t) => {
    const store = s3Store({ ...options, prefix: 'one/repository' });
    t.equal(store.name, 's3://backups/one/repository');
    const subject = {
      store,
      stranger: s3Store({ ...options, credentials: { ...credentials, secretAccessKey: 'wrong' } }),
      nowhere: s3Store({ ...options, bucket: 'no-such-bucket' }),
      hanging: s3Store({ ...options, endpoint: await startSilentServer(t) }),
    };
    testContract(t, subject);
    testMultipart(t, subject);
  });

  await t.test('while answers are lost', async (t) =>
    testLostAnswers(t, endpoint, (endpoint) => s3Store({ ...options, endpoint, prefix: 'lossy' })),
  );
});
