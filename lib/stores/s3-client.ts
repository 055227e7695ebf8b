// The parts of @aws-sdk/client-s3 that are used. They are declared here so that every 3.x fits, and our types do not need its types.

import { RocksDBError } from '../base/errors.js';
import { loadPeer } from './peer.js';
import { areS3Credentials, S3_CREDENTIALS, type S3Client, type S3Credentials, type S3Settings } from './s3-options.js';

export type S3Command =
  | 'PutObject'
  | 'GetObject'
  | 'ListObjectsV2'
  | 'DeleteObjects'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads';

export interface S3Answers {
  PutObject: { ETag?: string };
  GetObject: {
    ETag?: string;
    ContentLength?: number;
    ContentRange?: string;
    Metadata?: Record<string, string>;
    Body?: AsyncIterable<Uint8Array> & { destroy(error?: Error): void };
  };
  ListObjectsV2: {
    Contents?: { Key?: string; Size?: number; ETag?: string; LastModified?: Date }[];
    IsTruncated?: boolean;
    NextContinuationToken?: string;
  };
  DeleteObjects: { Errors?: { Key?: string; Code?: string; Message?: string }[] };
  CreateMultipartUpload: { UploadId?: string };
  UploadPart: { ETag?: string; ChecksumCRC32C?: string };
  CompleteMultipartUpload: { ETag?: string; Key?: string };
  AbortMultipartUpload: object;
  ListMultipartUploads: {
    Uploads?: { Key?: string; UploadId?: string; Initiated?: Date }[];
    IsTruncated?: boolean;
    NextKeyMarker?: string;
    NextUploadIdMarker?: string;
  };
}

interface Sdk {
  S3Client: new (config: object) => S3Client;
  [command: `${string}Command`]: new (input: object) => object;
}

export type SendToS3 = <C extends S3Command>(command: C, input: object, signal: AbortSignal) => Promise<S3Answers[C]>;

export function connectToS3({ options, crc32c }: S3Settings): SendToS3 {
  const sdk = loadPeer<Sdk>('@aws-sdk/client-s3', () => require('@aws-sdk/client-s3'));
  checkVersion(require('@aws-sdk/client-s3/package.json').version);
  const { endpoint, credentials, profile } = options;
  const region = options.region ?? (endpoint === undefined ? undefined : 'us-east-1');
  const client =
    options.client ??
    new sdk.S3Client({
      maxAttempts: 1, // retries are ours alone: see retries.ts
      requestChecksumCalculation: crc32c ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
      // Some versions of the SDK end the process when a small answer has another checksum. What is restored is checked anyway.
      responseChecksumValidation: 'WHEN_REQUIRED',
      // With that header, the SDK makes a new connection for each large part, also while others are idle, and waits for one more answer.
      expectContinueHeader: false,
      forcePathStyle: options.forcePathStyle ?? endpoint !== undefined,
      ...(endpoint !== undefined && { endpoint }),
      ...(region !== undefined && { region }),
      // The SDK writes into the object that it gets.
      ...(credentials !== undefined && {
        credentials: typeof credentials === 'function' ? () => checkedCredentials(credentials) : { ...credentials },
      }),
      ...(profile !== undefined && { profile }),
    });
  return (command, input, signal) =>
    client.send(new sdk[`${command}Command`]!({ Bucket: options.bucket, ...input }), { abortSignal: signal });
}

async function checkedCredentials(credentials: () => Promise<S3Credentials>): Promise<S3Credentials> {
  const given = await credentials();
  if (areS3Credentials(given)) return given;
  const error = new Error(`credentials must resolve with ${S3_CREDENTIALS}`);
  error.name = 'CredentialsProviderError'; // that of the SDK
  throw error;
}

/** Versions before this one drop If-Match from a put without a word. Two writers would then both have the same lock. */
const FIRST_WITH_CONDITIONS = 700;

function checkVersion(version: string): void {
  const [major, minor] = version.split('.').map(Number);
  if (major === 3 && minor! < FIRST_WITH_CONDITIONS) {
    throw new RocksDBError(
      `@aws-sdk/client-s3 ${version} has no conditional puts: run \`npm install @aws-sdk/client-s3@3\``,
      'PACKAGE_TOO_OLD',
    );
  }
}
