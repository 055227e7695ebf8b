// A repository in a bucket, through the public API.

import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import t from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import { signIn, startBucket } from './servers/bucket.js';
import { withoutCeph } from './servers/ceph.js';

t.test('a repository in a bucket', { skip: withoutCeph() }, async (t) => {
  const { endpoint, credentials, client } = await startBucket(t);
  signIn(credentials);
  const url = `s3://backups/users?endpoint=${endpoint}`;
  const dir = t.testdir();

  const db = await Database.open(`${dir}/db`, { createIfMissing: true });
  t.teardown(() => db.close());
  const begin = performance.now();
  const engine = await BackupEngine.open(url);
  t.equal(engine.location, 's3://backups/users');
  for (let round = 1; round <= 3; round++) {
    for (let i = 0; i < 2000; i++) db.put(`key-${round}-${i}`, Buffer.alloc(5000, `${round}-${i}`));
    const info = await engine.createBackup(db);
    t.equal(info.backupId, round);
  }
  t.comment(`3 creates: ${performance.now() - begin} ms`);
  await engine.verifyBackup(2, { checksum: true });
  await engine.restoreBackup(2, `${dir}/restored`);
  const restored = await Database.open(`${dir}/restored`);
  t.equal((await restored.get('key-2-7'))?.length, 5000);
  t.equal(await restored.get('key-3-7'), undefined);
  await restored.close();
  const opened = await engine.openBackup(3);
  t.equal((await opened.get('key-3-1999'))?.length, 5000);
  await opened.close();
  await engine.deleteBackup(1);
  await engine.purgeOldBackups(1);
  t.strictSame(
    (await engine.getBackupInfo()).map(({ backupId }) => backupId),
    [3],
  );
  await engine.close();
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: 'backups' }));
  t.comment(Contents.map(({ Key, Size }) => `${Key} ${Size}`).join('\n'));
});
