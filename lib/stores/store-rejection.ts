// What a store rejects with, and what was thrown in it, can be anything. Here it becomes an Error whose parts are what their types say.

import { describe } from '../base/errors.js';
import { isStoreError, StoreError, type StoreErrorFacts, type StoreErrorKind } from './object-store.js';

const KINDS: ReadonlySet<unknown> = new Set<StoreErrorKind>([
  'NOT_FOUND',
  'CONDITION_FAILED',
  'DENIED',
  'NO_BUCKET',
  'BUSY',
  'REFUSED',
]);

/**
 * A StoreError if it was one and has a kind, otherwise an Error. It has nothing else of what was thrown: that may hold secrets, such as the
 * headers of a request. `method` is the store's, for an error that does not say what happened.
 */
export function asError(thrown: unknown, method: string): Error {
  const message = textOf(thrown, method);
  if (!attempt(() => isStoreError(thrown))) return new Error(message);
  const error = thrown as StoreError;
  const kind = attempt(() => error.kind);
  if (!KINDS.has(kind)) return new Error(`${message} (with a kind that no failure has: ${describe(kind)})`);
  return new StoreError(kind as StoreErrorKind, message, factsOf(attempt(() => error.facts) ?? {}));
}

/** What went wrong, never empty. */
function textOf(thrown: unknown, method: string): string {
  const isError = attempt(() => thrown instanceof Error) === true;
  const message = isError ? attempt(() => (thrown as Error).message) : thrown;
  if (typeof message === 'string' && message !== '') return message;
  if (!isError) return `its ${method}() failed with ${thrown === undefined ? 'nothing' : describe(thrown)}`;
  const name = attempt(() => (thrown as Error).name);
  const what = typeof name === 'string' && name !== '' && name !== 'Error' ? `an error (${name})` : 'an error';
  const says =
    message === undefined || message === '' ? 'that has no message' : `whose message is ${describe(message)}`;
  return `its ${method}() failed with ${what} ${says}`;
}

function factsOf(facts: StoreErrorFacts): StoreErrorFacts {
  const keys = attempt(() => facts.keys);
  const status = number(() => facts.status);
  const given = {
    key: string(() => facts.key),
    keys: Array.isArray(keys) && keys.every((key) => typeof key === 'string') ? keys : undefined,
    reason: string(() => facts.reason),
    status: Number.isInteger(status) && status! < 1000 ? status : undefined,
    storeCode: string(() => facts.storeCode),
    requestId: string(() => facts.requestId),
    retryAfter: number(() => facts.retryAfter),
  };
  return Object.fromEntries(Object.entries(given).filter(([, fact]) => fact !== undefined));
}

/** A number becomes text: some stores have codes that are numbers. */
function string(read: () => unknown): string | undefined {
  const value = attempt(read);
  return typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined;
}

function number(read: () => unknown): number | undefined {
  const value = attempt(read);
  const given = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof given === 'number' && given >= 0 ? given : undefined;
}

/** Reading a part of something strange may throw. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
