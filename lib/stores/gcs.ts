import { createHash } from 'node:crypto';
import { deleteEach } from './delete-each.js';
import { type GcsAnswer, GcsClient, type GcsRequest, type GcsStoreOptions } from './gcs-client.js';
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
import { type Attempt, storeError } from './store-failure.js';

export type { GcsStorage, GcsStoreOptions } from './gcs-client.js';

/**
 * A bucket of Google Cloud Storage. Needs the package `@google-cloud/storage`, 7 or newer.
 *
 * Large objects go in parts, as in S3: a resumable upload takes its data in order only, and objects that are composed of others leave these
 * behind, where a bucket keeps what was deleted. What the store's owner must be allowed: storage.objects.create, .get, .list and .delete,
 * storage.multipartUploads.create, .abort, .list and .listParts.
 *
 * Google takes one write a second for each name.
 *
 * @example
 * const store = gcsStore({ bucket: 'backups', prefix: 'orders' });
 */
export function gcsStore(options: GcsStoreOptions): ObjectStore {
  return new GcsStore(new GcsClient(options));
}

/** How many objects are deleted at the same time. */
const DELETES_AT_ONCE = 16;

/**
 * The library gives credentials, proxies and its endpoint. The requests are those of Google's XML API, whose errors tell a missing object
 * from a missing bucket, and whose answers have the metadata with the bytes; lists are those of the JSON API. An ETag is the object's
 * generation: Google's conditions ask for that.
 */
class GcsStore implements ObjectStore {
  readonly name: string;
  readonly singleWriter: boolean | undefined;
  readonly identity: string;
  readonly multipart: MultipartStore;
  readonly #client: GcsClient;

  constructor(client: GcsClient) {
    this.name = client.name;
    this.singleWriter = client.options.singleWriter;
    this.identity = `${client.name} ${client.endpoint}`;
    this.#client = client;
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
    const generation = options.ifAbsent ? '0' : options.ifMatch;
    const headers = {
      ...this.#objectHeaders(options),
      'content-md5': md5(bytes),
      ...(generation !== undefined && { 'x-goog-if-generation-match': generation }),
    };
    return {
      etag: generationOf(await this.#send({ method: 'PUT', key, headers, body: bytes }, options, attempt), attempt),
    };
  }

  async get(key: string, options: GetOptions): Promise<StoredObject> {
    const { offset = 0, length } = options;
    const attempt = this.#attempt('read', key);
    if (length === 0) return this.#getNothing(key, options, attempt);
    const ranged = offset > 0 || length !== undefined;
    const last = length === undefined ? '' : offset + length - 1;
    const answer = await this.#read(key, ranged ? `bytes=${offset}-${last}` : undefined, options, attempt);
    if (answer === undefined) return this.#getNothing(key, options, attempt);
    if (ranged && !answer.header('content-range')?.startsWith(`bytes ${offset}-`)) {
      throw storeError(attempt, 'REFUSED', 'the store answers with other bytes than it was asked for', {});
    }
    return { bytes: answer.bytes, etag: generationOf(answer, attempt), metadata: answer.metadata };
  }

  async list(prefix: string, options: ListOptions): Promise<ListPage> {
    const attempt = this.#attempt('list', prefix);
    const query = {
      prefix: this.#client.prefix + prefix,
      pageToken: options.after,
      fields: 'items(name,size,generation,updated),nextPageToken',
    };
    const request = { method: 'GET', path: this.#client.listPath, query } as const;
    const answer = await this.#client.send(request, options.signal, attempt).catch((error) => {
      if (error.facts?.storeCode !== 'notFound') throw error;
      throw storeError(attempt, 'NO_BUCKET', 'there is no such bucket', error.facts);
    });
    const { items = [], nextPageToken } = listOf(answer, attempt);
    const objects = items.map(({ name, size, generation, updated }) => ({
      key: name.slice(this.#client.prefix.length),
      size: Number(size),
      etag: generation,
      modified: Date.parse(updated),
    }));
    return nextPageToken ? { objects, next: nextPageToken } : { objects };
  }

  delete(keys: readonly string[], options: CallOptions): Promise<void> {
    return deleteEach(keys, DELETES_AT_ONCE, (key) =>
      this.#send({ method: 'DELETE', key }, options, this.#attempt('delete', key)).catch(ifThere),
    );
  }

  async #create(key: string, options: StoreWriteOptions): Promise<{ upload: string }> {
    const attempt = this.#attempt('begin', key);
    const headers = this.#objectHeaders(options);
    const answer = await this.#send({ method: 'POST', key, query: { uploads: '' }, headers }, options, attempt);
    return { upload: textOf(answer.bytes.toString(), 'UploadId') ?? incomplete(attempt) };
  }

  async #part(key: string, uploadId: string, partNumber: number, bytes: Uint8Array, options: CallOptions) {
    const attempt = this.#attempt(`write part ${partNumber} of`, key);
    const query = { partNumber, uploadId };
    const headers = { 'content-md5': md5(bytes) };
    const answer = await this.#send({ method: 'PUT', key, query, headers, body: bytes }, options, attempt);
    return { etag: answer.header('etag') ?? incomplete(attempt) };
  }

  async #complete(
    key: string,
    uploadId: string,
    parts: readonly string[],
    options: CallOptions,
  ): Promise<{ etag: string }> {
    const attempt = this.#attempt('complete', key);
    const list = parts.map((etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
    const body = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`;
    const answer = await this.#send({ method: 'POST', key, query: { uploadId }, body }, options, attempt);
    if (textOf(answer.bytes.toString(), 'ETag') === undefined) incomplete(attempt);
    const { etag } = await this.#getNothing(key, options, attempt); // the answer does not name the generation
    return { etag };
  }

  async #abort(key: string, uploadId: string, options: CallOptions): Promise<void> {
    await this.#send({ method: 'DELETE', key, query: { uploadId } }, options, this.#attempt('abort', key)).catch(
      ifThere,
    );
  }

  async #listUploads(prefix: string, options: ListOptions): Promise<UploadsPage> {
    const [keyMarker, uploadMarker] = options.after === undefined ? [] : (JSON.parse(options.after) as string[]);
    const query = {
      uploads: '',
      prefix: this.#client.prefix + prefix,
      'key-marker': keyMarker,
      'upload-id-marker': uploadMarker,
    };
    const request = { method: 'GET', path: `/${this.#client.options.bucket}`, query } as const;
    const answer = await this.#client.send(request, options.signal, this.#attempt('list the uploads of', prefix));
    const text = answer.bytes.toString();
    const uploads = [...text.matchAll(/<Upload>(.*?)<\/Upload>/gs)].map(([, upload = '']) => ({
      key: (textOf(upload, 'Key') ?? '').slice(this.#client.prefix.length),
      upload: textOf(upload, 'UploadId') ?? '',
      started: Date.parse(textOf(upload, 'Initiated') ?? ''),
    }));
    if (textOf(text, 'IsTruncated') !== 'true') return { uploads };
    return { uploads, next: JSON.stringify([textOf(text, 'NextKeyMarker'), textOf(text, 'NextUploadIdMarker')]) };
  }

  /** Of an object from which no byte is wanted: its generation and its metadata. */
  async #getNothing(key: string, options: GetOptions, attempt: Attempt): Promise<StoredObject> {
    const first = await this.#read(key, 'bytes=0-0', options, attempt);
    const answer = first ?? (await this.#read(key, undefined, options, attempt)); // an empty object has no range
    if (answer === undefined) return incomplete(attempt);
    return { bytes: new Uint8Array(0), etag: generationOf(answer, attempt), metadata: answer.metadata };
  }

  /** Undefined if the object ends before the range. */
  #read(key: string, range: string | undefined, options: GetOptions, attempt: Attempt): Promise<GcsAnswer | undefined> {
    const headers = {
      ...(range !== undefined && { range }),
      ...(options.ifMatch !== undefined && { 'x-goog-if-generation-match': options.ifMatch }),
    };
    return this.#send({ method: 'GET', key, headers }, options, attempt).catch((error) => {
      if (error.facts?.status !== 416) throw error;
      return undefined;
    });
  }

  #objectHeaders({ metadata = {}, temporary }: StoreWriteOptions): Record<string, string> {
    const { storageClass, kmsKeyName } = this.#client.options;
    return {
      ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-goog-meta-${name}`, value])),
      ...(storageClass !== undefined && !temporary && { 'x-goog-storage-class': storageClass }),
      ...(kmsKeyName !== undefined && { 'x-goog-encryption-kms-key-name': kmsKeyName }),
    };
  }

  #send({ key, ...request }: Omit<GcsRequest, 'path'> & { key: string }, { signal }: CallOptions, attempt: Attempt) {
    return this.#client.send({ ...request, path: this.#client.objectPath(key) }, signal, attempt);
  }

  #attempt(doing: string, key?: string): Attempt {
    return { store: this.name, doing, key };
  }
}

interface JsonList {
  items?: { name: string; size: string; generation: string; updated: string }[];
  nextPageToken?: string;
}

function listOf({ bytes }: GcsAnswer, attempt: Attempt): JsonList {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw storeError(attempt, 'REFUSED', 'the answer is not from Google Cloud Storage', {});
  }
}

function ifThere(error: { kind?: string }): void {
  if (error.kind !== 'NOT_FOUND') throw error;
}

function generationOf({ header }: GcsAnswer, attempt: Attempt): string {
  return header('x-goog-generation') ?? incomplete(attempt);
}

function incomplete(attempt: Attempt): never {
  throw storeError(attempt, 'BUSY', 'the answer is not complete', {});
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The text of the first element with this name. */
function textOf(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text?.replace(/&(?:#(\d+)|(\w+));/g, (whole, code, entity) =>
    code === undefined ? (ENTITIES[entity] ?? whole) : String.fromCodePoint(Number(code)),
  );
}

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('base64');
