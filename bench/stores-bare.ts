// What a program does that knows the AWS SDK only: the same files in the same parts, as many at the same time. It makes no lists, takes no
// lease, reads nothing back, and keeps no checksums.

import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { StoreMeasured } from './stores-child.js';

const PART = 8 * 2 ** 20;
const IN_FLIGHT = 4;
const BARE = 'bare/';

type Measure = (operation: () => Promise<number>) => Promise<StoreMeasured>;

export function clientFor(endpoint: string): S3Client {
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

/** Calls `work` for each item, at most `width` at the same time. */
export async function atOnce<T>(items: readonly T[], width: number, work: (item: T, at: number) => Promise<unknown>) {
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const at = next++;
      await work(items[at]!, at);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

const offsets = (size: number) => Array.from({ length: Math.ceil(size / PART) }, (_, n) => n * PART);

export async function bareUpload(db: string, endpoint: string, Bucket: string, files: number, measure: Measure) {
  const client = clientFor(endpoint);
  await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 })); // connected
  const names = readdirSync(db).filter((name) => /\.sst$|^MANIFEST/.test(name));
  const measured = await measure(async () => {
    let bytes = 0;
    await atOnce(names, files, async (name) => {
      const path = join(db, name);
      const { size } = statSync(path);
      bytes += size;
      const file = openSync(path, 'r');
      const read = (offset: number) => {
        const part = Buffer.allocUnsafe(Math.min(PART, size - offset));
        readSync(file, part, 0, part.length, offset);
        return part;
      };
      const object = { Bucket, Key: BARE + name };
      if (size <= PART) {
        await client.send(new PutObjectCommand({ ...object, Body: read(0) }));
      } else {
        const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
        const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
        await atOnce(offsets(size), IN_FLIGHT, async (offset, at) => {
          const part = { ...object, UploadId, PartNumber: at + 1 };
          const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: read(offset) }));
          Parts[at] = { PartNumber: at + 1, ETag };
        });
        await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts } }));
      }
      closeSync(file);
    });
    return bytes;
  });
  client.destroy();
  return measured;
}

export async function bareDownload(endpoint: string, Bucket: string, target: string, files: number, measure: Measure) {
  const client = clientFor(endpoint);
  const objects: { key: string; size: number }[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: BARE, ContinuationToken }));
    for (const { Key = '', Size = 0 } of page.Contents ?? []) objects.push({ key: Key, size: Size });
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  const measured = await measure(async () => {
    let bytes = 0;
    mkdirSync(join(target, dirname(`${BARE}x`)), { recursive: true });
    await atOnce(objects, files, async ({ key, size }) => {
      const file = openSync(join(target, key), 'w');
      await atOnce(offsets(size), IN_FLIGHT, async (offset) => {
        const Range = `bytes=${offset}-${Math.min(size, offset + PART) - 1}`;
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: key, Range }));
        let at = offset;
        for await (const piece of Body as AsyncIterable<Uint8Array>) {
          writeSync(file, piece, 0, piece.length, at);
          at += piece.length;
        }
      });
      fsyncSync(file);
      closeSync(file);
      bytes += size;
    });
    return bytes;
  });
  client.destroy();
  return measured;
}
