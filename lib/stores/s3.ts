import type {
  CallOptions,
  GetOptions,
  ListOptions,
  ListPage,
  MultipartStore,
  ObjectStore,
  PutOptions,
  StoredObject,
  StoreWriteOptions,
  UploadsPage,
} from './object-store.js';
import { bodyOf } from './response-body.js';
import { connectToS3, type S3Answers, type S3Command, type SendToS3 } from './s3-client.js';
import { deleteFailure, s3Failure } from './s3-failures.js';
import { objectHeaders, type S3Settings, type S3StoreOptions, s3Settings } from './s3-options.js';
import { type Attempt, stillThere, storeError, unquoted } from './store-failure.js';

export type { S3Client, S3Credentials, S3ObjectLock, S3StoreOptions } from './s3-options.js';

/**
 * A bucket of Amazon S3, or of a store that speaks S3: Ceph, MinIO, R2, ... Needs the package `@aws-sdk/client-s3`,
 * 3.700 or newer.
 *
 * What the store's owner must be allowed: s3:PutObject, s3:GetObject, s3:DeleteObject and s3:AbortMultipartUpload for the objects,
 * s3:ListBucket and s3:ListBucketMultipartUploads for the bucket. Without s3:ListBucket, S3 says "denied" of an object that is not there.
 *
 * @example
 * const store = s3Store({ bucket: 'backups', prefix: 'orders' });
 */
export function s3Store(options: S3StoreOptions): ObjectStore {
  const settings = s3Settings(options);
  return new S3Store(settings, connectToS3(settings));
}

class S3Store implements ObjectStore {
  readonly name: string;
  readonly singleWriter: boolean | undefined;
  readonly objectLock: ObjectStore['objectLock'];
  readonly identity: string;
  readonly multipart: MultipartStore;
  readonly #settings: S3Settings;
  readonly #send: SendToS3;

  constructor(settings: S3Settings, send: SendToS3) {
    this.name = settings.name;
    this.singleWriter = settings.options.singleWriter;
    this.objectLock = settings.options.objectLock;
    // Two places that differ in more than this have no ETag in common: it is a digest of the content, or random.
    this.identity = `${settings.name} ${settings.options.endpoint ?? ''}`;
    this.#settings = settings;
    this.#send = send;
    this.multipart = {
      minPartBytes: 5 * 2 ** 20,
      maxParts: 10_000,
      create: (key, options) => this.#create(key, options),
      part: (key, upload, number, bytes, options) => this.#part(key, upload, number, bytes, options),
      complete: (key, upload, parts, options) => this.#complete(key, upload, parts, options),
      abort: (key, upload, options) => this.#abort(key, upload, options),
      list: (prefix, options) => this.#listUploads(prefix, options),
    };
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions): Promise<{ etag: string }> {
    const attempt = this.#attempt('write', key);
    const input = {
      Key: this.#path(key),
      Body: bytes,
      ContentLength: bytes.length,
      ...objectHeaders(this.#settings, options),
      ...(options.ifAbsent && { IfNoneMatch: '*' }),
      // Of a put, Ceph wants the ETag without quotes. Of a read, every store takes it as the standard has it, with quotes.
      ...(options.ifMatch !== undefined && { IfMatch: options.ifMatch }),
    };
    const { ETag } = await this.#request('PutObject', input, options, attempt).catch((error) => {
      // With If-Match, S3 says that there is no such key where the condition cannot hold.
      if (options.ifMatch === undefined || error.kind !== 'NOT_FOUND') throw error;
      throw storeError(attempt, 'CONDITION_FAILED', 'it is not there any more', error.facts);
    });
    return { etag: etagOf(ETag, attempt) };
  }

  async get(key: string, options: GetOptions): Promise<StoredObject> {
    const attempt = this.#attempt('read', key);
    const { offset = 0, length, ifMatch } = options;
    const whole = { Key: this.#path(key), ...(ifMatch !== undefined && { IfMatch: `"${ifMatch}"` }) };
    const ranged = offset > 0 || length !== undefined;
    if (length === 0) return this.#getNothing(whole, options, attempt);
    const Range = `bytes=${offset}-${length === undefined ? '' : offset + length - 1}`;
    const answer = await this.#request('GetObject', ranged ? { ...whole, Range } : whole, options, attempt).catch(
      (error) => {
        if (error.facts?.storeCode !== 'InvalidRange') throw error;
        return undefined; // the object ends before the range
      },
    );
    if (answer === undefined) return this.#getNothing(whole, options, attempt);
    if (ranged && !isRange(answer, offset)) {
      answer.Body?.destroy();
      throw storeError(attempt, 'REFUSED', 'the store answers with other bytes than it was asked for', {});
    }
    const bytes = await bodyOf(answer.Body, answer.ContentLength, options).catch((error) => {
      throw s3Failure(error, attempt);
    });
    return { bytes, etag: etagOf(answer.ETag, attempt), metadata: answer.Metadata ?? {} };
  }

  async list(prefix: string, options: ListOptions): Promise<ListPage> {
    const attempt = this.#attempt('list', prefix);
    const input = {
      Prefix: this.#path(prefix),
      ...(options.after !== undefined && { ContinuationToken: options.after }),
    };
    const answer = await this.#request('ListObjectsV2', input, options, attempt);
    const objects = (answer.Contents ?? []).map(({ Key = '', Size = 0, ETag = '', LastModified }) => ({
      key: this.#key(Key),
      size: Size,
      etag: unquoted(ETag),
      modified: LastModified?.getTime() ?? 0,
    }));
    if (!answer.IsTruncated) return { objects };
    if (!answer.NextContinuationToken)
      throw storeError(attempt, 'REFUSED', 'the store does not say where it goes on', {});
    return { objects, next: answer.NextContinuationToken };
  }

  async delete(keys: readonly string[], options: CallOptions): Promise<void> {
    if (keys.length === 0) return;
    const attempt = this.#attempt('delete');
    const Objects = keys.map((key) => ({ Key: this.#path(key) }));
    const { Errors = [] } = await this.#request(
      'DeleteObjects',
      { Delete: { Objects, Quiet: true } },
      options,
      attempt,
    );
    const failed = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
    if (failed.length === 0) return;
    const locks = this.objectLock !== undefined;
    const failures = failed.map(({ Key = '', Code, Message }) =>
      deleteFailure(attempt, { key: this.#key(Key), code: Code, message: Message }, { locks }),
    );
    // What cannot be deleted decides: sending the others again would not help.
    const lasting = failures.find(({ kind }) => kind !== 'BUSY');
    throw lasting === undefined
      ? failures[0]
      : stillThere(
          lasting,
          failed.map(({ Key = '' }) => this.#key(Key)),
        );
  }

  async #create(key: string, options: StoreWriteOptions): Promise<{ upload: string }> {
    const attempt = this.#attempt('begin', key);
    const input = { Key: this.#path(key), ...objectHeaders(this.#settings, options) };
    const { UploadId } = await this.#request('CreateMultipartUpload', input, options, attempt);
    if (!UploadId) throw storeError(attempt, 'BUSY', 'the answer names no upload', {});
    return { upload: UploadId };
  }

  async #part(key: string, upload: string, number: number, bytes: Uint8Array, options: CallOptions) {
    const attempt = this.#attempt(`write part ${number} of`, key);
    const input = {
      Key: this.#path(key),
      UploadId: upload,
      PartNumber: number,
      Body: bytes,
      ContentLength: bytes.length,
      ...(this.#settings.crc32c && { ChecksumAlgorithm: 'CRC32C' }),
    };
    const { ETag, ChecksumCRC32C } = await this.#request('UploadPart', input, options, attempt);
    const etag = etagOf(ETag, attempt);
    // S3 wants to see the checksum of each part again when the object is made.
    return { etag: ChecksumCRC32C ? `${etag} ${ChecksumCRC32C}` : etag };
  }

  async #complete(
    key: string,
    upload: string,
    parts: readonly string[],
    options: CallOptions,
  ): Promise<{ etag: string }> {
    const attempt = this.#attempt('complete', key);
    const Parts = parts.map((part, at) => {
      const [ETag, ChecksumCRC32C] = part.split(' ');
      return { PartNumber: at + 1, ETag, ...(ChecksumCRC32C && { ChecksumCRC32C }) };
    });
    const input = { Key: this.#path(key), UploadId: upload, MultipartUpload: { Parts } };
    const { ETag, Key } = await this.#request('CompleteMultipartUpload', input, options, attempt);
    // Ceph tells of its success with an ETag that is empty. Without its key the answer is no success: it was begun before the store knew.
    if (!ETag && Key) return this.get(key, { ...options, offset: 0, length: 1 });
    return { etag: etagOf(ETag, attempt) };
  }

  async #abort(key: string, upload: string, options: CallOptions): Promise<void> {
    const input = { Key: this.#path(key), UploadId: upload };
    await this.#request('AbortMultipartUpload', input, options, this.#attempt('abort', key)).catch((error) => {
      if (error.kind !== 'NOT_FOUND') throw error;
    });
  }

  async #listUploads(prefix: string, options: ListOptions): Promise<UploadsPage> {
    const [KeyMarker, UploadIdMarker] = options.after === undefined ? [] : (JSON.parse(options.after) as string[]);
    const input = { Prefix: this.#path(prefix), KeyMarker, UploadIdMarker };
    const answer = await this.#request(
      'ListMultipartUploads',
      input,
      options,
      this.#attempt('list the uploads of', prefix),
    );
    const uploads = (answer.Uploads ?? []).map(({ Key = '', UploadId = '', Initiated }) => ({
      key: this.#key(Key),
      upload: UploadId,
      started: Initiated?.getTime() ?? 0,
    }));
    if (!answer.IsTruncated) return { uploads };
    return { uploads, next: JSON.stringify([answer.NextKeyMarker, answer.NextUploadIdMarker]) };
  }

  /** Of an object from which no byte is wanted: its ETag and its metadata. */
  async #getNothing(whole: object, options: GetOptions, attempt: Attempt): Promise<StoredObject> {
    const { Body, ETag, Metadata = {} } = await this.#request('GetObject', whole, options, attempt);
    Body?.destroy();
    return { bytes: new Uint8Array(0), etag: etagOf(ETag, attempt), metadata: Metadata };
  }

  async #request<C extends S3Command>(
    command: C,
    input: object,
    { signal }: CallOptions,
    attempt: Attempt,
  ): Promise<S3Answers[C]> {
    try {
      return await this.#send(command, input, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw s3Failure(error, attempt);
    }
  }

  #attempt(doing: string, key?: string): Attempt {
    return { store: this.name, doing, key };
  }

  #path(key: string): string {
    return this.#settings.prefix + key;
  }

  #key(path: string): string {
    return path.slice(this.#settings.prefix.length);
  }
}

function etagOf(etag: string | undefined, attempt: Attempt): string {
  if (!etag) throw storeError(attempt, 'BUSY', 'the store answers without an ETag', {});
  return unquoted(etag);
}

function isRange({ ContentRange }: S3Answers['GetObject'], offset: number): boolean {
  return ContentRange === undefined ? false : ContentRange.startsWith(`bytes ${offset}-`);
}
