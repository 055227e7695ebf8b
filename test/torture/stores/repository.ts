// A repository in a bucket, as it must be: what is listed, what it holds, and that nothing else is there.

import { rmSync } from 'node:fs';
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { type BackupEngine, Database } from '../../../lib/index.js';
import { type Content, digestOf, readDigest } from './content.js';

export const BUCKET = 'backups';

/** Reads every key of the database in a directory. @returns how many there are; throws if it does not hold exactly this */
export async function compareDatabase(directory: string, seed: number, expected: Content): Promise<number> {
  const db = await Database.open(directory, { createIfMissing: false });
  try {
    const { digest, keys } = await readDigest(db);
    if (digest !== digestOf(seed, expected)) {
      throw new Error(`it does not hold the content after step ${expected.steps} (large value of ${expected.large})`);
    }
    return keys;
  } finally {
    await db.close();
  }
}

/** Restores a backup and compares it. @returns how many keys it has */
export async function restoreAndCompare(
  engine: BackupEngine,
  id: number,
  directory: string,
  { seed, content }: { seed: number; content: Content },
): Promise<number> {
  try {
    await engine.restoreBackup(id, directory);
    return await compareDatabase(directory, seed, content);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The keys of all objects below a prefix, asked of the server itself. */
export async function keysBelow(client: S3Client, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix, ContinuationToken }));
    for (const { Key = '' } of page.Contents ?? []) keys.push(Key.slice(prefix.length));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return keys;
}

/** Ends the uploads in parts below a prefix that were begun and neither completed nor aborted. @returns how many there were */
export async function abortUploads(client: S3Client, prefix: string): Promise<number> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: prefix }));
  for (const { Key, UploadId } of Uploads) {
    await client.send(new AbortMultipartUploadCommand({ Bucket: BUCKET, Key, UploadId }));
  }
  return Uploads.length;
}

export async function deleteBelow(client: S3Client, prefix: string): Promise<void> {
  const keys = await keysBelow(client, prefix);
  if (keys.length === 0) return;
  const Objects = keys.map((key) => ({ Key: prefix + key }));
  await client.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }));
}

/** The objects that no backup names, and that are not the repository's own. Leases of dead readers are there until their backup goes. */
export async function unneeded(client: S3Client, prefix: string, engine: BackupEngine): Promise<string[]> {
  const infos = await engine.getBackupInfo({ fileDetails: true });
  const needed = new Set(infos.flatMap(({ fileDetails = [] }) => fileDetails.map(({ name }) => name)));
  for (const { backupId } of infos) needed.add(`meta/${backupId}`).add(`private/${backupId}/rocksdb-backup.files`);
  const ids = infos.map(({ backupId }) => String(backupId));
  return (await keysBelow(client, prefix)).filter((key) => {
    const reader = /^rocksdb-backup\.leases\/reading-(\d+)-/.exec(key)?.[1];
    if (reader !== undefined) return !ids.includes(reader);
    return !needed.has(key) && !/^rocksdb-backup\.(repository$|state\.|leases\/(deleting|state)$)/.test(key);
  });
}
