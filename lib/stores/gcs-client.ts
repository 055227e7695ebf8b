// The options of a store in Google Cloud, and its requests. The parts of @google-cloud/storage that are used are declared here so that
// every version fits, and our types do not need its types.

import { checkOptions } from '../base/check-object.js';
import { describe, invalidOption } from '../base/errors.js';
import { gcsFailure } from './gcs-failures.js';
import { orAbort } from './or-abort.js';
import { loadPeer } from './peer.js';
import { checkSingleWriter, type SingleWriterOption } from './single-writer.js';
import { type Attempt, keyPrefix } from './store-failure.js';

/** A Storage of @google-cloud/storage. */
export interface GcsStorage {
  readonly apiEndpoint: string;
  readonly authClient: {
    request(options: object): Promise<{ status: number; headers: unknown; data: unknown }>;
  };
}

export interface GcsStoreOptions extends SingleWriterOption {
  bucket: string;
  /** The repository lies below this prefix. Several may share a bucket. */
  prefix?: string | undefined;
  /** @default `https://storage.googleapis.com` */
  endpoint?: string | undefined;
  /** The file with the key of a service account. @default what Google's library finds: the environment, a login, the machine's account */
  keyFilename?: string | undefined;
  /** The key of a service account itself. */
  credentials?: { client_email?: string | undefined; private_key?: string | undefined } | undefined;
  /** The project that pays for the requests, for a bucket where the requester pays. */
  userProject?: string | undefined;
  /** 'NEARLINE', 'COLDLINE', ... Objects that are soon replaced do not get it. @default what the bucket says */
  storageClass?: string | undefined;
  kmsKeyName?: string | undefined;
  /** A Storage of your own, instead of endpoint, keyFilename and credentials. */
  client?: GcsStorage | undefined;
}

const NAMES = [
  'bucket',
  'prefix',
  'endpoint',
  'keyFilename',
  'credentials',
  'userProject',
  'storageClass',
  'kmsKeyName',
  'singleWriter',
  'client',
] as const satisfies readonly (keyof GcsStoreOptions)[];

const OF_THE_CLIENT = ['endpoint', 'keyFilename', 'credentials'] as const;

export interface GcsRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** What follows the endpoint. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface GcsAnswer {
  readonly bytes: Buffer;
  readonly header: (name: string) => string | undefined;
  /** The metadata of the object. */
  readonly metadata: Record<string, string>;
}

export class GcsClient {
  readonly prefix: string;
  readonly name: string;
  readonly options: GcsStoreOptions;
  readonly #storage: GcsStorage;

  constructor(options: GcsStoreOptions) {
    checkOptions('options', options, NAMES, 'an object such as { bucket: "backups" }');
    const { bucket, endpoint, keyFilename, credentials, client } = options;
    if (typeof bucket !== 'string' || !/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(bucket)) {
      throw invalidOption(TypeError, 'bucket', 'the name of a bucket', describe(bucket));
    }
    const double = client && OF_THE_CLIENT.find((name) => options[name] !== undefined);
    if (double) throw invalidOption(TypeError, double, 'left out where client is given', 'given'); // it may be a secret
    checkSingleWriter(options);
    this.options = options;
    this.prefix = keyPrefix(options.prefix);
    this.name = `gs://${bucket}/${this.prefix}`.replace(/\/$/, '');
    if (client) {
      this.#storage = client;
      return;
    }
    const { Storage } = loadPeer<{ Storage: new (options: object) => GcsStorage }>('@google-cloud/storage', () =>
      require('@google-cloud/storage'),
    );
    this.#storage = new Storage({
      ...(endpoint !== undefined && { apiEndpoint: endpoint }),
      ...(keyFilename !== undefined && { keyFilename }),
      ...(credentials !== undefined && { credentials }),
    });
  }

  /** The path of an object in the XML API. */
  objectPath(key: string): string {
    return `/${this.options.bucket}/${(this.prefix + key).split('/').map(encodeURIComponent).join('/')}`;
  }

  /** The path of the bucket's objects in the JSON API. */
  get listPath(): string {
    return `/storage/v1/b/${this.options.bucket}/o`;
  }

  get endpoint(): string {
    return this.#storage.apiEndpoint.replace(/\/$/, '');
  }

  async send(request: GcsRequest, signal: AbortSignal, attempt: Attempt): Promise<GcsAnswer> {
    signal.throwIfAborted();
    const { userProject } = this.options;
    const call = {
      method: request.method,
      url: this.endpoint + request.path + queryOf(request.query),
      headers: {
        'content-type': 'application/octet-stream',
        ...request.headers,
        ...(userProject !== undefined && { 'x-goog-user-project': userProject }),
      },
      ...(request.body !== undefined && { data: Buffer.from(request.body) }),
      responseType: 'arraybuffer',
      retry: false, // retries are ours alone: see retries.ts
      signal,
    };
    try {
      // A token may have to be fetched first, which does not look at the signal.
      const answer = await orAbort(signal, this.#storage.authClient.request(call));
      return answerOf(answer);
    } catch (error) {
      signal.throwIfAborted();
      throw gcsFailure(error, attempt, this.endpoint);
    }
  }
}

function queryOf(query: GcsRequest['query'] = {}): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [value === '' ? name : `${name}=${encodeURIComponent(value)}`],
  );
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/** Version 7 of the library has the headers in an object, later versions in a Headers, which need not be that of Node. */
function headersOf(headers: unknown): Record<string, string> {
  const entries = (headers as Headers | undefined)?.entries;
  return typeof entries === 'function'
    ? Object.fromEntries(entries.call(headers))
    : ((headers ?? {}) as Record<string, string>);
}

function answerOf({ headers: raw, data }: { headers: unknown; data: unknown }): GcsAnswer {
  const headers = headersOf(raw);
  const bytes = Buffer.from((data ?? '') as ArrayBuffer);
  const length = headers['content-length'];
  if (length !== undefined && headers['content-encoding'] === undefined && Number(length) !== bytes.length) {
    const message = `the answer ended after ${bytes.length} of ${length} bytes`;
    throw Object.assign(new Error(message), { code: 'ECONNRESET' });
  }
  const own = Object.entries(headers).filter(([name]) => name.startsWith('x-goog-meta-'));
  return {
    bytes,
    header: (name) => headers[name],
    metadata: Object.fromEntries(own.map(([name, value]) => [name.slice('x-goog-meta-'.length), value])),
  };
}
