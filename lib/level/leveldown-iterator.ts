import { pace } from '../base/pace.js';
import { Cursor } from '../native/cursor.js';
import type { Handle } from '../native/handle.js';
import { AbstractIterator, type AbstractStore, type AnyCallback } from './leveldown-abstract.js';
import { asStoreError, iteratorEnded } from './leveldown-errors.js';
import type { Store } from './leveldown-store.js';
import type { Bytes, RocksDBIteratorOptions, RocksDBRangeOptions } from './leveldown-types.js';

/** With more than this, a block of an iterator could become too large to be passed in one piece. */
const MAX_HIGH_WATER_MARK = 64 << 20;

const NOTHING = Buffer.alloc(0);

/** Entries that were read already are returned even if the database was closed in the meantime. */
const KEEPS_ENTRIES = { isOpen: true };

type Range = Pick<RocksDBRangeOptions, 'gt' | 'gte' | 'lt' | 'lte'>;

/** The bounds of a range. A bound of length 0 means no bound. */
export function boundsOf({ gt, gte, lt, lte }: RocksDBRangeOptions): Range {
  const bound = (key: Bytes | undefined) => (key === undefined || key.length === 0 ? undefined : key);
  return { gt: bound(gt), gte: bound(gte), lt: bound(lt), lte: bound(lte) };
}

/** The number of entries that a limit allows. */
export function limitOf({ limit }: RocksDBRangeOptions): number {
  return typeof limit === 'number' && limit >= 0 ? Math.floor(limit) : Number.POSITIVE_INFINITY;
}

function compare(a: Bytes, b: Bytes): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The iterator of a store, built on a cursor. */
export class LeveldownIterator extends AbstractIterator {
  readonly #store: Store;
  readonly #handle: Handle;
  readonly #cursor: Cursor;
  readonly #range: Range;
  readonly #noKey: Bytes | undefined;
  readonly #noValue: Bytes | undefined;
  #outOfRange = false;
  #waits = false;
  #ending: AnyCallback | undefined;

  constructor(db: AbstractStore, store: Store, options: RocksDBIteratorOptions) {
    super(db);
    const { handle } = store;
    this.#store = store;
    this.#handle = handle;
    const { keys, values, keyAsBuffer, valueAsBuffer, highWaterMark } = options;
    this.#range = boundsOf(options);
    this.#noKey = keys ? undefined : keyAsBuffer ? NOTHING : '';
    this.#noValue = values ? undefined : valueAsBuffer ? NOTHING : '';
    this.#cursor = new Cursor(
      handle.native.iterator(0, {
        ...this.#range,
        reverse: options.reverse,
        fillCache: options.fillCache ?? false,
        keys: keys || !values, // without keys and values, entries must still be counted
        values,
      }),
      KEEPS_ENTRIES,
      {
        key: keys || !values ? (keyAsBuffer ? 'buffer' : 'utf8') : undefined,
        value: values ? (valueAsBuffer ? 'buffer' : 'utf8') : undefined,
      },
      limitOf(options),
      typeof highWaterMark === 'number' && highWaterMark >= 1
        ? Math.min(Math.floor(highWaterMark), MAX_HIGH_WATER_MARK)
        : undefined,
    );
  }

  _next(callback: AnyCallback): void {
    const cursor = this.#cursor;
    if (this.#outOfRange) {
      process.nextTick(callback);
    } else if (cursor.hasEntry) {
      this.#give(callback);
    } else {
      this.#fill(callback);
    }
  }

  _seek(target: Bytes): void {
    if (target.length === 0) {
      throw new Error('cannot seek() to an empty target');
    }
    if (!this.#store.isOpen(this.#handle)) {
      throw iteratorEnded();
    }
    const { gt, gte, lt, lte } = this.#range;
    this.#outOfRange =
      (gt !== undefined && compare(target, gt) <= 0) ||
      (gte !== undefined && compare(target, gte) < 0) ||
      (lt !== undefined && compare(target, lt) >= 0) ||
      (lte !== undefined && compare(target, lte) > 0);
    if (!this.#outOfRange) {
      this.#cursor.seek(target);
    }
  }

  _end(callback: AnyCallback): void {
    if (this.#waits) {
      this.#ending = callback; // a caller that waits for an entry gets it first
    } else {
      this.#cursor.close();
      process.nextTick(callback);
    }
  }

  #give(callback: AnyCallback): void {
    const cursor = this.#cursor;
    const key = this.#noKey ?? cursor.key;
    const value = this.#noValue ?? cursor.value;
    cursor.advance();
    if (pace.due()) {
      this.#wait(pace.turn(), () => process.nextTick(callback, null, key, value), callback);
    } else {
      process.nextTick(callback, null, key, value);
    }
  }

  #fill(callback: AnyCallback): void {
    if (!this.#store.isOpen(this.#handle)) {
      process.nextTick(callback, iteratorEnded());
      return;
    }
    let wait: Promise<void> | undefined;
    try {
      wait = this.#cursor.fill(1);
    } catch (error) {
      process.nextTick(callback, asStoreError(error));
      return;
    }
    if (wait !== undefined) {
      this.#wait(wait, () => this._next(callback), callback);
    } else if (this.#cursor.hasEntry) {
      this.#give(callback);
    } else {
      process.nextTick(callback);
    }
  }

  #wait(until: Promise<unknown>, goOn: () => void, callback: AnyCallback): void {
    this.#waits = true;
    this.#store.tally.begin();
    const done = (last: () => void) => {
      this.#waits = false;
      last();
      if (this.#ending !== undefined && !this.#waits) {
        this.#cursor.close();
        process.nextTick(this.#ending);
        this.#ending = undefined;
      }
      this.#store.tally.end();
    };
    until.then(
      () => done(goOn),
      (error: unknown) => done(() => process.nextTick(callback, asStoreError(error))),
    );
  }
}
