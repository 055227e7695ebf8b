// Copies, probes and the status of repositories in the buckets of a real gateway.

import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import t from 'tap';
import { BackupEngine, copyBackups, Database, probeStore, repositoryStatus } from '../../lib/index.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { signIn, startBucket } from '../stores/servers/bucket.js';
import { withoutCeph } from '../stores/servers/ceph.js';

t.test('repositories in buckets', { skip: withoutCeph() }, async (t) => {
  const dir = t.testdir();
  const { endpoint, credentials, client } = await startBucket(t);
  signIn(credentials);
  const url = (prefix: string) => `s3://backups/${prefix}?endpoint=${endpoint}`;

  const local = join(dir, 'local');
  const db = await Database.open(join(dir, 'db'), { createIfMissing: true });
  const engine = await BackupEngine.open(local);
  for (let round = 1; round <= 3; round++) {
    // Larger than a part of an upload.
    for (let i = 0; i < 10; i++) db.put(`${round}-${i}`, randomBytes(1_000_000));
    await db.flush();
    await engine.createBackup(db);
  }
  const original = await engine.getBackupInfo({ fileDetails: true });
  await engine.close();

  const backupsAt = async (location: string) => {
    const engine = await BackupEngine.open(location, { readOnly: true });
    const backups = await engine.getBackupInfo({ fileDetails: true });
    for (const { backupId } of backups) await engine.verifyBackup(backupId, { checksum: true });
    await engine.close();
    return backups;
  };

  await t.test('probe', async (t) => {
    const result = await probeStore(url('copied'));
    t.strictSame(
      result.checks.filter(({ state }) => state !== 'passed'),
      [],
    );
    t.match(result, { canRead: true, canWrite: true, severalWriters: true });
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: 'backups' }));
    t.strictSame(Contents, [], 'nothing is left');
    const answer = await cliAnswer(t, ['probe', url('copied')]);
    t.match(answer.json, { canWrite: true });
    const none = await cli(t, ['probe', `s3://no-such-bucket/a?endpoint=${endpoint}`]);
    t.equal(none.code, 1);
    t.match(none.stdout, /No backup can be made there/);
    const stranger = await cli(t, ['probe', url('a')], {
      env: { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'nothing' },
    });
    t.equal(stranger.code, 1);
    t.match(stranger.stdout, /list objects +failed +.*InvalidAccessKeyId/);
    t.notMatch(stranger.stdout, /missing/, 'who is not known lacks no single right');
  });

  await t.test('copies', async (t) => {
    const begin = performance.now();
    const { bytes } = await copyBackups(local, url('copied'));
    const there = performance.now();
    await copyBackups(url('copied'), url('again'));
    const between = performance.now();
    await copyBackups(url('again'), join(dir, 'back'));
    const rates = [there - begin, between - there, performance.now() - between].map(
      (ms) => `${Math.round(bytes / ms / 1000)} MB/s`,
    );
    t.comment(`${bytes} bytes to a bucket, between buckets, to a directory: ${rates.join(', ')}`);
    for (const place of [url('copied'), url('again'), join(dir, 'back')])
      t.strictSame(await backupsAt(place), original);
    const second = await copyBackups(local, url('copied'));
    t.match(second, { files: 0, bytes: 0 });
    const ran = await cli(t, ['copy', local, url('by-cli'), '--id', '1,3']);
    t.equal(ran.code, 0, ran.stderr);
    t.match(ran.stdout, /2 backups of .*\/local copied to s3:\/\/backups\/by-cli: /);
    t.strictSame(
      (await backupsAt(url('by-cli'))).map(({ backupId }) => backupId),
      [1, 3],
    );
  });

  await t.test('a plain copy of the objects to a disk and back is a repository', async (t) => {
    const disk = join(dir, 'synced');
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: 'backups', Prefix: 'copied/' }));
    for (const { Key = '' } of Contents) {
      const file = join(disk, Key.slice('copied/'.length));
      mkdirSync(dirname(file), { recursive: true });
      const { Body } = await client.send(new GetObjectCommand({ Bucket: 'backups', Key }));
      await pipeline(Body as Readable, createWriteStream(file));
    }
    t.strictSame(await backupsAt(disk), original);
    const engine = await BackupEngine.open(disk);
    await engine.restoreBackup(2, join(dir, 'restored'));
    t.match(await engine.createBackup(db), { backupId: 4, kind: 'incremental' });
    await engine.deleteBackup(1);
    await engine.close();
    const restored = await Database.open(join(dir, 'restored'));
    t.equal((await restored.get('2-9'))?.length, 1_000_000);
    t.equal(await restored.get('3-0'), undefined);
    await restored.close();
    for (const entry of readdirSync(local, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.endsWith('.lock')) continue;
      const path = join(entry.parentPath, entry.name);
      const Key = `uploaded${path.slice(local.length)}`;
      await client.send(new PutObjectCommand({ Bucket: 'backups', Key, Body: readFileSync(path) }));
    }
    t.strictSame(await backupsAt(url('uploaded')), original);
  });

  await t.test('status', async (t) => {
    const found = await repositoryStatus(url(''), { recursive: true });
    t.strictSame(
      found.map(({ location, backups }) => [location, backups]),
      [
        ['s3://backups/again', 3],
        ['s3://backups/by-cli', 2],
        ['s3://backups/copied', 3],
        ['s3://backups/uploaded', 3],
      ],
    );
    const answer = await cliAnswer(t, ['status', url(''), '--recursive', '--max-age', '7d']);
    t.match(answer.json, { place: 's3://backups', ok: true });
    const late = await cli(t, ['status', url('copied'), '--max-age', '1ms']);
    t.equal(late.code, 1);
    t.match(late.stdout, /late/);
  });
  await db.close();
});
