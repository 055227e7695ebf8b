// The adapter of S3 against the gateway of Ceph.

import { CreateBucketCommand, GetObjectRetentionCommand, GetObjectTaggingCommand } from '@aws-sdk/client-s3';
import t from 'tap';
import { s3Store } from '../../lib/stores/s3.js';
import { testLostAnswers } from './lost-answers.js';
import { all, testContract, testMultipart } from './object-store-contract.js';
import { startBucket } from './servers/bucket.js';
import { withoutCeph } from './servers/ceph.js';
import { startSilentServer } from './servers/silent.js';

t.test('S3, by Ceph', { skip: withoutCeph() }, async (t) => {
  const { endpoint, credentials, client } = await startBucket(t);
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

  await t.test('with checksums that Ceph does not know', async (t) => {
    const subject = { store: s3Store({ ...options, checksums: 'crc32c', prefix: 'checked' }) };
    testContract(t, subject);
    testMultipart(t, subject);
  });

  await t.test('tags and locks are at the objects', async (t) => {
    await client.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }));
    const store = s3Store({
      ...options,
      bucket: 'locked',
      tags: { team: 'a b' },
      objectLock: { mode: 'GOVERNANCE', days: 7 },
    });
    const { signal } = new AbortController();
    await store.put('kept', Buffer.from('x'), { signal });
    await store.put('lease', Buffer.from('x'), { signal, temporary: true });
    const { TagSet } = await client.send(new GetObjectTaggingCommand({ Bucket: 'locked', Key: 'kept' }));
    t.same(TagSet, [{ Key: 'team', Value: 'a b' }]);
    const { Retention } = await client.send(new GetObjectRetentionCommand({ Bucket: 'locked', Key: 'kept' }));
    t.equal(Retention?.Mode, 'GOVERNANCE');
    await t.rejects(client.send(new GetObjectRetentionCommand({ Bucket: 'locked', Key: 'lease' })));
    // A bucket with locks keeps versions: a delete hides the object, and its bytes stay.
    await store.delete(['kept'], { signal });
    t.match(await all(store, ''), [{ key: 'lease' }]);
  });

  await t.test('while answers are lost', async (t) =>
    testLostAnswers(t, endpoint, (endpoint) => s3Store({ ...options, endpoint, prefix: 'lossy' })),
  );
});
