// Stores as URLs, for the command line and for configuration files. A URL ends up in logs, histories and lists of processes. So it holds no
// secrets, and no message repeats it.

import { nearest, unknownOption } from '../base/unknown-option.js';
import type { AzureStoreOptions } from './azure.js';
import type { GcsStoreOptions } from './gcs.js';
import type { ObjectStore } from './object-store.js';
import type { OpendalStoreOptions } from './opendal.js';
import type { S3StoreOptions } from './s3.js';
import { ARCHIVES } from './s3-options.js';
import type { SingleWriterOption } from './single-writer.js';

/** A store's kind, and the options for it. */
export type StoreAddress =
  | { readonly kind: 's3'; readonly options: S3StoreOptions }
  | { readonly kind: 'gcs'; readonly options: GcsStoreOptions }
  | { readonly kind: 'azure'; readonly options: AzureStoreOptions & { readonly container: string } }
  | { readonly kind: 'opendal'; readonly options: OpendalStoreOptions };

const FORMS = 's3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix or opendal://service/prefix';
const HOW = `Write ${FORMS}`;

/**
 * Whether this is a URL, of whatever kind, and not a path. Also if it is one that was mistyped, such as `s3:/bucket`: a directory of that
 * name is hardly meant.
 */
export function isStoreUrl(text: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/|(?:s3|gs|az|opendal|file):)/i.test(text);
}

/**
 * Reads the URL of a store. What is no secret may follow as a query; the secrets come from the environment, as the vendors have it.
 *
 * - `s3://bucket/prefix`: endpoint, region, pathStyle, profile, checksums, storageClass, serverSideEncryption, kmsKeyId, lockMode, lockDays
 * - `gs://bucket/prefix`: endpoint, keyFilename, userProject, storageClass, kmsKeyName
 * - `az://account/container/prefix`: endpoint, accessTier
 * - each of them: singleWriter
 * - `opendal://service/prefix`: the service's options. {@link openStoreUrl} adds those in variables such as OPENDAL_WEBDAV_PASSWORD.
 *
 * @example
 * parseStoreUrl('s3://backups/orders?endpoint=https://minio.example.com');
 */
export function parseStoreUrl(text: string): StoreAddress {
  const { scheme, host, path, query } = partsOf(text);
  for (const [name, value] of query) {
    if (value === '' && scheme !== 'opendal') throw wrong(`${printable(name)} has no value`);
  }
  const common = commonOptions(query);
  switch (scheme) {
    case 's3':
      if (!/^[\w.-]{3,255}$/.test(host)) throw wrong('s3:// is followed by the name of a bucket');
      return { kind: 's3', options: { bucket: host, prefix: path, ...s3Options(known(query, S3_OPTIONS)), ...common } };
    case 'gs':
      if (!/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(host)) throw wrong('gs:// is followed by the name of a bucket');
      return { kind: 'gcs', options: { bucket: host, prefix: path, ...known(query, GCS_OPTIONS), ...common } };
    case 'az': {
      const [container = '', ...prefix] = path.split('/');
      if (!/^(?:[a-z0-9-]{3,63}|\$root)$/.test(container)) {
        throw wrong('az:// is followed by the account and the name of a container');
      }
      const options = known(query, AZURE_OPTIONS) as Pick<AzureStoreOptions, 'endpoint' | 'accessTier'>;
      oneOf('accessTier', options.accessTier, ['Hot', 'Cool', 'Cold']);
      return { kind: 'azure', options: { account: host, container, prefix: prefix.join('/'), ...options, ...common } };
    }
    case 'opendal':
      return {
        kind: 'opendal',
        options: { service: host, prefix: path, options: Object.fromEntries(query), ...common },
      };
    default: {
      const near = nearest(scheme, ['s3', 'gs', 'az', 'opendal']);
      throw wrong(
        near === undefined ? 'its scheme is not known' : `there is no ${scheme}://; did you mean ${near}://?`,
      );
    }
  }
}

/** Opens the store with this URL. Loads only the adapter that it needs. */
export async function openStoreUrl(text: string, environment = process.env): Promise<ObjectStore> {
  const { kind, options } = parseStoreUrl(text);
  switch (kind) {
    case 's3':
      return (await import('./s3.js')).s3Store(options);
    case 'gcs':
      return (await import('./gcs.js')).gcsStore(options);
    case 'azure':
      return (await import('./azure.js')).azureStore(options);
    case 'opendal': {
      const secrets = opendalVariables(options.service, environment);
      return (await import('./opendal.js')).opendalStore({ ...options, options: { ...secrets, ...options.options } });
    }
  }
}

/** What messages call the place of a URL: as its parts are understood, and without its options. As it is if it is wrong. */
export function storeUrlName(text: string): string {
  try {
    const { scheme, host, path } = partsOf(text);
    return `${scheme}://${host}${path === '' ? '' : `/${path}`}`;
  } catch {
    return text.replace(/\/*(\?.*)?$/s, '');
  }
}

const S3_OPTIONS = [
  'endpoint',
  'region',
  'pathStyle',
  'profile',
  'checksums',
  'storageClass',
  'serverSideEncryption',
  'kmsKeyId',
  'lockMode',
  'lockDays',
] as const;
const GCS_OPTIONS = ['endpoint', 'keyFilename', 'userProject', 'storageClass', 'kmsKeyName'] as const;
const AZURE_OPTIONS = ['endpoint', 'accessTier'] as const;

function s3Options(query: Partial<Record<(typeof S3_OPTIONS)[number], string>>): Omit<S3StoreOptions, 'bucket'> {
  const { pathStyle, lockMode, lockDays, ...same } = query;
  oneOf('checksums', query.checksums, ['crc32c', 'none']);
  oneOf('serverSideEncryption', query.serverSideEncryption, ['AES256', 'aws:kms', 'aws:kms:dsse']);
  oneOf('lockMode', lockMode, ['GOVERNANCE', 'COMPLIANCE']);
  if (query.storageClass !== undefined && ARCHIVES.includes(query.storageClass)) {
    throw wrong('storageClass is a class whose objects can be read at once, such as STANDARD_IA or GLACIER_IR');
  }
  if ((lockMode === undefined) !== (lockDays === undefined)) {
    throw wrong(lockMode === undefined ? 'lockDays needs lockMode' : 'lockMode needs lockDays');
  }
  if (lockDays !== undefined && !(/^[1-9]\d*$/.test(lockDays) && Number(lockDays) <= MOST_DAYS)) {
    throw wrong(`lockDays is a whole number of days, from 1 to ${MOST_DAYS}`);
  }
  const lock = { mode: lockMode, days: Number(lockDays) } as S3StoreOptions['objectLock'];
  return {
    ...(same as Pick<S3StoreOptions, keyof typeof same>),
    ...(pathStyle !== undefined && { forcePathStyle: flagOf('pathStyle', pathStyle) }),
    ...((lockMode !== undefined || lockDays !== undefined) && { objectLock: lock }),
  };
}

/** Takes the options that each kind of store has out of the query. */
function commonOptions(query: Map<string, string>): SingleWriterOption {
  const singleWriter = query.get('singleWriter');
  query.delete('singleWriter');
  return singleWriter === undefined ? {} : { singleWriter: flagOf('singleWriter', singleWriter) };
}

/** What S3 takes: a hundred years. */
const MOST_DAYS = 36_500;

function oneOf(name: string, value: string | undefined, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value)) {
    throw wrong(`${name} is ${allowed.slice(0, -1).join(', ')} or ${allowed.at(-1)}`);
  }
}

function flagOf(name: string, value: string): boolean {
  if (value !== 'true' && value !== 'false') throw wrong(`${name} is true or false`);
  return value === 'true';
}

/** OPENDAL_WEBDAV_PASSWORD is the option `password` of the service `webdav`. */
function opendalVariables(service: string, environment: NodeJS.ProcessEnv): Record<string, string> {
  const start = `OPENDAL_${service.toUpperCase()}_`;
  const own = Object.entries(environment).filter(([name, value]) => name.startsWith(start) && value);
  return Object.fromEntries(own.map(([name, value]) => [name.slice(start.length).toLowerCase(), value!]));
}

/** Names of parameters whose values are secrets, also those of signed URLs. */
const SECRETS = [
  /^x-(?:amz|goog|ms)-|^sig$|^sas|^pwd$/i,
  /signature|secret|password|passwd|passphrase|token|credential|authori/i,
  /(?:access|account|api|private|shared).?key/i,
];

function partsOf(text: string): { scheme: string; host: string; path: string; query: Map<string, string> } {
  if (/^file:/i.test(text)) throw wrong('a directory of this machine is given as its path, without file://');
  const [mistyped] = /^[a-z0-9]+:(?!\/\/)/i.exec(text) ?? [];
  if (mistyped !== undefined) {
    throw wrong(`${mistyped} is followed by //`, `${HOW}. A directory of this name is written ./${mistyped}`);
  }
  const [, scheme = '', authority = '', path = '', search = '', hash] =
    /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/i.exec(text) ?? [];
  if (authority.includes('@')) throw wrong('it must not hold a user or a password', WHERE);
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    if (SECRETS.some((secret) => secret.test(name)))
      throw wrong(`it must not hold a secret: leave out ${printable(name)}`, WHERE);
    if (query.has(name)) throw wrong(`it has ${printable(name)} twice`);
    query.set(name, value);
  }
  if (hash !== undefined) throw wrong('# is written as %23');
  if (authority === '') throw wrong(text.includes('://') ? 'a name follows the ://' : 'it is no URL');
  const endpoint = query.get('endpoint');
  if (endpoint !== undefined) checkEndpoint(endpoint);
  return { scheme: scheme.toLowerCase(), host: authority, path: decodedPath(path), query };
}

function decodedPath(path: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw wrong('% is written as %25');
  }
  const parts = decoded.split('/').filter((part) => part !== '');
  if (parts.some((part) => part === '.' || part === '..')) throw wrong('its path must not hold . or ..');
  return parts.join('/');
}

function checkEndpoint(endpoint: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw wrong('endpoint is a URL with http:// or https://');
  if (url.username !== '' || url.password !== '') throw wrong('endpoint must not hold a user or a password', WHERE);
  if (url.search !== '' || url.hash !== '') throw wrong('endpoint must not hold a query', WHERE);
}

function known<N extends string>(query: Map<string, string>, names: readonly N[]): Partial<Record<N, string>> {
  for (const name of query.keys()) {
    if (!names.includes(name as N)) throw unknownOption(printable(name), [...names, 'singleWriter'], '');
  }
  return Object.fromEntries(query) as Partial<Record<N, string>>;
}

/** A parameter without a name may be a secret itself. */
function printable(name: string): string {
  return /^[A-Za-z_-]{1,30}$/.test(name) ? name : '...';
}

const WHERE = 'Secrets come from the environment or from the files of the vendor';

function wrong(why: string, then = HOW): Error {
  return Object.assign(new TypeError(`the URL of the store is wrong: ${why.replace(/\?$/, '')}. ${then}.`), {
    code: 'INVALID_OPTION',
  });
}
