import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from 'abstract-level';
import { describe, invalidOption } from '../base/errors.js';
import { pace } from '../base/pace.js';
import { Cursor } from '../native/cursor.js';
import type { Handle } from '../native/handle.js';
import type { MaybePromise } from '../native/native-database.js';
import type { Key } from '../native/options.js';
import { aborted } from './level-errors.js';
import { nativeEncoding, type PrivateReadOptions, readOptionsOf } from './level-options.js';

/** The options that abstract-level passes to an iterator, and to `clear`. */
export interface PrivateRangeOptions extends PrivateReadOptions {
  gt?: Key;
  gte?: Key;
  lt?: Key;
  lte?: Key;
  reverse?: boolean;
  limit?: number;
  keys?: boolean;
  values?: boolean;
  signal?: AbortSignal;
}

/** A column family of an open database. Iterators read from it. */
export interface Place {
  readonly handle: Handle;
  readonly family: number;
}

/** Makes a cursor over the range in abstract-level's options. */
export function cursorOf(place: Place, options: PrivateRangeOptions, keys: boolean, values: boolean): Cursor {
  const { gt, gte, lt, lte, reverse, limit = -1 } = options;
  const native = place.handle.native.iterator(place.family, {
    ...readOptionsOf(options),
    // As everywhere in abstract-level: if both bounds are given, the inclusive one counts.
    gt: gte === undefined ? gt : undefined,
    gte,
    lt: lte === undefined ? lt : undefined,
    lte,
    reverse,
    keys,
    values,
    seeksInsideOnly: true,
  });
  const parts = {
    key: keys ? nativeEncoding(options.keyEncoding) : undefined,
    value: values ? nativeEncoding(options.valueEncoding) : undefined,
  };
  return new Cursor(native, place.handle, parts, limit < 0 ? Number.POSITIVE_INFINITY : limit);
}

/** The common part of the three iterators. abstract-level makes sure that calls do not overlap. */
class Reader<T> {
  readonly #cursor: Cursor;
  readonly #read: (cursor: Cursor) => unknown;
  readonly #signal: AbortSignal | undefined;

  constructor(cursor: Cursor, read: (cursor: Cursor) => unknown, signal: AbortSignal | undefined) {
    if (signal !== undefined && signal !== null && !(signal instanceof AbortSignal)) {
      throw invalidOption(TypeError, 'signal', 'an AbortSignal', describe(signal));
    }
    this.#cursor = cursor;
    this.#read = read;
    this.#signal = signal ?? undefined;
  }

  next(): MaybePromise<T | undefined> {
    if (this.#signal !== undefined) {
      return this.#unlessAborted(this.#nextLater(pace.due() ? pace.turn() : undefined));
    }
    if (this.#cursor.hasEntry) {
      return pace.due() ? this.#nextLater(pace.turn()) : this.#take();
    }
    const wait = this.#cursor.fill(1);
    return wait === undefined ? this.#takeIfThere() : this.#nextLater(wait);
  }

  nextv(count: number): MaybePromise<T[]> {
    const taken: T[] = [];
    if (this.#signal !== undefined) {
      return this.#unlessAborted(this.#takeLater(taken, count));
    }
    const wait = this.#takeInto(taken, count);
    return wait === undefined ? taken : this.#takeLater(taken, count, wait);
  }

  seek(target: Key): void {
    this.#cursor.seek(target);
  }

  close(): void {
    this.#cursor.close();
  }

  async #nextLater(wait?: Promise<void>): Promise<T | undefined> {
    for (await wait; ; await wait) {
      wait = this.#cursor.fill(1);
      if (wait === undefined) {
        return this.#takeIfThere();
      }
    }
  }

  async #takeLater(taken: T[], count: number, wait?: Promise<void>): Promise<T[]> {
    for (await wait; ; await wait) {
      this.#throwIfAborted();
      wait = this.#takeInto(taken, count);
      if (wait === undefined) {
        return taken;
      }
    }
  }

  /** Takes the entries that are in memory. If it returns a promise, call it again after that promise. */
  #takeInto(taken: T[], count: number): Promise<void> | undefined {
    while (taken.length < count) {
      const wait = this.#cursor.fill(count - taken.length);
      if (wait !== undefined) {
        return wait;
      }
      if (!this.#cursor.hasEntry) {
        break;
      }
      while (taken.length < count && this.#cursor.hasEntry) {
        taken.push(this.#take());
        if (pace.due()) {
          return pace.turn();
        }
      }
    }
    return undefined;
  }

  async #unlessAborted<R>(work: Promise<R>): Promise<R> {
    const result = await work;
    this.#throwIfAborted();
    return result;
  }

  #throwIfAborted(): void {
    if (this.#signal?.aborted) {
      throw aborted(this.#signal);
    }
  }

  #takeIfThere(): T | undefined {
    return this.#cursor.hasEntry ? this.#take() : undefined;
  }

  #take(): T {
    const entry = this.#read(this.#cursor) as T;
    this.#cursor.advance();
    return entry;
  }
}

const entryAt = (cursor: Cursor) => [cursor.key, cursor.value];
const keyAt = (cursor: Cursor) => cursor.key;
const valueAt = (cursor: Cursor) => cursor.value;

/** The result of `iterator()`. */
export class LevelIterator<TDatabase, K, V> extends AbstractIterator<TDatabase, K, V> {
  readonly #reader: Reader<[K, V]>;

  /** Only `iterator()` calls this. */
  constructor(db: TDatabase, place: Place, options: PrivateRangeOptions) {
    const cursor = cursorOf(place, options, options.keys !== false, options.values !== false);
    const reader = new Reader<[K, V]>(cursor, entryAt, options.signal);
    super(db, options as object); // last, because from then on the database waits for this iterator to close
    this.#reader = reader;
  }

  protected _next(): MaybePromise<[K, V] | undefined> {
    return this.#reader.next();
  }

  protected _nextv(size: number): MaybePromise<[K, V][]> {
    return this.#reader.nextv(size);
  }

  protected _all(): MaybePromise<[K, V][]> {
    return this.#reader.nextv(Number.POSITIVE_INFINITY);
  }

  protected _seek(target: Key): void {
    this.#reader.seek(target);
  }

  protected async _close(): Promise<void> {
    this.#reader.close();
  }
}

/** The result of `keys()`. */
export class LevelKeyIterator<TDatabase, K> extends AbstractKeyIterator<TDatabase, K> {
  readonly #reader: Reader<K>;

  /** Only `keys()` calls this. */
  constructor(db: TDatabase, place: Place, options: PrivateRangeOptions) {
    const reader = new Reader<K>(cursorOf(place, options, true, false), keyAt, options.signal);
    super(db, options as object);
    this.#reader = reader;
  }

  protected _next(): MaybePromise<K | undefined> {
    return this.#reader.next();
  }

  protected _nextv(size: number): MaybePromise<K[]> {
    return this.#reader.nextv(size);
  }

  protected _all(): MaybePromise<K[]> {
    return this.#reader.nextv(Number.POSITIVE_INFINITY);
  }

  protected _seek(target: Key): void {
    this.#reader.seek(target);
  }

  protected async _close(): Promise<void> {
    this.#reader.close();
  }
}

/** The result of `values()`. */
export class LevelValueIterator<TDatabase, K, V> extends AbstractValueIterator<TDatabase, K, V> {
  readonly #reader: Reader<V>;

  /** Only `values()` calls this. */
  constructor(db: TDatabase, place: Place, options: PrivateRangeOptions) {
    const reader = new Reader<V>(cursorOf(place, options, false, true), valueAt, options.signal);
    super(db, options as object);
    this.#reader = reader;
  }

  protected _next(): MaybePromise<V | undefined> {
    return this.#reader.next();
  }

  protected _nextv(size: number): MaybePromise<V[]> {
    return this.#reader.nextv(size);
  }

  protected _all(): MaybePromise<V[]> {
    return this.#reader.nextv(Number.POSITIVE_INFINITY);
  }

  protected _seek(target: Key): void {
    this.#reader.seek(target);
  }

  protected async _close(): Promise<void> {
    this.#reader.close();
  }
}
