// What the adapters of the built-in stores have in common: how a failed request becomes a StoreError.

import { errorCode } from '../base/errors.js';
import { StoreError, type StoreErrorFacts, type StoreErrorKind } from './object-store.js';

/** What was tried, for messages: "s3://bucket/prefix: cannot write meta/1: ...". */
export interface Attempt {
  readonly store: string;
  readonly doing: string;
  readonly key?: string | undefined;
}

export function storeError({ store, doing, key }: Attempt, kind: StoreErrorKind, why: string, facts: StoreErrorFacts) {
  const what = key === undefined || key === '' ? doing : `${doing} ${key}`;
  return new StoreError(kind, `${store}: cannot ${what}: ${why}`, {
    ...(key !== undefined && { key }),
    reason: why,
    ...facts,
  });
}

/** The failure of a delete, with all objects that are still there. */
export function stillThere({ kind, message, facts }: StoreError, keys: readonly string[]): StoreError {
  return new StoreError(kind, message, { ...facts, keys });
}

/**
 * Why a request failed, by its HTTP status, where the store's own code says no more. A 404 is REFUSED: the page of a proxy must not pass
 * for an object that is not there.
 */
export function kindOfStatus(status: number): StoreErrorKind {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return 'DENIED';
    case 301:
    case 307:
    case 308:
      return 'NO_BUCKET';
    case 412:
      return 'CONDITION_FAILED';
    case 408:
    case 425:
    case 429:
      return 'BUSY';
    default:
      return status >= 500 && status !== 501 && status !== 505 ? 'BUSY' : 'REFUSED';
  }
}

/** What the codes of S3 mean that Google's XML API has, too. */
export const KINDS_OF_S3: Readonly<Record<string, StoreErrorKind>> = {
  NoSuchKey: 'NOT_FOUND',
  NoSuchUpload: 'NOT_FOUND',
  NoSuchBucket: 'NO_BUCKET',
  PreconditionFailed: 'CONDITION_FAILED',
  BadDigest: 'BUSY', // damaged on its way
  SlowDown: 'BUSY',
  RequestTimeout: 'BUSY',
  ExpiredToken: 'DENIED',
};

const LOST_CONNECTION = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_SOCKET',
]);

const LOST_NAMES = new Set([
  'AbortError', // what @azure/storage-blob says when a body is cut off. Our own signal is looked at before this.
  'TimeoutError',
]);

/** Whether the connection failed, so that nobody knows whether the store got the request. Libraries wrap the error of the socket. */
export function isLostConnection(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause ?? (at as { error?: unknown }).error) {
    if (LOST_CONNECTION.has(errorCode(at) ?? '') || LOST_NAMES.has(at.name)) return true;
  }
  return false;
}

/**
 * The error of a library without the request that it holds: headers with credentials must not reach a log that prints causes.
 */
export function withoutRequest(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  const { name, message, stack } = error;
  return Object.assign(new Error(message), { name, stack });
}

/** The header Retry-After, in milliseconds: seconds or a date. Undefined if there is none. */
export function retryAfterOf(header: string | null | undefined): number | undefined {
  if (header === undefined || header === null || header === '') return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** An ETag without quotes: answers have them, and some lists do not. */
export function unquoted(etag: string): string {
  return etag.replace(/^(?:W\/)?"(.*)"$/, '$1');
}

/** The prefix of a store as it stands before its keys: '' or 'a/b/'. */
export function keyPrefix(prefix: string | undefined): string {
  const parts = (prefix ?? '').split('/').filter((part) => part !== '');
  return parts.map((part) => `${part}/`).join('');
}
