import { checkOptions } from '../base/check-object.js';
import { describe, invalidOption } from '../base/errors.js';
import { deleteEach } from './delete-each.js';
import { inGroups } from './in-groups.js';
import {
  type CallOptions,
  type GetOptions,
  type ListedObject,
  type ListOptions,
  type ListPage,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
  type StoreErrorKind,
} from './object-store.js';
import { orAbort } from './or-abort.js';
import { loadPeer } from './peer.js';
import { checkSingleWriter, type SingleWriterOption } from './single-writer.js';
import { type Attempt, keyPrefix, kindOfStatus, storeError } from './store-failure.js';

interface Metadata {
  readonly etag: string | null;
  readonly lastModified: string | null;
  readonly contentLength: bigint | null;
  readonly userMetadata: Record<string, string> | null;
  isFile(): boolean;
}

/** An Operator of the package `opendal`. */
export interface OpendalOperator {
  capability(): {
    readonly writeWithIfNotExists: boolean;
    readonly writeWithIfMatch: boolean;
    readonly writeWithUserMetadata: boolean;
    readonly readWithIfMatch: boolean;
  };
  stat(path: string): Promise<Metadata>;
  read(path: string, options: { offset: bigint; size: bigint; ifMatch?: string }): Promise<Uint8Array>;
  write(path: string, bytes: Buffer, options: object): Promise<Metadata>;
  delete(path: string): Promise<void>;
  list(path: string, options: { recursive: true }): Promise<{ path(): string; metadata(): Metadata }[]>;
}

interface Opendal {
  Operator: new (service: string, options: Record<string, string>) => OpendalOperator;
}

export interface OpendalStoreOptions extends SingleWriterOption {
  /** 'webdav', 'oss', 'cos', 'obs', 'swift', ...: a service that the package `opendal` knows. */
  service: string;
  /** What the service needs, in opendal's words: endpoint, root, username, ... */
  options?: Readonly<Record<string, string | undefined>> | undefined;
  /** The repository lies below this prefix. */
  prefix?: string | undefined;
  /** An Operator of your own, instead of options. */
  operator?: OpendalOperator | undefined;
}

const NAMES = [
  'service',
  'options',
  'prefix',
  'singleWriter',
  'operator',
] as const satisfies readonly (keyof OpendalStoreOptions)[];

/**
 * A service that Apache OpenDAL knows: WebDAV, Aliyun OSS, Tencent COS, ... Needs the package `opendal`, 0.49 or newer. For Amazon
 * S3, Google Cloud Storage and Azure, use their own stores.
 *
 * OpenDAL says less than the vendors' own packages. Many services have no conditional writes: a repository there needs `singleWriter`. An
 * object is sent whole, and held in memory for that. A list is one page. A service without ETags has its objects' sizes and times
 * instead. Every answer with the status 404 counts as an object that is not there. A request that was given up goes on until
 * the server ends it, and keeps the process alive so long: an operator with a TimeoutLayer bounds that.
 *
 * @example
 * const store = opendalStore({ service: 'webdav', options: { endpoint: 'https://dav.example.com', username, password } });
 */
export function opendalStore(options: OpendalStoreOptions): ObjectStore {
  checkOptions('options', options, NAMES, "an object such as { service: 'webdav' }");
  const { service, prefix } = options;
  if (typeof service !== 'string' || !/^[a-z0-9_-]+$/.test(service)) {
    throw invalidOption(TypeError, 'service', "the name of a service, such as 'webdav'", describe(service));
  }
  if (options.operator && options.options) {
    throw invalidOption(TypeError, 'options', 'left out where operator is given', 'given'); // they may hold secrets
  }
  checkSingleWriter(options);
  return new OpendalStore(
    `opendal://${service}/${keyPrefix(prefix)}`.replace(/\/$/, ''),
    options,
    keyPrefix(prefix),
    operatorOf(options),
  );
}

function operatorOf({ service, options = {}, operator }: OpendalStoreOptions): OpendalOperator {
  if (operator) return operator;
  const { Operator } = loadPeer<Opendal>('opendal', () => require('opendal'));
  try {
    const given = Object.entries(options).filter((option): option is [string, string] => option[1] !== undefined);
    return new Operator(service, Object.fromEntries(given));
  } catch (error) {
    throw invalidOption(
      TypeError,
      'options',
      `what the service ${service} needs`,
      `what it was given: ${reason(error)}`,
    );
  }
}

/** How many objects are looked at or deleted at the same time. */
const AT_ONCE = 16;

/** The options of services that say which place it is, and are no secrets. */
const OF_THE_PLACE = ['endpoint', 'region', 'account_name', 'bucket', 'container', 'filesystem', 'root'];

class OpendalStore implements ObjectStore {
  readonly name: string;
  readonly singleWriter: boolean | undefined;
  readonly identity: string | undefined;
  readonly #prefix: string;
  readonly #operator: OpendalOperator;
  readonly #can: ReturnType<OpendalOperator['capability']>;

  constructor(name: string, { singleWriter, options }: OpendalStoreOptions, prefix: string, operator: OpendalOperator) {
    this.name = name;
    this.singleWriter = singleWriter;
    this.#prefix = prefix;
    this.#operator = operator;
    this.#can = operator.capability();
    // Without ETags, two contents of one size and time look the same. An operator does not say where its place is.
    this.identity =
      options && this.#can.writeWithIfMatch
        ? `${name} ${JSON.stringify(OF_THE_PLACE.map((option) => options[option] ?? null))}`
        : undefined;
  }

  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<{ etag: string }> {
    const { ifAbsent, ifMatch, metadata } = options;
    const attempt = this.#attempt('write', key);
    return this.#request(options, attempt, async () => {
      // A condition that the service does not know would be passed over without a word.
      if ((ifAbsent && !this.#can.writeWithIfNotExists) || (ifMatch !== undefined && !this.#can.writeWithIfMatch)) {
        throw storeError(attempt, 'REFUSED', 'this service has no conditional writes', {});
      }
      const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      const written = await this.#operator.write(this.#path(key), data, {
        ...(ifAbsent && { ifNotExists: true }),
        ...(ifMatch !== undefined && { ifMatch }),
        ...(metadata && this.#can.writeWithUserMetadata && { userMetadata: metadata }),
      });
      return { etag: written.etag ?? etagOf(await this.#operator.stat(this.#path(key))) };
    });
  }

  get(key: string, options: GetOptions): Promise<StoredObject> {
    const { offset = 0, ifMatch } = options;
    const attempt = this.#attempt('read', key);
    return this.#request(options, attempt, async () => {
      // A range that goes past the end makes the package fail. So the size comes first.
      const path = this.#path(key);
      const found = await this.#operator.stat(path).catch(async (error) => {
        // The package asks with HEAD, and such an answer does not say what is missing: the object, or its bucket. A read says it.
        if (kindOf(error) === 'NOT_FOUND') await this.#operator.read(path, { offset: 0n, size: 1n });
        throw error;
      });
      const etag = etagOf(found);
      if (ifMatch !== undefined && ifMatch !== etag)
        throw storeError(attempt, 'CONDITION_FAILED', 'it has changed', {});
      const length = Math.max(
        0,
        Math.min(options.length ?? Number.POSITIVE_INFINITY, Number(found.contentLength) - offset),
      );
      const bound = found.etag !== null && this.#can.readWithIfMatch ? { ifMatch: found.etag } : {};
      const range = { offset: BigInt(offset), size: BigInt(length), ...bound };
      const bytes = length === 0 ? new Uint8Array(0) : await this.#operator.read(path, range);
      const metadata = this.#can.writeWithUserMetadata ? (found.userMetadata ?? {}) : undefined;
      return { bytes, etag, metadata };
    });
  }

  list(prefix: string, options: ListOptions): Promise<ListPage> {
    return this.#request(options, this.#attempt('list', prefix), async () => {
      const entries = await this.#operator.list(this.#path(prefix), { recursive: true });
      const objects: ListedObject[] = [];
      await inGroups(entries, AT_ONCE, async (entry) => {
        const told = entry.metadata();
        const path = entry.path();
        if (!told.isFile() || !path.startsWith(this.#path(prefix))) return;
        // Some services list names only, and a size of 0 for each.
        const known = told.lastModified !== null && told.contentLength ? told : await this.#stat(path);
        if (known === undefined) return;
        const modified = known.lastModified === null ? 0 : Date.parse(known.lastModified);
        objects.push({
          key: path.slice(this.#prefix.length),
          size: Number(known.contentLength),
          etag: etagOf(known),
          modified,
        });
      });
      return { objects: objects.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))) };
    });
  }

  delete(keys: readonly string[], options: CallOptions): Promise<void> {
    return deleteEach(keys, AT_ONCE, (key) =>
      this.#request(options, this.#attempt('delete', key), () => this.#operator.delete(this.#path(key))),
    );
  }

  /** Undefined if the object is gone meanwhile. */
  #stat(path: string): Promise<Metadata | undefined> {
    return this.#operator.stat(path).catch((error) => {
      if (kindOf(error) === 'NOT_FOUND') return undefined;
      throw error;
    });
  }

  async #request<T>({ signal }: CallOptions, attempt: Attempt, send: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await orAbort(signal, send());
    } catch (error) {
      signal.throwIfAborted();
      const kind = error instanceof StoreError ? undefined : kindOf(error);
      if (kind === undefined) throw error;
      const [storeCode] = (error as Error).message.split(' ');
      throw storeError(attempt, kind, reason(error), {
        storeCode,
        status: statusOf(error),
      });
    }
  }

  #path(key: string): string {
    return this.#prefix + key;
  }

  #attempt(doing: string, key?: string): Attempt {
    return { store: this.name, doing, key };
  }
}

function etagOf({ etag, contentLength, lastModified }: Metadata): string {
  return etag ?? `${contentLength}@${lastModified ?? ''}`;
}

const KINDS: Readonly<Record<string, StoreErrorKind>> = {
  NotFound: 'NOT_FOUND',
  PermissionDenied: 'DENIED',
  RateLimited: 'BUSY',
  ConditionNotMatch: 'CONDITION_FAILED',
  AlreadyExists: 'CONDITION_FAILED',
  Unsupported: 'REFUSED',
  ConfigInvalid: 'REFUSED',
  IsADirectory: 'REFUSED',
  NotADirectory: 'REFUSED',
};

/**
 * Errors of the package are told apart by their texts only: "NotFound (permanent) at read, context: { ... } => why". Undefined for an error
 * that is not from a request.
 */
function kindOf(error: unknown): StoreErrorKind | undefined {
  const [, word, lasting] = /^(\w+) \((permanent|temporary|persistent)\)/.exec((error as Error).message ?? '') ?? [];
  if (word === undefined) return undefined;
  if (/NoSuchBucket|ContainerNotFound/.test((error as Error).message)) return 'NO_BUCKET';
  if (KINDS[word]) return KINDS[word];
  const status = statusOf(error);
  return lasting === 'temporary' ? 'BUSY' : status === undefined ? 'REFUSED' : kindOfStatus(status);
}

function statusOf(error: unknown): number | undefined {
  const status = /\bstatus: (\d{3})\b/.exec((error as Error).message)?.[1];
  return status === undefined ? undefined : Number(status);
}

/** The word and the reason, without the context: its URLs may hold secrets. */
function reason(error: unknown): string {
  const [context = '', ...why] = (error as Error).message.split(' => ');
  return `${context.split(' ')[0]}: ${why.join(' => ').slice(0, 300)}`;
}
