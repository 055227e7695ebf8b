// The rights that suffice, in the form in which each vendor's tools take them.

import type { StoreAddress } from './store-url.js';

/**
 * - reader: lists, verifies and restores backups
 * - writer: also makes backups. Deletes nothing but its own leases and probes
 * - pruner: also deletes backups and what interrupted backups left
 */
export type StoreRole = 'reader' | 'writer' | 'pruner';

export const STORE_ROLES = ['writer', 'reader', 'pruner'] as const satisfies readonly StoreRole[];

/** What a store is asked to do, as far as rights tell it apart. */
export type StoreAction = 'list' | 'get' | 'put' | 'replace' | 'delete' | 'abort' | 'listUploads';

const ACTIONS = {
  s3: {
    list: 's3:ListBucket',
    get: 's3:GetObject',
    put: 's3:PutObject',
    replace: 's3:PutObject',
    delete: 's3:DeleteObject',
    abort: 's3:AbortMultipartUpload',
    listUploads: 's3:ListBucketMultipartUploads',
  },
  gcs: {
    list: 'storage.objects.list',
    get: 'storage.objects.get',
    put: 'storage.objects.create',
    replace: 'storage.objects.delete',
    delete: 'storage.objects.delete',
    abort: 'storage.multipartUploads.abort',
    listUploads: 'storage.multipartUploads.list',
  },
  azure: {
    list: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
    get: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
    put: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write',
    replace: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write',
    delete: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete',
    abort: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write',
    listUploads: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
  },
} as const satisfies Record<string, Record<StoreAction, string>>;

/** The vendor's name of the right that an action needs. Undefined if there is none. */
export function rightFor(address: StoreAddress | undefined, action: StoreAction): string | undefined {
  return address === undefined || address.kind === 'opendal' ? undefined : ACTIONS[address.kind][action];
}

/** Where a reader and a writer may delete: what is theirs for a moment only. */
const PASSING = ['rocksdb-backup.leases/', 'rocksdb-backup.probe/'];

/**
 * The policy that suffices for a role, as JSON for the vendor's tools, with the bucket and the prefix of the URL: an IAM policy for S3, a
 * role with its condition for Google Cloud, a role definition for Azure. Undefined for other stores.
 *
 * A reader may write leases, which keep the backup that it reads from being deleted. Without that right it reads without them.
 *
 * @example
 * storePolicy(parseStoreUrl('s3://backups/users'), 'writer');
 */
export function storePolicy(address: StoreAddress, role: StoreRole): object | undefined {
  switch (address.kind) {
    case 's3':
      return s3Policy(address.options, role);
    case 'gcs':
      return gcsPolicy(address.options, role);
    case 'azure':
      return azurePolicy(address.options, role);
    default:
      return undefined;
  }
}

const below = (prefix: string | undefined) => (prefix === undefined || prefix === '' ? '' : `${prefix}/`);

function s3Policy(
  {
    bucket,
    prefix,
    kmsKeyId,
    objectLock,
  }: { bucket: string; prefix?: string | undefined; kmsKeyId?: string | undefined; objectLock?: object | undefined },
  role: StoreRole,
): object {
  const arn = `arn:aws:s3:::${bucket}`;
  const start = below(prefix);
  const passing = PASSING.map((name) => `${arn}/${start}${name}*`);
  const everything = `${arn}/${start}*`;
  const may = (Sid: string, Action: string[], Resource: string | string[], more: object = {}) => ({
    Sid,
    Effect: 'Allow',
    Action,
    Resource,
    ...more,
  });
  const writes = role !== 'reader';
  const { list, get, put, delete: remove, abort, listUploads } = ACTIONS.s3;
  return {
    Version: '2012-10-17',
    Statement: [
      may('List', writes ? [list, listUploads] : [list], arn, {
        // IfExists: who may not list is told of a missing object that he may not read it, and that request has no prefix.
        ...(start !== '' && { Condition: { StringLikeIfExists: { 's3:prefix': [start, `${start}*`] } } }),
      }),
      may('Read', [get], everything),
      ...(writes
        ? [may('Write', [put, abort, ...(objectLock === undefined ? [] : ['s3:PutObjectRetention'])], everything)]
        : []),
      ...(role === 'pruner'
        ? [may('Delete', [remove], everything)]
        : [may('Leases', writes ? [remove] : [put, remove], passing)]),
      ...(kmsKeyId?.startsWith('arn:')
        ? [may('Key', writes ? ['kms:GenerateDataKey', 'kms:Decrypt'] : ['kms:Decrypt'], kmsKeyId)]
        : []),
    ],
  };
}

function gcsPolicy({ bucket, prefix }: { bucket: string; prefix?: string | undefined }, role: StoreRole): object {
  const start = `projects/_/buckets/${bucket}/objects/${below(prefix)}`;
  const startsWith = (path: string) => `resource.name.startsWith(${JSON.stringify(path)})`;
  const { list, get, put, delete: remove } = ACTIONS.gcs;
  const role1 = (title: string, includedPermissions: string[], expression: string) => ({
    role: { title: `rocksdb-backup ${role}: ${title}`, includedPermissions, stage: 'GA' },
    condition: { title: `rocksdb-backup ${title}`, expression },
  });
  // A list is asked of the bucket, and not of an object.
  const listing = role1('list', [list], `resource.name == ${JSON.stringify(`projects/_/buckets/${bucket}`)}`);
  const passing = PASSING.map((name) => startsWith(start + name)).join(' || ');
  // The state and its copy are replaced, for which Google Cloud asks for the right to delete.
  const state = startsWith(`${start}rocksdb-backup.state`);
  return {
    bindings: [
      listing,
      role === 'reader'
        ? role1('read', [get], startsWith(start))
        : role1('read and write', role === 'pruner' ? [get, put, remove] : [get, put], startsWith(start)),
      ...(role === 'pruner'
        ? []
        : [role1('leases', [put, remove], role === 'writer' ? `${passing} || ${state}` : passing)]),
    ],
  };
}

function azurePolicy(
  {
    account = 'ACCOUNT',
    container,
    prefix,
  }: { account?: string | undefined; container: string; prefix?: string | undefined },
  role: StoreRole,
): object {
  const { get, put, delete: remove } = ACTIONS.azure;
  const start = below(prefix);
  const path = '@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path]';
  const isBelow = (prefixes: string[]) => prefixes.map((each) => `${path} StringStartsWith '${each}'`).join(' OR ');
  const passing = PASSING.map((name) => start + name);
  const only = (action: string, prefixes: string[]) => `((!(ActionMatches{'${action}'})) OR (${isBelow(prefixes)}))`;
  const conditions = [
    ...(role === 'pruner' ? (start === '' ? [] : [only(remove, [start])]) : [only(remove, passing)]),
    ...(role === 'reader' ? [only(put, passing)] : start === '' ? [] : [only(put, [start])]),
  ];
  return {
    role: {
      Name: `rocksdb-backup ${role} of ${container}`,
      IsCustom: true,
      Description: `What rocksdb-backup needs as a ${role}`,
      Actions: [],
      DataActions: [get, put, remove],
      AssignableScopes: ['/subscriptions/SUBSCRIPTION/resourceGroups/GROUP'],
    },
    assignment: {
      scope: `/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Storage/storageAccounts/${account}/blobServices/default/containers/${container}`,
      ...(conditions.length > 0 && { conditionVersion: '2.0', condition: conditions.join(' AND ') }),
    },
  };
}
