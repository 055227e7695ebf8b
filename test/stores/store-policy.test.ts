import t from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import { updateState } from '../../lib/manager/state.js';
import { probeStore } from '../../lib/stores/probe.js';
import { type StoreRole, storePolicy } from '../../lib/stores/store-policy.js';
import { parseStoreUrl } from '../../lib/stores/store-url.js';
import { MemoryStore, type RequestKind } from './memory-store.js';

interface Statement {
  Sid: string;
  Action: string[];
  Resource: string | string[];
  Condition?: unknown;
}

const statementsOf = (url: string, role: StoreRole) =>
  (storePolicy(parseStoreUrl(url), role) as { Statement: Statement[] }).Statement;

const ACTIONS: Record<RequestKind, string> = {
  put: 's3:PutObject',
  get: 's3:GetObject',
  list: 's3:ListBucket',
  delete: 's3:DeleteObject',
  create: 's3:PutObject',
  part: 's3:PutObject',
  complete: 's3:PutObject',
  abort: 's3:AbortMultipartUpload',
  listUploads: 's3:ListBucketMultipartUploads',
};

/** Makes the store do only what the IAM policy of the role allows. */
function restrict(store: MemoryStore, role: StoreRole): Set<string> {
  const denied = new Set<string>();
  const statements = statementsOf('s3://bucket/users', role);
  store.fault = ({ kind, key }) => {
    const resource = kind.startsWith('list') ? 'arn:aws:s3:::bucket' : `arn:aws:s3:::bucket/users/${key}`;
    const allowed = statements.some(
      ({ Action, Resource }) =>
        Action.includes(ACTIONS[kind]) &&
        [Resource]
          .flat()
          .some((each) => (each.endsWith('*') ? resource.startsWith(each.slice(0, -1)) : resource === each)),
    );
    if (!allowed) denied.add(`${kind} ${key}`);
    return allowed ? undefined : { fail: 'DENIED' };
  };
  return denied;
}

t.test('the IAM policies suffice, and allow no more than they say', async (t) => {
  const dir = t.testdir();
  const store = new MemoryStore();
  const db = await Database.open(`${dir}/db`, { createIfMissing: true });

  const asWriter = restrict(store, 'writer');
  const writer = await BackupEngine.open(store);
  for (let round = 1; round <= 3; round++) {
    db.put(`key-${round}`, Buffer.alloc(100_000, round));
    await db.flush();
    await writer.createBackup(db);
  }
  await updateState(writer.storage, (state) => {
    state.counters.changes = 1;
  });
  await writer.verifyBackup(1, { checksum: true });
  await writer.restoreBackup(2, `${dir}/by-writer`);
  t.match(await probeStore(store), { canWrite: true, severalWriters: true, canRead: true });
  t.strictSame([...asWriter], []);
  await t.rejects(writer.deleteBackup(1), 'a writer deletes no backup');
  await writer.close();

  const asReader = restrict(store, 'reader');
  const before = [...store.objects.keys()].filter((key) => !key.startsWith('rocksdb-backup.leases/')).sort();
  const reader = await BackupEngine.open(store, { readOnly: true });
  t.equal((await reader.getBackupInfo()).length, 3);
  await reader.verifyBackup(1, { checksum: true });
  await reader.restoreBackup(2, `${dir}/by-reader`);
  t.strictSame([...asReader], []);
  await reader.close();
  await t.rejects(BackupEngine.open(store), { code: 'STORE_DENIED' }, 'a reader makes no backup');

  const asPruner = restrict(store, 'pruner');
  t.strictSame([...store.objects.keys()].filter((key) => !key.startsWith('rocksdb-backup.leases/')).sort(), before);
  const pruner = await BackupEngine.open(store);
  await pruner.deleteBackup(1);
  await pruner.garbageCollect();
  await pruner.createBackup(db);
  t.equal((await pruner.getBackupInfo()).length, 3);
  t.strictSame([...asPruner], []);
  await pruner.close();
  await db.close();
});

t.test('the place and the options of the URL are filled in', (t) => {
  const [list, read] = statementsOf('s3://bucket/a/b', 'reader');
  t.match(list, {
    Resource: 'arn:aws:s3:::bucket',
    Condition: { StringLikeIfExists: { 's3:prefix': ['a/b/', 'a/b/*'] } },
  });
  t.equal(read?.Resource, 'arn:aws:s3:::bucket/a/b/*');
  t.notHas(statementsOf('s3://bucket', 'reader')[0], 'Condition');
  const key = 'arn:aws:kms:eu-west-1:1:key/2';
  t.match(statementsOf(`s3://bucket?kmsKeyId=${key}`, 'writer').at(-1), { Sid: 'Key', Resource: key });
  const locked = statementsOf('s3://bucket?lockMode=GOVERNANCE&lockDays=3', 'writer');
  t.ok(locked.some(({ Action }) => Action.includes('s3:PutObjectRetention')));
  for (const role of ['reader', 'writer', 'pruner'] as const) {
    const gcs = JSON.stringify(storePolicy(parseStoreUrl('gs://bucket/a'), role));
    t.match(gcs, 'projects/_/buckets/bucket/objects/a/');
    t.equal(/storage\.objects\.create/.test(gcs), true);
    const azure = storePolicy(parseStoreUrl('az://account/container/a'), role) as { assignment: { scope: string } };
    t.match(azure.assignment.scope, /storageAccounts\/account\/.*containers\/container$/);
    t.match(JSON.stringify(azure), /DataActions/);
    t.equal(storePolicy(parseStoreUrl('opendal://webdav/a'), role), undefined);
  }
  t.end();
});
