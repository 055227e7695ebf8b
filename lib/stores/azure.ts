import { createHash, randomBytes } from 'node:crypto';
import { errorCode } from '../base/errors.js';
import {
  type AzureContainerClient,
  type AzureSettings,
  type AzureStoreOptions,
  azureSettings,
  type BlobPage,
} from './azure-options.js';
import { deleteEach } from './delete-each.js';
import {
  type CallOptions,
  type GetOptions,
  type ListOptions,
  type ListPage,
  type MultipartStore,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
  type StoreErrorKind,
  type StoreWriteOptions,
} from './object-store.js';
import { type Body, bodyOf } from './response-body.js';
import {
  type Attempt,
  isLostConnection,
  kindOfStatus,
  retryAfterOf,
  storeError,
  unquoted,
  withoutRequest,
} from './store-failure.js';

export type { AzureContainerClient, AzureCredential, AzureStoreOptions } from './azure-options.js';

/**
 * A container of Azure Blob Storage. Needs the package `@azure/storage-blob`, any 12.x; for the identity of the machine also
 * `@azure/identity`.
 *
 * Parts of objects that were given up cannot be listed or removed. Azure drops them after a week.
 *
 * @example
 * const store = azureStore({ account: 'acme', container: 'backups', prefix: 'orders' });
 */
export function azureStore(options: AzureStoreOptions): ObjectStore {
  return new AzureStore(azureSettings(options));
}

/** How many blobs are deleted at the same time. Azure's batches need other rights. */
const DELETES_AT_ONCE = 16;

class AzureStore implements ObjectStore {
  readonly name: string;
  readonly singleWriter: boolean | undefined;
  readonly identity: string;
  readonly multipart: MultipartStore;
  readonly #client: AzureContainerClient;
  readonly #prefix: string;
  readonly #tier: string | undefined;

  constructor({ name, singleWriter, client, prefix, tier }: AzureSettings) {
    this.name = name;
    this.singleWriter = singleWriter;
    this.identity = `${name} ${client.url?.replace(/\?.*/s, '')}`; // a token may follow
    this.#client = client;
    this.#prefix = prefix;
    this.#tier = tier;
    this.multipart = {
      minPartBytes: 1,
      maxParts: 50_000,
      create: async (_key, { metadata, temporary }) => ({ upload: uploadName({ metadata, temporary }) }),
      part: (key, upload, number, bytes, options) => this.#part(key, upload, number, bytes, options),
      complete: (key, upload, parts, options) => this.#complete(key, upload, parts, options),
      abort: async () => {},
      list: async () => ({ uploads: [] }),
    };
  }

  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<{ etag: string }> {
    const { ifAbsent, ifMatch, metadata } = options;
    const attempt = this.#attempt('write', key);
    return this.#request(options, attempt, async (abortSignal) => {
      const { etag } = await this.#blob(key).upload(bytes, bytes.length, {
        abortSignal,
        blobHTTPHeaders: { blobContentMD5: md5(bytes) }, // Azure checks it
        conditions: {
          ...(ifAbsent && { ifNoneMatch: '*' }),
          ...(ifMatch !== undefined && { ifMatch: quoted(ifMatch) }),
        },
        ...(metadata && { metadata: { ...metadata } }),
        ...this.#tierOf(options),
      });
      return { etag: etagOf(etag, attempt) };
    }).catch((error) => {
      if (ifMatch === undefined || error.kind !== 'NOT_FOUND') throw error;
      throw storeError(attempt, 'CONDITION_FAILED', 'it is not there any more', error.facts);
    });
  }

  get(key: string, options: GetOptions): Promise<StoredObject> {
    const { offset = 0, length, ifMatch } = options;
    const attempt = this.#attempt('read', key);
    const conditions = ifMatch === undefined ? {} : { ifMatch: quoted(ifMatch) };
    return this.#request(options, attempt, async (abortSignal) => {
      const blob = this.#blob(key);
      const nothing = async () => {
        const { etag, metadata = {} } = await blob.getProperties({ abortSignal, conditions });
        return { bytes: new Uint8Array(0), etag: etagOf(etag, attempt), metadata };
      };
      if (length === 0) return nothing();
      const answer = await blob
        .download(offset, length, { abortSignal, conditions, maxRetryRequests: 0 })
        .catch((error) => {
          if (error.statusCode !== 416) throw error;
          return undefined; // the object ends before the range
        });
      if (answer === undefined) return nothing();
      const bytes = await bodyOf(answer.readableStreamBody as Body, answer.contentLength, {
        signal: abortSignal,
        into: options.into,
      });
      return { bytes, etag: etagOf(answer.etag, attempt), metadata: answer.metadata ?? {} };
    });
  }

  list(prefix: string, options: ListOptions): Promise<ListPage> {
    return this.#request(options, this.#attempt('list', prefix), async (abortSignal) => {
      const blobs = this.#client.listBlobsFlat({ prefix: this.#prefix + prefix, abortSignal });
      const pages = blobs.byPage({ ...(options.after !== undefined && { continuationToken: options.after }) });
      const page: BlobPage = (await pages.next()).value;
      const objects = page.segment.blobItems.map(({ name, properties }) => ({
        key: name.slice(this.#prefix.length),
        size: properties.contentLength ?? 0,
        etag: unquoted(properties.etag),
        modified: properties.lastModified.getTime(),
      }));
      return page.continuationToken ? { objects, next: page.continuationToken } : { objects };
    });
  }

  async delete(keys: readonly string[], options: CallOptions): Promise<void> {
    await deleteEach(keys, DELETES_AT_ONCE, (key) =>
      this.#request(options, this.#attempt('delete', key), (abortSignal) =>
        this.#blob(key).delete({ abortSignal, deleteSnapshots: 'include' }),
      ).catch((error) => {
        if (error.kind !== 'NOT_FOUND') throw error;
      }),
    );
  }

  async #part(key: string, upload: string, number: number, bytes: Uint8Array, options: CallOptions) {
    const id = blockName(upload, number);
    await this.#request(options, this.#attempt(`write part ${number} of`, key), (abortSignal) =>
      this.#blob(key).stageBlock(id, bytes, bytes.length, { abortSignal, transactionalContentMD5: md5(bytes) }),
    );
    return { etag: id };
  }

  #complete(key: string, upload: string, parts: readonly string[], options: CallOptions): Promise<{ etag: string }> {
    const attempt = this.#attempt('complete', key);
    const { metadata, ...write } = uploadOptions(upload);
    return this.#request(options, attempt, async (abortSignal) => {
      const settings = { abortSignal, ...(metadata && { metadata: { ...metadata } }), ...this.#tierOf(write) };
      const { etag } = await this.#blob(key).commitBlockList([...parts], settings);
      return { etag: etagOf(etag, attempt) };
    });
  }

  async #request<T>({ signal }: CallOptions, attempt: Attempt, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await send(signal);
    } catch (error) {
      signal.throwIfAborted();
      throw azureFailure(error, attempt);
    }
  }

  #tierOf({ temporary }: Pick<StoreWriteOptions, 'temporary'>): { tier?: string } {
    return this.#tier !== undefined && !temporary ? { tier: this.#tier } : {};
  }

  #blob(key: string) {
    return this.#client.getBlockBlobClient(this.#prefix + key);
  }

  #attempt(doing: string, key?: string): Attempt {
    return { store: this.name, doing, key };
  }
}

// Azure keeps nothing of an upload before its blocks are committed. So the name of an upload says all that is needed then.

type UploadOptions = Pick<StoreWriteOptions, 'metadata' | 'temporary'>;

function uploadName(options: UploadOptions): string {
  return `${randomBytes(12).toString('base64url')}.${Buffer.from(JSON.stringify(options)).toString('base64url')}`;
}

function uploadOptions(upload: string): UploadOptions {
  return JSON.parse(Buffer.from(upload.slice(upload.indexOf('.') + 1), 'base64url').toString());
}

/** All blocks of a blob must have names of the same length. */
function blockName(upload: string, number: number): string {
  return Buffer.from(`${upload.slice(0, upload.indexOf('.'))}.${String(number).padStart(5, '0')}`).toString('base64');
}

const KINDS: Readonly<Record<string, StoreErrorKind>> = {
  BlobNotFound: 'NOT_FOUND',
  ContainerNotFound: 'NO_BUCKET',
  ContainerDisabled: 'NO_BUCKET',
  ResourceNotFound: 'NO_BUCKET',
  ContainerBeingDeleted: 'NO_BUCKET',
  AccountIsDisabled: 'NO_BUCKET',
  BlobAlreadyExists: 'CONDITION_FAILED',
  ConditionNotMet: 'CONDITION_FAILED',
  TargetConditionNotMet: 'CONDITION_FAILED',
  PublicAccessNotPermitted: 'DENIED',
  CredentialUnavailableError: 'DENIED',
  AuthenticationRequiredError: 'DENIED',
  LeaseIdMissing: 'REFUSED', // 412 too, but of a lock that somebody else has put on the blob
  InvalidBlockList: 'NOT_FOUND', // the parts are gone: Azure drops them after a week
  OperationTimedOut: 'BUSY',
  Md5Mismatch: 'BUSY', // damaged on its way
};

interface SdkError extends Error {
  statusCode?: number;
  details?: { errorCode?: string };
  response?: { headers?: { get(name: string): string | undefined } };
}

/** Turns an error of the SDK into a StoreError. What did not come from a request stays what it is. */
function azureFailure(error: unknown, attempt: Attempt): unknown {
  if (!(error instanceof Error) || error instanceof StoreError) return error;
  const { statusCode: status, details, response, name, message } = error as SdkError;
  const storeCode = details?.errorCode ?? (KINDS[name] ? name : errorCode(error));
  const known =
    KINDS[storeCode ?? ''] ?? (/^Authenti|^Authoriz|Credential/.test(`${storeCode}`) ? 'DENIED' : undefined);
  const lost = isLostConnection(error) || storeCode === 'REQUEST_SEND_ERROR';
  if (known === undefined && status === undefined && !lost) return error;
  const kind = known ?? (status === undefined ? 'BUSY' : kindOfStatus(status));
  const header = (header: string) => response?.headers?.get(header);
  const [first = ''] = message.split('\n'); // the others repeat the request
  return storeError(attempt, kind, `${storeCode ?? name}: ${first}${status === undefined ? '' : ` (HTTP ${status})`}`, {
    status,
    storeCode,
    requestId: header('x-ms-request-id'),
    retryAfter: retryAfterOf(header('retry-after')),
    cause: withoutRequest(error),
  });
}

function etagOf(etag: string | undefined, attempt: Attempt): string {
  if (!etag) throw storeError(attempt, 'BUSY', 'the store answers without an ETag', {});
  return unquoted(etag);
}

const quoted = (etag: string) => `"${etag}"`;
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest();
