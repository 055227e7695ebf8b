// The command line on a bucket.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  CreateBucketCommand,
  DeleteBucketPolicyCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import t from 'tap';
import { BackupEngine, Database } from '../../lib/index.js';
import { contentsAt, fill, SLOW } from '../fixtures/backups.js';
import { type CliOptions, cli, cliAnswer, start } from '../fixtures/cli.js';
import { tempDir } from '../fixtures/files.js';
import { type CephServer, startCeph, withoutCeph } from '../stores/servers/ceph.js';
import { freePort } from '../stores/servers/daemon.js';

/** What this test looks at in the answers. */
interface Answer {
  location: string;
  backup: { backupId: number };
  backups: { backupId: number }[];
  keys: number;
  operations: unknown;
}

const SECRET = 'not-to-be-seen';

t.test('what is no URL of a store says how one is written', async (t) => {
  const dir = tempDir(t);
  await (await Database.open(dir('db'))).close();
  for (const [location, message] of [
    ['file:///backups', /a directory of this machine is given as its path/],
    ['s3:/backups/users', /s3: is followed by \/\/\. Write s3:\/\/bucket\/prefix.*\.\/s3:/],
    ['s4://backups', /did you mean s3:\/\//],
    [`s3://tester:${SECRET}@backups/a`, /must not hold a user or a password. Secrets come from the environment/],
    [`s3://backups/a?secretAccessKey=${SECRET}`, /leave out secretAccessKey/],
    [`s3://backups/a?endpoint=http://tester:${SECRET}@127.0.0.1`, /endpoint must not hold a user/],
    ['s3://backups/a?lockMode=GOVERNANCE', /lockMode needs lockDays/],
    ['s3://backups/a?lockMode=GOVERNANCE&lockDays=none', /lockDays is a whole number of days/],
  ] as const) {
    for (const args of [
      ['list', location],
      ['status', location],
      ['probe', location],
      ['create', dir('db'), location],
    ]) {
      const { code, stderr, stdout } = await cli(t, args, { cwd: dir() });
      t.equal(code, 2, `${args[0]} ${message}`);
      t.match(stderr, message);
      t.notMatch(stderr + stdout, SECRET);
    }
  }
  t.notOk(existsSync(dir('s3:')), 'no directory of that name was made');
});

t.test('the command line on a bucket', { skip: withoutCeph() }, async (t) => {
  const ceph = await startCeph(t);
  const { endpoint } = ceph;
  await makeBucket(ceph);
  const env = {
    AWS_ACCESS_KEY_ID: ceph.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ceph.credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  Object.assign(process.env, env);
  const dir = tempDir(t);
  const url = `s3://backups/users?endpoint=${endpoint}`;
  const answer = async (args: string[]) => {
    const ran = await cliAnswer<Answer>(t, args, { env });
    t.equal(ran.code, 0, `${args.join(' ')}: ${ran.stdout}`);
    t.equal(ran.stderr, '', `${args[0]} prints nothing else`);
    return ran.json;
  };
  const text = async (args: string[]) => {
    const ran = await cli(t, args, { env });
    t.equal(ran.code, 0, `${args.join(' ')}: ${ran.stderr}`);
    return ran.stdout;
  };
  const failing = async (args: string[], options: CliOptions = {}) => {
    const ran = await cliAnswer<{ error: { code: string; message: string } }>(t, args, {
      ...options,
      env: { ...env, ...options.env },
    });
    return { exit: ran.code, ...ran.json.error };
  };

  const write = async (prefix: string) => {
    const db = await Database.open(dir('db'), { rocksdb: { disable_auto_compactions: true } });
    await fill(db, prefix);
    await db.close();
  };

  await t.test('every command', async (t) => {
    for (const [at, prefix] of ['a', 'b', 'c'].entries()) {
      await write(prefix);
      const { location, backup } = await answer(['create', dir('db'), url]);
      t.equal(location, 's3://backups/users');
      t.equal(backup.backupId, at + 1);
    }
    const contents = await contentsAt(dir('db'));
    t.equal((await answer(['list', url])).backups.length, 3);
    t.match(await text(['list', url]), /3 backups/);
    t.equal((await answer(['show', url, '2'])).backup.backupId, 2);
    await answer(['status', url]); // in Node 20, the SDK warns of its future
    await answer(['probe', url]);
    await answer(['verify', url]);
    await answer(['verify', url, '--all', '--checksum']);
    await answer(['restore', url, dir('restored')]);
    t.same(await contentsAt(dir('restored')), contents);
    await answer(['restore', url, dir('restored'), '--id', '1', '--overwrite', '--yes']);
    t.equal(Object.keys(await contentsAt(dir('restored'))).length, 20);
    t.equal((await answer(['drill', url, '--directory', dir('drills')])).keys, 60);
    t.match((await cli(t, ['diff', url, '1', '2', '--json'], { env })).code, 7);
    t.equal((await text(['get', url, '3', 'b000001'])).length > 0, true);
    t.equal((await text(['scan', url, '3', '--keys-only', '--limit', '2'])).trim().split('\n').length, 2);
    await answer(['gc', url]);
    t.match(await text(['stats', url]), /Backups +3/);
    await answer(['pin', url, '1']);
    t.match(await failing(['delete', url, '1', '--yes']), { code: 'BACKUP_PINNED' });
    await answer(['unpin', url, '1']);
    await answer(['report', url, '--html', dir('report.html')]);
    t.match(readFileSync(dir('report.html'), 'utf8'), /s3:\/\/backups\/users/);
    await answer(['delete', url, '1', '--yes']);
    await answer(['prune', url, '--keep-last', '1', '--yes']);
    await answer(['create', dir('db'), url, '--full']);
    await answer(['purge', url, '--keep', '1', '--yes']);
    const { backups } = await answer(['list', url]);
    t.same(
      backups.map(({ backupId }) => backupId),
      [4],
    );
  });

  await t.test('what the store refuses to delete', async (t) => {
    const client = clientOf(ceph);
    await client.send(new CreateBucketCommand({ Bucket: 'refusing' }));
    const place = `s3://refusing/users?endpoint=${endpoint}`;
    const orphan = 'shared_checksum/000999_s1AB_3.sst';
    await client.send(new PutObjectCommand({ Bucket: 'refusing', Key: `users/${orphan}`, Body: 'abc' }));
    const Resource = [orphan, 'meta/2'].map((key) => `arn:aws:s3:::refusing/users/${key}`);
    const deny = { Effect: 'Deny', Principal: '*', Action: 's3:DeleteObject', Resource };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [deny] });
    await client.send(new PutBucketPolicyCommand({ Bucket: 'refusing', Policy }));
    for (let n = 1; n <= 4; n++) await answer(['create', dir('db'), place]);
    t.match(await failing(['gc', place, '--yes']), {
      exit: 1,
      code: 'STORE_DENIED',
      message: /AccessDenied.*Check the credentials/,
    });
    t.match(await failing(['delete', place, '2', '--yes']), { exit: 1, code: 'STORE_DENIED' });
    // Ceph says no more of a locked object. Where objects are locked, it counts as one.
    const locking = `${place}&lockMode=GOVERNANCE&lockDays=1`;
    t.match(await answer(['gc', locking, '--yes']), { files: [], refused: [orphan], bytesFreed: 0 });
    t.match(
      await text(['gc', locking, '--yes']),
      /^nothing was deleted\n.*000999_s1AB_3.sst {2}3 B stays: the store refuses/,
    );
    const ran = await cliAnswer<{ deleted: number[] }>(t, ['prune', place, '--keep-last', '1', '--yes'], { env });
    t.equal(ran.code, 1);
    t.same(ran.json.deleted, [1, 3], 'the others go');
    t.match(ran.stderr, /meta\/2.*AccessDenied/);
    await answer(['verify', place, '--all', '--checksum']);
    await client.send(new DeleteBucketPolicyCommand({ Bucket: 'refusing' }));
    await answer(['prune', place, '--keep-last', '1', '--yes']);
    t.match(await answer(['gc', place, '--yes']), { files: [] });
    client.destroy();
  });

  await t.test('a versioned bucket, without the promise of one writer that Ceph 16 needs there', async (t) => {
    const client = clientOf(ceph);
    const Bucket = 'versioned';
    await client.send(new CreateBucketCommand({ Bucket }));
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    client.destroy();
    const place = `s3://versioned/users?endpoint=${endpoint}`;
    for (let n = 1; n <= 3; n++) await answer(['create', dir('db'), `${place}&singleWriter=true`]);
    const message = /lost: the store does not replace it on the condition that it is unchanged.*singleWriter=true/;
    for (const args of [
      ['delete', place, '1'],
      ['purge', place, '--keep', '1'],
      ['prune', place, '--keep-last', '1'],
    ]) {
      t.match(await failing([...args, '--yes']), { exit: 4, code: 'LOCK_LOST', message }, args[0]);
    }
    const pin = await failing(['pin', place, '1']);
    t.match(pin, { exit: 1, code: 'STATE_UNWRITABLE', message: /on the condition that it is unchanged.*singleWriter/ });
    const { backups } = await answer(['list', place]);
    t.equal(backups.length, 3);
    await answer(['delete', `${place}&singleWriter=true`, '1', '--yes']);
  });

  await t.test('a drill needs a directory', async (t) => {
    const before = (await answer(['stats', url])).operations;
    t.match(await failing(['drill', url]), { exit: 2, code: 'INVALID_OPTION', message: /--directory/ });
    t.same((await answer(['stats', url])).operations, before, 'and nothing is recorded');
  });

  await t.test('watch', async (t) => {
    const watched = { path: dir('db'), backups: url, backupOnStart: true, skipUnchanged: false };
    writeFileSync(
      dir('watch.json'),
      JSON.stringify({ databases: [{ ...watched, schedule: '1h', retention: { last: 1 } }] }),
    );
    t.match(await text(['watch', '--config', dir('watch.json'), '--check']), /s3:\/\/backups\/users/);
    const running = start(t, ['watch', '--config', dir('watch.json'), '--json'], { env });
    await running.printed(/"event":"pruned"/);
    running.child.kill('SIGTERM');
    const { code, stdout } = await running.ended;
    t.equal(code, 0);
    t.match(stdout, /backup \d+ was made/);
    t.notMatch(stdout, /"event":"failure"/);
    const drilled = { ...watched, drill: { schedule: '1d' } };
    writeFileSync(dir('drill.json'), JSON.stringify({ databases: [drilled] }));
    const refused = await cli(t, ['watch', '--config', dir('drill.json'), '--check'], { env });
    t.equal(refused.code, 2, refused.stderr);
    t.match(refused.stderr, /drill\.directory/);
  });

  await t.test('two processes at once', async (t) => {
    const engine = await BackupEngine.open(url, { backupRateLimit: SLOW });
    const db = await Database.open(dir('db'));
    await fill(db, 'slow', { count: 200 });
    const stop = new AbortController();
    let began = () => {};
    const begun = new Promise<void>((resolve) => {
      began = resolve;
    });
    const creating = engine.createBackup(db, { signal: stop.signal, onProgress: began }).catch(() => undefined);
    await begun;
    t.match(await failing(['gc', url, '--yes']), {
      exit: 4,
      code: 'BACKUP_LOCKED',
      message: new RegExp(`process ${process.pid}`),
    });
    stop.abort();
    await creating;
    await engine.close();
    await db.close();
    await answer(['gc', url, '--yes']);
  });

  // Last, because it takes the 20 s that a store has which was never reached.
  await t.test('failures say what to do, with an exit code of their own', async (t) => {
    const denied = { AWS_SECRET_ACCESS_KEY: SECRET };
    for (const args of [
      ['list', url],
      ['create', dir('db'), url],
      ['restore', url, dir('denied')],
    ]) {
      const { exit, code, message } = await failing(args, { env: denied });
      t.match({ exit, code }, { exit: 1, code: 'STORE_DENIED' }, args[0]);
      t.match(message, /s3:\/\/backups\/users.*SignatureDoesNotMatch \(HTTP 403\).*Check the credentials/);
      t.notMatch(message, SECRET);
    }
    t.match(await failing(['list', `s3://nowhere/users?endpoint=${endpoint}`]), {
      exit: 3,
      code: 'STORE_NO_BUCKET',
      message: /s3:\/\/nowhere\/users.*NoSuchBucket \(HTTP 404\)\. Check the name of the bucket/,
    });
    t.match(await failing(['create', dir('db'), `s3://nowhere/users?endpoint=${endpoint}`]), {
      exit: 3,
      code: 'STORE_NO_BUCKET',
    });
    t.match(await failing(['list', `s3://backups/nothing?endpoint=${endpoint}`]), {
      exit: 3,
      code: 'DIRECTORY_NOT_FOUND',
      message: /s3:\/\/backups\/nothing is not a repository/,
    });
    t.match(await failing(['list', `s3://backups/users?endpoint=http://127.0.0.1:${await freePort()}`]), {
      exit: 1,
      code: 'STORE_UNREACHABLE',
      message: /ECONNREFUSED.*given up after.*Check the endpoint/,
    });
    const nobody = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', HOME: dir() };
    t.match(await failing(['list', url], { env: nobody }), {
      exit: 1,
      code: 'STORE_DENIED',
      message: /Could not load credentials.*AWS_ACCESS_KEY_ID/,
    });
    await t.rejects(BackupEngine.open(`s3://nowhere/users?endpoint=${endpoint}`, { readOnly: true }), {
      code: 'STORE_NO_BUCKET',
      status: 404,
      storeCode: 'NoSuchBucket',
      requestId: /./,
      path: /s3:\/\/nowhere\/users/,
      advice: 'storeNoBucket',
    });
  });
});

function clientOf({ endpoint, credentials }: CephServer): S3Client {
  return new S3Client({ endpoint, credentials: { ...credentials }, region: 'us-east-1', forcePathStyle: true });
}

async function makeBucket(ceph: CephServer): Promise<void> {
  const client = clientOf(ceph);
  await client.send(new CreateBucketCommand({ Bucket: 'backups' }));
  client.destroy();
}
