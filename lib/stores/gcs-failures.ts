// What the errors of Google Cloud Storage and of Google's library mean.

import { errorCode } from '../base/errors.js';
import { StoreError, type StoreErrorKind } from './object-store.js';
import {
  type Attempt,
  isLostConnection,
  KINDS_OF_S3,
  kindOfStatus,
  retryAfterOf,
  storeError,
  withoutRequest,
} from './store-failure.js';

const KINDS: Readonly<Record<string, StoreErrorKind>> = {
  ...KINDS_OF_S3,
  conditionNotMet: 'CONDITION_FAILED',
  // 403 as well, but no right would change it.
  RetentionPolicyNotMet: 'REFUSED',
  ObjectUnderActiveHold: 'REFUSED',
};

interface LibraryError extends Error {
  config?: { url?: string | URL };
  response?: { status?: number; headers?: unknown; data?: unknown };
}

/** Turns an error of the library into a StoreError. What did not come from a request stays what it is. */
export function gcsFailure(error: unknown, attempt: Attempt, endpoint: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreError) return error;
  const { config, response, message } = error as LibraryError;
  const cause = withoutRequest(error);
  if (/default credentials|no credentials|invalid_grant/i.test(message)) {
    return storeError(attempt, 'DENIED', message, { storeCode: 'NoCredentials', cause });
  }
  const status = response?.status;
  if (status === undefined) {
    const code = errorCode(error);
    return isLostConnection(error) ? storeError(attempt, 'BUSY', message, { storeCode: code, cause }) : error;
  }
  const { code, words } = toldBy(response?.data);
  // The request that failed may be one for a token. Its answers about the account are no answers about an object.
  const forToken = config?.url !== undefined && !String(config.url).startsWith(endpoint);
  const kind = forToken
    ? status >= 500 || status === 429
      ? 'BUSY'
      : 'DENIED'
    : (KINDS[code ?? ''] ?? kindOfStatus(status));
  const told = [code, words].filter((part) => part !== undefined).join(': ');
  const header = (name: string) => headerOf(response?.headers, name);
  return storeError(attempt, kind, `${told === '' ? 'no reason given' : told} (HTTP ${status})`, {
    status,
    storeCode: code,
    requestId: header('x-guploader-uploadid'),
    retryAfter: retryAfterOf(header('retry-after')),
    cause,
  });
}

function headerOf(headers: unknown, name: string): string | undefined {
  const get = (headers as Headers | undefined)?.get;
  return typeof get === 'function'
    ? (get.call(headers, name) ?? undefined)
    : (headers as Record<string, string> | undefined)?.[name];
}

/** The store's code and words: from XML, or from JSON. A page of a proxy has neither. */
function toldBy(data: unknown): { code: string | undefined; words: string | undefined } {
  const text =
    typeof data === 'string' ? data : isBytes(data) ? Buffer.from(data).toString() : JSON.stringify(data ?? '');
  const ofXml = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  if (text.includes('<Error>')) return { code: ofXml('Code'), words: ofXml('Message') };
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string; errors?: { reason?: string }[] } };
    return { code: error?.errors?.[0]?.reason, words: error?.message };
  } catch {
    return { code: undefined, words: undefined };
  }
}

function isBytes(data: unknown): data is Uint8Array {
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data);
}
