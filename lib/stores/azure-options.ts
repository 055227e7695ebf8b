// The options of a store in Azure, and how its client is made. The parts of @azure/storage-blob that are used are declared here so that
// every 12.x fits, and our types do not need its types.

import { checkOptions } from '../base/check-object.js';
import { describe, invalidOption } from '../base/errors.js';
import { loadPeer } from './peer.js';
import { checkSingleWriter, type SingleWriterOption } from './single-writer.js';
import { keyPrefix } from './store-failure.js';

/** The access key of the account, a SAS token, or a token credential of @azure/identity. */
export type AzureCredential =
  | { readonly accountKey: string }
  | { readonly sasToken: string }
  | { getToken(scopes: string | string[], options?: object): Promise<{ token: string } | null> };

export interface AzureStoreOptions extends SingleWriterOption {
  /** @default that of the client */
  container?: string | undefined;
  /** The repository lies below this prefix. Several may share a container. */
  prefix?: string | undefined;
  /** @default the environment's AZURE_STORAGE_ACCOUNT */
  account?: string | undefined;
  /** The URL of the account's blobs. @default `https://<account>.blob.core.windows.net` */
  endpoint?: string | undefined;
  /**
   * @default the environment's AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN; else what the package `@azure/identity` finds: the
   * environment, the identity of the machine, a login
   */
  credential?: AzureCredential | undefined;
  /**
   * Instead of account, endpoint and credential. @default the environment's AZURE_STORAGE_CONNECTION_STRING, if none of them is given
   */
  connectionString?: string | undefined;
  /** 'Hot', 'Cool' or 'Cold'. Objects that are soon replaced do not get it. @default what the account says */
  accessTier?: 'Hot' | 'Cool' | 'Cold' | undefined;
  /**
   * A ContainerClient of your own, instead of account, endpoint, credential and connectionString. Turn its retries off: `maxTries: 1`.
   */
  client?: AzureContainerClient | undefined;
}

const NAMES = [
  'container',
  'prefix',
  'account',
  'endpoint',
  'credential',
  'connectionString',
  'accessTier',
  'singleWriter',
  'client',
] as const satisfies readonly (keyof AzureStoreOptions)[];

const OF_THE_CLIENT = ['connectionString', 'account', 'endpoint', 'credential'] as const;

interface Call {
  abortSignal?: AbortSignal;
  conditions?: { ifMatch?: string; ifNoneMatch?: string };
  metadata?: Record<string, string>;
}

interface Blob {
  upload(
    body: Uint8Array,
    length: number,
    options: Call & { tier?: string; blobHTTPHeaders?: { blobContentMD5: Uint8Array } },
  ): Promise<{ etag?: string | undefined }>;
  download(
    offset: number,
    count: number | undefined,
    options: Call & { maxRetryRequests: number },
  ): Promise<{
    etag?: string | undefined;
    contentLength?: number | undefined;
    metadata?: Record<string, string> | undefined;
    readableStreamBody?: unknown;
  }>;
  getProperties(options: Call): Promise<{ etag?: string | undefined; metadata?: Record<string, string> | undefined }>;
  delete(options: Call & { deleteSnapshots: 'include' }): Promise<unknown>;
  stageBlock(
    id: string,
    body: Uint8Array,
    length: number,
    options: { abortSignal: AbortSignal; transactionalContentMD5: Uint8Array },
  ): Promise<unknown>;
  commitBlockList(ids: string[], options: Call & { tier?: string }): Promise<{ etag?: string | undefined }>;
}

export interface BlobPage {
  continuationToken?: string | undefined;
  segment: {
    blobItems: readonly {
      name: string;
      properties: { contentLength?: number | undefined; etag: string; lastModified: Date };
    }[];
  };
}

/** A ContainerClient of @azure/storage-blob. */
export interface AzureContainerClient {
  readonly url?: string;
  readonly accountName: string;
  readonly containerName: string;
  getBlockBlobClient(name: string): Blob;
  listBlobsFlat(options: { prefix: string; abortSignal: AbortSignal }): {
    byPage(settings: { continuationToken?: string }): AsyncIterator<BlobPage>;
  };
}

interface ServiceClient {
  getContainerClient(name: string): AzureContainerClient;
}

interface Sdk {
  BlobServiceClient: {
    new (url: string, credential: unknown, options: object): ServiceClient;
    fromConnectionString(connectionString: string, options: object): ServiceClient;
  };
  StorageSharedKeyCredential: new (account: string, key: string) => object;
}

export interface AzureSettings {
  readonly name: string;
  readonly singleWriter: boolean | undefined;
  readonly prefix: string;
  readonly tier: string | undefined;
  readonly client: AzureContainerClient;
}

export function azureSettings(options: AzureStoreOptions): AzureSettings {
  checkOptions('options', options, NAMES, 'an object such as { container: "backups" }');
  checkOneWay(options);
  const { client: given, accessTier } = options;
  const { container = given?.containerName } = options;
  if (typeof container !== 'string' || !/^(?:[a-z0-9-]{3,63}|\$root)$/.test(container)) {
    throw invalidOption(TypeError, 'container', 'the name of a container', describe(container));
  }
  if (given?.containerName !== undefined && given.containerName !== container) {
    throw invalidOption(
      TypeError,
      'container',
      `${describe(given.containerName)}, as the client has it`,
      describe(container),
    );
  }
  if (accessTier !== undefined && !['Hot', 'Cool', 'Cold'].includes(accessTier)) {
    throw invalidOption(RangeError, 'accessTier', "'Hot', 'Cool' or 'Cold'", describe(accessTier));
  }
  checkSingleWriter(options);
  const client = given ?? clientOf(options, container);
  const prefix = keyPrefix(options.prefix);
  const name = `az://${client.accountName}/${container}/${prefix}`.replace(/\/$/, '');
  return { name, singleWriter: options.singleWriter, prefix, tier: accessTier, client };
}

/** One of two things is given. */
function checkOneWay(options: AzureStoreOptions): void {
  const given = OF_THE_CLIENT.filter((name) => options[name] !== undefined);
  const double = options.client ? given[0] : options.connectionString !== undefined ? given[1] : undefined;
  if (double) {
    const other = options.client ? 'client' : 'connectionString';
    throw invalidOption(TypeError, double, `left out where ${other} is given`, 'given'); // its value may be a secret
  }
}

function clientOf(options: AzureStoreOptions, container: string): AzureContainerClient {
  const sdk = loadPeer<Sdk>('@azure/storage-blob', () => require('@azure/storage-blob'));
  const pipeline = { retryOptions: { maxTries: 1 } }; // retries are ours alone: see retries.ts
  const environment = OF_THE_CLIENT.some((name) => options[name] !== undefined) ? {} : process.env;
  const connectionString = options.connectionString ?? environment.AZURE_STORAGE_CONNECTION_STRING;
  if (connectionString !== undefined) {
    try {
      return sdk.BlobServiceClient.fromConnectionString(connectionString, pipeline).getContainerClient(container);
    } catch {
      // The package's error may hold what was given, which is a secret.
      const name =
        options.connectionString === undefined
          ? "the environment's AZURE_STORAGE_CONNECTION_STRING"
          : 'connectionString';
      throw invalidOption(TypeError, name, 'the connection string that Azure shows for an account', 'what is given');
    }
  }
  const account = options.account ?? process.env.AZURE_STORAGE_ACCOUNT;
  if (typeof account !== 'string' || !/^[\w-]+$/.test(account)) {
    throw invalidOption(TypeError, 'account', 'the name of a storage account', describe(account));
  }
  const credential = options.credential === undefined ? fromEnvironment() : checkedCredential(options.credential);
  const { endpoint: url = `https://${account}.blob.core.windows.net` } = options;
  if (typeof url !== 'string' || !URL.canParse(url)) {
    throw invalidOption(TypeError, 'endpoint', 'a URL', describe(url));
  }
  const endpoint = url.replace(/\/$/, '');
  const connect = (url: string, as?: unknown) =>
    new sdk.BlobServiceClient(url, as, pipeline).getContainerClient(container);
  if ('sasToken' in credential) return connect(`${endpoint}/?${credential.sasToken.replace(/^\?/, '')}`);
  if ('getToken' in credential) return connect(endpoint, credential);
  return connect(endpoint, new sdk.StorageSharedKeyCredential(account, credential.accountKey));
}

function checkedCredential(credential: AzureCredential): AzureCredential {
  const { accountKey, sasToken, getToken } = (credential ?? {}) as Partial<Record<string, unknown>>;
  const isText = (value: unknown) => typeof value === 'string' && value !== '';
  if (isText(accountKey) || isText(sasToken) || typeof getToken === 'function') return credential;
  const [name, expected, value] =
    typeof credential !== 'object' || credential === null
      ? ['credential', 'an object with accountKey, sasToken or getToken', credential]
      : 'sasToken' in credential
        ? ['credential.sasToken', 'a SAS token', sasToken]
        : ['credential.accountKey', 'the access key of the account', accountKey];
  throw invalidOption(
    TypeError,
    name,
    expected,
    typeof value === 'string' && value !== '' ? 'a string' : describe(value),
  );
}

function fromEnvironment(): AzureCredential {
  const { AZURE_STORAGE_KEY: accountKey, AZURE_STORAGE_SAS_TOKEN: sasToken } = process.env;
  if (accountKey) return { accountKey };
  if (sasToken) return { sasToken };
  const identity = loadPeer<{ DefaultAzureCredential: new () => Extract<AzureCredential, { getToken: unknown }> }>(
    '@azure/identity',
    () => require('@azure/identity'),
  );
  return new identity.DefaultAzureCredential();
}
