// What the errors of S3 and of the AWS SDK mean.

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
  PermanentRedirect: 'NO_BUCKET',
  AuthorizationHeaderMalformed: 'NO_BUCKET', // another region's bucket, asked with this region's signature
  IllegalLocationConstraintException: 'NO_BUCKET',
  ConditionalRequestConflict: 'BUSY',
  OperationAborted: 'BUSY',
  InternalError: 'BUSY', // also of an answer that began with the status 200
  ServiceUnavailable: 'BUSY',
  XAmzContentChecksumMismatch: 'BUSY',
  CredentialsProviderError: 'DENIED',
  TokenProviderError: 'DENIED',
  ExpiredTokenException: 'DENIED',
  InvalidToken: 'DENIED',
  TokenRefreshRequired: 'DENIED',
  RequestExpired: 'DENIED',
  RequestTimeTooSkewed: 'DENIED',
};

/** Codes of 403 that no right would change. */
const REFUSED = /ObjectLock|InvalidObjectState|InvalidStorageClass/;

/** A lock and a missing right have the same code. */
const LOCKED = /object.?lock|retention|legal.?hold|\bWORM\b/i;

interface SdkError extends Error {
  $metadata?: { httpStatusCode?: number; requestId?: string };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

/** What a key's own code in the answer to DeleteObjects may mean beside that the store refuses. */
const PER_KEY: Readonly<Record<string, StoreErrorKind>> = Object.fromEntries(
  Object.entries(KINDS).filter(([, kind]) => kind === 'BUSY' || kind === 'DENIED'),
);

/** Turns an error of the SDK into a StoreError. What did not come from a request stays what it is. */
export function s3Failure(error: unknown, attempt: Attempt): unknown {
  if (!(error instanceof Error) || error instanceof StoreError) return error;
  const { $metadata, $response, name, message } = error as SdkError;
  const status = $response?.statusCode ?? $metadata?.httpStatusCode;
  const known = KINDS[name];
  const damaged = /^Checksum mismatch/.test(message); // an answer, on its way; a client of the caller may check it
  // Also in the middle of the text of a failure: then nobody knows which one it was.
  const lost = known === undefined && ((status === undefined && damaged) || isLostConnection(error));
  if (known === undefined && status === undefined && !lost) {
    return message === 'Region is missing' ? storeError(attempt, 'REFUSED', 'give a region', {}) : error;
  }
  const kind = lost
    ? 'BUSY'
    : (known ?? (REFUSED.test(name) || isLocked(name, message) ? 'REFUSED' : kindOfStatus(status!)));
  const code = lost ? errorCode(error) : name;
  return storeError(attempt, kind, words(code, message, status), {
    status,
    storeCode: code,
    requestId: $metadata?.requestId,
    retryAfter: retryAfterOf($response?.headers?.['retry-after']),
    cause: withoutRequest(error),
  });
}

function words(code: string | undefined, message: string, status: number | undefined): string {
  // The SDK's word for an answer that says no more than its code.
  const told = message === '' || message === code || message === 'UnknownError' ? code : `${code}: ${message}`;
  return status === undefined ? `${told}` : `${told} (HTTP ${status})`;
}

const isLocked = (code: string, message: string) => code === 'AccessDenied' && LOCKED.test(message);

/**
 * Why DeleteObjects could not delete one of its keys. `locks`: the store was told to lock objects, so a denied delete is one of a locked
 * object, also if the store does not say that.
 */
export function deleteFailure(
  attempt: Attempt,
  { key, code = 'no code', message = '' }: { key: string; code?: string | undefined; message?: string | undefined },
  { locks }: { locks: boolean },
): StoreError {
  const isDenied = code === 'AccessDenied' && !locks && !isLocked(code, message);
  const kind = isDenied ? 'DENIED' : (PER_KEY[code] ?? 'REFUSED');
  return storeError({ ...attempt, key }, kind, words(code, message, undefined), {
    storeCode: code,
  });
}
