// Between this package and a store that somebody wrote: an answer has the shape that it must have, and a failure is an Error with a text.

import { types } from 'node:util';
import { describe } from '../base/errors.js';
import type { ListedObject, ListPage, MultipartStore, ObjectStore, StoredObject, UploadsPage } from './object-store.js';
import { asError } from './store-rejection.js';

/**
 * The same store. Each method resolves with an answer as the interface says, whose parts are read once, or rejects with a StoreError, or with
 * another Error, whose text is a string. While the signal is aborted, it rejects with anything.
 */
export function checkedStore(store: ObjectStore): ObjectStore {
  const { multipart } = store;
  return {
    name: store.name,
    identity: store.identity,
    singleWriter: store.singleWriter,
    objectLock: store.objectLock,
    put: (...args) => ask('put', () => store.put(...args), etagOf),
    get: (...args) => ask('get', () => store.get(...args), storedObject),
    list: (prefix, options) =>
      ask(
        'list',
        () => store.list(prefix, options),
        (answer) => listPage(answer, prefix),
      ),
    delete: (...args) => ask('delete', () => store.delete(...args), nothing),
    multipart: multipart && checkedMultipart(multipart),
  };
}

function checkedMultipart(store: MultipartStore): MultipartStore {
  return {
    minPartBytes: store.minPartBytes,
    maxParts: store.maxParts,
    create: (...args) => ask('multipart.create', () => store.create(...args), uploadOf),
    part: (...args) => ask('multipart.part', () => store.part(...args), etagOf),
    complete: (...args) => ask('multipart.complete', () => store.complete(...args), etagOf),
    abort: (...args) => ask('multipart.abort', () => store.abort(...args), nothing),
    list: (prefix, options) =>
      ask(
        'multipart.list',
        () => store.list(prefix, options),
        (answer) => uploadsPage(answer, prefix),
      ),
  };
}

/** `method` is its name, for messages. */
async function ask<T>(method: string, send: () => unknown, check: (answer: unknown) => T): Promise<T> {
  let answer: unknown;
  try {
    answer = await send();
  } catch (error) {
    throw asError(error, method);
  }
  try {
    return check(answer);
  } catch (error) {
    const why = error instanceof WrongAnswer ? error.message : 'it cannot be read';
    throw new Error(
      `the store does not keep to the interface of stores: the answer of its ${method}() is wrong: ${why}`,
    );
  }
}

class WrongAnswer extends Error {}

function wrong(what: string, expected: string, value: unknown): never {
  throw new WrongAnswer(`${what} must be ${expected}, not ${describe(value)}`);
}

type Parts = Readonly<Record<string, unknown>>;

function partsOf(answer: unknown, what = 'it'): Parts {
  return typeof answer === 'object' && answer !== null ? (answer as Parts) : wrong(what, 'an object', answer);
}

const TEXT = 'a string that is not empty';
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function text(answer: unknown, name: string): string {
  const value = partsOf(answer)[name];
  return isText(value) ? value : wrong(name, TEXT, value);
}

const nothing = () => undefined;
const etagOf = (answer: unknown) => ({ etag: text(answer, 'etag') });
const uploadOf = (answer: unknown) => ({ upload: text(answer, 'upload') });

function storedObject(answer: unknown): StoredObject {
  const { bytes, metadata } = partsOf(answer);
  return {
    bytes: types.isUint8Array(bytes) ? bytes : wrong('bytes', 'a Uint8Array', bytes),
    etag: text(answer, 'etag'),
    ...(typeof metadata === 'object' && metadata !== null && { metadata: metadata as Record<string, string> }),
  };
}

/** Of an answer, the objects or uploads, and what is passed to have the next ones. */
function page<T>(answer: unknown, name: string, read: (each: Parts, at: () => string) => T) {
  const { [name]: given, next } = partsOf(answer);
  const array: readonly unknown[] = Array.isArray(given) ? given : wrong(name, 'an array', given);
  const entry = (each: unknown, at: number) => {
    const what = () => `${name}[${at}]`;
    return read(typeof each === 'object' && each !== null ? (each as Parts) : partsOf(each, what()), what);
  };
  const all = Array.from(array, entry);
  if (next !== undefined && next !== null && typeof next !== 'string') wrong('next', 'a string', next);
  return { all, ...(typeof next === 'string' && { next }) };
}

function keyBelow(key: unknown, prefix: string, at: () => string): string {
  if (!isText(key)) wrong(`${at()}.key`, TEXT, key);
  if (!key.startsWith(prefix)) wrong(`${at()}.key`, `one with the prefix "${prefix}"`, key);
  return key;
}

function listPage(answer: unknown, prefix: string): ListPage {
  const { all, ...rest } = page(answer, 'objects', ({ key, size, etag, modified }, at): ListedObject => {
    if (!Number.isSafeInteger(size) || (size as number) < 0) wrong(`${at()}.size`, 'a whole number of bytes', size);
    if (!isText(etag)) wrong(`${at()}.etag`, TEXT, etag);
    if (!Number.isFinite(modified)) wrong(`${at()}.modified`, 'a number of milliseconds', modified);
    return { key: keyBelow(key, prefix, at), size: size as number, etag, modified: modified as number };
  });
  return { objects: all, ...rest };
}

function uploadsPage(answer: unknown, prefix: string): UploadsPage {
  const { all, ...rest } = page(answer, 'uploads', ({ key, upload, started }, at) => {
    if (!isText(upload)) wrong(`${at()}.upload`, TEXT, upload);
    if (!Number.isFinite(started)) wrong(`${at()}.started`, 'a number of milliseconds', started);
    return { key: keyBelow(key, prefix, at), upload, started: started as number };
  });
  return { uploads: all, ...rest };
}
