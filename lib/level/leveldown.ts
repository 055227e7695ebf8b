import '../archive/archive.js';
import { RocksDBError } from '../base/errors.js';
import { Database, databaseOf } from '../database/database.js';
import type { ReadArgument } from '../native/native-database.js';
import { PackedBatch } from '../native/packed-batch.js';
import { pacedAfterWork } from '../native/settle.js';
import { clear } from './clear.js';
import { AbstractLevelDOWN, type AnyCallback } from './leveldown-abstract.js';
import { answerDone } from './leveldown-answer.js';
import { LeveldownChainedBatch } from './leveldown-batch.js';
import { storeError } from './leveldown-errors.js';
import { boundsOf, LeveldownIterator, limitOf } from './leveldown-iterator.js';
import { openOptionsOf, writeOptionsOf } from './leveldown-options.js';
import { Store } from './leveldown-store.js';
import type * as types from './leveldown-types.js';
import { isNotThere } from './not-there.js';

const MANIFEST = {
  bufferKeys: true,
  snapshots: true,
  permanence: true,
  seek: true,
  clear: true,
  getMany: true,
  createIfMissing: true,
  errorIfExists: true,
  additionalMethods: { approximateSize: true, compactRange: true },
};

const storeKey = Symbol('store');

/** Converts the options of a read. Undefined in the usual case. */
function readOptionsOf({ asBuffer, fillCache }: types.RocksDBGetOptions): ReadArgument | undefined {
  const encoding = asBuffer === false ? 'utf8' : 'buffer';
  if (fillCache === false) {
    return { encoding, fillCache };
  }
  return encoding === 'utf8' ? encoding : undefined;
}

function checkRange(method: string, start: unknown, end: unknown, callback: unknown): void {
  if ([start, end].some((key) => key === null || key === undefined || typeof key === 'function')) {
    throw new Error(`${method}() requires valid \`start\` and \`end\` arguments`);
  }
  if (typeof callback !== 'function') {
    throw new Error(`${method}() requires a callback argument`);
  }
}

/** The methods of stores. This class is never constructed itself: see `rocksdb` below. */
class Methods extends AbstractLevelDOWN {
  declare [storeKey]: Store;

  get database(): Database {
    return this[storeKey].database;
  }

  get [databaseOf](): Database {
    return this[storeKey].database;
  }

  approximateSize(start: unknown, end: unknown, callback: AnyCallback): void {
    checkRange('approximateSize', start, end, callback);
    const [from, to] = [this._serializeKey(start), this._serializeKey(end)];
    this[storeKey].answer(callback, () => this[storeKey].native.approximateSize(0, from, to));
  }

  compactRange(start: unknown, end: unknown, callback: AnyCallback): void {
    checkRange('compactRange', start, end, callback);
    const range = { start: this._serializeKey(start), end: this._serializeKey(end) };
    this[storeKey].answerDone(callback, () => this[storeKey].native.compactRange(0, range));
  }

  getProperty(property: string): string {
    if (typeof property !== 'string') {
      throw new Error('getProperty() requires a valid `property` argument');
    }
    return this[storeKey].native.property(0, property) ?? '';
  }

  _open(options: types.RocksDBOpenOptions, callback: AnyCallback): void {
    const store = this[storeKey];
    answerDone(callback, () => store.open(async () => Database.open(store.location, openOptionsOf(options))));
  }

  _close(callback: AnyCallback): void {
    answerDone(callback, () => this[storeKey].close());
  }

  _serializeKey(key: unknown): types.Bytes {
    return Buffer.isBuffer(key) ? key : String(key);
  }

  _serializeValue(value: unknown): types.Bytes {
    return Buffer.isBuffer(value) ? value : String(value);
  }

  _get(key: types.Bytes, options: types.RocksDBGetOptions, callback: AnyCallback): void {
    this[storeKey].answer(
      callback,
      () => this[storeKey].handle.get(0, key, readOptionsOf(options)),
      (value) => {
        if (value === undefined) {
          throw storeError(`NotFound: ${this[storeKey].location} has no such key`, 'ROCKSDB_NOT_FOUND');
        }
        return value;
      },
    );
  }

  _getMany(keys: types.Bytes[], options: types.RocksDBGetOptions, callback: AnyCallback): void {
    this[storeKey].answer(callback, () =>
      pacedAfterWork(this[storeKey].handle.getMany(0, keys, readOptionsOf(options), options.asBuffer === false)),
    );
  }

  _put(key: types.Bytes, value: types.Bytes, options: types.RocksDBWriteOptions, callback: AnyCallback): void {
    this[storeKey].answerDone(callback, () => this[storeKey].handle.put(0, key, value, writeOptionsOf(options)));
  }

  _del(key: types.Bytes, options: types.RocksDBWriteOptions, callback: AnyCallback): void {
    this[storeKey].answerDone(callback, () => this[storeKey].handle.delete(0, key, writeOptionsOf(options)));
  }

  _batch(operations: types.RocksDBOperation[], options: types.RocksDBWriteOptions, callback: AnyCallback): void {
    this[storeKey].answerDone(callback, () => {
      const batch = new PackedBatch(this[storeKey].handle);
      for (const operation of operations) {
        if (operation.type === 'put') {
          batch.put(0, operation.key, operation.value);
        } else {
          batch.delete(0, operation.key);
        }
      }
      return pacedAfterWork(batch.write(writeOptionsOf(options)));
    });
  }

  _chainedBatch(): LeveldownChainedBatch {
    return new LeveldownChainedBatch(this, this[storeKey]);
  }

  _clear(options: types.RocksDBRangeOptions, callback: AnyCallback): void {
    this[storeKey].answerDone(callback, () => {
      const limit = limitOf(options);
      return clear(
        { handle: this[storeKey].handle, family: 0 },
        { ...boundsOf(options), reverse: options.reverse ?? false, limit: Number.isFinite(limit) ? limit : -1 },
      );
    });
  }

  _iterator(options: types.RocksDBIteratorOptions): LeveldownIterator {
    if (this.status !== 'open') {
      throw storeError('cannot call iterator() before open()', 'DATABASE_CLOSED');
    }
    return new LeveldownIterator(this, this[storeKey], options);
  }
}

// A function and not a class, because it may be called without `new`, and inherited from with `util.inherits`.
function Leveldown(this: unknown, location: unknown): unknown {
  if (!(this instanceof (Leveldown as unknown as typeof Methods))) {
    return new rocksdb(location as string);
  }
  if (typeof location !== 'string') {
    throw new Error('constructor requires a location string argument');
  }
  AbstractLevelDOWN.call(this, MANIFEST);
  Object.defineProperty(this, storeKey, { value: new Store(location) });
  Object.assign(this, { location });
  return undefined;
}
Leveldown.prototype = Methods.prototype;
Object.defineProperty(Methods.prototype, 'constructor', { value: Leveldown, writable: true, configurable: true });

function checkPlace(method: string, given: unknown[]): void {
  if (given.length < 2) {
    throw new Error(`${method}() requires \`location\` and \`callback\` arguments`);
  }
  if (typeof given[0] !== 'string') {
    throw new Error(`${method}() requires a location string argument`);
  }
  if (typeof given[1] !== 'function') {
    throw new Error(`${method}() requires a callback function argument`);
  }
}

async function destroy(location: string): Promise<void> {
  if (await isNotThere(location)) {
    throw new RocksDBError(`destroy ${location}: there is no such directory`, 'ROCKSDB_IO_ERROR', {
      subcode: 'PATH_NOT_FOUND',
      path: location,
    });
  }
  await Database.destroy(location);
}

const statics = {
  destroy(...given: [string, types.ErrorCallback]): void {
    checkPlace('destroy', given);
    answerDone(given[1] as AnyCallback, () => destroy(given[0]));
  },
  repair(...given: [string, types.ErrorCallback]): void {
    checkPlace('repair', given);
    answerDone(given[1] as AnyCallback, () => Database.repair(given[0]));
  },
};

/**
 * A replacement for the exports of `require('rocksdb')`, the store of Level/rocksdb below levelup. It has the same calls and uses the same
 * files, but it is built on this library, so the database can be backed up while it is open.
 *
 * @example
 * const rocksdb = require('rocksdb-backup/leveldown'); // was: require('rocksdb')
 * const store = rocksdb('/var/lib/app/data');
 * const db = levelup(encode(store));
 * await engine.createBackup(store);
 */
const rocksdb = Object.assign(Leveldown, statics) as unknown as types.RocksDBConstructor;

declare namespace rocksdb {
  export type Bytes = types.Bytes;
  export type ChainedBatch = types.RocksDBChainedBatch;
  export type Constructor = types.RocksDBConstructor;
  export type EntryCallback = types.EntryCallback;
  export type ErrorCallback = types.ErrorCallback;
  export type GetOptions = types.RocksDBGetOptions;
  export type Iterator = types.RocksDBIterator;
  export type IteratorOptions = types.RocksDBIteratorOptions;
  export type OpenOptions = types.RocksDBOpenOptions;
  export type Operation = types.RocksDBOperation;
  export type RangeOptions = types.RocksDBRangeOptions;
  export type Store = types.RocksDBStore;
  export type ValueCallback<T> = types.ValueCallback<T>;
  export type WriteOptions = types.RocksDBWriteOptions;
}

export = rocksdb;
