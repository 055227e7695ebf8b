// The options of an S3 store, and what they mean for each request.

import { checkOptions } from '../base/check-object.js';
import { describe, invalidOption } from '../base/errors.js';
import type { ObjectLock } from './object-store.js';
import { checkSingleWriter, type SingleWriterOption } from './single-writer.js';
import { keyPrefix } from './store-failure.js';

/** A client of @aws-sdk/client-s3. */
export interface S3Client {
  // biome-ignore lint/suspicious/noExplicitAny: the command classes differ between the versions of the SDK
  send(command: any, options?: { abortSignal?: AbortSignal }): Promise<any>;
}

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/** For messages. */
export const S3_CREDENTIALS = 'an object with the strings accessKeyId and secretAccessKey';

export function areS3Credentials(given: unknown): given is S3Credentials {
  const { accessKeyId, secretAccessKey } = (given ?? {}) as Partial<Record<string, unknown>>;
  return typeof accessKeyId === 'string' && typeof secretAccessKey === 'string';
}

export interface S3ObjectLock extends ObjectLock {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE';
}

export interface S3StoreOptions extends SingleWriterOption {
  bucket: string;
  /** The repository lies below this prefix. Several may share a bucket. */
  prefix?: string | undefined;
  /** The URL of another store that speaks S3: Ceph, MinIO, R2, ... @default Amazon S3 */
  endpoint?: string | undefined;
  /** @default what the AWS SDK finds in its environment; 'us-east-1' with an endpoint */
  region?: string | undefined;
  /** The bucket stands in the path of the URLs instead of the host name. @default true with an endpoint */
  forcePathStyle?: boolean | undefined;
  /** Or a function that returns them. @default what the AWS SDK finds: the environment, files, the role of the machine */
  credentials?: S3Credentials | (() => Promise<S3Credentials>) | undefined;
  /** The profile in the AWS files of this user. */
  profile?: string | undefined;
  /**
   * The store checks each object by its CRC32C when it arrives. 'none' sends a checksum only where S3 demands one. Not every store that
   * speaks S3 knows CRC32C. @default 'crc32c', but 'none' with an endpoint
   */
  checksums?: 'crc32c' | 'none' | undefined;
  /** A class whose objects can be read at once: STANDARD_IA, GLACIER_IR, ... Objects that are soon replaced do not get it. */
  storageClass?: string | undefined;
  /** 'AES256', 'aws:kms' or 'aws:kms:dsse'. @default what the bucket says */
  serverSideEncryption?: string | undefined;
  kmsKeyId?: string | undefined;
  /** Tags of each object. */
  tags?: Readonly<Record<string, string>> | undefined;
  /** Locks each object against deletion. The bucket must have object lock. Objects that are soon replaced are not locked. */
  objectLock?: S3ObjectLock | undefined;
  /** A client of your own, instead of endpoint, region, forcePathStyle, credentials and profile. Turn its retries off: `maxAttempts: 1`. */
  client?: S3Client | undefined;
}

const NAMES = [
  'bucket',
  'prefix',
  'endpoint',
  'region',
  'forcePathStyle',
  'credentials',
  'profile',
  'checksums',
  'storageClass',
  'serverSideEncryption',
  'kmsKeyId',
  'tags',
  'objectLock',
  'singleWriter',
  'client',
] as const satisfies readonly (keyof S3StoreOptions)[];

const OF_THE_CLIENT = ['endpoint', 'region', 'forcePathStyle', 'credentials', 'profile'] as const;

/** Objects of these classes must be restored for hours before they can be read. */
export const ARCHIVES = ['GLACIER', 'DEEP_ARCHIVE'];

export interface S3Settings {
  readonly bucket: string;
  readonly prefix: string;
  readonly name: string;
  readonly crc32c: boolean;
  readonly options: S3StoreOptions;
}

export function s3Settings(options: S3StoreOptions): S3Settings {
  checkOptions('options', options, NAMES, 'an object such as { bucket: "backups" }');
  const { bucket, endpoint, client, checksums, storageClass, objectLock, credentials } = options;
  if (typeof bucket !== 'string' || !/^[\w.-]{3,255}$/.test(bucket)) {
    throw invalidOption(TypeError, 'bucket', 'the name of a bucket', describe(bucket));
  }
  const double = client && OF_THE_CLIENT.find((name) => options[name] !== undefined);
  if (double) throw invalidOption(TypeError, double, 'left out where client is given', describe(options[double]));
  if (checksums !== undefined && checksums !== 'crc32c' && checksums !== 'none') {
    throw invalidOption(TypeError, 'checksums', "'crc32c' or 'none'", describe(checksums));
  }
  if (storageClass !== undefined && ARCHIVES.includes(storageClass)) {
    throw invalidOption(RangeError, 'storageClass', 'a class whose objects can be read at once', storageClass);
  }
  if (objectLock !== undefined) checkObjectLock(objectLock);
  if (credentials !== undefined && typeof credentials !== 'function' && !areS3Credentials(credentials)) {
    const expected = `${S3_CREDENTIALS}, or a function that returns such a thing`;
    throw invalidOption(TypeError, 'credentials', expected, 'what is given');
  }
  checkSingleWriter(options);
  const prefix = keyPrefix(options.prefix);
  return {
    bucket,
    prefix,
    name: `s3://${bucket}/${prefix}`.replace(/\/$/, ''),
    // S3 takes an object with a lock only together with a checksum.
    crc32c: (checksums ?? (endpoint === undefined ? 'crc32c' : 'none')) === 'crc32c' || objectLock !== undefined,
    options,
  };
}

function checkObjectLock(lock: S3ObjectLock): void {
  const { mode, until, days } = checkOptions('objectLock', lock, ['mode', 'until', 'days']);
  if (mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE') {
    throw invalidOption(TypeError, 'objectLock.mode', "'GOVERNANCE' or 'COMPLIANCE'", describe(mode));
  }
  if ((until === undefined) === (days === undefined)) {
    throw invalidOption(TypeError, 'objectLock', 'with until or with days', until === undefined ? 'neither' : 'both');
  }
  if (until !== undefined && !(until instanceof Date && until.getTime() > Date.now())) {
    throw invalidOption(RangeError, 'objectLock.until', 'a Date in the future', describe(until));
  }
  if (days !== undefined && !(Number.isInteger(days) && days > 0)) {
    throw invalidOption(RangeError, 'objectLock.days', 'a whole number of days', describe(days));
  }
}

const DAY = 24 * 60 * 60 * 1000;

/** What a request says that makes an object, by put or in parts. */
export function objectHeaders(
  { options, crc32c }: S3Settings,
  write: { metadata?: object; temporary?: boolean },
): object {
  const { storageClass, serverSideEncryption, kmsKeyId, tags, objectLock } = options;
  return {
    ...(write.metadata && { Metadata: write.metadata }),
    ...(crc32c && { ChecksumAlgorithm: 'CRC32C' }),
    ...(serverSideEncryption && { ServerSideEncryption: serverSideEncryption }),
    ...(kmsKeyId && { SSEKMSKeyId: kmsKeyId }),
    ...(tags && { Tagging: queryOf(tags) }),
    ...(storageClass && !write.temporary && { StorageClass: storageClass }),
    ...(objectLock &&
      !write.temporary && {
        ObjectLockMode: objectLock.mode,
        ObjectLockRetainUntilDate: objectLock.until ?? new Date(Date.now() + objectLock.days! * DAY),
      }),
  };
}

/** Not every store takes a + for a space, as URLSearchParams has it. */
function queryOf(tags: Readonly<Record<string, string>>): string {
  const parts = Object.entries(tags).map((tag) => tag.map(encodeURIComponent).join('='));
  return parts.join('&');
}
