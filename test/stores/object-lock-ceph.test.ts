// A bucket with object lock. Ceph 16 keeps no conditions there, so the repository has one writer by promise.

import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3';
import t from 'tap';
import { BackupEngine, BackupManager } from '../../lib/index.js';
import { fill, openDatabase } from '../fixtures/backups.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { tempDir } from '../fixtures/files.js';
import { signIn, startBucket } from './servers/bucket.js';
import { withoutCeph } from './servers/ceph.js';

t.test('a bucket with object lock', { skip: withoutCeph() }, async (t) => {
  const { endpoint, credentials, client } = await startBucket(t);
  signIn(credentials);
  const Bucket = 'locked';
  await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  const url = `s3://locked/users?endpoint=${endpoint}&lockMode=GOVERNANCE&lockDays=7`;
  await t.rejects(BackupEngine.open(url), { code: 'STORE_REFUSED', advice: 'singleWriter' });
  const location = `${url}&singleWriter=true`;
  const db = await openDatabase(t, tempDir(t)('db'));
  const manager = new BackupManager({ db, location, retention: { last: 1 } });
  t.teardown(() => manager.stop());
  for (const prefix of ['a', 'b', 'c']) {
    await fill(db, prefix);
    await manager.backupNow();
  }
  const plan = await manager.prune();
  t.same(plan.delete, []);
  t.match(
    plan.decisions.map(({ rules }) => rules.join(', ')),
    [/^locked until /, /^locked until /, /^newest, last good, locked until .*, last 1$/],
  );

  const engine = await BackupEngine.open(location);
  t.teardown(() => engine.close());
  const { lockedUntil } = await engine.getBackupInfo(1);
  const days = (lockedUntil!.getTime() - Date.now()) / (24 * 60 * 60 * 1000);
  t.ok(days > 6.9 && days <= 7);
  await t.rejects(engine.deleteBackup(1), { code: 'STORE_REFUSED', lockedUntil: lockedUntil!.getTime() });
  await engine.purgeOldBackups(1);
  for (const backupId of [1, 2, 3]) await engine.verifyBackup(backupId, { checksum: true });

  const said = async (...args: string[]) => {
    const { code, stdout, stderr } = await cli(t, args);
    t.equal(code, 0, stderr);
    return stdout;
  };
  t.match(await said('show', location, '1'), /^Locked +until 20/m);
  t.match(
    await said('purge', location, '--keep', '1', '--yes'),
    /^nothing to delete: there are 3\nBackup 1 stays: the store has locked it until 20.*\nBackup 2 stays/,
  );
  const { json } = await cliAnswer<{ backups: { lockedUntil: string }[] }>(t, ['list', location]);
  t.equal(json.backups[0]!.lockedUntil, lockedUntil!.toISOString());

  // It is what the store does with the meta object, to the minute.
  const Key = 'users/meta/1';
  const { Retention } = await client.send(new GetObjectRetentionCommand({ Bucket, Key }));
  t.ok(Math.abs(Retention!.RetainUntilDate!.getTime() - lockedUntil!.getTime()) < 60_000);
  const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key }));
  await t.rejects(client.send(new DeleteObjectCommand({ Bucket, Key, VersionId: Versions[0]!.VersionId! })), {
    name: 'AccessDenied',
  });

  // Who does not know of the lock deletes, which puts markers over the objects. Without the markers, the backup is there again.
  const careless = await BackupEngine.open(`s3://locked/users?endpoint=${endpoint}&singleWriter=true`);
  await careless.deleteBackup(1);
  await careless.close();
  t.same(
    (await engine.getBackupInfo()).map(({ backupId }) => backupId),
    [2, 3],
  );
  const { DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'users/' }));
  const markers = DeleteMarkers.filter(({ Key = '' }) => !Key.startsWith('users/rocksdb-backup.'));
  t.ok(markers.length > 3);
  for (const { Key, VersionId } of markers) {
    await client.send(new DeleteObjectCommand({ Bucket, Key: Key!, VersionId: VersionId! }));
  }
  await engine.verifyBackup(1, { checksum: true });
});
